// The command line of one QEMU process. A pure function: what is on this host comes in.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/machine/machine.hpp"

namespace berth {

// Descriptors of the child by number; -1: none.
struct QemuDescriptors {
  int qmp = -1;     // listening socket
  int console = -1; // listening socket
};

struct QemuHost {
  std::filesystem::path binary, firmware_code;
  std::string accelerator; // "kvm" or "tcg"
  bool has_sandbox = false;
};

// With spec.restore_from the machine waits for migrate-incoming, its processors halted; otherwise it runs at once.
std::vector<std::string> qemu_arguments(const MachineSpec& spec, const QemuHost& host, const QemuDescriptors& descriptors);

// In a QEMU option a comma ends the value; two are one.
std::string escape_commas(std::string_view text);

// The user's command line, with the serial console unless it names one.
std::string kernel_command_line(std::string_view text);

} // namespace berth
