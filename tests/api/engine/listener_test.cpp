// The socket file: who may make it, who may remove it; and sockets handed over by a service manager.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "api/inherited.hpp"
#include "api/unix_listener.hpp"
#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

class Listening : public ::testing::Test {
protected:
  Listening() : folder(make_folder()), path(folder + "/run/api.sock") {}
  ~Listening() override { std::filesystem::remove_all(folder); }

  mode_t mode_of(const std::string& file) {
    struct stat status{};
    EXPECT_EQ(::lstat(file.c_str(), &status), 0) << file;
    return status.st_mode & 07777;
  }

  void check_refused(const std::string& at, ErrorCode code) {
    const auto listener = open_unix_listener(at, std::nullopt);
    ASSERT_FALSE(listener.has_value()) << at;
    EXPECT_EQ(listener.error().code, code) << listener.error().detail;
    EXPECT_NE(listener.error().detail.find(at.substr(0, 60)), std::string::npos) << listener.error().detail;
  }

  // A socket whose server is gone.
  void leave_stale_socket() {
    std::filesystem::create_directory(folder + "/run");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM, 0)};
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd.get(), 1), 0);
  }

  std::string folder, path;
};

TEST_F(Listening, MakesDirectoryAndSocketForTheOwnerAlone) {
  const mode_t before = ::umask(0);
  auto listener = open_unix_listener(path, std::nullopt);
  ::umask(before);
  ASSERT_TRUE(listener.has_value()) << listener.error().detail;
  EXPECT_EQ(mode_of(folder + "/run"), 0700u);
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(mode_of(path + ".lock"), 0600u);
  EXPECT_NE(::fcntl(listener->socket.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(Listening, MakesThemForAGroupWhenToldTo) {
  auto listener = open_unix_listener(path, ::getegid());
  ASSERT_TRUE(listener.has_value()) << listener.error().detail;
  EXPECT_EQ(mode_of(folder + "/run"), 0750u);
  EXPECT_EQ(mode_of(path), 0660u);
}

TEST_F(Listening, ASecondServerIsRefusedAndHarmsNothing) {
  Harness first{sample_router()};
  const auto second = open_unix_listener(first.path(), std::nullopt);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kStateConflict);
  EXPECT_NE(second.error().detail.find(first.path()), std::string::npos);
  EXPECT_EQ(first.connect().request(get("/plain")).status, 200);
}

TEST_F(Listening, AServerWithoutALockFileIsFoundByAsking) {
  Harness first{sample_router()};
  ASSERT_EQ(::unlink((first.path() + ".lock").c_str()), 0);
  check_refused(first.path(), ErrorCode::kStateConflict);
  EXPECT_EQ(first.connect().request(get("/plain")).status, 200);
}

TEST_F(Listening, AStaleSocketIsReplaced) {
  leave_stale_socket();
  auto listener = open_unix_listener(path, std::nullopt);
  EXPECT_TRUE(listener.has_value()) << listener.error().detail;
}

TEST_F(Listening, AStaleSocketIsLeftWhileAnotherHoldsTheLock) {
  leave_stale_socket();
  struct stat before{}, after{};
  ASSERT_EQ(::lstat(path.c_str(), &before), 0);
  {
    auto other = open_unix_listener(folder + "/run/other.sock", std::nullopt);
    ASSERT_TRUE(other.has_value());
    std::filesystem::rename(folder + "/run/other.sock.lock", path + ".lock"); // still held by `other`
    check_refused(path, ErrorCode::kStateConflict);
  }
  ASSERT_EQ(::lstat(path.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Listening, WhatIsNoSocketIsNeverRemoved) {
  std::filesystem::create_directory(folder + "/run");
  std::ofstream{path} << "precious";
  check_refused(path, ErrorCode::kInvalidValue);
  std::filesystem::remove(path);
  std::filesystem::create_symlink(folder, path);
  check_refused(path, ErrorCode::kInvalidValue);
  EXPECT_TRUE(std::filesystem::is_symlink(path));
}

TEST_F(Listening, ALockFileThatIsALinkIsNotFollowed) {
  std::filesystem::create_directory(folder + "/run");
  std::filesystem::create_symlink(folder + "/target", path + ".lock");
  const auto listener = open_unix_listener(path, std::nullopt);
  ASSERT_FALSE(listener.has_value());
  EXPECT_FALSE(std::filesystem::exists(folder + "/target"));
}

TEST_F(Listening, BadPathsAreNamed) {
  check_refused("relative.sock", ErrorCode::kInvalidValue);
  check_refused(folder + "/" + std::string(120, 'x'), ErrorCode::kInvalidValue);
  EXPECT_EQ(open_unix_listener(folder + "/a/b/c.sock", std::nullopt).error().code, ErrorCode::kStorageFailed);
  std::ofstream{folder + "/file"} << "x";
  EXPECT_FALSE(open_unix_listener(folder + "/file/c.sock", std::nullopt).has_value());
}

TEST_F(Listening, ADirectoryThatAllMayWriteIsRefused) {
  std::filesystem::create_directory(folder + "/run");
  ASSERT_EQ(::chmod((folder + "/run").c_str(), 0777), 0);
  EXPECT_EQ(open_unix_listener(path, std::nullopt).error().code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(mode_of(folder + "/run"), 0777u); // judged, not changed
}

TEST_F(Listening, OnlyTheSocketThatWasBoundIsRemoved) {
  auto listener = open_unix_listener(path, std::nullopt);
  ASSERT_TRUE(listener.has_value());
  ASSERT_EQ(::unlink(path.c_str()), 0);
  std::ofstream{path} << "somebody else's";
  listener->remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  auto mine = open_unix_listener(folder + "/run/mine.sock", std::nullopt);
  ASSERT_TRUE(mine.has_value());
  mine->remove();
  EXPECT_FALSE(std::filesystem::exists(folder + "/run/mine.sock"));
}

TEST_F(Listening, SaysWhereItListens) {
  Harness harness{sample_router()};
  std::vector<ListenerInfo> listeners;
  harness.on_loop([&] { listeners = harness.server().listeners(); });
  ASSERT_EQ(listeners.size(), 1u);
  EXPECT_EQ(listeners[0].kind, ListenerKind::kUnix);
  EXPECT_EQ(listeners[0].address, harness.path());
  EXPECT_FALSE(listeners[0].is_inherited);
}

TEST(Inherited, OnlyListeningLocalSocketsAreTaken) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd other{pair[1]};
  EXPECT_FALSE(describe_listener(UniqueFd{pair[0]}).has_value());                                         // not listening
  EXPECT_FALSE(describe_listener(UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}).has_value());       // no socket
  EXPECT_FALSE(describe_listener(UniqueFd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)}).has_value()); // no stream
  UniqueFd abstract{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ASSERT_EQ(::listen(abstract.get(), 1), -1); // unbound sockets cannot listen
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "berth-test-" + std::to_string(::getpid());
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  ASSERT_EQ(::bind(abstract.get(), reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())),
            0);
  ASSERT_EQ(::listen(abstract.get(), 1), 0);
  EXPECT_FALSE(describe_listener(std::move(abstract)).has_value()); // abstract: no directory guards it
}

// Starts the small server with one socket at descriptor 3, as a service manager does. Only calls that are safe after
// fork(2) in the child.
pid_t start_with_socket(int socket, const std::string& program) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (::dup2(socket, 3) != 3) ::_exit(101);
  ::fcntl(3, F_SETFD, 0);
  char pid[32];
  std::snprintf(pid, sizeof pid, "LISTEN_PID=%d", static_cast<int>(::getpid()));
  char count[] = "LISTEN_FDS=1";
  char* environment[] = {pid, count, nullptr};
  char* arguments[] = {const_cast<char*>(program.c_str()), nullptr};
  ::execve(program.c_str(), arguments, environment);
  ::_exit(102);
}

