// Names of the small enums, and the rule for tags.
#include "daemon/core/devices.hpp"

#include <set>

#include "daemon/core/vm.hpp"

namespace berth {

namespace {

constexpr std::size_t kLongestTag = 35;

} // namespace

std::string_view to_string(DiskCaching caching) {
  switch (caching) {
    case DiskCaching::kAutomatic: return "automatic";
    case DiskCaching::kCached: return "cached";
    case DiskCaching::kUncached: return "uncached";
  }
  return "automatic";
}

std::optional<DiskCaching> parse_disk_caching(std::string_view text) {
  for (const auto caching : {DiskCaching::kAutomatic, DiskCaching::kCached, DiskCaching::kUncached})
    if (text == to_string(caching)) return caching;
  return std::nullopt;
}

std::string_view to_string(DiskSynchronization synchronization) {
  switch (synchronization) {
    case DiskSynchronization::kFull: return "full";
    case DiskSynchronization::kFsync: return "fsync";
    case DiskSynchronization::kNone: return "none";
  }
  return "full";
}

std::optional<DiskSynchronization> parse_disk_synchronization(std::string_view text) {
  for (const auto mode : {DiskSynchronization::kFull, DiskSynchronization::kFsync, DiskSynchronization::kNone})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

DiskMode default_disk_mode(Guest guest) {
  return {guest == Guest::kLinux ? DiskCaching::kCached : DiskCaching::kAutomatic, DiskSynchronization::kFull};
}

Result<void> judge_shares(const std::vector<SharedDirectory>& shares, const std::optional<std::string>& rosetta_tag,
                          Guest guest) {
  if (shares.size() > kMostShares)
    return fail(ErrorCode::kInvalidValue, "a VM has at most " + std::to_string(kMostShares) + " shared directories", "shares");
  std::set<std::string_view> tags;
  const auto judge_tag = [&](const std::string& tag, const std::string& field) -> Result<void> {
    if (tag.empty() || tag.size() > kLongestTag || tag.find('\0') != std::string::npos)
      return fail(ErrorCode::kInvalidValue, field + " must have 1 to " + std::to_string(kLongestTag) + " bytes", field);
    if (!tags.insert(tag).second) return fail(ErrorCode::kInvalidValue, field + " is the tag of another share of this VM", field);
    return {};
  };
  for (std::size_t index = 0; index < shares.size(); ++index) {
    const std::string field = "shares[" + std::to_string(index) + "]";
    if (auto judged = judge_tag(shares[index].tag, field + ".tag"); !judged) return judged;
    if (!shares[index].path.starts_with('/'))
      return fail(ErrorCode::kInvalidValue, field + ".path must be an absolute path", field + ".path");
  }
  if (!rosetta_tag) return {};
  if (guest != Guest::kLinux)
    return fail(ErrorCode::kInvalidValue, "rosetta runs Linux programs for Intel processors: it is for Linux guests", "rosetta");
  return judge_tag(*rosetta_tag, "rosetta.tag");
}

} // namespace berth
