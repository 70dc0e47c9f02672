// The way to the daemon: where its socket is, and how it may fail.
#include <berth/client.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/socket_path.hpp"
#include "client/lib/unix_stream.hpp"
#include "tests/unit/client/fake_daemon.hpp"

namespace berth::client {
namespace {

using test::TemporaryFolder;

Client client_of(const std::string& path, Milliseconds timeout = Milliseconds{5000}) {
  return Client{ClientOptions{.socket_path = path, .connect_timeout = timeout, .request_timeout = timeout}};
}

TEST(SocketPath, TheVariableOfBerthWins) {
  EXPECT_EQ(socket_path_from({.berth_socket = "/tmp/x.sock", .xdg_state_home = "/state", .home = "/home/a"}), "/tmp/x.sock");
}

#ifdef __APPLE__
TEST(SocketPath, FollowsTheCustomOfMacos) {
  EXPECT_EQ(socket_path_from({.berth_socket = "", .xdg_state_home = "/state", .home = "/Users/a"}),
            "/Users/a/Library/Application Support/berth/run/berthd.sock");
}
#else
TEST(SocketPath, FollowsTheXdgSpecification) {
  EXPECT_EQ(socket_path_from({.berth_socket = "", .xdg_state_home = "/state", .home = "/home/a"}),
            "/state/berth/run/berthd.sock");
  EXPECT_EQ(socket_path_from({.berth_socket = "", .xdg_state_home = "", .home = "/home/a"}),
            "/home/a/.local/state/berth/run/berthd.sock");
  EXPECT_EQ(socket_path_from({.berth_socket = "", .xdg_state_home = "relative", .home = "/home/a"}),
            "/home/a/.local/state/berth/run/berthd.sock");
}
#endif

TEST(Socket, AbsentDeadAndDeniedAreThreeErrors) {
  EXPECT_EQ(connect_error(ENOENT, "/s").kind, ErrorKind::kSocketAbsent);
  EXPECT_EQ(connect_error(ENOTDIR, "/s").kind, ErrorKind::kSocketAbsent);
  EXPECT_EQ(connect_error(ECONNREFUSED, "/s").kind, ErrorKind::kSocketDead);
  EXPECT_EQ(connect_error(EACCES, "/s").kind, ErrorKind::kDenied);
  EXPECT_EQ(connect_error(EPERM, "/s").kind, ErrorKind::kDenied);
  EXPECT_EQ(connect_error(EAGAIN, "/s").kind, ErrorKind::kTimeout);
  EXPECT_EQ(connect_error(ENAMETOOLONG, "/s").kind, ErrorKind::kSocketAbsent);
}

TEST(Socket, AbsentIsSaidWithItsPath) {
  const TemporaryFolder folder;
  auto reply = client_of(folder.path("none.sock")).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kSocketAbsent);
  EXPECT_NE(reply.error().message.find(folder.path("none.sock")), std::string::npos);
}

TEST(Socket, DeadIsAFileThatNobodyListensOn) {
  const TemporaryFolder folder;
  const int fd = test::listen_on(folder.path("dead.sock"));
  ASSERT_GE(fd, 0);
  ::close(fd);
  auto reply = client_of(folder.path("dead.sock")).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kSocketDead);
}

TEST(Socket, AFileThatIsNoneIsSaidToBeNone) {
  const TemporaryFolder folder;
  std::ofstream{folder.path("file")} << "text";
  auto reply = client_of(folder.path("file")).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kSocketAbsent);
  EXPECT_EQ(reply.error().message, folder.path("file") + " is no socket");
}

TEST(Socket, DeniedIsSaidByTheFileSystem) {
  const TemporaryFolder folder;
  const int fd = test::listen_on(folder.path("closed.sock"));
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::chmod(folder.path("closed.sock").c_str(), 0), 0);
  const auto is_denied = [&folder] {
    const auto reply = client_of(folder.path("closed.sock")).request("GET", "/v1/host");
    return !reply && reply.error().kind == ErrorKind::kDenied;
  };
  if (::geteuid() != 0) {
    EXPECT_TRUE(is_denied());
  } else {
    // root may open every socket, so a child asks as nobody.
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setuid(65534) == 0 && is_denied() ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ::close(fd);
}

TEST(Socket, AHungDaemonIsATimeout) {
  const TemporaryFolder folder;
  const int fd = test::listen_on(folder.path("hung.sock")); // accepts into its backlog, and never answers
  ASSERT_GE(fd, 0);
  auto reply = client_of(folder.path("hung.sock"), Milliseconds{30}).request("GET", "/v1/host");
  ::close(fd);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kTimeout);
}

TEST(Socket, APathTooLongForASocketIsAnError) {
  auto reply = client_of("/" + std::string(200, 'x')).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kSocketAbsent);
  EXPECT_NE(reply.error().message.find("this one has 201"), std::string::npos) << reply.error().message;
}

} // namespace
} // namespace berth::client
