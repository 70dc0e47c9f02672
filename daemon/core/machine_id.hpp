// Machine identifiers: what makes two VMs the same machine. Compares ECID values and UUIDs, never bytes, because one
// ECID has two encodings. The property lists themselves are read and written in bundle/.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

struct Ecid {
  std::uint64_t value = 0;
  auto operator<=>(const Ecid&) const = default;
};

// The key under which a machine identifier is claimed: "ecid:0x1c4bb370c08694bb" or "uuid:…".
class MachineIdKey {
public:
  MachineIdKey() = default;
  explicit MachineIdKey(Ecid ecid) : value_(ecid) {}
  explicit MachineIdKey(Uuid uuid) : value_(uuid) {}

  // "ecid:0x" with 1 to 16 hexadecimal digits, or "uuid:" with a UUID; either case.
  static std::optional<MachineIdKey> parse(std::string_view text);
  // Canonical: sixteen digits, lower case.
  std::string to_string() const;

  auto operator<=>(const MachineIdKey&) const = default;

  const Ecid* ecid() const { return std::get_if<Ecid>(&value_); }
  const Uuid* uuid() const { return std::get_if<Uuid>(&value_); }

  // The UUID that an emulated machine shows as its hardware UUID. A generic identifier is its UUID; a macOS guest's
  // Provisioning UUID is 0000FE00-<ECID> (KhaosT/MacVM issue 7), so the same form serves here.
  Uuid hardware_uuid() const;

private:
  std::variant<Uuid, Ecid> value_;
};

enum class MachineIdOrigin : std::uint8_t { kGenerated, kCloned, kLoaded, kImported };
std::string_view to_string(MachineIdOrigin origin);
std::optional<MachineIdOrigin> parse_machine_id_origin(std::string_view text);

// The ledger's row. `data` is the exact data representation: the bundle's file must equal it byte by byte.
struct MachineIdRecord {
  MachineIdKey key;
  std::vector<std::uint8_t> data;
  MachineIdOrigin origin = MachineIdOrigin::kGenerated;
  bool is_kept = false;                                        // stays when no VM carries it any more
  std::string name;                                            // given by the user, may be empty
  std::string serial_number, hardware_uuid, provisioning_uuid; // learned by running it, may be empty
  std::uint64_t revision = 1;
  Timestamp created_at;
};

} // namespace berth
