// A VM of another tool: found out by looking, judged as a stranger's, and copied into a bundle of berth. The source is
// opened for reading only. Blocking: call on the pool.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/foreign/foreign_format.hpp"
#include "daemon/bundle/foreign/source_folder.hpp"
#include "daemon/core/vm.hpp"

namespace berth::foreign {

struct ForeignVm {
  Format format = Format::kTart;
  std::string path; // as it was asked for
  std::string name; // one that a VM may have
  Guest guest = Guest::kMacos;
  std::uint64_t cpu_count = 0, memory_bytes = 0, disk_bytes = 0;
  std::optional<MachineIdKey> machine_id; // a macOS guest has one
  Bytes machine_identifier, hardware_model;
  std::optional<MacAddress> mac_address;
  std::optional<DisplaySpec> display;
  NetworkMode network = NetworkMode::kNat;
  SourceFile disk;
  std::optional<SourceFile> auxiliary_storage, nvram; // nvram: the framework's EFI variables of a Linux guest
  std::vector<std::string> notes;                     // what was not known, what is not taken over; a sentence each
};

// What processors and memory become when the format does not tell them.
inline constexpr std::uint64_t kDefaultCpuCount = 4, kDefaultMemoryBytes = std::uint64_t{4} << 30;

// `source` is a folder, or the file of a configuration of macosvm in `folder`. kBundleInvalid: no format that berth knows,
// or a broken one; kUnsupported: a known one of a kind that it cannot take; kBundleInUse: somebody has it; kPathNotAllowed:
// it leads out of its folder; kMachineIdAltered: the auxiliary storage belongs to another machine identifier.
Result<ForeignVm> recognise(const SourceFolder& folder, const std::string& configuration_file = {});

// The machine identifier of a VM and no more: its disk may be missing, and of a kind that cannot be imported. Where the
// format's own place for it is empty, it is made of the ECID in the auxiliary storage. kBundleInvalid, too, when it has none.
Result<Bytes> find_machine_identifier(const SourceFolder& folder, const std::string& configuration_file = {});

// Builds the bundle in `staging`, which must not exist, out of the source's disk, storages and identity. `bundle` has the
// record and the identity; its disk and hardware model come from the source. On failure the directory is removed.
Result<void> build_from(const ForeignVm& source, const std::filesystem::path& staging, NewBundle bundle, bool with_nvram,
                        const disk::CloneControl& control = {});

} // namespace berth::foreign
