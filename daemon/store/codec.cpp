// Records to JSON and back. Exceptions of the JSON library end here.
#include "daemon/store/codec.hpp"

#include <nlohmann/json.hpp>

namespace berth::codec {

namespace {

using Json = nlohmann::json;

// Thrown inside this file only: a field that cannot be read.
struct BadField {
  std::string name;
};

template <class T>
T required(const std::optional<T>& value, const char* field) {
  if (!value) throw BadField{field};
  return *value;
}

std::int64_t to_json(Timestamp time) { return time.time_since_epoch().count(); }
Timestamp time_at(const Json& json, const char* field) { return Timestamp{Duration{json.at(field).get<std::int64_t>()}}; }

void put_time(Json& json, const char* field, const std::optional<Timestamp>& time) {
  if (time) json[field] = to_json(*time);
}
std::optional<Timestamp> optional_time(const Json& json, const char* field) {
  if (!json.contains(field)) return std::nullopt;
  return time_at(json, field);
}

template <class Id>
void put_id(Json& json, const char* field, const std::optional<Id>& id) {
  if (id) json[field] = id->to_string();
}
template <class Id>
Id id_at(const Json& json, const char* field) {
  return required(Id::parse(json.at(field).get_ref<const std::string&>()), field);
}
template <class Id>
std::optional<Id> optional_id(const Json& json, const char* field) {
  if (!json.contains(field)) return std::nullopt;
  return id_at<Id>(json, field);
}

const std::string& text_at(const Json& json, const char* field) { return json.at(field).get_ref<const std::string&>(); }
std::string text_or_empty(const Json& json, const char* field) {
  return json.contains(field) ? text_at(json, field) : std::string{};
}
void put_text(Json& json, const char* field, const std::string& text) {
  if (!text.empty()) json[field] = text;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

template <class T, class Read>
Result<T> reading(std::string_view what, std::string_view text, Read read) {
  try {
    return read(Json::parse(text));
  } catch (const BadField& bad) {
    return fail(ErrorCode::kStorageFailed, "a stored " + std::string(what) + " has a bad field " + bad.name);
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kStorageFailed, "a stored " + std::string(what) + " cannot be read: " + error.what());
  }
}

Json error_json(const Error& error) {
  Json json{{"code", to_string(error.code)}, {"detail", error.detail}};
  put_text(json, "subject", error.subject);
  for (const auto& each : error.context) json["context"].push_back({{"key", each.key}, {"values", each.values}});
  return json;
}

Error error_from(const Json& json) {
  Error error;
  for (const ErrorCode code : all_error_codes())
    if (to_string(code) == text_at(json, "code")) error.code = code;
  error.detail = text_at(json, "detail");
  error.subject = text_or_empty(json, "subject");
  if (json.contains("context"))
    for (const auto& each : json.at("context"))
      error.context.push_back({text_at(each, "key"), each.at("values").get<std::vector<std::string>>()});
  return error;
}

Json status_json(const VmStatus& status) {
  Json json{{"state", to_string(status.state)}, {"since", to_json(status.since)}};
  put_text(json, "reason", status.reason);
  put_text(json, "detail", status.detail);
  put_id(json, "operation", status.operation);
  if (status.process)
    json["process"] = {
        {"pid", status.process->pid}, {"start_time", status.process->start_time}, {"boot_id", status.process->boot_id}};
  return json;
}

VmStatus status_from(const Json& json) {
  VmStatus status;
  status.state = required(parse_vm_state(text_at(json, "state")), "state");
  status.since = time_at(json, "since");
  status.reason = text_or_empty(json, "reason");
  status.detail = text_or_empty(json, "detail");
  status.operation = optional_id<OperationId>(json, "operation");
  if (json.contains("process")) {
    const auto& process = json.at("process");
    status.process = ProcessIdentity{process.at("pid"), process.at("start_time"), text_at(process, "boot_id")};
  }
  return status;
}

Json boot_json(const BootSpec& boot) {
  Json json{{"kind", to_string(boot.kind)}};
  put_text(json, "kernel", boot.kernel);
  put_text(json, "initramfs", boot.initramfs);
  put_text(json, "command_line", boot.command_line);
  return json;
}

BootSpec boot_from(const Json& json) {
  BootSpec boot;
  boot.kind = required(parse_boot_kind(text_at(json, "kind")), "boot.kind");
  boot.kernel = text_or_empty(json, "kernel");
  boot.initramfs = text_or_empty(json, "initramfs");
  boot.command_line = text_or_empty(json, "command_line");
  return boot;
}

Json disk_mode_json(const DiskMode& mode) {
  return {{"caching", to_string(mode.caching)}, {"synchronization", to_string(mode.synchronization)}};
}

DiskMode disk_mode_from(const Json& json) {
  return {required(parse_disk_caching(text_at(json, "caching")), "disk_mode.caching"),
          required(parse_disk_synchronization(text_at(json, "synchronization")), "disk_mode.synchronization")};
}

// Members that records of before the first device have not: absent is none of it.
void put_devices(Json& json, const VmRecord& vm) {
  json["disk_mode"] = disk_mode_json(vm.disk_mode);
  put_text(json, "bridge_interface", vm.bridge_interface);
  for (const SharedDirectory& share : vm.shares)
    json["shares"].push_back({{"tag", share.tag}, {"path", share.path}, {"read_only", share.is_read_only}});
  if (vm.rosetta_tag) json["rosetta_tag"] = *vm.rosetta_tag;
  if (vm.has_sound) json["sound"] = true;
}

void take_devices(const Json& json, VmRecord& vm) {
  vm.disk_mode = json.contains("disk_mode") ? disk_mode_from(json.at("disk_mode")) : default_disk_mode(vm.guest);
  vm.bridge_interface = text_or_empty(json, "bridge_interface");
  if (json.contains("shares"))
    for (const auto& share : json.at("shares"))
      vm.shares.push_back({text_at(share, "tag"), text_at(share, "path"), share.at("read_only").get<bool>()});
  if (json.contains("rosetta_tag")) vm.rosetta_tag = text_at(json, "rosetta_tag");
  vm.has_sound = json.value("sound", false);
}

} // namespace

std::string encode(const VmRecord& vm) {
  Json json{{"id", vm.id.to_string()},
            {"name", vm.name},
            {"guest", to_string(vm.guest)},
            {"driver", vm.driver},
            {"cpu_count", vm.cpu_count},
            {"memory_bytes", vm.memory_bytes},
            {"disk_bytes", vm.disk_bytes},
            {"network", to_string(vm.network)},
            {"mac_address", vm.mac_address.to_string()},
            {"machine_id", vm.machine_id.to_string()},
            {"boot", boot_json(vm.boot)},
            {"revision", vm.revision},
            {"created_at", to_json(vm.created_at)},
            {"status", status_json(vm.status)}};
  if (vm.is_simulated) json["simulated"] = true;
  if (vm.memory_target_bytes) json["memory_target_bytes"] = *vm.memory_target_bytes;
  if (vm.display) json["display"] = {{"width", vm.display->width}, {"height", vm.display->height}};
  if (!vm.is_identity_verified) json["identity_verified"] = false;
  if (!vm.labels.empty()) json["labels"] = vm.labels;
  if (vm.autostart) json["autostart"] = true;
  if (vm.autostart_priority != 0) json["autostart_priority"] = vm.autostart_priority;
  put_devices(json, vm);
  put_id(json, "cloned_from", vm.cloned_from);
  put_id(json, "current_snapshot", vm.current_snapshot);
  return dump(json);
}

Result<VmRecord> decode_vm(std::string_view text) {
  return reading<VmRecord>("VM", text, [](const Json& json) {
    VmRecord vm;
    vm.id = id_at<VmId>(json, "id");
    vm.name = text_at(json, "name");
    vm.guest = required(parse_guest(text_at(json, "guest")), "guest");
    vm.driver = text_at(json, "driver");
    vm.is_simulated = json.value("simulated", false);
    vm.cpu_count = json.at("cpu_count");
    vm.memory_bytes = json.at("memory_bytes");
    if (json.contains("memory_target_bytes")) vm.memory_target_bytes = json.at("memory_target_bytes").get<std::uint64_t>();
    vm.disk_bytes = json.at("disk_bytes");
    if (json.contains("display")) vm.display = DisplaySpec{json["display"].at("width"), json["display"].at("height")};
    vm.network = required(parse_network_mode(text_at(json, "network")), "network");
    vm.mac_address = required(MacAddress::parse(text_at(json, "mac_address")), "mac_address");
    vm.machine_id = required(MachineIdKey::parse(text_at(json, "machine_id")), "machine_id");
    vm.is_identity_verified = json.value("identity_verified", true);
    vm.boot = boot_from(json.at("boot"));
    take_devices(json, vm);
    if (json.contains("labels")) vm.labels = json.at("labels").get<std::map<std::string, std::string>>();
    vm.autostart = json.value("autostart", false);
    vm.autostart_priority = json.value("autostart_priority", 0);
    vm.revision = json.at("revision");
    vm.created_at = time_at(json, "created_at");
    vm.cloned_from = optional_id<VmId>(json, "cloned_from");
    vm.current_snapshot = optional_id<SnapshotId>(json, "current_snapshot");
    vm.status = status_from(json.at("status"));
    return vm;
  });
}

std::string encode(const MachineIdRecord& record) {
  Json json{{"key", record.key.to_string()}, {"data", record.data},         {"origin", to_string(record.origin)},
            {"kept", record.is_kept},        {"revision", record.revision}, {"created_at", to_json(record.created_at)}};
  put_text(json, "name", record.name);
  put_text(json, "serial_number", record.serial_number);
  put_text(json, "hardware_uuid", record.hardware_uuid);
  put_text(json, "provisioning_uuid", record.provisioning_uuid);
  return dump(json);
}

Result<MachineIdRecord> decode_machine_id(std::string_view text) {
  return reading<MachineIdRecord>("machine identifier", text, [](const Json& json) {
    MachineIdRecord record;
    record.key = required(MachineIdKey::parse(text_at(json, "key")), "key");
    record.data = json.at("data").get<std::vector<std::uint8_t>>();
    record.origin = required(parse_machine_id_origin(text_at(json, "origin")), "origin");
    record.is_kept = json.at("kept");
    record.name = text_or_empty(json, "name");
    record.serial_number = text_or_empty(json, "serial_number");
    record.hardware_uuid = text_or_empty(json, "hardware_uuid");
    record.provisioning_uuid = text_or_empty(json, "provisioning_uuid");
    record.revision = json.at("revision");
    record.created_at = time_at(json, "created_at");
    return record;
  });
}

std::string encode(const ImageRecord& record) {
  Json json{{"id", record.id},     {"kind", to_string(record.kind)}, {"size_bytes", record.size_bytes},
            {"name", record.name}, {"origin", record.origin},        {"created_at", to_json(record.created_at)}};
  put_text(json, "version", record.version);
  put_text(json, "build", record.build);
  if (!record.supported_models.empty()) json["supported_models"] = record.supported_models;
  return dump(json);
}

Result<ImageRecord> decode_image(std::string_view text) {
  return reading<ImageRecord>("image", text, [](const Json& json) {
    ImageRecord record;
    record.id = text_at(json, "id");
    record.kind = required(parse_image_kind(text_at(json, "kind")), "kind");
    record.size_bytes = json.at("size_bytes");
    record.name = text_at(json, "name");
    record.origin = text_at(json, "origin");
    record.version = text_or_empty(json, "version");
    record.build = text_or_empty(json, "build");
    if (json.contains("supported_models")) record.supported_models = json.at("supported_models").get<std::vector<std::string>>();
    record.created_at = time_at(json, "created_at");
    return record;
  });
}

std::string encode(const SnapshotRecord& record) {
  Json json{{"id", record.id.to_string()},
            {"vm", record.vm.to_string()},
            {"name", record.name},
            {"disk_bytes", record.disk_bytes},
            {"saved_state", record.has_saved_state},
            {"machine_id", record.machine_id.to_string()},
            {"created_at", to_json(record.created_at)}};
  put_id(json, "parent", record.parent);
  return dump(json);
}

Result<SnapshotRecord> decode_snapshot(std::string_view text) {
  return reading<SnapshotRecord>("snapshot", text, [](const Json& json) {
    SnapshotRecord record;
    record.id = id_at<SnapshotId>(json, "id");
    record.vm = id_at<VmId>(json, "vm");
    record.name = text_at(json, "name");
    record.parent = optional_id<SnapshotId>(json, "parent");
    record.disk_bytes = json.at("disk_bytes");
    record.has_saved_state = json.at("saved_state");
    record.machine_id = required(MachineIdKey::parse(text_at(json, "machine_id")), "machine_id");
    record.created_at = time_at(json, "created_at");
    return record;
  });
}

std::string encode(const OperationRecord& record) {
  Json json{{"id", record.id.to_string()},      {"kind", to_string(record.kind)},
            {"state", to_string(record.state)}, {"subject", record.subject},
            {"progress", record.progress},      {"uid", record.requestor_uid},
            {"revision", record.revision},      {"created_at", to_json(record.created_at)}};
  put_id(json, "vm", record.vm);
  put_text(json, "step", record.step);
  put_text(json, "parameters", record.parameters);
  put_text(json, "result", record.result);
  if (record.error) json["error"] = error_json(*record.error);
  put_time(json, "started_at", record.started_at);
  put_time(json, "finished_at", record.finished_at);
  return dump(json);
}

Result<OperationRecord> decode_operation(std::string_view text) {
  return reading<OperationRecord>("operation", text, [](const Json& json) {
    OperationRecord record;
    record.id = id_at<OperationId>(json, "id");
    record.kind = required(parse_operation_kind(text_at(json, "kind")), "kind");
    record.state = required(parse_operation_state(text_at(json, "state")), "state");
    record.vm = optional_id<VmId>(json, "vm");
    record.subject = text_at(json, "subject");
    record.progress = json.at("progress");
    record.step = text_or_empty(json, "step");
    record.parameters = text_or_empty(json, "parameters");
    record.result = text_or_empty(json, "result");
    if (json.contains("error")) record.error = error_from(json.at("error"));
    record.requestor_uid = json.at("uid");
    record.revision = json.at("revision");
    record.created_at = time_at(json, "created_at");
    record.started_at = optional_time(json, "started_at");
    record.finished_at = optional_time(json, "finished_at");
    return record;
  });
}

std::string encode(const IdempotencyRecord& record) {
  return dump({{"uid", record.uid},
               {"key", record.key},
               {"fingerprint", record.fingerprint},
               {"status", record.status},
               {"body", record.body},
               {"location", record.location},
               {"content_type", record.content_type},
               {"created_at", to_json(record.created_at)}});
}

Result<IdempotencyRecord> decode_idempotency(std::string_view text) {
  return reading<IdempotencyRecord>("idempotency key", text, [](const Json& json) {
    IdempotencyRecord record;
    record.uid = json.at("uid");
    record.key = text_at(json, "key");
    record.fingerprint = text_at(json, "fingerprint");
    record.status = json.at("status");
    record.body = text_at(json, "body");
    record.location = text_at(json, "location");
    record.content_type = text_at(json, "content_type");
    record.created_at = time_at(json, "created_at");
    return record;
  });
}

std::string encode(const Event& event) {
  Json json{{"time", to_json(event.time)}, {"type", event.type}, {"subject", event.subject}};
  put_text(json, "name", event.name);
  put_id(json, "operation", event.operation);
  if (event.uid) json["uid"] = *event.uid;
  for (const auto& [key, value] : event.details) json["details"].push_back({key, value});
  return dump(json);
}

Result<Event> decode_event(std::string_view text) {
  return reading<Event>("event", text, [](const Json& json) {
    Event event;
    event.time = time_at(json, "time");
    event.type = text_at(json, "type");
    event.subject = text_at(json, "subject");
    event.name = text_or_empty(json, "name");
    event.operation = optional_id<OperationId>(json, "operation");
    if (json.contains("uid")) event.uid = json.at("uid").get<std::uint32_t>();
    if (json.contains("details"))
      for (const auto& pair : json.at("details")) event.details.emplace_back(pair.at(0), pair.at(1));
    return event;
  });
}

} // namespace berth::codec
