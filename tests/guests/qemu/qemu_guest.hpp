// A real QEMU guest for one test: a driver, folders, a specification and what the observer heard.
// The guest image comes from BERTH_GUEST_DIR or from build/guest, made by scripts/guest-image.
#pragma once

#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/qemu/qemu_driver.hpp"
#include "tests/unit/qemu/loop_runner.hpp"
#include "tests/unit/qemu/temporary_directory.hpp"

namespace berth {

inline std::filesystem::path guest_folder() {
  const char* chosen = std::getenv("BERTH_GUEST_DIR");
  return chosen ? std::filesystem::path{chosen} : std::filesystem::path{BERTH_BINARY_DIR} / "guest";
}

class QemuGuestTest : public testing::Test, protected LoopRunner {
protected:
  QemuGuestTest() {
    std::filesystem::create_directory(directory_.path() / "bundle");
    std::filesystem::create_directory(directory_.path() / "run");
  }

  void SetUp() override {
    if (!std::filesystem::exists(guest_folder() / "initramfs.img"))
      GTEST_SKIP() << "there is no guest in " << guest_folder() << ": run scripts/guest-image, or set BERTH_GUEST_DIR";
    driver_ = std::make_unique<QemuDriver>(loop, options());
  }

  void TearDown() override {
    machine_.reset();
    // A test that failed half-way leaves no guest behind.
    if (const auto record = read_run_record(directory_.path() / "run")) {
      if (const auto process = reopen_process(record->process)) EXPECT_TRUE(kill_and_wait(process->watch, 10'000));
    }
  }

  virtual QemuOptions options() { return {}; }

  MachineSpec spec() {
    MachineSpec spec;
    spec.id = *VmId::parse("6e3f6c1e-0000-4000-8000-000000000001");
    spec.name = "guest";
    spec.machine_id = MachineIdKey{*Uuid::parse("12345678-1234-4234-8234-123456789abc")};
    spec.memory_bytes = 256 << 20;
    spec.bundle = directory_.path() / "bundle";
    spec.runtime_dir = directory_.path() / "run";
    spec.boot.kind = BootKind::kKernel;
    spec.boot.command_line = "quiet " + extra_command_line_;
    spec.kernel = guest_folder() / "vmlinuz";
    spec.initramfs = guest_folder() / "initramfs.img";
    spec.network.mac_address = *MacAddress::parse("02:00:00:00:00:01");
    return spec;
  }

  MachineObserver observer() {
    return {[this](MachineExit end) { exits_.push_back(std::move(end)); },
            [this](bool is_reachable) { reachable_.push_back(is_reachable); },
            [this](bool is_paused) { paused_.push_back(is_paused); }};
  }

  void start(MachineSpec spec) {
    auto started = run(driver_->start(std::move(spec), observer()));
    ASSERT_TRUE(started) << started.error().detail;
    machine_ = std::move(*started);
  }
  void start_until_ready() {
    start(spec());
    if (machine_) ASSERT_TRUE(sees("berth-guest: ready")) << log();
  }

  // The whole log: the guest's words stay there after a machine's end.
  std::string log() { return ConsoleLog{directory_.path() / "run"}.read(0, 8 << 20)->bytes; }
  // Turns the loop until the console has shown `text` from `offset` on.
  bool sees(const std::string& text, std::uint64_t offset = 0) {
    return turn_until(
        [&] { return machine_->console().recent(offset, 1 << 20).bytes.find(text) != std::string::npos || !exits_.empty(); },
        std::chrono::seconds{90});
  }
  // Types a command; the text it must answer with is not in the command itself.
  void type(const std::string& line) { EXPECT_TRUE(machine_->console().write(line + "\n")); }
  // Seconds since the guest's boot, by the guest.
  double guest_uptime() {
    const auto from = machine_->console().end();
    type("echo up\"\"time=$(cut -d' ' -f1 /proc/uptime); echo do\"\"ne");
    if (!sees("done\r\n", from)) return -1;
    const std::string text = machine_->console().recent(from, 4096).bytes;
    const auto at = text.find("uptime=");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + 7));
  }
  // What the guest's kernel says is free; 0 when it does not answer.
  std::uint64_t guest_free_kilobytes() {
    const auto from = machine_->console().end();
    type("grep MemFree: /proc/meminfo; echo do\"\"ne");
    if (!sees("done\r\n", from)) return 0;
    const std::string text = machine_->console().recent(from, 4096).bytes;
    const auto at = text.find("\nMemFree:");
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 9, nullptr, 10);
  }
  bool waits_for_exit(Duration at_most = std::chrono::seconds{60}) {
    return turn_until([&] { return !exits_.empty(); }, at_most);
  }

  TemporaryDirectory directory_;
  std::string extra_command_line_;
  std::unique_ptr<QemuDriver> driver_;
  std::unique_ptr<Machine> machine_;
  std::vector<MachineExit> exits_;
  std::vector<bool> reachable_, paused_;
};

} // namespace berth
