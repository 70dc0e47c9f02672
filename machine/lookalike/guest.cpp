// The guest's thread: boot, console, shutdown; whatever it waits for, it hears that the plug is pulled.
#include "machine/lookalike/guest.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "machine/lookalike/host.hpp"

namespace lookalike {
namespace {

using namespace std::chrono_literals;

std::uint64_t scrambled(std::uint64_t value) { // the finalizer of splitmix64
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

int own_copy(int descriptor) { return descriptor < 0 ? -1 : ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

} // namespace

std::string serial_number(std::uint64_t ecid) {
  constexpr std::string_view digits = "0123456789CDFGHJKLMNPQRTVWXY";
  std::string text = "Z";
  for (std::uint64_t rest = scrambled(ecid); text.size() < 10; rest /= digits.size()) text += digits[rest % digits.size()];
  return text;
}

std::string hardware_uuid(std::uint64_t ecid) {
  const std::uint64_t high = scrambled(ecid ^ 1), low = scrambled(ecid ^ 2);
  return fmt::format("{:08X}-{:04X}-{:04X}-{:04X}-{:012X}", high >> 32, high >> 16 & 0xffff, (high & 0xfff) | 0x5000,
                     (low >> 48 & 0x3fff) | 0x8000, low & 0xffffffffffff);
}

std::string provisioning_uuid(std::uint64_t ecid) { return fmt::format("0000FE00-{:016X}", ecid); }

SimulatedGuest::SimulatedGuest(GuestSpec spec, RunningIdentity identity, std::function<void(GuestEnd)> ended)
    : spec_(std::move(spec)), identity_(std::move(identity)), ended_(std::move(ended)), input_(own_copy(spec_.console_input)),
      output_(own_copy(spec_.console_output)), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

SimulatedGuest::~SimulatedGuest() {
  {
    const std::lock_guard lock(mutex_);
    unplugged_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
  for (const int descriptor : {input_, output_, wakeup_})
    if (descriptor >= 0) ::close(descriptor);
}

void SimulatedGuest::run(GuestBegin begin) {
  if (begin == GuestBegin::kSavedState) paused_ = true;
  thread_ = std::thread([this, begin] { live(begin); });
}

void SimulatedGuest::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_, &one, sizeof one);
}

void SimulatedGuest::pause() {
  const std::lock_guard lock(mutex_);
  paused_ = true;
  wake();
}

void SimulatedGuest::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
  wake();
}

void SimulatedGuest::request_stop() {
  const std::lock_guard lock(mutex_);
  stop_requested_ = true;
  wake();
}

void SimulatedGuest::power_off() {
  const std::lock_guard lock(mutex_);
  power_off_ = true;
  wake();
}

// Waits while the guest is paused; false when the plug is out.
bool SimulatedGuest::sleep(std::chrono::milliseconds time) {
  const auto due = std::chrono::steady_clock::now() + time;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (unplugged_) return false;
      if (power_off_) return true;
      if (!paused_ && std::chrono::steady_clock::now() >= due) return true;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
    pollfd waiting{wakeup_, POLLIN, 0};
    ::poll(&waiting, 1, left > 0ms ? static_cast<int>(left.count()) : 10);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wakeup_, &count, sizeof count);
  }
}

