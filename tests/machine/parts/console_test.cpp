// The serial port: two real pipes, a log and a socket.
#include "machine/console.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "tests/machine/parts/loop_harness.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::vz {
namespace {

struct Wired {
  berth::test::TempDir directory;
  std::shared_ptr<Loop> loop = test::make_loop();
  std::unique_ptr<Console> console;

  Wired() {
    auto made = Console::create(*loop, directory.path());
    EXPECT_TRUE(made) << made.error().detail;
    console = std::move(*made);
  }
  std::string log() const {
    std::ifstream stream(directory / "console.log", std::ios::binary);
    return {std::istreambuf_iterator<char>{stream}, {}};
  }
  void guest_says(std::string_view text) const {
    ASSERT_EQ(::write(console->guest_writer(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

TEST(Console, AppendsWhatTheGuestSays) {
  Wired wired;
  wired.guest_says("boot\n");
  ASSERT_TRUE(test::pump(*wired.loop, [&] { return wired.log() == "boot\n"; })) << wired.log();
  struct stat log{};
  ASSERT_EQ(::stat((wired.directory / "console.log").c_str(), &log), 0);
  EXPECT_EQ(log.st_mode & 0777, 0600U);
  // What the daemon punches out of the beginning does not move the end.
  ASSERT_EQ(::truncate((wired.directory / "console.log").c_str(), 0), 0);
  wired.guest_says("login:");
  ASSERT_TRUE(test::pump(*wired.loop, [&] { return wired.log() == "login:"; })) << "opened to append";
}

TEST(Console, KeepsTheLogOfTheRunBefore) {
  berth::test::TempDir directory;
  const auto loop = test::make_loop();
  for (const char* text : {"first ", "second"}) {
    auto console = Console::create(*loop, directory.path());
    ASSERT_TRUE(console);
    ASSERT_GT(::write((*console)->guest_writer(), text, std::strlen(text)), 0);
    (*console)->drain();
  }
  std::ifstream stream(directory / "console.log");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>{stream}, {}), "first second");
}

TEST(Console, GivesTheGuestItsInput) {
  Wired wired;
  test::LocalClient client{wired.directory / "console.sock"};
  ASSERT_TRUE(client.send(*wired.loop, "root\n"));
  test::settle(*wired.loop);
  char bytes[16];
  ASSERT_EQ(::read(wired.console->guest_reader(), bytes, sizeof bytes), 5);
  EXPECT_EQ(std::string_view(bytes, 5), "root\n");
}

TEST(Console, MakesATypistWaitForASilentGuest) {
  Wired wired;
  test::LocalClient client{wired.directory / "console.sock"};
  std::string sent(1 << 20, 'k');
  std::string_view left{sent};
  std::string got;
  ASSERT_EQ(::fcntl(wired.console->guest_reader(), F_SETFL, O_NONBLOCK), 0);
  // The bounded buffers fill; then the guest wakes up and reads everything.
  ASSERT_TRUE(client.send(*wired.loop, left.substr(0, 100'000)));
  left.remove_prefix(100'000);
  test::settle(*wired.loop);
  ASSERT_TRUE(test::pump(*wired.loop, [&] {
    char bytes[64 << 10];
    const ssize_t count = ::read(wired.console->guest_reader(), bytes, sizeof bytes);
    if (count > 0) got.append(bytes, static_cast<std::size_t>(count));
    return got.size() == 100'000;
  }));
  EXPECT_EQ(got, sent.substr(0, 100'000));
}

TEST(Console, TakesTheNewestTypist) {
  Wired wired;
  test::LocalClient first{wired.directory / "console.sock"};
  test::settle(*wired.loop);
  test::LocalClient second{wired.directory / "console.sock"};
  EXPECT_TRUE(first.has_ended(*wired.loop));
  ASSERT_TRUE(second.send(*wired.loop, "x"));
  test::settle(*wired.loop);
  char byte = 0;
  ASSERT_EQ(::read(wired.console->guest_reader(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

// A file that may not grow stands for a full disk: both make write(2) fail.
TEST(Console, DropsOutputThatNoDiskTakes) {
  Wired wired;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{4, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  wired.guest_says("0123456789");
  wired.console->drain();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(wired.console->dropped_bytes(), 6U);
  wired.guest_says("!");
  wired.console->drain();
  EXPECT_EQ(wired.log(), "0123!") << "and it goes on once there is room";
}

} // namespace
} // namespace berth::vz
