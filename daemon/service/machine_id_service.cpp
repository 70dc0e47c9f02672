// Rows of the ledger.
#include "daemon/service/machine_id_service.hpp"

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/host/path_policy.hpp"

namespace berth {

namespace {

constexpr std::size_t kLargestFile = 64 * 1024;

// `path`: the file itself, or a directory with a file MachineIdentifier.
Result<Bytes> read_identifier(const std::string& path, const std::vector<std::filesystem::path>& roots) {
  auto opened = open_allowed(path, roots);
  if (!opened) return std::unexpected(opened.error());
  std::error_code error;
  const auto here = path_of(*opened);
  if (std::filesystem::is_directory(here, error)) return files::read(BundlePaths{here}.machine_identifier(), kLargestFile);
  // The descriptor names the checked file; reading by it does not look at the name again.
  auto again = open_allowed(std::filesystem::path(path).parent_path().string(), roots);
  if (!again) return std::unexpected(again.error());
  return files::read(path_of(*again) / std::filesystem::path(path).filename(), kLargestFile);
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
