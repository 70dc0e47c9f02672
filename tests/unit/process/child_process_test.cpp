// Helper processes: started, watched, ended.
#include "daemon/host/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/host/process_identity_linux.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

// The exit of a child, waited for by its descriptor.
std::optional<ChildExit> end_of(const ChildProcess& child) {
  pollfd wait{.fd = child.watch.descriptor(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, 10'000) != 1) return std::nullopt;
  return reap_process(child.watch);
}

TEST(RunToEnd, GivesInputAndTakesBothOutputs) {
  const auto done = run_to_end({"sh", "-c", "cat; echo wrong >&2; exit 3"}, "hello\n", 10s);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->output, "hello\nwrong\n");
  EXPECT_EQ(done->exit.to_string(), "exited with status 3");
  EXPECT_FALSE(done->exit.is_success());
}

TEST(RunToEnd, InputThatNobodyReadsDoesNoHarm) {
  const auto done = run_to_end({"true"}, std::string(1 << 20, 'x'), 10s);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_TRUE(done->exit.is_success());
}

TEST(RunToEnd, LongOutputIsCut) {
  const auto done = run_to_end({"sh", "-c", "head -c 200000 /dev/zero"}, "", 10s);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->output.size(), 65536u);
}

TEST(RunToEnd, ArgumentsAreNotReadByAShell) {
  const auto done = run_to_end({"echo", "$HOME; `id`", "a  b"}, "", 10s);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->output, "$HOME; `id` a  b\n");
}

TEST(RunToEnd, HangingHelperIsKilledAtItsDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  const auto done = run_to_end({"sleep", "600"}, "", 50ms);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(RunToEnd, UnknownProgramIsNamed) {
  const auto done = run_to_end({"berth-no-such-program"}, "", 1s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(done.error().detail.find("berth-no-such-program"), std::string::npos);
}

TEST(SpawnChild, FileThatIsNoProgramIsAnErrorAtOnce) {
  const test::TempDir directory;
  const auto file = directory / "text";
  std::ofstream{file} << "neither a script nor a binary\n";
  std::filesystem::permissions(file, std::filesystem::perms{0600});
  const auto plain = spawn_child({.argv = {file.string()}});
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, ErrorCode::kUnsupported) << "nobody may execute it";

  std::filesystem::permissions(file, std::filesystem::perms{0700});
  const auto marked = spawn_child({.argv = {file.string()}});
  ASSERT_FALSE(marked) << "the error of exec came as an exit";
  EXPECT_EQ(marked.error().code, ErrorCode::kMachineFailed);
}

TEST(SpawnChild, IdentityIsThatOfTheProcess) {
  const auto child = spawn_child({.argv = {"sleep", "600"}});
  ASSERT_TRUE(child) << child.error().detail;
  const auto identity = identify_process(child->identity.pid);
  ASSERT_TRUE(identity);
  EXPECT_EQ(*identity, child->identity);
  EXPECT_FALSE(reap_process(child->watch)) << "it still runs";
  ASSERT_TRUE(signal_process(child->watch, SIGTERM));
  const auto exit = end_of(*child);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->kind, ChildExit::Kind::kSignalled);
  EXPECT_EQ(exit->value, SIGTERM);
}

TEST(SpawnChild, OwnSessionIsLedByTheChild) {
  for (const ChildSession session : {ChildSession::kShared, ChildSession::kOwn}) {
    const auto child = spawn_child({.argv = {"sleep", "600"}, .session = session});
    ASSERT_TRUE(child) << child.error().detail;
    const pid_t leader = ::getsid(child->identity.pid);
    EXPECT_EQ(leader == child->identity.pid, session == ChildSession::kOwn);
    ASSERT_TRUE(signal_process(child->watch, SIGKILL));
    EXPECT_TRUE(end_of(*child));
  }
}

// What the child finds at descriptor 100.
std::string seen_at_100(std::vector<int> inherited) {
  const UniqueFd out{::memfd_create("out", MFD_CLOEXEC)};
  const auto child = spawn_child({.argv = {"sh", "-c", "if [ -e /proc/$$/fd/100 ]; then echo open; else echo closed; fi"},
                                  .standard_output = out.get(),
                                  .inherited = std::move(inherited)});
  if (!child || !end_of(*child)) return "failed";
  std::string text(256, '\0');
  const ssize_t size = ::pread(out.get(), text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

TEST(SpawnChild, OnlyNamedDescriptorsAreInherited) {
  const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  const UniqueFd kept{::fcntl(null.get(), F_DUPFD_CLOEXEC, 100)};
  ASSERT_EQ(kept.get(), 100);
  EXPECT_EQ(seen_at_100({}), "closed\n");
  EXPECT_EQ(seen_at_100({100}), "open\n");
  EXPECT_NE(::fcntl(kept.get(), F_GETFD) & FD_CLOEXEC, 0) << "the daemon's own descriptor stays closed to others";
}

TEST(SpawnChild, BlockedAndIgnoredSignalsAreOrdinaryAgain) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(::sigprocmask(SIG_BLOCK, &blocked, &before), 0);
  const auto child = spawn_child({.argv = {"sleep", "600"}});
  ASSERT_EQ(::sigprocmask(SIG_SETMASK, &before, nullptr), 0);
  ASSERT_TRUE(child) << child.error().detail;
  ASSERT_TRUE(signal_process(child->watch, SIGTERM));
  EXPECT_TRUE(end_of(*child));
}

TEST(FindProgram, LooksWhereAdministratorsPutPrograms) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_TRUE(find_program("/bin/sh"));
  EXPECT_FALSE(find_program(""));
  EXPECT_FALSE(find_program("berth-no-such-program"));
  EXPECT_FALSE(find_program("/etc")) << "a folder is no program";
}

} // namespace
} // namespace berth
