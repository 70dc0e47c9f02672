// Bytes against bytes, but for the auxiliary storage: the guest writes in it, so only the ECID in it is compared.
#include "daemon/bundle/identity.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/bundle/disk.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestModel = 64 * 1024;
constexpr off_t kUsualPlace = 0x6c804;
constexpr std::size_t kPiece = 1 << 20;
constexpr std::array<std::uint8_t, 6> kMark{0x04, 'E', 'C', 'I', 'D', 0x02};
constexpr std::size_t kLongest = kMark.size() + 1 + 9; // with the length, a zero byte and the value

// The value behind a mark at `at`; nullopt when what follows is not one.
std::optional<Ecid> value_at(const std::uint8_t* at, std::size_t size) {
  if (size < kLongest - 1 || std::memcmp(at, kMark.data(), kMark.size()) != 0) return std::nullopt;
  const std::uint8_t length = at[kMark.size()];
  const std::uint8_t* value = at + kMark.size() + 1;
  if (length == 9 && (size < kLongest || *value++ != 0)) return std::nullopt;
  if (length != 8 && length != 9) return std::nullopt;
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | value[i];
  return Ecid{number};
}

IdentityState state_of(const fs::path& file, const fs::path& expected) {
  const auto wanted = files::read(expected, kLargestModel);
  if (!wanted) return IdentityState::kIntact;
  const auto found = files::read(file, kLargestModel);
  if (!found) return found.error().code == ErrorCode::kNotFound ? IdentityState::kMissing : IdentityState::kAltered;
  return *found == *wanted ? IdentityState::kIntact : IdentityState::kAltered;
}

bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(fs::symlink_status(file, error));
}

IdentityState state_of_auxiliary(const BundlePaths& bundle, const MachineIdRecord& ledger, const fs::path& backup) {
  if (!is_there(bundle.auxiliary_storage()))
    return is_there(BundlePaths{backup}.auxiliary_storage()) ? IdentityState::kMissing : IdentityState::kIntact;
  const auto found = find_auxiliary_ecid(bundle.auxiliary_storage());
  const Ecid* wanted = ledger.key.ecid();
  return !found || !wanted || *found == *wanted ? IdentityState::kIntact : IdentityState::kAltered;
}

// The file from the backup in place of what is there, which is kept.
Result<void> put_back(const fs::path& from, const fs::path& to) {
  if (!is_there(from))
    return fail(ErrorCode::kBundleInvalid, "there is no copy of " + to.filename().string() + " to put back", to.string());
  const fs::path draft = to.string() + ".restored";
  std::error_code error;
  fs::remove(draft, error);
  if (auto cloned = disk::clone(from, draft); !cloned) return std::unexpected(cloned.error());
  if (is_there(to)) fs::rename(to, to.string() + ".altered", error);
  if (!error) fs::rename(draft, to, error);
  if (error) return fail(ErrorCode::kStorageFailed, "cannot put back " + to.string() + ": " + error.message(), to.string());
  return {};
}

} // namespace

std::string_view to_string(IdentityState state) {
  switch (state) {
    case IdentityState::kIntact: return "intact";
    case IdentityState::kAltered: return "altered";
    case IdentityState::kMissing: return "missing";
  }
  return "altered";
}

bool IdentityReport::is_intact() const {
  return machine_identifier == IdentityState::kIntact && hardware_model == IdentityState::kIntact &&
         auxiliary_storage == IdentityState::kIntact;
}

std::string IdentityReport::to_string() const {
  std::string text;
  for (const auto& [name, state] : {std::pair{"MachineIdentifier", machine_identifier},
                                    std::pair{"HardwareModel", hardware_model}, std::pair{"AuxiliaryStorage", auxiliary_storage}})
    if (state != IdentityState::kIntact)
      text += (text.empty() ? "" : " and ") + std::string(name) + " is " + std::string(berth::to_string(state));
  return text;
}

std::optional<Ecid> find_auxiliary_ecid(const fs::path& auxiliary_storage) {
  const UniqueFd file{::open(auxiliary_storage.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file) return std::nullopt;
  std::vector<std::uint8_t> bytes(kPiece + kLongest);
  const ssize_t first = ::pread(file.get(), bytes.data(), kLongest, kUsualPlace);
  if (first > 0)
    if (const auto found = value_at(bytes.data(), static_cast<std::size_t>(first))) return found;
  for (off_t at = 0;; at += static_cast<off_t>(kPiece)) {
    const ssize_t count = ::pread(file.get(), bytes.data(), bytes.size(), at);
    if (count <= 0) return std::nullopt;
    const auto end = bytes.begin() + count;
    for (auto each = bytes.begin(); (each = std::search(each, end, kMark.begin(), kMark.end())) != end; ++each)
      if (const auto found = value_at(&*each, static_cast<std::size_t>(end - each))) return found;
  }
}

IdentityReport examine_identity(const BundlePaths& bundle, const MachineIdRecord& ledger, const fs::path& backup) {
  return {check_identity(bundle, ledger.data), state_of(bundle.hardware_model(), BundlePaths{backup}.hardware_model()),
          state_of_auxiliary(bundle, ledger, backup)};
}

Result<void> back_up_identity(const BundlePaths& bundle, const fs::path& backup) {
  if (!is_there(bundle.auxiliary_storage())) return {};
  const fs::path draft = backup.string() + ".new", old = backup.string() + ".old";
  (void)files::remove_all(draft);
  std::error_code error;
  fs::create_directories(backup.parent_path(), error);
  if (auto made = files::make_directory(draft); !made) return made;
  for (const auto& [from, to] : {std::pair{bundle.auxiliary_storage(), BundlePaths{draft}.auxiliary_storage()},
                                 std::pair{bundle.hardware_model(), BundlePaths{draft}.hardware_model()},
                                 std::pair{bundle.machine_identifier(), BundlePaths{draft}.machine_identifier()}}) {
    if (!is_there(from)) continue;
    if (auto cloned = disk::clone(from, to); !cloned) {
      (void)files::remove_all(draft);
      return std::unexpected(cloned.error());
    }
  }
  (void)files::remove_all(old);
  if (is_there(backup))
    if (auto moved = files::rename(backup, old); !moved) return moved;
  if (auto moved = files::rename(draft, backup); !moved) return moved;
  return files::remove_all(old);
}

Result<void> restore_identity(const BundlePaths& bundle, const MachineIdRecord& ledger, const fs::path& backup) {
  const IdentityReport report = examine_identity(bundle, ledger, backup);
  if (report.machine_identifier != IdentityState::kIntact)
    if (auto back = repair_identity(bundle, ledger.data); !back) return back;
  if (report.hardware_model != IdentityState::kIntact)
    if (auto back = put_back(BundlePaths{backup}.hardware_model(), bundle.hardware_model()); !back) return back;
  if (report.auxiliary_storage != IdentityState::kIntact)
    if (auto back = put_back(BundlePaths{backup}.auxiliary_storage(), bundle.auxiliary_storage()); !back) return back;
  return {};
}

} // namespace berth
