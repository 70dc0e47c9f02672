// Names of the small enums of a VM, and the rule for its name.
#include "daemon/core/vm.hpp"

namespace berth {

std::string_view to_string(Guest guest) {
  switch (guest) {
    case Guest::kMacos: return "macos";
    case Guest::kLinux: return "linux";
  }
  return "linux";
}

std::optional<Guest> parse_guest(std::string_view text) {
  if (text == "macos") return Guest::kMacos;
  if (text == "linux") return Guest::kLinux;
  return std::nullopt;
}

std::string_view to_string(BootKind kind) {
  switch (kind) {
    case BootKind::kNone: return "none";
    case BootKind::kKernel: return "kernel";
    case BootKind::kEfi: return "efi";
    case BootKind::kMacos: return "macos";
  }
  return "none";
}

std::optional<BootKind> parse_boot_kind(std::string_view text) {
  for (const auto kind : {BootKind::kNone, BootKind::kKernel, BootKind::kEfi, BootKind::kMacos})
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

std::string_view to_string(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::kNat: return "nat";
    case NetworkMode::kUser: return "user";
    case NetworkMode::kNone: return "none";
    case NetworkMode::kBridged: return "bridged";
  }
  return "none";
}

std::optional<NetworkMode> parse_network_mode(std::string_view text) {
  for (const auto mode : {NetworkMode::kNat, NetworkMode::kUser, NetworkMode::kNone, NetworkMode::kBridged})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

bool is_valid_vm_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || Uuid::parse(name)) return false;
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (!is_alphanumeric(name.front())) return false;
  for (const char c : name)
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') return false;
  return true;
}

} // namespace berth
