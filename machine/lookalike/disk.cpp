// Reads and writes at fixed places of files, and never makes a disk longer.
#include "machine/lookalike/disk.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <sstream>
#include <unistd.h>

namespace lookalike {
namespace {

constexpr std::string_view kDiskMagic = "BERTH-LOOKALIKE-DISK 1";
constexpr std::string_view kAuxiliaryMagic = "BERTH-LOOKALIKE-AUX 1";
constexpr std::size_t kHeaderSize = 4096;
// A DER string "ECID" and the head of an integer of eight bytes, as Apple's NVRAM has them.
constexpr std::array<unsigned char, 7> kEcidPattern{0x04, 'E', 'C', 'I', 'D', 0x02, 0x08};

class File {
public:
  File(const std::filesystem::path& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::string read(std::int64_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    const auto count = ::pread(descriptor_, bytes.data(), size, offset);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  // Never makes the file longer: a disk keeps its size.
  bool write(std::int64_t offset, std::string_view bytes) const {
    if (::lseek(descriptor_, 0, SEEK_END) < offset + static_cast<std::int64_t>(bytes.size())) return false;
    return ::pwrite(descriptor_, bytes.data(), bytes.size(), offset) == static_cast<ssize_t>(bytes.size());
  }

private:
  int descriptor_;
};

std::optional<std::map<std::string, std::string>> read_header(const std::filesystem::path& path, std::string_view magic) {
  const std::string text = File(path, O_RDONLY).read(0, kHeaderSize);
  if (!text.starts_with(magic)) return std::nullopt;
  std::map<std::string, std::string> values;
  std::istringstream lines(text.c_str()); // as far as the first NUL
  std::string name, value;
  std::getline(lines, name);
  while (lines >> name >> value) values[name] = value;
  return values;
}

std::string padded(std::string text) {
  text.resize(kHeaderSize, '\0');
  return text;
}

} // namespace

bool write_system(const std::filesystem::path& disk, const InstalledSystem& system) {
  return File(disk, O_RDWR)
      .write(0, padded(fmt::format("{}\nversion {}\nbuild {}\necid {:016x}\nhardware_model {}\n", kDiskMagic, system.version,
                                   system.build, system.ecid, system.hardware_model)));
}

std::optional<InstalledSystem> read_system(const std::filesystem::path& disk) {
  auto values = read_header(disk, kDiskMagic);
  if (!values) return std::nullopt;
  return InstalledSystem{(*values)["version"], (*values)["build"], std::strtoull((*values)["ecid"].c_str(), nullptr, 16),
                         (*values)["hardware_model"]};
}

void mark_damaged(const std::filesystem::path& disk) { File(disk, O_RDWR).write(kDamageOffset, kDamage); }

bool is_damaged(const std::filesystem::path& disk) { return File(disk, O_RDONLY).read(kDamageOffset, kDamage.size()) == kDamage; }

void append_note(const std::filesystem::path& disk, std::string_view text) {
  std::string notes = read_notes(disk);
  notes.append(text).append("\n");
  if (notes.size() < kNotesSize) File(disk, O_RDWR).write(kNotesOffset, notes);
}

std::string read_notes(const std::filesystem::path& disk) { return File(disk, O_RDONLY).read(kNotesOffset, kNotesSize).c_str(); }

int create_auxiliary(const std::filesystem::path& path, std::string_view hardware_model, bool overwrite) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0644);
  if (descriptor < 0) return errno;
  const std::string header = padded(fmt::format("{}\nhardware_model {}\n", kAuxiliaryMagic, hardware_model));
  int error = ::ftruncate(descriptor, kAuxiliarySize) == 0 ? 0 : errno;
  if (error == 0 && ::pwrite(descriptor, header.data(), header.size(), 0) < 0) error = errno;
  ::close(descriptor);
  return error;
}

std::optional<std::string> auxiliary_hardware_model(const std::filesystem::path& path) {
  auto values = read_header(path, kAuxiliaryMagic);
  if (!values) return std::nullopt;
  return (*values)["hardware_model"];
}

bool write_auxiliary_ecid(const std::filesystem::path& path, std::uint64_t ecid) {
  std::string bytes(kEcidPattern.begin(), kEcidPattern.end());
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(ecid >> shift));
  return File(path, O_RDWR).write(kEcidOffset, bytes);
}

std::optional<std::uint64_t> auxiliary_ecid(const std::filesystem::path& path) {
  const std::string bytes = File(path, O_RDONLY).read(kEcidOffset, kEcidPattern.size() + 8);
  if (bytes.size() != kEcidPattern.size() + 8 || std::memcmp(bytes.data(), kEcidPattern.data(), kEcidPattern.size()) != 0)
    return std::nullopt;
  std::uint64_t ecid = 0;
  for (const unsigned char byte : bytes.substr(kEcidPattern.size())) ecid = ecid << 8 | byte;
  return ecid;
}

} // namespace lookalike
