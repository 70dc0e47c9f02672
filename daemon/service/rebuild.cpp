// Bundles, then their snapshots, then images, whose kind is what a bundle boots from them as.
#include "daemon/service/rebuild.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/restore_image.hpp"
#include "daemon/core/image.hpp"

namespace berth {

namespace {

constexpr std::size_t kLargestDescription = 64 << 10;
constexpr std::string_view kSuffix = ".bundle";

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// In the order of their names, so that two rebuilds give the same.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> entries;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) entries.push_back(entry.path());
  std::ranges::sort(entries);
  return entries;
}

class Rebuild {
public:
  Rebuild(const StatePaths& paths, const std::vector<std::unique_ptr<MachineDriver>>& drivers, Timestamp now)
      : paths_(paths), drivers_(drivers), now_(now) {}

  LostRecords run() && {
    for (const auto& bundle : entries_of(paths_.vms())) take_bundle(bundle);
    for (const auto& image : entries_of(paths_.images())) take_image(image);
    if (!found_.transaction.writes.empty()) {
      Event event;
      event.time = now_;
      event.type = "store.rebuilt";
      event.details = {{"vms", std::to_string(found_.vms)}, {"images", std::to_string(found_.images)}};
      found_.transaction.events.push_back(std::move(event));
    }
    return std::move(found_);
  }

private:
  void note(const std::filesystem::path& path, const std::string& why) { found_.notes.push_back(path.string() + ": " + why); }

  void take_bundle(const std::filesystem::path& bundle) {
    const std::string file = bundle.filename().string();
    const auto id = file.ends_with(kSuffix) ? VmId::parse(file.substr(0, file.size() - kSuffix.size())) : std::nullopt;
    if (!id) return; // not a name that berth gives
    const BundlePaths paths{bundle};
    const auto bytes = files::read(paths.description(), kLargestDescription);
    if (!bytes) return note(bundle, bytes.error().detail);
    const std::string text = text_of(*bytes);
    auto description = read_description(text);
    if (!description) return note(bundle, description.error().detail);
    VmRecord vm = description->vm;
    vm.id = *id;
    vm.created_at = now_;
    read_ledger_facts(text, vm);
    if (!choose_driver(vm)) return note(bundle, "this host has no driver for " + std::string(to_string(vm.guest)) + " guests");
    if (!names_.insert(vm.name).second) {
      vm.name = vm.name.substr(0, 54) + "-" + vm.id.to_string().substr(0, 8);
      note(bundle, "another VM has its name: it is " + vm.name + " now");
      names_.insert(vm.name);
    }
    if (!vm.boot.kernel.empty()) kinds_.emplace(vm.boot.kernel, ImageKind::kKernel);
    if (!vm.boot.initramfs.empty()) kinds_.emplace(vm.boot.initramfs, ImageKind::kInitramfs);
    // Either of these makes recovery look for a living process; saving is what leaves a saved state when there is none.
    std::error_code error;
    const bool has_saved_state = std::filesystem::exists(paths.saved_state(), error);
    vm.status = {has_saved_state ? VmState::kSaving : VmState::kUnreachable, now_, "rebuilt", {}, {}, {}};
    take_identity(vm, description->machine_identifier);
    take_snapshots(paths, vm);
    found_.transaction.writes.emplace_back(std::move(vm));
    ++found_.vms;
  }

  // The driver of before when it is here, else the first for such guests.
  bool choose_driver(VmRecord& vm) const {
    const MachineDriver* chosen = nullptr;
    for (const auto& driver : drivers_) {
      const DriverFacts facts = driver->facts();
      if (std::ranges::find(facts.guests, vm.guest) == facts.guests.end()) continue;
      if (!chosen || facts.name == vm.driver) chosen = driver.get();
    }
    if (!chosen) return false;
    vm.driver = chosen->facts().name;
    vm.is_simulated = chosen->facts().is_simulated;
    return true;
  }

  // berth.json has the ledger's bytes; the bundle's own file is judged by them as ever, at the next start.
  void take_identity(const VmRecord& vm, const Bytes& data) {
    if (!identities_.insert(vm.machine_id).second) return;
    MachineIdRecord record;
    record.key = vm.machine_id;
    record.data = data;
    record.origin = MachineIdOrigin::kImported;
    record.created_at = now_;
    found_.transaction.writes.emplace_back(std::move(record));
  }

  void take_snapshots(const BundlePaths& bundle, VmRecord& vm) {
    std::optional<Timestamp> newest;
    for (const auto& directory : entries_of(bundle.snapshots())) {
      const BundlePaths parts{directory};
      const auto bytes = files::read(parts.snapshot_description(), kLargestDescription);
      auto snapshot = bytes ? read_snapshot_description(text_of(*bytes)) : std::nullopt;
      if (!snapshot || snapshot->id.to_string() != directory.filename().string()) {
        note(directory, "it has no snapshot.json of its own");
        continue;
      }
      snapshot->vm = vm.id;
      std::error_code error;
      snapshot->has_saved_state = std::filesystem::exists(parts.saved_state(), error);
      if (!newest || snapshot->created_at > *newest) {
        newest = snapshot->created_at;
        vm.current_snapshot = snapshot->id;
      }
      found_.transaction.writes.emplace_back(std::move(*snapshot));
    }
  }

  void take_image(const std::filesystem::path& file) {
    ImageRecord record;
    record.id = file.filename().string();
    std::error_code error;
    if (!is_image_id(record.id) || !std::filesystem::is_regular_file(std::filesystem::symlink_status(file, error))) return;
    record.size_bytes = std::filesystem::file_size(file, error);
    record.name = record.id.substr(0, 12);
    record.created_at = now_;
    const auto kind = kinds_.find(record.id);
    record.kind = kind == kinds_.end() ? ImageKind::kDisk : kind->second;
    if (kind == kinds_.end())
      if (auto restore = read_restore_image(file)) {
        record.kind = ImageKind::kRestore;
        record.version = restore->version;
        record.build = restore->build;
        record.supported_models = restore->supported_models;
      }
    found_.transaction.writes.emplace_back(std::move(record));
    ++found_.images;
  }

  const StatePaths& paths_;
  const std::vector<std::unique_ptr<MachineDriver>>& drivers_;
  const Timestamp now_;
  LostRecords found_;
  std::set<std::string> names_;
  std::set<MachineIdKey> identities_;
  std::map<std::string, ImageKind> kinds_;
};

} // namespace

LostRecords find_lost_records(const StatePaths& paths, const std::vector<std::unique_ptr<MachineDriver>>& drivers,
                              Timestamp now) {
  return Rebuild(paths, drivers, now).run();
}

} // namespace berth
