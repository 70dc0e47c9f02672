// What the look-alike writes into the files of a VM: the installed system in a disk, the identifier in an auxiliary storage,
// the mark of damage. All of it at fixed places, so that a copy of the file is a copy of the guest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace lookalike {

inline constexpr std::int64_t kDamageOffset = 8192;
inline constexpr std::string_view kDamage = "BERTH-LOOKALIKE-DAMAGED";
inline constexpr std::int64_t kNotesOffset = 16384; // what `write TEXT` of the guest's shell appends, NUL at its end
inline constexpr std::size_t kNotesSize = 49152;

// The first 4096 bytes of a disk: lines `name value`, then NULs.
struct InstalledSystem {
  std::string version, build;
  std::uint64_t ecid = 0;
  std::string hardware_model; // hexadecimal digits of its data representation
};
bool write_system(const std::filesystem::path& disk, const InstalledSystem& system);
std::optional<InstalledSystem> read_system(const std::filesystem::path& disk);

void mark_damaged(const std::filesystem::path& disk);
bool is_damaged(const std::filesystem::path& disk);

void append_note(const std::filesystem::path& disk, std::string_view text);
std::string read_notes(const std::filesystem::path& disk);

// An auxiliary storage: 32 MiB of NVRAM behind a header of 0x4000 bytes, which names the hardware model; sparse.
inline constexpr std::int64_t kAuxiliarySize = 0x4000 + (std::int64_t{32} << 20);
inline constexpr std::int64_t kEcidOffset = 0x6c804; // where macosvm looks for it
// 0, or errno.
int create_auxiliary(const std::filesystem::path& path, std::string_view hardware_model, bool overwrite);
std::optional<std::string> auxiliary_hardware_model(const std::filesystem::path& path);
bool write_auxiliary_ecid(const std::filesystem::path& path, std::uint64_t ecid);
std::optional<std::uint64_t> auxiliary_ecid(const std::filesystem::path& path);

} // namespace lookalike
