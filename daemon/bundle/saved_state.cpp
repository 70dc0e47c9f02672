// SavedState.json: members of the machine by value, so that a difference can be named; disks by size and time of change,
// because reading them would take as long as copying them.
#include "daemon/bundle/saved_state.hpp"

#include <array>
#include <cerrno>

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLargest = 256 << 10;
constexpr std::array<const char*, 3> kDisks{"Disk.img", "AuxiliaryStorage", "NVRAM"};

std::unexpected<Error> unfit(const std::string& why, const std::filesystem::path& bundle) {
  return fail(ErrorCode::kRestoreFailed,
              "the saved state does not fit any more: " + why + "; start with discard_saved_state to leave it", bundle.string());
}

// All of the record that the guest can see, or that the framework asks to be the same. Its name is not of that.
Json machine_of(const VmRecord& vm) {
  Json machine = Json::parse(describe(vm, {}));
  for (const char* other : {"format", "version", "id", "name", "machine_identifier", "ledger"}) machine.erase(other);
  machine["driver"] = vm.driver;
  machine["display"] = vm.display ? Json{{"width", vm.display->width}, {"height", vm.display->height}} : Json();
  return machine;
}

Json disks_of(const BundlePaths& bundle) {
  Json disks = Json::object();
  for (const char* name : kDisks) {
    struct stat facts{};
    if (::stat((bundle.root / name).c_str(), &facts) != 0) continue;
#ifdef __APPLE__
    const timespec changed = facts.st_mtimespec;
#else
    const timespec changed = facts.st_mtim;
#endif
    disks[name] = {{"bytes", static_cast<std::uint64_t>(facts.st_size)},
                   {"changed", std::to_string(changed.tv_sec) + "." + std::to_string(changed.tv_nsec)}};
  }
  return disks;
}

Result<void> write(const BundlePaths& bundle, const Json& machine) {
  const std::string text = Json{{"version", 1}, {"machine", machine}, {"disks", disks_of(bundle)}}.dump(2) + "\n";
  return files::replace(bundle.saved_state_binding(), files::as_bytes(text));
}

// Null when there is none; one that cannot be understood binds to nothing that is here.
Result<Json> read(const BundlePaths& bundle) {
  const auto bytes = files::read(bundle.saved_state_binding(), kLargest);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return Json();
  if (!bytes) return std::unexpected(bytes.error());
  Json binding = Json::parse(files::as_text(*bytes), nullptr, false);
  if (!binding.is_object() || !binding.contains("machine") || !binding["machine"].is_object() || !binding.contains("disks") ||
      !binding["disks"].is_object())
    return unfit("SavedState.json cannot be read", bundle.root);
  return binding;
}

// The names of the members that differ, for people.
std::string differences(const Json& before, const Json& now) {
  std::string names;
  const auto name = [&](const std::string& each) { names += (names.empty() ? "" : ", ") + each; };
  for (const auto& [key, value] : before.items())
    if (!now.contains(key) || now[key] != value) name(key);
  for (const auto& [key, value] : now.items())
    if (!before.contains(key)) name(key);
  return names;
}

Result<void> check_disks(const Json& binding, const BundlePaths& bundle) {
  const std::string changed = differences(binding["disks"], disks_of(bundle));
  if (changed.empty()) return {};
  return unfit(changed + " changed since it was saved", bundle.root);
}

} // namespace

Result<void> bind_saved_state(const BundlePaths& bundle, const VmRecord& vm) { return write(bundle, machine_of(vm)); }

Result<void> check_saved_state(const BundlePaths& bundle, const VmRecord& vm) {
  const auto binding = read(bundle);
  if (!binding) return std::unexpected(binding.error());
  if (binding->is_null()) return {};
  if (const std::string changed = differences((*binding)["machine"], machine_of(vm)); !changed.empty())
    return unfit("the machine has another " + changed + " now", bundle.root);
  return check_disks(*binding, bundle);
}

Result<void> carry_saved_state(const BundlePaths& from, const BundlePaths& to) {
  const auto binding = read(from);
  if (!binding) return std::unexpected(binding.error());
  if (binding->is_null()) return {};
  if (auto same = check_disks(*binding, from); !same) return same;
  return write(to, (*binding)["machine"]);
}

Result<void> remove_saved_state(const BundlePaths& bundle) {
  // The state goes first: without what it belongs to it would be believed.
  if (auto removed = files::remove_all(bundle.saved_state()); !removed) return removed;
  return files::remove_all(bundle.saved_state_binding());
}

} // namespace berth
