// A small macOS guest as another tool keeps it, and the look at it.
#pragma once

#include <fcntl.h>

#include <gtest/gtest.h>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/foreign/foreign_bundle.hpp"
#include "tests/support/foreign_layout.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::test {

inline constexpr std::uint64_t kEcid = 0x1c4bb370c08694bb;

// An auxiliary storage that was installed as `ecid`: what macosvm looks for, at its usual place.
inline std::string auxiliary_storage_of(std::uint64_t ecid) {
  std::string bytes(0x80000, '\0');
  std::string mark{"\x04"
                   "ECID\x02"};
  mark += ecid >> 63 ? std::string("\x09\x00", 2) : std::string("\x08");
  for (int shift = 56; shift >= 0; shift -= 8) mark += static_cast<char>(ecid >> shift);
  return bytes.replace(0x6c804, mark.size(), mark);
}

class ForeignBundles : public testing::Test {
protected:
  ForeignBundles() {
    parts_.disk = directory_ / "source.disk";
    parts_.auxiliary_storage = directory_ / "source.aux";
    parts_.machine_identifier = encode_machine_identifier(MachineIdKey{Ecid{kEcid}});
    parts_.hardware_model = encode_hardware_model({});
    write_file(parts_.disk, std::string(64 * 1024, 'd'));
    write_file(parts_.auxiliary_storage, auxiliary_storage_of(kEcid));
    std::filesystem::create_directory(folder());
  }

  std::filesystem::path folder() const { return directory_ / "guest.vm"; }
  // Lays the VM out in a fresh folder.
  std::filesystem::path lay_out(foreign::Format format) {
    std::filesystem::remove_all(folder());
    std::filesystem::create_directory(folder());
    return test::lay_out(format, parts_, folder());
  }
  Result<foreign::ForeignVm> recognise(const std::filesystem::path& path) const {
    const bool is_file = std::filesystem::is_regular_file(path);
    const auto at = is_file ? path.parent_path() : path;
    auto opened = std::make_shared<UniqueFd>(::open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return foreign::recognise({opened, at.string()}, is_file ? path.filename().string() : std::string{});
  }
  // The code of the refusal, "" when there was none.
  std::string code_of(const std::filesystem::path& path) const {
    const auto found = recognise(path);
    if (found) return {};
    last_detail_ = found.error().detail;
    return std::string(to_string(found.error().code));
  }
  std::string code() const { return code_of(folder()); }

  static bool has_note(const foreign::ForeignVm& vm, std::string_view words) {
    for (const auto& note : vm.notes)
      if (note.find(words) != std::string::npos) return true;
    return false;
  }

  TempDir directory_;
  ForeignParts parts_;
  mutable std::string last_detail_;
};

} // namespace berth::test
