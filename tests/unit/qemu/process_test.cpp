// QEMU's process: spawned behind its record, reaped once.
#include "daemon/host/process_identity.hpp"
#include "daemon/machine/process/process.hpp"

#include <csignal>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/process/socket.hpp"
#include "tests/unit/qemu/temporary_directory.hpp"

namespace berth {
namespace {

Result<void> accept(const ProcessIdentity&) { return {}; }

bool is_over(const ProcessHandle& process) {
  pollfd poll{process.watch.descriptor(), POLLIN, 0};
  return ::poll(&poll, 1, 10'000) == 1;
}

UniqueFd null_output() { return UniqueFd{::open("/dev/null", O_WRONLY | O_CLOEXEC)}; }

TEST(Process, TellsHowItEnded) {
  const UniqueFd output = null_output();
  auto exited = spawn_process({{"/bin/sh", "-c", "exit 7"}, {}, output.get(), accept});
  ASSERT_TRUE(exited);
  ASSERT_TRUE(is_over(*exited));
  EXPECT_EQ(reap(exited->watch)->text, "exit status 7");
  auto killed = spawn_process({{"/bin/sleep", "100"}, {}, output.get(), accept});
  ASSERT_TRUE(killed);
  EXPECT_TRUE(kill_process(killed->watch));
  ASSERT_TRUE(is_over(*killed));
  const auto end = reap(killed->watch);
  EXPECT_EQ(end->signal, SIGKILL);
  EXPECT_EQ(end->text, "signal 9 (Killed)");
  EXPECT_FALSE(reap(killed->watch)) << "it is reaped once";
}

TEST(Process, SaysWhyItCannotExecute) {
  const UniqueFd output = null_output();
  const auto process = spawn_process({{"/nowhere/qemu"}, {}, output.get(), accept});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().detail, "cannot execute /nowhere/qemu: No such file or directory");
}

TEST(Process, RunsNothingWithoutARecord) {
  const TemporaryDirectory directory;
  const auto mark = directory.path() / "mark";
  const UniqueFd output = null_output();
  const auto process = spawn_process({{"/bin/touch", mark}, {}, output.get(), [](const ProcessIdentity&) {
                                        return Result<void>{fail(ErrorCode::kStorageFailed, "disk full")};
                                      }});
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, ErrorCode::kStorageFailed);
  EXPECT_FALSE(std::filesystem::exists(mark));
}

// A daemon that dies between fork and exec, in a process of its own.
TEST(Process, EndsUnexecutedWhenTheDaemonDies) {
  const TemporaryDirectory directory;
  const auto mark = directory.path() / "mark";
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    const UniqueFd output = null_output();
    static_cast<void>(spawn_process({{"/bin/touch", mark}, {}, output.get(), [](const ProcessIdentity&) -> Result<void> {
                                       ::kill(::getpid(), SIGKILL);
                                       return {};
                                     }}));
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_GT(::wait(&status), 0) << "the child is ours now";
  EXPECT_EQ(WEXITSTATUS(status), 127);
  EXPECT_FALSE(std::filesystem::exists(mark));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Process, KeepsOnlyTheNamedDescriptors) {
  const TemporaryDirectory directory;
  const auto list = directory.path() / "list";
  const UniqueFd kept{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  const UniqueFd leaked{::open("/dev/full", O_RDONLY)};
  const UniqueFd output{::open(list.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  auto process = spawn_process({{"/bin/sh", "-c", "readlink /proc/$$/fd/*"}, {kept.get()}, output.get(), accept});
  ASSERT_TRUE(process);
  ASSERT_TRUE(is_over(*process));
  reap(process->watch);
  std::string text(4096, '\0');
  const UniqueFd input{::open(list.c_str(), O_RDONLY | O_CLOEXEC)};
  const ssize_t count = ::read(input.get(), text.data(), text.size());
  ASSERT_GT(count, 0);
  text.resize(static_cast<std::size_t>(count));
  EXPECT_NE(text.find("/dev/zero"), std::string::npos) << text;
  EXPECT_EQ(text.find("/dev/full"), std::string::npos) << text;
  EXPECT_EQ(text.find("pipe:"), std::string::npos) << text;
}

TEST(Process, IsFoundAgainOnlyByItsWholeIdentity) {
  const UniqueFd output = null_output();
  auto process = spawn_process({{"/bin/sleep", "100"}, {}, output.get(), accept});
  ASSERT_TRUE(process);
  EXPECT_TRUE(reopen_process(process->identity));
  EXPECT_TRUE(command_line_contains(process->identity, "sleep"));
  auto other = process->identity;
  ++other.start_time;
  EXPECT_EQ(reopen_process(other).error().code, ErrorCode::kNotFound);
  other = process->identity;
  other.boot_id = "another";
  EXPECT_EQ(reopen_process(other).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(kill_and_wait(process->watch, 10'000));
  EXPECT_EQ(reopen_process(process->identity).error().code, ErrorCode::kNotFound);
}

TEST(ProcessRecord, IsReadBackOrRefused) {
  const TemporaryDirectory directory;
  EXPECT_EQ(read_run_record(directory.path()).error().code, ErrorCode::kNotFound);
  const ProcessRecord record{{4711, 1234567, "boot"}, *Uuid::parse("12345678-1234-4234-8234-123456789abc")};
  ASSERT_TRUE(write_run_record(directory.path(), record));
  const auto read = read_run_record(directory.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->process, record.process);
  EXPECT_EQ(read->uuid, record.uuid);
  for (const char* text : {"", "{", "[]", "{\"version\":2}", "{\"version\":1,\"uuid\":5}"}) {
    const UniqueFd file{::open((directory.path() / "process.json").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)};
    ASSERT_EQ(::write(file.get(), text, std::char_traits<char>::length(text)),
              static_cast<ssize_t>(std::char_traits<char>::length(text)));
    EXPECT_EQ(read_run_record(directory.path()).error().code, ErrorCode::kMachineFailed) << text;
  }
  ASSERT_TRUE(write_exit_record(directory.path(), {ExitReason::kGuestPanic, "why"}));
  EXPECT_EQ(read_exit_record(directory.path())->reason, ExitReason::kGuestPanic);
  remove_records(directory.path());
  EXPECT_FALSE(read_exit_record(directory.path()));
}

TEST(Socket, ReachesALongPath) {
  const TemporaryDirectory directory;
  const auto deep = directory.path() / std::string(120, 'd');
  std::filesystem::create_directory(deep);
  const auto listener = listen_unix(deep, "qmp.sock");
  ASSERT_TRUE(listener) << listener.error().detail;
  EXPECT_TRUE(connect_unix(deep, "qmp.sock"));
  EXPECT_FALSE(connect_unix(deep, "none.sock"));
  EXPECT_TRUE(listen_unix(deep, "qmp.sock")) << "a stale socket is replaced";
}

} // namespace
} // namespace berth
