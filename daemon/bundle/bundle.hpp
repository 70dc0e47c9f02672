// A VM on disk: names of its files, and the steps that build, check and repair it. A new bundle grows in staging/ and is
// renamed into place, so that no half-made one is ever seen. Blocking: call on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "daemon/bundle/disk.hpp"
#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"

namespace berth {

// The standard names (Apple's sample), and those of berth.
struct BundlePaths {
  std::filesystem::path root;

  std::filesystem::path disk() const { return root / "Disk.img"; }
  std::filesystem::path machine_identifier() const { return root / "MachineIdentifier"; }
  std::filesystem::path hardware_model() const { return root / "HardwareModel"; }
  std::filesystem::path auxiliary_storage() const { return root / "AuxiliaryStorage"; }
  std::filesystem::path nvram() const { return root / "NVRAM"; }
  std::filesystem::path saved_state() const { return root / "SavedState"; }
  std::filesystem::path saved_state_binding() const { return root / "SavedState.json"; } // what it belongs to
  std::filesystem::path description() const { return root / "berth.json"; }
  std::filesystem::path snapshot_description() const { return root / "snapshot.json"; } // of a snapshot's directory
  std::filesystem::path snapshots() const { return root / "snapshots"; }
};

struct NewBundle {
  VmRecord vm;
  Bytes machine_identifier;
  std::optional<std::filesystem::path> disk_image; // copied into the disk, then grown to vm.disk_bytes
  Bytes hardware_model;                            // of a macOS guest that is to be installed; may be empty
};

// Builds the bundle in the directory `staging`, which must not exist. On failure the directory is removed.
Result<void> build_bundle(const std::filesystem::path& staging, const NewBundle& bundle, const disk::CloneControl& control = {});

// Copies disk, NVRAM, auxiliary storage, hardware model and, when asked, the saved state of `from` into the existing
// directory `to`, together. `to` then has the same identity.
struct CopyParts {
  bool with_saved_state = false;
  bool with_identity = true;
};
Result<disk::CloneMethod> copy_parts(const BundlePaths& from, const BundlePaths& to, CopyParts parts,
                                     const disk::CloneControl& control = {});

// Clone: a new bundle in `staging` with the parts of `from` and the record and identity of `clone`.
Result<disk::CloneMethod> clone_bundle(const BundlePaths& from, const std::filesystem::path& staging, const NewBundle& clone,
                                       CopyParts parts, const disk::CloneControl& control = {});

enum class IdentityState : std::uint8_t { kIntact, kAltered, kMissing };

// Compares the bundle's MachineIdentifier with the ledger's bytes, byte by byte.
IdentityState check_identity(const BundlePaths& bundle, const Bytes& expected);
Result<void> repair_identity(const BundlePaths& bundle, const Bytes& expected);

// Is there all that a stopped VM needs? The sentence says what is missing.
std::optional<std::string> find_damage(const BundlePaths& bundle, const VmRecord& vm);

} // namespace berth
