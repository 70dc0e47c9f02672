// How berthd begins and refuses to: options, a taken state directory or socket, a newer store, inherited sockets, few
// descriptors, a full disk. No guest is needed.
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guests/daemon/law.hpp"

namespace berth::test {
namespace {

int exit_status_of(TestHarbour& harbour) {
  const auto end = harbour.launch().wait_end(Duration{10'000});
  EXPECT_TRUE(end) << "it should not run: " << harbour.log();
  return end ? end->exit_status() : -1;
}

TEST(StartUp, TheSecondOfOneStateDirectoryNamesTheFirst) {
  TestHarbour first, second;
  ASSERT_TRUE(first.start());
  second.settings.state_dir = first.settings.state_dir;
  EXPECT_EQ(exit_status_of(second), 1);
  EXPECT_NE(second.log().find("pid " + std::to_string(first.daemon().pid())), std::string::npos) << second.log();
  EXPECT_EQ(first.client().get("/v1/host").status, 200);
}

TEST(StartUp, ASocketThatIsTakenIsNotStolen) {
  TestHarbour first, second;
  ASSERT_TRUE(first.start());
  second.settings.socket = first.settings.socket;
  EXPECT_EQ(exit_status_of(second), 1);
  EXPECT_NE(second.log().find(first.settings.socket.string()), std::string::npos) << second.log();
  EXPECT_EQ(first.client().get("/v1/host").status, 200);
}

TEST(StartUp, AStateDirectoryThatCannotBeIsNamed) {
  TestHarbour harbour;
  harbour.settings.state_dir = "/proc/berth";
  EXPECT_EQ(exit_status_of(harbour), 1);
  EXPECT_NE(harbour.log().find("/proc/berth"), std::string::npos) << harbour.log();
}

TEST(StartUp, UnknownOptionsAreRefused) {
  TestHarbour harbour;
  harbour.settings.options = {"--no-such-option"};
  EXPECT_EQ(exit_status_of(harbour), 2);
  EXPECT_NE(harbour.log().find("no-such-option"), std::string::npos);
  std::ofstream(harbour.folder() / "config") << "no-such-option=1\n";
  harbour.settings.options = {"--config", (harbour.folder() / "config").string()};
  EXPECT_EQ(exit_status_of(harbour), 2);
}

TEST(StartUp, OptionsComeFromAFile) {
  TestHarbour harbour;
  std::ofstream(harbour.folder() / "config")
      << "socket=" << (harbour.folder() / "x" / "y").string() << "\nnetwork=user\nquota=1\n";
  harbour.settings.options = {"--config", (harbour.folder() / "config").string()};
  harbour.settings.socket.clear();
  harbour.launch();
  ApiClient api{harbour.folder() / "x" / "y", contract()};
  EXPECT_TRUE(eventually([&] { return api.try_request("GET", "/healthz").has_value(); })) << harbour.log();
  const auto host = api.get("/v1/host").json();
  EXPECT_EQ(host["quota"]["limit"], 1);
  EXPECT_EQ(host["network"]["mode"], "user");
}

TEST(StartUp, AStoreOfANewerVersionIsLeftAlone) {
  TestHarbour harbour;
  ASSERT_TRUE(harbour.start());
  harbour.daemon().terminate();
  const auto file = harbour.settings.state_dir / "berth.db";
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 9999", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  const std::string before = read_text(file);
  EXPECT_EQ(exit_status_of(harbour), 1);
  EXPECT_NE(harbour.log().find("9999"), std::string::npos) << harbour.log();
  EXPECT_TRUE(read_text(file) == before);
}

TEST(StartUp, SystemdHandsTheSocketOver) {
  if (::access("/usr/bin/systemd-socket-activate", X_OK) != 0) GTEST_SKIP() << "systemd-socket-activate is not installed";
  TestHarbour harbour;
  harbour.settings.wrapper = {"/usr/bin/systemd-socket-activate", "--listen=" + (harbour.folder() / "handed").string()};
  harbour.launch();
  ApiClient api{harbour.folder() / "handed", contract()};
  EXPECT_TRUE(eventually([&] { return api.try_request("GET", "/healthz").has_value(); })) << harbour.log();
  const auto listeners = api.get("/v1/host").json()["listeners"];
  ASSERT_EQ(listeners.size(), 1U) << listeners;
  EXPECT_EQ(listeners[0]["inherited"], true);
  EXPECT_EQ(harbour.daemon().terminate().exit_status(), 0);
  EXPECT_TRUE(std::filesystem::exists(harbour.folder() / "handed")) << "it is systemd's";
}

TEST(StartUp, FewDescriptorsRefuseConnectionsAndNothingElse) {
  TestHarbour harbour;
  harbour.settings.prepare = [] {
    const rlimit few{64, 64};
    return ::setrlimit(RLIMIT_NOFILE, &few) == 0;
  };
  harbour.settings.options.insert(harbour.settings.options.end(), {"--max-connections-per-user", "256"});
  ASSERT_TRUE(harbour.start());
  {
    std::vector<ApiClient> many;
    int answered = 0;
    for (int i = 0; i < 100; ++i) {
      many.push_back(harbour.client());
      many.back().set_timeout(Duration{50});
      const auto answer = many.back().try_request("GET", "/healthz");
      answered += answer && answer->status == 200;
    }
    EXPECT_GE(answered, 20);
    EXPECT_LT(answered, 100);
  }
  ASSERT_TRUE(harbour.daemon().is_alive()) << harbour.log();
  auto api = harbour.client();
  api.set_timeout(Duration{200});
  EXPECT_TRUE(eventually([&] {
    const auto answer = api.try_request("GET", "/v1/vms");
    return answer && answer->status == 200;
  }));
  EXPECT_EQ(api.post("/v1/machine-ids", {{"generate", "linux"}}).status, 201);
}

TEST(StartUp, AFullDiskRefusesAndTheDaemonLives) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small disk needs root";
  TestHarbour harbour;
  std::filesystem::create_directory(harbour.settings.state_dir);
  harbour.settings.prepare = [state = harbour.settings.state_dir] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("small", state.c_str(), "tmpfs", 0, "size=24m,mode=700") == 0;
  };
  harbour.launch();
  if (const auto end = harbour.daemon().wait_end(Duration{100}); end && end->exit_status() == 126)
    GTEST_SKIP() << "this host allows no mount in a namespace";
  auto api = harbour.client();
  ASSERT_TRUE(eventually([&] { return api.try_request("GET", "/healthz").has_value(); })) << harbour.log();
  const std::filesystem::path inside =
      "/proc/" + std::to_string(harbour.daemon().pid()) + "/root" + harbour.settings.state_dir.string();
  const Json vm{{"name", "one"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}};
  ASSERT_EQ(api.post("/v1/vms", vm, kWait).status, 201);

  std::ofstream(harbour.folder() / "big") << std::string(30 << 20, 'b');
  const auto big =
      api.post("/v1/images", {{"path", std::filesystem::canonical(harbour.folder() / "big").string()}, {"kind", "disk"}}, kWait);
  EXPECT_EQ(big.status, 507) << big.body;
  EXPECT_EQ(big.code(), "insufficient_disk");
  EXPECT_TRUE(std::filesystem::is_empty(inside / "staging")) << "nothing of it stays";

  std::ofstream(harbour.folder() / "half") << std::string(10 << 20, 'h');
  ASSERT_FALSE(import_image(api, harbour.folder() / "half", "disk").empty());
  const auto none = api.post(
      "/v1/vms", {{"name", "two"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}, {"disk_bytes", 4 << 20}},
      kWait);
  EXPECT_EQ(none.status, 507) << none.body;
  EXPECT_EQ(none.code(), "insufficient_disk");

  // To the last byte: the store itself cannot write.
  {
    std::ofstream filler(inside / "filler", std::ios::binary);
    const std::string block(4096, 'f');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  ApiResponse refused;
  for (int i = 0; i < 2000 && (refused.status == 0 || refused.status == 201); ++i)
    refused = api.post("/v1/machine-ids", {{"generate", "linux"}});
  EXPECT_EQ(refused.status, 507) << refused.body;
  EXPECT_EQ(api.get("/v1/vms/one").status, 200);
  ASSERT_TRUE(std::filesystem::remove(inside / "filler"));
  EXPECT_EQ(api.post("/v1/machine-ids", {{"generate", "linux"}}).status, 201);
  EXPECT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
}

} // namespace
} // namespace berth::test
