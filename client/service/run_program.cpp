// Programs of the host's service manager as children.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "client/service/hands.hpp"

extern char** environ; // POSIX declares it nowhere

namespace berth::cli {

namespace {

std::unexpected<std::string> cannot_run(const Words& words, int number) {
  return std::unexpected("cannot run " + words.front() + ": " + std::strerror(number));
}

// The program with its standard output and error going to `output`, or where this one's go when that is -1.
Outcome<pid_t> start(const Words& words, int output) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str())); // posix_spawnp writes into none
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  }
  pid_t child = -1;
  const int number = ::posix_spawnp(&child, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (number != 0) return cannot_run(words, number);
  return child;
}

Outcome<int> wait_for_end(const Words& words, pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return cannot_run(words, errno);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

Outcome<ToolResult> run_program(const Words& words) {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return cannot_run(words, errno);
  for (const int each : ends) ::fcntl(each, F_SETFD, FD_CLOEXEC); // the copies on 1 and 2 alone are the child's
  const auto child = start(words, ends[1]);
  ::close(ends[1]);
  ToolResult result;
  if (child) {
    char chunk[4096];
    ssize_t count = 0;
    while ((count = ::read(ends[0], chunk, sizeof chunk)) != 0) {
      if (count > 0) result.output.append(chunk, static_cast<std::size_t>(count));
      if (count < 0 && errno != EINTR) break;
    }
  }
  ::close(ends[0]);
  if (!child) return std::unexpected(child.error());
  const auto code = wait_for_end(words, *child);
  if (!code) return std::unexpected(code.error());
  result.exit_code = *code;
  return result;
}

Outcome<int> run_in_foreground(const Words& words) {
  const auto child = start(words, -1);
  if (!child) return std::unexpected(child.error());
  return wait_for_end(words, *child);
}

} // namespace berth::cli
