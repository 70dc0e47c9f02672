// Rows of the ledger.
#include "daemon/service/machine_id_service.hpp"

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/foreign/foreign_bundle.hpp"
#include "daemon/bundle/foreign/settings.hpp"
#include "daemon/host/path_policy.hpp"

namespace berth {

namespace {

constexpr std::size_t kLargestFile = 64 * 1024;
constexpr std::size_t kLargestConfiguration = foreign::kLargestConfiguration; // of macosvm

// `path`: the folder of a VM of berth or of another tool, the file MachineIdentifier itself, or a configuration of macosvm.
Result<Bytes> read_identifier(std::string path, const std::vector<std::filesystem::path>& roots) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto opened = open_allowed(path, roots);
  if (!opened) return std::unexpected(opened.error());
  std::error_code error;
  if (std::filesystem::is_directory(path_of(*opened), error)) {
    const auto here = path_of(*opened);
    const foreign::SourceFolder folder{std::make_shared<UniqueFd>(std::move(*opened)), path};
    // A bundle of berth's; Apple's samples and VirtualBuddy keep it there as well.
    if (folder.has("MachineIdentifier")) return files::read(BundlePaths{here}.machine_identifier(), kLargestFile);
    if (folder.has("berth.json"))
      return fail(ErrorCode::kBundleInvalid, path + ": its MachineIdentifier is missing; a repair puts it back", path);
    return foreign::find_machine_identifier(folder);
  }
  const std::filesystem::path file(path);
  auto parent = open_allowed(file.parent_path().string(), roots);
  if (!parent) return std::unexpected(parent.error());
  // Through the folder's descriptor, and no link: what was checked is what is read.
  auto bytes = files::read(path_of(*parent) / file.filename(), kLargestConfiguration);
  if (!bytes) return bytes;
  if (!foreign::is_macosvm(*bytes)) return bytes;
  const foreign::SourceFolder folder{std::make_shared<UniqueFd>(std::move(*parent)), file.parent_path().string()};
  return foreign::find_machine_identifier(folder, file.filename().string());
}

} // namespace

Task<Result<Bytes>> MachineIdService::load(std::string path, Caller caller) const {
  const auto roots = roots_for(context_, caller, path);
  if (!roots) co_return std::unexpected(roots.error());
  auto bytes = co_await blocking(context_.loop, [path, roots = *roots] { return read_identifier(path, roots); });
  co_return bytes;
}

Task<Result<MachineIdService::Added>> MachineIdService::add(NewMachineId request, Caller caller) {
  MachineIdRecord record;
  if (request.generate) {
    const auto random = context_.random();
    if (*request.generate == Guest::kLinux) {
      record.key = MachineIdKey{Uuid::from_random(random)};
    } else {
      std::uint64_t ecid = 0;
      for (std::size_t i = 0; i < 8; ++i) ecid = ecid << 8 | random[i];
      record.key = MachineIdKey{Ecid{ecid}};
    }
    record.data = encode_machine_identifier(record.key);
  } else {
    if (request.path) {
      auto loaded = co_await load(*request.path, caller);
      if (!loaded) co_return std::unexpected(loaded.error());
      record.data = std::move(*loaded);
    } else {
      record.data = std::move(*request.data);
    }
    const auto key = decode_machine_identifier(record.data);
    if (!key) co_return std::unexpected(key.error());
    record.key = *key;
    record.origin = MachineIdOrigin::kLoaded;
  }
  if (context_.world.machine_ids.contains(record.key)) co_return Added{record.key, false};
  record.name = std::move(request.name);
  record.is_kept = request.is_kept;
  record.created_at = context_.loop.now();
  Transaction transaction;
  transaction.events.push_back(context_.ledger.event("machine_id.created", record.key.to_string(), record.name));
  transaction.events.back().uid = caller.uid;
  const MachineIdKey key = record.key;
  if (caller.idempotency) {
    caller.idempotency->location = "/v1/machine-ids/" + key.to_string();
    transaction.writes.emplace_back(*caller.idempotency);
  }
  transaction.writes.emplace_back(std::move(record));
  if (auto committed = co_await context_.ledger.commit(std::move(transaction)); !committed) {
    if (caller.idempotency) caller.idempotency->location.clear();
    co_return std::unexpected(committed.error());
  }
  co_return Added{key, true};
}

Task<Result<void>> MachineIdService::patch(MachineIdKey key, PatchMachineId request, std::optional<std::uint64_t> revision,
                                           Caller caller) {
  const auto found = context_.world.machine_ids.find(key);
  if (found == context_.world.machine_ids.end())
    co_return fail(ErrorCode::kNotFound, "the ledger has no machine identifier " + key.to_string(), key.to_string());
  MachineIdRecord record = found->second;
  if (revision && *revision != record.revision)
    co_return fail(ErrorCode::kPreconditionFailed,
                   key.to_string() + " has revision " + std::to_string(record.revision) + ", not " + std::to_string(*revision),
                   key.to_string());
  for (const auto& [value, field] : {std::pair{&request.hardware_uuid, "hardware_uuid"}})
    if (*value && !(*value)->empty() && !Uuid::parse(**value))
      co_return fail(ErrorCode::kInvalidValue, std::string(field) + " is not a UUID", field);
  if (request.is_kept) record.is_kept = *request.is_kept;
  if (request.name) record.name = *request.name;
  if (request.serial_number) record.serial_number = *request.serial_number;
  if (request.hardware_uuid) record.hardware_uuid = *request.hardware_uuid;
  if (request.provisioning_uuid) record.provisioning_uuid = *request.provisioning_uuid;
  ++record.revision;
  Transaction transaction;
  transaction.events.push_back(context_.ledger.event("machine_id.updated", key.to_string(), record.name));
  transaction.events.back().uid = caller.uid;
  transaction.writes.emplace_back(std::move(record));
  co_return co_await context_.ledger.commit(std::move(transaction));
}

Task<Result<void>> MachineIdService::remove(MachineIdKey key, Caller caller) {
  const auto found = context_.world.machine_ids.find(key);
  if (found == context_.world.machine_ids.end())
    co_return fail(ErrorCode::kNotFound, "the ledger has no machine identifier " + key.to_string(), key.to_string());
  std::vector<std::string> ids, names;
  for (const VmHandle& vm : context_.world.carriers(key)) {
    ids.push_back(vm->record.id.to_string());
    names.push_back(vm->record.name);
  }
  for (const auto& [id, vm] : context_.world.nascent)
    if (vm->record.machine_id == key) {
      ids.push_back(id.to_string());
      names.push_back(vm->record.name);
    }
  if (!ids.empty())
    co_return std::unexpected(Error{ErrorCode::kMachineIdCarried,
                                    key.to_string() + " is carried by " + std::to_string(ids.size()) + " VMs", key.to_string()}
                                  .with("holders", std::move(ids))
                                  .with("holder_names", std::move(names)));
  Transaction transaction;
  transaction.events.push_back(context_.ledger.event("machine_id.deleted", key.to_string(), found->second.name));
  transaction.events.back().uid = caller.uid;
  transaction.writes.emplace_back(DeleteMachineId{key});
  co_return co_await context_.ledger.commit(std::move(transaction));
}

} // namespace berth