TEST_F(Listening, ServesAnInheritedSocketAndLeavesItsFile) {
  auto listener = open_unix_listener(path, std::nullopt);
  ASSERT_TRUE(listener.has_value());
  const pid_t child = start_with_socket(listener->socket.get(), std::string{BERTH_BINARY_DIR} + "/http_engine_inherited");
  ASSERT_GT(child, 0);
  {
    Client client{path};
    EXPECT_EQ(client.request(get("/listeners")).body, "unix " + path + " inherited LISTEN_FDS=");
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Listening, WorksUnderSystemdSocketActivate) {
  const std::string activate = "/usr/bin/systemd-socket-activate";
  if (::access(activate.c_str(), X_OK) != 0) GTEST_SKIP() << "systemd-socket-activate is not installed";
  const std::string socket_path = folder + "/activated.sock";
  const std::string program = std::string{BERTH_BINARY_DIR} + "/http_engine_inherited";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(activate.c_str(), activate.c_str(), "-l", socket_path.c_str(), program.c_str(), static_cast<char*>(nullptr));
    ::_exit(102);
  }
  ASSERT_GT(child, 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!std::filesystem::exists(socket_path) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  // The file is there a moment before it listens.
  std::unique_ptr<Client> client;
  do client = std::make_unique<Client>(socket_path);
  while (client->fd() < 0 && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(client->request(get("/listeners")).body, "unix " + socket_path + " inherited LISTEN_FDS=");
  ::kill(child, SIGTERM); // socket-activate has become the server by exec
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

} // namespace
} // namespace berth::api::test
