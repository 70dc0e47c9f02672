// Records to JSON.
#include "api/documents.hpp"

#include <algorithm>

#include "api/device_fields.hpp"
#include "api/problem.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/service/health.hpp"

namespace berth::api {

namespace {

constexpr std::string_view kJson = "application/json";

template <class Id>
void nullable_id(JsonWriter& json, std::string_view name, const std::optional<Id>& id) {
  json.key(name);
  if (id)
    json.value(id->to_string());
  else
    json.null();
}

void nullable_time(JsonWriter& json, std::string_view name, const std::optional<Timestamp>& time) {
  json.key(name);
  if (time)
    json.value(to_rfc3339(*time));
  else
    json.null();
}

void nullable_text(JsonWriter& json, std::string_view name, const std::string& text) {
  json.key(name);
  if (text.empty())
    json.null();
  else
    json.value(text);
}

void write_holder(JsonWriter& json, const VmId& id, std::string_view name) {
  json.begin_object().field("id", id.to_string()).field("name", name).end_object();
}

void write_vms(JsonWriter& json, std::string_view name, const std::vector<VmHandle>& vms) {
  json.key(name).begin_array();
  for (const VmHandle& vm : vms) write_holder(json, vm->record.id, vm->record.name);
  json.end_array();
}

void write_blockers(JsonWriter& json, const std::vector<Blocker>& blockers) {
  json.key("blocked_by").begin_array();
  for (const Blocker& blocker : blockers) {
    json.begin_object().field("kind", to_string(blocker.kind)).key("holders").begin_array();
    for (const Holder& holder : blocker.holders) write_holder(json, holder.vm, holder.name);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_boot(JsonWriter& json, const BootSpec& boot) {
  json.key("boot").begin_object().field("kind", to_string(boot.kind));
  if (boot.kind == BootKind::kKernel) {
    json.field("kernel", boot.kernel);
    if (!boot.initramfs.empty()) json.field("initramfs", boot.initramfs);
    if (!boot.command_line.empty()) json.field("command_line", boot.command_line);
  }
  json.end_object();
}

void write_status(JsonWriter& json, const VmEntry& vm) {
  const VmStatus& status = vm.record.status;
  json.key("status").begin_object();
  json.field("state", to_string(status.state)).field("since", to_rfc3339(status.since));
  json.field("reason", status.reason).field("detail", status.detail);
  json.key("addresses").begin_array();
  for (const auto& address : vm.addresses) json.value(address);
  json.end_array();
  nullable_id(json, "operation", status.operation);
  json.key("pid");
  if (status.process)
    json.value(status.process->pid);
  else
    json.null();
  json.key("allowed_actions").begin_array();
  for (const VmAction action : allowed_actions(status.state)) json.value(to_string(action));
  json.end_array().end_object();
}

std::string vm_json(const VmEntry& vm) {
  const VmRecord& record = vm.record;
  JsonWriter json(1280);
  json.begin_object();
  json.field("id", record.id.to_string()).field("name", record.name).field("guest", to_string(record.guest));
  json.field("driver", record.driver).field("simulated", record.is_simulated);
  json.field("cpu_count", record.cpu_count).field("memory_bytes", record.memory_bytes);
  json.field("memory_target_bytes", record.memory_target_bytes).field("disk_bytes", record.disk_bytes);
  json.key("display");
  if (record.display)
    json.begin_object().field("width", record.display->width).field("height", record.display->height).end_object();
  else
    json.null();
  write_network(json, record);
  json.field("mac_address", record.mac_address.to_string()).field("machine_id", record.machine_id.to_string());
  json.field("identity", record.is_identity_verified ? "verified" : "unverified");
  write_boot(json, record.boot);
  write_devices(json, record);
  json.key("labels").begin_object();
  for (const auto& [name, value] : record.labels) json.field(name, value);
  json.end_object();
  json.field("autostart", record.autostart).field("autostart_priority", record.autostart_priority);
  nullable_id(json, "cloned_from", record.cloned_from);
  json.field("revision", record.revision).field("created_at", to_rfc3339(record.created_at));
  write_status(json, vm);
  json.end_object();
  return json.take();
}

std::string operation_json(const World& world, const OperationRecord& record) {
  JsonWriter json(640);
  json.begin_object();
  json.field("id", record.id.to_string()).field("kind", to_string(record.kind)).field("state", to_string(record.state));
  nullable_id(json, "vm", record.vm);
  json.field("subject", record.subject).field("progress", record.progress).field("step", record.step);
  const std::size_t position = record.state == OperationState::kQueued ? world.admission.position(record.id) : 0;
  json.key("position");
  if (position > 0)
    json.value(position);
  else
    json.null();
  write_blockers(json, position > 0 ? world.admission.blockers_of(record.id) : std::vector<Blocker>{});
  json.key("error");
  if (record.error)
    json.raw(problem_json(*record.error, {}, record.id.to_string()));
  else
    json.null();
  json.key("requestor").begin_object().field("uid", record.requestor_uid).end_object();
  nullable_text(json, "result", record.result);
  json.field("revision", record.revision).field("created_at", to_rfc3339(record.created_at));
  nullable_time(json, "started_at", record.started_at);
  nullable_time(json, "finished_at", record.finished_at);
  json.end_object();
  return json.take();
}

std::string base64(const std::vector<std::uint8_t>& bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

void write_conflicts(JsonWriter& json, std::string_view name, const std::vector<AddressConflict>& conflicts) {
  json.key(name).begin_array();
  for (const auto& conflict : conflicts) {
    json.begin_object();
    nullable_id(json, "vm", conflict.vm);
    json.field("mac_address", conflict.mac.to_string())
        .field("ip", conflict.ip.to_string())
        .field("reason", conflict.reason)
        .end_object();
  }
  json.end_array();
}

} // namespace

std::shared_ptr<const Prepared> vm_document(VmEntry& vm) {
  if (!vm.document) vm.document = prepare(200, kJson, vm_json(vm), revision_etag(vm.record.revision));
  return std::static_pointer_cast<const Prepared>(vm.document);
}

std::shared_ptr<const Prepared> operation_document(const World& world, OperationEntry& operation) {
  // Progress has no revision of its own: the version goes into the tag.
  const auto build = [&] {
    const std::string tag = "\"" + std::to_string(operation.record.revision) + "." + std::to_string(operation.version) + "\"";
    return prepare(200, kJson, operation_json(world, operation.record), tag);
  };
  if (operation.record.state == OperationState::kQueued) return build();
  if (!operation.document) operation.document = build();
  return std::static_pointer_cast<const Prepared>(operation.document);
}

std::string machine_id_json(const World& world, const MachineIdRecord& record) {
  JsonWriter json(640);
  json.begin_object();
  json.field("key", record.key.to_string()).field("kind", record.key.ecid() ? "ecid" : "uuid").field("data", base64(record.data));
  json.field("origin", to_string(record.origin)).field("kept", record.is_kept).field("name", record.name);
  nullable_text(json, "serial_number", record.serial_number);
  // What the kind of identity tells by itself stands until something else has been learned.
  const std::string hardware = record.key.uuid() ? record.key.uuid()->to_string() : std::string{};
  nullable_text(json, "hardware_uuid", record.hardware_uuid.empty() ? hardware : record.hardware_uuid);
  std::string provisioning = record.provisioning_uuid;
  if (const Ecid* ecid = record.key.ecid(); ecid && provisioning.empty()) {
    const std::string digits = record.key.to_string().substr(7);
    provisioning = "0000FE00-";
    std::ranges::transform(digits, std::back_inserter(provisioning),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  }
  nullable_text(json, "provisioning_uuid", provisioning);
  write_vms(json, "carried_by", world.carriers(record.key));
  json.key("held_by");
  if (const Claim* holder = world.admission.holder_of(record.key))
    write_holder(json, holder->vm, holder->name);
  else
    json.null();
  json.field("revision", record.revision).field("created_at", to_rfc3339(record.created_at)).end_object();
  return json.take();
}

std::string image_json(const World& world, const ImageRecord& record) {
  JsonWriter json(512);
  json.begin_object();
  json.field("id", record.id).field("kind", to_string(record.kind)).field("size_bytes", record.size_bytes);
  json.field("name", record.name).field("origin", record.origin);
  nullable_text(json, "version", record.version);
  nullable_text(json, "build", record.build);
  json.key("supported_models").begin_array();
  for (const auto& model : record.supported_models) json.value(model);
  json.end_array();
  write_vms(json, "used_by", world.users_of_image(record.id));
  json.field("created_at", to_rfc3339(record.created_at)).end_object();
  return json.take();
}

std::string snapshot_json(const SnapshotRecord& record) {
  JsonWriter json(384);
  json.begin_object().field("id", record.id.to_string()).field("vm", record.vm.to_string()).field("name", record.name);
  nullable_id(json, "parent", record.parent);
  json.field("disk_bytes", record.disk_bytes).field("saved_state", record.has_saved_state);
  json.field("machine_id", record.machine_id.to_string()).field("created_at", to_rfc3339(record.created_at)).end_object();
  return json.take();
}

std::string event_json(const Event& event) {
  JsonWriter json(320);
  json.begin_object().field("sequence", event.sequence).field("time", to_rfc3339(event.time)).field("type", event.type);
  json.field("subject", event.subject).field("name", event.name);
  nullable_id(json, "operation", event.operation);
  json.field("uid", event.uid);
  json.key("details").begin_object();
  for (const auto& [name, value] : event.details) json.field(name, value);
  json.end_object().end_object();
  return json.take();
}

void write_addresses(JsonWriter& json, const AddressLookup& lookup, bool are_visible, Timestamp now) {
  json.begin_object().key("items").begin_array();
  for (const VmAddress& address : lookup.addresses) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(std::max(now - address.seen_at, Duration{0}));
    json.begin_object().field("ip", address.ip.to_string()).field("mac_address", address.mac.to_string());
    json.field("source", to_string(address.source)).field("interface", address.interface);
    json.field("first_seen", to_rfc3339(address.first_seen)).field("seen_at", to_rfc3339(address.seen_at));
    json.field("age_seconds", static_cast<std::uint64_t>(age.count()));
    nullable_time(json, "expires_at", address.expires);
    write_conflicts(json, "conflicts", address.conflicts);
    json.end_object();
  }
  json.end_array();
  nullable_text(json, "reason", lookup.addresses.empty() ? lookup.reason : std::string{});
  json.field("visible", are_visible).end_object();
}

void write_lease(JsonWriter& json, const LeaseRow& lease) {
  json.begin_object();
  nullable_id(json, "vm", lease.vm);
  json.field("mac_address", lease.mac.to_string()).field("ip", lease.ip.to_string());
  nullable_text(json, "hostname", lease.hostname);
  json.field("source", to_string(lease.source))
      .field("interface", lease.interface)
      .field("first_seen", to_rfc3339(lease.first_seen));
  nullable_time(json, "expires_at", lease.expires);
  write_conflicts(json, "conflict", lease.conflicts);
  json.end_object();
}

namespace {

void write_quota(JsonWriter& json, const World& world, const std::vector<ForeignGuest>& foreign) {
  const Quota& quota = world.admission.quota();
  json.key("quota").begin_object().field("limit", quota.limit).field("source", to_string(quota.source));
  json.field("used", world.admission.berths_used()).key("holders").begin_array();
  for (const Holder& holder : world.admission.berth_holders()) write_holder(json, holder.vm, holder.name);
  json.end_array().key("queued").begin_array();
  std::size_t position = 0;
  for (const QueueEntry& entry : world.admission.queue()) {
    json.begin_object().field("operation", entry.operation.to_string()).field("vm", entry.claim.vm.to_string());
    json.field("name", entry.claim.name).field("position", ++position);
    write_blockers(json, world.admission.blockers_of(entry.operation));
    json.end_object();
  }
  json.end_array().key("foreign").begin_array();
  for (const ForeignGuest& guest : foreign) {
    json.begin_object().field("pid", guest.pid).field("uid", guest.uid).field("program", guest.program);
    json.field("simulated", guest.is_simulated).end_object();
  }
  json.end_array().end_object();
}

void write_drivers(JsonWriter& json, const Context& context) {
  json.key("drivers").begin_array();
  for (const auto& driver : context.drivers) {
    const DriverFacts facts = driver->facts();
    json.begin_object().field("name", facts.name).field("available", facts.is_available).field("reason", facts.reason);
    json.field("version", facts.version).field("accelerator", facts.accelerator).field("simulated", facts.is_simulated);
    json.key("guests").begin_array();
    for (const Guest guest : facts.guests) json.value(to_string(guest));
    json.end_array().end_object();
  }
  json.end_array();
}

void write_checks(JsonWriter& json, const std::vector<HealthCheck>& checks) {
  json.key("checks").begin_array();
  for (const HealthCheck& check : checks)
    json.begin_object()
        .field("code", check.code)
        .field("status", to_string(check.status))
        .field("detail", check.detail)
        .field("what_to_do", check.what_to_do)
        .end_object();
  json.end_array();
}

} // namespace

std::string host_json(Harbour& harbour, std::string_view listeners_json, const std::vector<ForeignGuest>& foreign) {
  const HostFacts& facts = harbour.host_facts();
  const Context& context = harbour.context();
  const NetworkFacts network = harbour.addresses().facts();
  const std::uint64_t free_bytes = files::free_bytes(context.paths.root).value_or(0);
  JsonWriter json(2048);
  json.begin_object()
      .field("version", BERTH_VERSION)
      .field("hostname", facts.hostname)
      .field("os", facts.os)
      .field("arch", facts.arch);
  json.field("cpu_count", facts.cpu_count).field("memory_bytes", facts.memory_bytes);
  json.field("memory_available_bytes", context.host.available_memory()).field("state_dir", context.paths.root.string());
  json.field("disk_free_bytes", free_bytes).field("started_at", to_rfc3339(harbour.started_at()));
  write_quota(json, harbour.world(), foreign);
  write_drivers(json, context);
  json.key("network").begin_object().field("mode", to_string(network.mode));
  nullable_text(json, "bridge", network.bridge);
  nullable_text(json, "subnet", network.subnet);
  json.field("addresses_visible", network.are_addresses_visible).field("reason", network.reason).end_object();
  json.raw_field("listeners", listeners_json);
  write_checks(json, check_health(context, harbour.addresses(), free_bytes));
  json.end_object();
  return json.take();
}

} // namespace berth::api
