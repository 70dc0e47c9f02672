// The server with real sockets: framing, bounds, and the newest client.
#include "machine/rpc_server.hpp"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "machine/descriptor.hpp"
#include "machine/protocol.hpp"
#include "tests/machine/parts/loop_harness.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::vz {
namespace {

using Json = nlohmann::json;
using test::LocalClient;

struct Served {
  berth::test::TempDir directory;
  std::shared_ptr<Loop> loop = test::make_loop();
  std::vector<std::pair<RpcServer::ClientId, Request>> requests;
  std::vector<RpcServer::ClientId> gone;
  std::filesystem::path path = directory / "machine.sock";
  std::unique_ptr<RpcServer> server = std::make_unique<RpcServer>(*loop);

  Served() {
    const auto listening =
        server->listen(path, {[this](auto client, Request request) { requests.emplace_back(client, std::move(request)); },
                              [this](auto client) { gone.push_back(client); }});
    EXPECT_TRUE(listening) << listening.error().detail;
  }
  bool wait_for(std::size_t count) {
    return test::pump(*loop, [&] { return requests.size() >= count; });
  }
};

constexpr const char* kHello = R"({"jsonrpc":"2.0","id":1,"method":"hello","params":{}})";

TEST(RpcServer, ListensForItsOwnUserOnly) {
  Served served;
  struct stat socket{};
  ASSERT_EQ(::stat(served.path.c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 0777, 0600U);
  served.server.reset();
  EXPECT_NE(::stat(served.path.c_str(), &socket), 0) << "the socket goes with the server";
}

TEST(RpcServer, TakesTheNameOfADeadSocketButOfNothingElse) {
  berth::test::TempDir directory;
  const auto loop = test::make_loop();
  const auto path = directory / "machine.sock";
  {
    RpcServer first{*loop};
    ASSERT_TRUE(first.listen(path, {}));
    std::filesystem::rename(path, directory / "kept.sock");
  }
  std::filesystem::rename(directory / "kept.sock", path);
  RpcServer second{*loop};
  EXPECT_TRUE(second.listen(path, {}));
  std::FILE* file = std::fopen((directory / "file").c_str(), "w");
  ASSERT_TRUE(file);
  std::fclose(file);
  RpcServer third{*loop};
  EXPECT_FALSE(third.listen(directory / "file", {}));
  EXPECT_FALSE(third.listen(directory / std::string(200, 'x'), {})) << "longer than a socket's name may be";
}

// berthd binds the socket before the process lives, and may have connected and spoken by then.
TEST(RpcServer, TakesASocketThatListensAlready) {
  berth::test::TempDir directory;
  const auto loop = test::make_loop();
  const auto path = directory / "machine.sock";
  auto bound = listen_at(path);
  ASSERT_TRUE(bound);
  LocalClient early{path};
  ASSERT_TRUE(early.send(*loop, std::string{kHello} + "\n"));
  int requests = 0;
  RpcServer server{*loop};
  ASSERT_TRUE(server.listen(path, {[&](auto, Request) { ++requests; }, nullptr}, bound->release()));
  EXPECT_TRUE(test::pump(*loop, [&] { return requests == 1; }));
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  RpcServer other{*loop};
  EXPECT_FALSE(other.listen(path, {}, pipe->reader.get())) << "a pipe does not listen";
}

TEST(RpcServer, SplitsLinesHoweverTheyCome) {
  Served served;
  LocalClient client{served.path};
  const std::string line = std::string{kHello} + "\n";
  ASSERT_TRUE(client.send(*served.loop, line + line + line.substr(0, 10)));
  ASSERT_TRUE(served.wait_for(2));
  EXPECT_EQ(served.requests.size(), 2U);
  for (const char c : line.substr(10)) ASSERT_TRUE(client.send(*served.loop, std::string(1, c)));
  ASSERT_TRUE(served.wait_for(3));
  EXPECT_EQ(served.requests[2].second.method, Method::kHello);
}

TEST(RpcServer, AnswersWhatItCannotReadAndGoesOn) {
  Served served;
  LocalClient client{served.path};
  ASSERT_TRUE(client.send(*served.loop, "nonsense\n" + std::string{kHello} + "\n"));
  EXPECT_EQ(Json::parse(client.line(*served.loop))["error"]["code"], -32700);
  EXPECT_TRUE(served.wait_for(1));
}

TEST(RpcServer, ClosesAfterAMessageThatHasNoEnd) {
  Served served;
  LocalClient client{served.path};
  client.send(*served.loop, std::string(protocol::kMaxMessage + 10, 'x'));
  EXPECT_EQ(Json::parse(client.line(*served.loop))["error"]["code"], -32600);
  EXPECT_TRUE(client.has_ended(*served.loop));
  LocalClient next{served.path};
  ASSERT_TRUE(next.send(*served.loop, std::string{kHello} + "\n"));
  EXPECT_TRUE(served.wait_for(1));
}

TEST(RpcServer, GivesTheNewestClientThePlace) {
  Served served;
  LocalClient first{served.path};
  ASSERT_TRUE(first.send(*served.loop, std::string{kHello} + "\n"));
  ASSERT_TRUE(served.wait_for(1));
  LocalClient second{served.path};
  EXPECT_TRUE(first.has_ended(*served.loop));
  EXPECT_EQ(served.gone, (std::vector<RpcServer::ClientId>{served.requests[0].first}));
  served.server->send(served.requests[0].first, "to nobody\n");
  served.server->notify("news\n");
  EXPECT_EQ(second.line(*served.loop), "news");
}

TEST(RpcServer, CutsOffAClientThatDoesNotRead) {
  Served served;
  LocalClient client{served.path};
  ASSERT_TRUE(client.send(*served.loop, std::string{kHello} + "\n"));
  ASSERT_TRUE(served.wait_for(1));
  const std::string line(64 << 10, 'x');
  for (int i = 0; i < 100 && served.gone.empty(); ++i) served.server->notify(line + "\n");
  EXPECT_EQ(served.gone.size(), 1U);
}

TEST(RpcServer, FlushesBeforeTheEndButNotForEver) {
  Served served;
  LocalClient client{served.path};
  ASSERT_TRUE(client.send(*served.loop, std::string{kHello} + "\n"));
  ASSERT_TRUE(served.wait_for(1));
  int flushed = 0;
  served.server->notify("short\n");
  served.server->flush(std::chrono::hours{1}, [&] { ++flushed; });
  EXPECT_EQ(flushed, 1) << "everything was taken at once";
  served.server->notify(std::string(2 << 20, 'x') + "\n");
  served.server->flush(std::chrono::hours{1}, [&] { ++flushed; });
  EXPECT_EQ(flushed, 1) << "the socket does not take two MiB";
  EXPECT_FALSE(client.line(*served.loop).empty());
  EXPECT_TRUE(test::pump(*served.loop, [&] {
    client.line(*served.loop);
    return flushed == 2;
  }));
  served.server->notify(std::string(2 << 20, 'x') + "\n");
  served.server->flush(std::chrono::milliseconds{1}, [&] { ++flushed; });
  EXPECT_TRUE(test::pump(*served.loop, [&] { return flushed == 3; })) << "nobody reads";
}

} // namespace
} // namespace berth::vz
