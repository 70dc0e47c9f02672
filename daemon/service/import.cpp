// VMs from elsewhere: bundles that berth made, and those of other tools. Judged like requests; the source stays as it is.
#include <filesystem>

#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/foreign/foreign_bundle.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/host/path_policy.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

// What was found at the path, opened and held until the copy is made.
struct VmService::ImportSource {
  std::string format; // "berth", or another tool's
  VmRecord vm;        // name, hardware, MAC address and machine identifier; the rest is this daemon's to say
  bool has_mac_address = true;
  bool has_machine_id = true;
  Bytes machine_identifier;
  std::vector<std::string> notes;
  // One of the two.
  std::shared_ptr<UniqueFd> bundle;
  std::vector<foreign::SourceFile> held; // of the bundle
  std::shared_ptr<foreign::ForeignVm> foreign;
};

namespace {

// Labels hold 255 bytes; the event of the import has the whole path.
constexpr std::size_t kLongestLabel = 255;
constexpr const char* kOriginLabel = "berth.origin";

Error machine_id_carried(const MachineIdKey& key, const std::vector<VmHandle>& carriers) {
  std::vector<std::string> ids, names;
  std::string told;
  for (const VmHandle& vm : carriers) {
    ids.push_back(vm->record.id.to_string());
    names.push_back(vm->record.name);
    told += (told.empty() ? "" : ", ") + vm->record.name;
  }
  return Error{ErrorCode::kMachineIdCarried,
               "its machine identifier " + key.to_string() + " is carried by " + told +
                   "; with mid_policy keep_shared it is taken in all the same, and never runs together with them",
               key.to_string()}
      .with("holders", std::move(ids))
      .with("holder_names", std::move(names));
}

Result<void> judge_bundle(const std::string& path, const BundlePaths& paths, const BundleDescription& description) {
  if (check_identity(paths, description.machine_identifier) != IdentityState::kIntact)
    return fail(ErrorCode::kBundleInvalid, "MachineIdentifier in " + path + " is not the one that its berth.json tells", path);
  const Ecid* ecid = description.vm.machine_id.ecid();
  if (const auto installed = find_auxiliary_ecid(paths.auxiliary_storage()); installed && ecid && *installed != *ecid)
    return fail(ErrorCode::kMachineIdAltered,
                "the machine identifier of " + path + " is " + description.vm.machine_id.to_string() +
                    ", but its auxiliary storage was installed as " + MachineIdKey{*installed}.to_string() +
                    ": the guest would hang in boot",
                path);
  if (description.vm.disk_bytes == 0) return {};
  const auto size = disk::size(paths.disk());
  if (!size) return fail(ErrorCode::kBundleInvalid, size.error().detail, path);
  if (*size < description.vm.disk_bytes)
    return fail(ErrorCode::kBundleInvalid, "the disk in " + path + " is shorter than its berth.json tells", path);
  return {};
}

Result<BundleDescription> read_bundle(const std::string& path, const BundlePaths& paths) {
  const auto text = files::read(paths.description(), 64 * 1024);
  if (!text) return fail(ErrorCode::kBundleInvalid, path + " is not a bundle of berth: " + text.error().detail, path);
  auto description = read_description({reinterpret_cast<const char*>(text->data()), text->size()});
  if (!description) return description;
  if (auto judged = judge_bundle(path, paths, *description); !judged) return std::unexpected(judged.error());
  return description;
}

// Cut to what a label holds, never within a character.
std::string origin_of(const std::string& format, const std::string& path) {
  std::string origin = format + ":" + path;
  if (origin.size() <= kLongestLabel) return origin;
  std::size_t end = kLongestLabel;
  while ((static_cast<unsigned char>(origin[end]) & 0xc0) == 0x80) --end;
  return origin.substr(0, end);
}

// Without a slash at its end, as names of folders are taken from it.
std::string plain(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

} // namespace

Result<VmService::ImportSource> VmService::open_import(const std::string& asked,
                                                       const std::vector<std::filesystem::path>& roots) {
  const std::string path = plain(asked);
  auto opened = open_allowed(path, roots);
  if (!opened) return std::unexpected(opened.error());
  ImportSource source;
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path_of(*opened), error);
  const std::filesystem::path file = is_folder ? std::filesystem::path{} : std::filesystem::path(path);
  const std::string shown = is_folder ? path : file.parent_path().string();
  if (!is_folder) {
    opened = open_allowed(shown, roots);
    if (!opened) return std::unexpected(opened.error());
  }
  auto folder_fd = std::make_shared<UniqueFd>(std::move(*opened));
  const foreign::SourceFolder folder{folder_fd, shown};
  if (is_folder && folder.has("berth.json")) {
    for (const char* name : {"Disk.img", "AuxiliaryStorage", "NVRAM"}) {
      if (!folder.has(name)) continue;
      auto held = folder.hold(name);
      if (!held) return std::unexpected(held.error());
      source.held.push_back(std::move(*held));
    }
    auto description = read_bundle(path, BundlePaths{path_of(*folder_fd)});
    if (!description) return std::unexpected(description.error());
    source.format = "berth";
    source.vm = std::move(description->vm);
    source.machine_identifier = std::move(description->machine_identifier);
    source.bundle = std::move(folder_fd);
    return source;
  }
  auto found = foreign::recognise(folder, file.filename().string());
  if (!found) return std::unexpected(found.error());
  source.foreign = std::make_shared<foreign::ForeignVm>(std::move(*found));
  const foreign::ForeignVm& vm = *source.foreign;
  source.format = to_string(vm.format);
  source.vm.name = vm.name;
  source.vm.guest = vm.guest;
  source.vm.cpu_count = static_cast<std::uint32_t>(std::min<std::uint64_t>(vm.cpu_count, 0xffff'ffff));
  source.vm.memory_bytes = vm.memory_bytes;
  source.vm.disk_bytes = vm.disk_bytes;
  source.vm.display = vm.display;
  source.vm.network = vm.network;
  source.has_mac_address = vm.mac_address.has_value();
  source.vm.mac_address = vm.mac_address.value_or(MacAddress{});
  source.vm.boot.kind = vm.guest == Guest::kMacos ? BootKind::kMacos : BootKind::kEfi;
  source.has_machine_id = vm.machine_id.has_value();
  source.vm.machine_id = vm.machine_id.value_or(MachineIdKey{});
  source.machine_identifier = vm.machine_identifier;
  source.notes = vm.notes;
  return source;
}

Result<MachineIdRecord> VmService::identity_of_import(const ImportSource& source, MidPolicy policy) const {
  if (!source.has_machine_id) return identity_for(std::nullopt, source.vm.guest);
  const MachineIdKey& key = source.vm.machine_id;
  auto carriers = context_.world.carriers(key);
  for (const auto& [id, vm] : context_.world.nascent)
    if (vm->record.machine_id == key) carriers.push_back(vm);
  if (!carriers.empty() && policy == MidPolicy::kRefuse) return std::unexpected(machine_id_carried(key, carriers));
  // The ledger's bytes stand where it knows the identity; two encodings of one ECID are the same machine.
  if (const auto known = context_.world.machine_ids.find(key); known != context_.world.machine_ids.end()) return known->second;
  MachineIdRecord identity;
  identity.key = key;
  identity.data = source.machine_identifier;
  identity.origin = MachineIdOrigin::kImported;
  identity.created_at = context_.loop.now();
  return identity;
}

Result<VmRecord> VmService::record_of_import(const ImportVm& request, ImportSource& source) const {
  VmRecord record = source.vm;
  if (request.name) record.name = *request.name;
  if (auto named = check_vm_name(record.name); !named) return std::unexpected(named.error());
  if (!context_.world.is_name_free(record.name))
    return fail(ErrorCode::kNameInUse, "a VM named " + record.name + " exists already", record.name);
  if (auto sized = judge_size(record.cpu_count, record.memory_bytes, record.disk_bytes); !sized)
    return std::unexpected(sized.error());
  const auto here =
      judge({.name = record.name, .guest = record.guest, .cpu_count = record.cpu_count, .memory_bytes = record.memory_bytes});
  if (!here) return std::unexpected(here.error());
  record.id = here->id;
  if (source.foreign) record.disk_mode = here->disk_mode; // another tool's is not known
  record.driver = here->driver;
  record.is_simulated = here->is_simulated;
  record.created_at = here->created_at;
  record.status = here->status;
  record.status.reason = "import_requested";
  const bool is_unfit = record.mac_address.is_multicast() || record.mac_address.is_zero();
  if (request.new_mac_address || !source.has_mac_address || is_unfit) {
    if (source.has_mac_address && is_unfit)
      source.notes.push_back("its MAC address cannot be one of a network card: it gets a new one");
    record.mac_address = here->mac_address;
  }
  for (const auto& [name, other] : context_.world.vms_by_name)
    if (other->record.mac_address == record.mac_address) {
      if (source.foreign) source.notes.push_back("its MAC address is that of " + name + ": it gets a new one");
      record.mac_address = here->mac_address;
      break;
    }
  if (source.foreign) record.labels[kOriginLabel] = origin_of(source.format, source.foreign->path);
  if (source.foreign && source.foreign->nvram && record.driver != "vz")
    source.notes.push_back("its EFI variables are those of Virtualization.framework: they are made anew for " + record.driver);
  for (const std::string& note : source.notes) record.status.detail += (record.status.detail.empty() ? "" : "; ") + note;
  return record;
}

// Whatever of the host a bundle names is another host's.
Task<Result<VmRecord>> VmService::devices_of_import(VmRecord record, bool keeps_shares, Caller caller) const {
  const auto note = [&record](const std::string& text) {
    record.status.detail += (record.status.detail.empty() ? "" : "; ") + text;
  };
  if (!record.shares.empty() && !keeps_shares) {
    record.shares.clear();
    note("its shared directories are not taken over");
  }
  auto judged = co_await judge_devices(record);
  if (!judged && judged.error().code == ErrorCode::kNetworkUnavailable && record.network == NetworkMode::kBridged) {
    note("its bridged network became nat: " + judged.error().detail);
    record.network = NetworkMode::kNat;
    record.bridge_interface.clear();
    judged = co_await judge_devices(record);
  }
  if (!judged) co_return std::unexpected(judged.error());
  auto shares = co_await open_shares(std::move(record.shares), std::move(caller));
  if (!shares) co_return std::unexpected(shares.error());
  record.shares = std::move(*shares);
  co_return record;
}

Task<Result<Accepted>> VmService::import(ImportVm request, Caller caller) {
  const auto roots = roots_for(context_, caller, request.path);
  if (!roots) co_return std::unexpected(roots.error());
  auto source = co_await blocking(context_.loop, [path = request.path, roots = *roots] { return open_import(path, roots); });
  if (!source) co_return std::unexpected(source.error());
  auto record = record_of_import(request, *source);
  if (record) record = co_await devices_of_import(std::move(*record), request.keeps_shares, caller);
  if (!record) co_return std::unexpected(record.error());
  // Others may have come while the host was looked at.
  if (!context_.world.is_name_free(record->name))
    co_return fail(ErrorCode::kNameInUse, "a VM named " + record->name + " exists already", record->name);
  const NameReservation reservation(context_.world, record->name);
  auto identity = identity_of_import(*source, request.mid_policy);
  if (!identity) co_return std::unexpected(identity.error());
  record->machine_id = identity->key;

  OperationRecord operation = operations_.make(OperationKind::kImport, nullptr, caller);
  EventDetails details{{"format", source->format}, {"path", request.path}};
  if (!record->status.detail.empty()) details.emplace_back("notes", record->status.detail);
  NewBundle bundle{*record, identity->data, std::nullopt};
  const bool with_nvram = record->driver == "vz";
  Build build = [bundle, source = std::make_shared<ImportSource>(std::move(*source)), with_nvram,
                 backup = context_.paths.backup(record->id)](const std::filesystem::path& staging,
                                                             const disk::CloneControl& control) -> Result<void> {
    Result<void> built;
    if (source->foreign)
      built = foreign::build_from(*source->foreign, staging, bundle, with_nvram, control);
    else if (auto cloned = clone_bundle(BundlePaths{path_of(*source->bundle)}, staging, bundle, {}, control); !cloned)
      built = std::unexpected(cloned.error());
    // From the first day on there is a second copy of what a macOS guest cannot be without.
    if (built) built = back_up_identity(BundlePaths{staging}, backup);
    if (!built) (void)files::remove_all(staging);
    return built;
  };
  co_return co_await begin_new(*record, *identity, std::move(operation), std::move(caller), std::move(build), nullptr, nullptr,
                               std::move(details));
}

} // namespace berth