// A reader that is slow or gone does not stop a guest for long.
void SimulatedGuest::print(std::string_view text) {
  while (output_ >= 0 && !text.empty()) {
    pollfd ready{output_, POLLOUT, 0};
    if (::poll(&ready, 1, 200) <= 0 || !(ready.revents & POLLOUT)) return;
    const auto count = ::write(output_, text.data(), text.size());
    if (count < 0 && errno != EINTR && errno != EAGAIN) return;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string SimulatedGuest::why_it_hangs() const {
  if (has_fault("guest_hangs")) return "it is told to";
  if (!spec_.is_macos) return {};
  const auto system = read_system(spec_.disk);
  if (!system) return "no system is installed";
  if (system->ecid != spec_.ecid)
    return fmt::format("the system was installed with ECID {:016x}, this machine has {:016x}", system->ecid, spec_.ecid);
  if (system->hardware_model != spec_.hardware_model) return "the system was installed on another hardware model";
  if (auxiliary_hardware_model(spec_.auxiliary) != spec_.hardware_model) return "NVRAM is of another hardware model";
  const auto ecid = auxiliary_ecid(spec_.auxiliary);
  if (ecid != spec_.ecid) return fmt::format("NVRAM is of ECID {:016x}, this machine has {:016x}", ecid.value_or(0), spec_.ecid);
  return {};
}

bool SimulatedGuest::boot() {
  print(spec_.is_macos ? "\r\niBoot (simulated)\r\n" : "\r\nBooting " + spec_.boots_from + " (simulated)\r\n");
  if (!sleep(5ms)) return false;
  if (const std::string reason = why_it_hangs(); !reason.empty()) {
    hangs_ = true;
    print("Boot hangs: " + reason + "\r\n");
    return true;
  }
  if (spec_.is_macos) {
    const auto system = read_system(spec_.disk);
    print(fmt::format("macOS {} ({}){}\r\nECID: {:#018x}\r\nSerial Number: {}\r\nHardware UUID: {}\r\nProvisioning UUID: {}\r\n",
                      system->version, system->build, spec_.in_recovery ? " Recovery" : "", spec_.ecid, serial_number(spec_.ecid),
                      hardware_uuid(spec_.ecid), provisioning_uuid(spec_.ecid)));
  } else {
    print(
        fmt::format("Linux (simulated)\r\nCommand line: {}\r\nMachine identifier: {}\r\n", spec_.command_line, spec_.identifier));
  }
  if (!sleep(5ms)) return false;
  if (spec_.mac && !has_fault("no_address"))
    print("Address: " + lease_address(*spec_.mac, spec_.is_macos ? "Mac" : "linux") + "\r\n");
  print("\r\nlogin: ");
  return true;
}

void SimulatedGuest::answer(const std::string& line) {
  print(line + "\r\n");
  const auto system = spec_.is_macos ? read_system(spec_.disk) : std::nullopt;
  if (line == "version") print((system ? system->version + " " + system->build : "Linux") + "\r\n");
  if (line == "ecid") print(spec_.identifier + "\r\n");
  if (line == "read") print(read_notes(spec_.disk) + "\r\n");
  if (line.starts_with("write ")) append_note(spec_.disk, line.substr(6));
  if (line == "reboot") {
    boot();
    return;
  }
  if (line == "poweroff") return end(GuestEnd::kPoweredOff);
  if (line == "panic") {
    print("panic(cpu 0 caller 0xfffffe0000000000): asked for\r\n");
    return end(GuestEnd::kPanicked);
  }
  print("# ");
}

void SimulatedGuest::read_console() {
  std::array<char, 1024> bytes{};
  const auto count = ::read(input_, bytes.data(), bytes.size());
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
    ::close(std::exchange(input_, -1));
    return;
  }
  for (const char byte : std::string_view(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0)) {
    if (byte != '\n' && byte != '\r') {
      line_ += byte;
    } else if (!line_.empty() && !hangs_ && !has_ended_) {
      answer(std::exchange(line_, {}));
    }
  }
}

void SimulatedGuest::end(GuestEnd how) {
  if (std::exchange(has_ended_, true)) return;
  ended_(how);
}

void SimulatedGuest::live(GuestBegin begin) {
  // A console whose reader is gone is the guest's trouble, not the process's.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  if (begin == GuestBegin::kSavedState)
    hangs_ = !why_it_hangs().empty();
  else if (!boot())
    return;
  while (!has_ended_) {
    bool is_paused = false, stops = false;
    {
      const std::lock_guard lock(mutex_);
      if (unplugged_) return;
      is_paused = paused_;
      stops = stop_requested_ && !hangs_;
      if (power_off_) return end(GuestEnd::kPoweredOff);
    }
    if (stops && !is_paused) {
      print("\r\nThe system is going down.\r\n");
      if (sleep(50ms)) end(GuestEnd::kPoweredOff);
      return;
    }
    std::array<pollfd, 2> waiting{pollfd{wakeup_, POLLIN, 0}, pollfd{is_paused ? -1 : input_, POLLIN, 0}};
    ::poll(waiting.data(), waiting.size(), -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wakeup_, &count, sizeof count);
    {
      // It may have been paused while it waited: then what has been typed waits as well.
      const std::lock_guard lock(mutex_);
      is_paused = paused_;
    }
    if (waiting[1].revents && input_ >= 0 && !is_paused) read_console();
  }
}

} // namespace lookalike
