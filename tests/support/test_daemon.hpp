// A whole berthd inside the test process: application, store, HTTP over a real socket, and the fake driver. The loop runs
// on a thread of its own; the test is a client.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/api_client.hpp"
#include "tests/support/fake_host.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {
class Harbour;
enum class GuestsAtEnd : std::uint8_t;
} // namespace berth

namespace berth::test {

struct TestDaemonOptions {
  std::optional<std::uint32_t> quota;
  std::string vfs; // of SQLite
  std::uint64_t keep_events = 100'000;
  std::size_t events_in_memory = 1024;
  std::size_t connections = 256;
  std::size_t streams = 128;
  bool caller_is_reader = false;
  GuestsAtEnd guests{}; // leave
};

class TestDaemon {
public:
  explicit TestDaemon(TestDaemonOptions options = {});
  ~TestDaemon();

  ApiClient client() const;
  const Contract& contract() const;
  const std::filesystem::path& socket() const { return socket_; }
  std::filesystem::path state_dir() const { return directory_ / "state"; }
  std::filesystem::path scratch() const { return directory_.path(); }
  FakeHost& host() { return *host_; }

  // Ends it as SIGTERM would, and brings up another one over the same state and host.
  void restart();
  // Ends it at once, as kill -9 would: what was not committed is lost. start() brings up the next one.
  void kill();
  void start();
  // Runs `work` on the core thread and waits for it.
  void on_core(std::function<void(Harbour&)> work);
  // The routes that the server has, as "GET /v1/vms".
  std::vector<std::string> routes();

private:
  struct Running;
  void end(bool is_polite);

  TestDaemonOptions options_;
  TempDir directory_;
  std::filesystem::path socket_;
  std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>();
  std::unique_ptr<Running> running_;
};

// A small Linux VM that can be started: its kernel is an image of a few bytes. Returns the VM's document.
nlohmann::json make_vm(ApiClient& client, TestDaemon& daemon, const std::string& name);
// The id of such an image, imported once.
std::string import_kernel(ApiClient& client, TestDaemon& daemon);
// A macOS VM for the fake driver.
nlohmann::json make_macos_vm(ApiClient& client, const std::string& name);

// Asks until `condition` holds of the VM's document; a failure of the test when it does not within ten seconds. Follows
// the event stream, so nothing is polled for luck.
nlohmann::json wait_for_state(ApiClient& client, const std::string& vm, const std::string& state);

} // namespace berth::test
