// Blocking words over the API client.
#include "tests/guests/daemon/harbour_fixture.hpp"

#include <cstdlib>
#include <stdexcept>

namespace berth::test {

const Contract& contract() {
  static const Contract contract = [] {
    auto loaded = Contract::load(BERTH_SOURCE_DIR "/openapi.yaml");
    if (!loaded) throw std::runtime_error{loaded.error().detail};
    return std::move(*loaded);
  }();
  return contract;
}

std::filesystem::path guest_folder() {
  const char* chosen = std::getenv("BERTH_GUEST_DIR");
  return chosen ? std::filesystem::path{chosen} : std::filesystem::path{BERTH_BINARY_DIR} / "guest";
}

bool has_guest() { return std::filesystem::exists(guest_folder() / "initramfs.img"); }

std::string no_guest_reason() {
  return "there is no guest in " + guest_folder().string() + ": run scripts/guest-image, or set BERTH_GUEST_DIR";
}

TestHarbour::TestHarbour() {
  settings.state_dir = directory_ / "state";
  settings.socket = directory_ / "s" / "berth.sock";
  settings.lock_dir = directory_ / "locks";
  settings.log = directory_ / "log";
}

TestHarbour::~TestHarbour() {
  daemon_.reset();
  end_processes_of(settings.state_dir);
}

DaemonProcess& TestHarbour::launch() {
  daemon_.reset();
  daemon_ = std::make_unique<DaemonProcess>(settings);
  return *daemon_;
}

bool TestHarbour::start() {
  launch();
  ApiClient api = client();
  const bool is_up = eventually([&] {
    if (!daemon_->is_alive()) return true;
    const auto answer = api.try_request("GET", "/healthz");
    return answer && answer->status == 200;
  });
  if (is_up && daemon_->is_alive()) return true;
  ADD_FAILURE() << "berthd did not come up: " << log();
  return false;
}

void TestHarbour::restart() {
  EXPECT_EQ(daemon_->terminate().exit_status(), 0) << log();
  start();
}

void TestHarbour::kill_and_start() {
  daemon_->kill();
  start();
}

Json wait_for_state(ApiClient& api, const std::string& vm, const std::string& state, Duration at_most) {
  Json document;
  const bool is_there = eventually(
      [&] {
        document = api.get("/v1/vms/" + vm).json();
        return document.contains("status") && document["status"]["state"] == state;
      },
      at_most);
  EXPECT_TRUE(is_there) << vm << " is not " << state << ": " << document.value("status", Json{});
  return document;
}

std::string import_image(ApiClient& api, const std::filesystem::path& file, const std::string& kind) {
  const auto imported = api.post("/v1/images", {{"path", std::filesystem::canonical(file).string()}, {"kind", kind}}, kWait);
  EXPECT_EQ(imported.status, 201) << imported.body;
  return imported.status == 201 ? imported.json().value("id", "") : "";
}

Json make_vm(ApiClient& api, const std::string& name, const std::string& command_line, const Json& extra) {
  Json body{{"name", name},
            {"guest", "linux"},
            {"cpu_count", 1},
            {"memory_bytes", 128 << 20},
            {"boot",
             {{"kind", "kernel"},
              {"kernel", import_image(api, guest_folder() / "vmlinuz", "kernel")},
              {"initramfs", import_image(api, guest_folder() / "initramfs.img", "initramfs")},
              {"command_line", command_line}}}};
  body.update(extra);
  const auto made = api.post("/v1/vms", body, kWait);
  EXPECT_EQ(made.status, 201) << made.body;
  return made.json();
}

std::string wait_for_console(ApiClient& api, const std::string& vm, const std::string& text, Duration at_most) {
  auto console = api.console("/v1/vms/" + vm + "/console?offset=0");
  if (!console) {
    ADD_FAILURE() << console.error().detail;
    return {};
  }
  EXPECT_TRUE(console->wait_for(text, at_most)) << "the console of " << vm << " says: " << console->output();
  return console->output();
}

} // namespace berth::test
