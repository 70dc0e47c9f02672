// What makes a bundle the machine that it was installed as: its machine identifier, its hardware model, and the auxiliary
// storage that was personalised for both. Kept a second time beside the ledger. Blocking: call on the pool.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "daemon/bundle/bundle.hpp"
#include "daemon/core/machine_id.hpp"

namespace berth {

struct IdentityReport {
  IdentityState machine_identifier = IdentityState::kIntact;
  // Intact, too, where nothing is known to compare with: a Linux guest has neither.
  IdentityState hardware_model = IdentityState::kIntact;
  IdentityState auxiliary_storage = IdentityState::kIntact;

  bool is_intact() const;
  // "MachineIdentifier is altered and AuxiliaryStorage is missing"; empty when it is intact.
  std::string to_string() const;
};
std::string_view to_string(IdentityState state);

// The ECID that an installed auxiliary storage carries: `04 "ECID" 02 08` and eight bytes, most significant first, usually
// at 0x6c804 (macosvm, VMInstance.m); with the DER length 09 and a zero byte for values from 2^63 on. nullopt: none found.
std::optional<Ecid> find_auxiliary_ecid(const std::filesystem::path& auxiliary_storage);

// Compares with the ledger's bytes and with `backup`, which may not exist.
IdentityReport examine_identity(const BundlePaths& bundle, const MachineIdRecord& ledger, const std::filesystem::path& backup);

// Copies what a macOS guest's identity is made of to `backup`, in place of what was there; the old copy stays whole until
// the new one is. Nothing for a guest without auxiliary storage.
Result<void> back_up_identity(const BundlePaths& bundle, const std::filesystem::path& backup);

// Puts back what is not intact: the machine identifier from the ledger, the rest from `backup`. kBundleInvalid when there
// is nothing to put back. What was there is kept beside it as NAME.altered.
Result<void> restore_identity(const BundlePaths& bundle, const MachineIdRecord& ledger, const std::filesystem::path& backup);

} // namespace berth
