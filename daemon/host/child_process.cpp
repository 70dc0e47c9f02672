// Children by posix_spawn, which hands back the error of exec itself. What each system does its own way is in
// spawn_plan_*.cpp.
#include "daemon/host/child_process.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "daemon/host/process_identity.hpp"
#include "daemon/host/spawn_plan.hpp"

extern char** environ;

namespace berth {

namespace {

constexpr std::size_t kMaxOutput = 64 * 1024;

std::string error_text(int number) { return std::generic_category().message(number); }

bool is_executable_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::string content_of(const UniqueFd& file) {
  std::string text(kMaxOutput, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t count = ::pread(file.get(), text.data() + used, text.size() - used, static_cast<off_t>(used));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    used += static_cast<std::size_t>(count);
  }
  text.resize(used);
  return text;
}

} // namespace

std::optional<std::filesystem::path> find_program(std::string_view name) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string_view::npos) {
    std::filesystem::path path{name};
    if (is_executable_file(path)) return path;
    return std::nullopt;
  }
  const char* from_environment = ::getenv("PATH");
  std::string folders = from_environment != nullptr ? from_environment : "";
  folders += ":/usr/local/sbin:/usr/sbin:/sbin";
  std::string_view rest = folders;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view folder = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (folder.empty()) continue; // an empty entry means the current folder, which is never looked in
    const std::filesystem::path path = std::filesystem::path{folder} / name;
    if (is_executable_file(path)) return path;
  }
  return std::nullopt;
}

Result<ChildProcess> spawn_child(const ChildOptions& options) {
  if (options.argv.empty()) return fail(ErrorCode::kInternal, "a program without arguments cannot be started");
  const auto program = find_program(options.argv[0]);
  if (!program) return fail(ErrorCode::kUnsupported, "there is no program " + options.argv[0] + " on this host", options.argv[0]);
  SpawnPlan plan;
  if (const int error = plan.fill({options.standard_input, options.standard_output, options.standard_error, options.inherited,
                                   options.session == ChildSession::kOwn});
      error != 0)
    return fail(ErrorCode::kInternal, "the start of " + options.argv[0] + " cannot be prepared: " + error_text(error));

  std::vector<char*> arguments;
  for (const std::string& argument : options.argv) arguments.push_back(const_cast<char*>(argument.c_str())); // POSIX: not changed
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = ::posix_spawn(&pid, program->c_str(), plan.actions(), plan.attributes(), arguments.data(), environ);
      error != 0)
    return fail(ErrorCode::kMachineFailed, program->string() + " cannot be started: " + error_text(error), options.argv[0]);

  // Nobody but reap_process collects it, so the pid is ours until then, even when the child has already ended.
  auto watch = watch_child(pid);
  auto identity = identify_process(pid);
  if (!watch || (!identity && identity.error().code != ErrorCode::kNotFound)) {
    const std::string reason = !watch ? watch.error().detail : identity.error().detail;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorCode::kInternal, program->string() + " cannot be watched: " + reason);
  }
  if (!identity) identity = ProcessIdentity{.pid = pid}; // ended within these microseconds: the watch tells it at once
  return ChildProcess{.identity = std::move(*identity), .watch = std::move(*watch)};
}

Result<FinishedChild> run_to_end(const std::vector<std::string>& argv, std::string_view input, Duration timeout) {
  auto in = unnamed_file(input);
  if (!in) return std::unexpected(in.error());
  auto out = unnamed_file({});
  if (!out) return std::unexpected(out.error());
  auto child =
      spawn_child({.argv = argv, .standard_input = in->get(), .standard_output = out->get(), .standard_error = out->get()});
  if (!child) return std::unexpected(child.error());

  const bool ended = wait_for_end(child->watch, static_cast<int>(timeout.count()));
  if (!ended) {
    // The result does not matter: it fails only when the child ended in this moment.
    (void)signal_process(child->watch, SIGKILL);
    wait_for_end(child->watch, 5000);
  }
  const auto exit = reap_process(child->watch);
  if (!ended || !exit)
    return fail(ErrorCode::kDeadlineExceeded, argv[0] + " did not end within " + std::to_string(timeout.count()) + " ms",
                argv[0]);
  return FinishedChild{.exit = *exit, .output = content_of(*out)};
}

} // namespace berth
