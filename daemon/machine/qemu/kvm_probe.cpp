// /dev/kvm that opens, and whose ioctls work, proves nothing: nested KVM without hardware support runs real mode and
// fails in QEMU's own setup of the processor, or hangs in long mode. So QEMU itself is started as a guest's start would
// be, with a firmware of a few bytes that goes to long mode and ends QEMU from there.
#include "daemon/machine/qemu/kvm_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/machine/process/process.hpp"

namespace berth {

namespace {

constexpr int kTimeLimit = 3000; // milliseconds; a working processor needs about 40

// Assembled from: cli; page tables at 0x1000 (PML4, PDPT, one page of 2 MiB); lgdt; PAE; EFER.LME; paging and
// protection on; far jump to 64-bit code; out 0xf4, al = 1 (isa-debug-exit ends QEMU with status 2 * al + 1); hlt.
constexpr std::array<unsigned char, 134> kLongMode{
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xbf, 0x00, 0x10, 0x8e, 0xc0, 0xb9, 0x00, 0x18, 0xf3, 0xab, 0x66, 0xc7, 0x06, 0x00, 0x10,
    0x03, 0x20, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00,
    0x00, 0x00, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0x80, 0x00, 0x0f, 0x20, 0xe0, 0x66, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xe0, 0x66,
    0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8, 0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x66, 0x0d, 0x00, 0x01,
    0x00, 0x00, 0x0f, 0x30, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, 0x66, 0xea, 0x68, 0x00,
    0x0f, 0x00, 0x08, 0x00, 0xb0, 0x01, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00, 0x0f, 0x00, 0x70, 0x00, 0x0f, 0x00};
constexpr int kLongModeReached = 3;

UniqueFd memory_file(const char* name) { return UniqueFd{::memfd_create(name, MFD_CLOEXEC)}; }

// The last 64 KiB below 4 GiB, seen at 0xf0000 too; the reset vector jumps to its beginning.
UniqueFd firmware() {
  std::vector<unsigned char> image(65536);
  std::copy(kLongMode.begin(), kLongMode.end(), image.begin());
  constexpr std::array<unsigned char, 5> kJump{0xea, 0x00, 0x00, 0x00, 0xf0};
  std::copy(kJump.begin(), kJump.end(), image.begin() + 0xfff0);
  UniqueFd fd = memory_file("berth-probe");
  if (fd && ::write(fd.get(), image.data(), image.size()) != static_cast<ssize_t>(image.size())) fd.reset();
  return fd;
}

struct Run {
  int status = -1; // -1: did not start, or did not end in time
  std::string output;
};

Run run(std::vector<std::string> arguments, std::vector<int> kept) {
  const UniqueFd output = memory_file("berth-probe-output");
  if (!output) return {-1, std::strerror(errno)};
  auto child =
      spawn_process({std::move(arguments), std::move(kept), output.get(), [](const ProcessIdentity&) { return Result<void>{}; }});
  if (!child) return {-1, child.error().detail};
  pollfd poll{child->watch.descriptor(), POLLIN, 0};
  Run result;
  if (::poll(&poll, 1, kTimeLimit) == 1) {
    if (const auto end = reap(child->watch)) result.status = end->status;
  } else {
    kill_and_wait(child->watch, kTimeLimit);
  }
  std::array<char, 2048> text;
  const ssize_t count = ::pread(output.get(), text.data(), text.size(), 0);
  if (count > 0) result.output.assign(text.data(), static_cast<std::size_t>(count));
  return result;
}

bool runs_long_mode(const std::string& binary, const char* accelerator, const char* sandbox) {
  const UniqueFd image = firmware();
  if (!image) return false;
  std::vector<std::string> arguments{binary,
                                     "-machine",
                                     std::string{"q35,accel="} + accelerator,
                                     "-cpu",
                                     "max",
                                     "-m",
                                     "16",
                                     "-nodefaults",
                                     "-no-user-config",
                                     "-display",
                                     "none",
                                     "-device",
                                     "isa-debug-exit,iobase=0xf4,iosize=1",
                                     "-bios",
                                     "/proc/self/fd/" + std::to_string(image.get())};
  if (sandbox) arguments.insert(arguments.end(), {"-sandbox", sandbox});
  return run(std::move(arguments), {image.get()}).status == kLongModeReached;
}

// "QEMU emulator version 7.2.22 (Debian …)"
std::string version_in(const std::string& text) {
  constexpr std::string_view kBefore = "version ";
  const auto at = text.find(kBefore);
  if (at == std::string::npos) return {};
  const auto from = at + kBefore.size();
  return text.substr(from, text.find_first_of(" \n", from) - from);
}

} // namespace

QemuProbe probe_qemu(const std::filesystem::path& binary, AcceleratorChoice choice) {
  constexpr auto kSandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
  QemuProbe probe;
  const std::string program = binary.string();
  const Run version = run({program, "--version"}, {});
  if (version.status != 0) {
    probe.reason = program + " does not run: " + (version.output.empty() ? "no answer" : version.output);
    return probe;
  }
  probe.version = version_in(version.output);

  const bool may_kvm = choice != AcceleratorChoice::kTcg && ::access("/dev/kvm", R_OK | W_OK) == 0;
  const bool has_kvm_in_sandbox = may_kvm && runs_long_mode(program, "kvm", kSandbox);
  if (has_kvm_in_sandbox || (may_kvm && runs_long_mode(program, "kvm", nullptr))) {
    probe.accelerator = "kvm";
    probe.has_sandbox = has_kvm_in_sandbox;
    probe.is_available = true;
    return probe;
  }
  if (choice == AcceleratorChoice::kKvm) {
    probe.reason = "KVM is asked for, but no guest runs with it on this host";
    return probe;
  }
  probe.accelerator = "tcg";
  if (may_kvm) probe.reason = "/dev/kvm is there, but no guest runs with it; guests are emulated";
  probe.has_sandbox = runs_long_mode(program, "tcg", kSandbox);
  probe.is_available = probe.has_sandbox || runs_long_mode(program, "tcg", nullptr);
  if (!probe.is_available) probe.reason = program + " starts no guest";
  return probe;
}

} // namespace berth
