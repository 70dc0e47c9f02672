// One state directory with the real berthd over it, and the words in which these tests speak to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/guests/daemon/daemon_process.hpp"
#include "tests/support/api_client.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::test {

using Json = nlohmann::json;
inline const Headers kWait{{"Prefer", "wait=20"}};
inline const Json kForce{{"mode", "force"}};

// openapi.yaml, read once.
const Contract& contract();

// Where scripts/guest-image put the guest: BERTH_GUEST_DIR, or <build>/guest.
std::filesystem::path guest_folder();
bool has_guest();
std::string no_guest_reason();

// A state directory, and the daemon that is over it now. Ends its daemon and its guests.
class TestHarbour {
public:
  TestHarbour();
  ~TestHarbour();
  TestHarbour(const TestHarbour&) = delete;
  TestHarbour& operator=(const TestHarbour&) = delete;

  DaemonSettings settings; // for the next start

  // Starts berthd and waits until it answers. False, and a failure of the test with its log, when it does not.
  bool start();
  // Another process with the settings as they are; nothing is waited for.
  DaemonProcess& launch();
  DaemonProcess& daemon() { return *daemon_; }
  bool is_started() const { return daemon_ != nullptr; }
  void restart(); // by SIGTERM
  void kill_and_start();

  ApiClient client() const { return ApiClient{settings.socket, contract()}; }
  const std::filesystem::path& folder() const { return directory_.path(); }
  std::string log() const { return read_text(settings.log); }
  std::vector<pid_t> guests() const { return processes_of(settings.state_dir, "qemu-system-"); }

private:
  TempDir directory_;
  std::unique_ptr<DaemonProcess> daemon_;
};

// Waits until the VM is in the state; a failure of the test when it does not come to be.
Json wait_for_state(ApiClient& api, const std::string& vm, const std::string& state, Duration at_most = Duration{10'000});

// Imports a file as an image; its id.
std::string import_image(ApiClient& api, const std::filesystem::path& file, const std::string& kind);
// A Linux VM that boots the guest image. `extra` overrides members of the request.
Json make_vm(ApiClient& api, const std::string& name, const std::string& command_line = "quiet",
             const Json& extra = Json::object());
// Its console says `text` at or behind `offset`; everything it said till then.
std::string wait_for_console(ApiClient& api, const std::string& vm, const std::string& text, Duration at_most = Duration{60'000});

#define BERTH_NEEDS_GUEST()                                                                                                      \
  if (!::berth::test::has_guest()) GTEST_SKIP() << ::berth::test::no_guest_reason()

} // namespace berth::test
