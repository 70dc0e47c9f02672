// JSON documents of the API, read leniently.
#include "client/lib/documents.hpp"

#include <utility>

namespace berth::client {

namespace {

double number_member(const Json& object, const char* key) {
  const Json& found = member(object, key);
  return found.is_number() ? found.get<double>() : 0.0;
}

std::vector<std::string> string_list(const Json& object, const char* key) {
  std::vector<std::string> strings;
  const Json& found = member(object, key);
  if (!found.is_array()) return strings;
  for (const Json& each : found) {
    if (each.is_string()) strings.push_back(each.get<std::string>());
  }
  return strings;
}

std::map<std::string, std::string> string_map(const Json& object, const char* key) {
  std::map<std::string, std::string> strings;
  const Json& found = member(object, key);
  if (!found.is_object()) return strings;
  for (const auto& [name, value] : found.items()) {
    if (value.is_string()) strings.emplace(name, value.get<std::string>());
  }
  return strings;
}

std::vector<Holder> holder_list(const Json& object, const char* key) {
  std::vector<Holder> holders;
  const Json& found = member(object, key);
  if (!found.is_array()) return holders;
  for (const Json& each : found) holders.push_back({string_member(each, "id"), string_member(each, "name")});
  return holders;
}

Address to_address(const Json& json) {
  Address address;
  address.ip = string_member(json, "ip");
  address.mac_address = string_member(json, "mac_address");
  address.source = string_member(json, "source");
  address.interface = string_member(json, "interface");
  if (member(json, "age_seconds").is_number()) address.age_seconds = number_member(json, "age_seconds");
  address.expires_at = optional_string(json, "expires_at");
  const Json& conflicts = member(json, "conflicts");
  address.conflict_count = conflicts.is_array() ? conflicts.size() : 0;
  return address;
}

Json boot_of(const VmSpec& spec) {
  Json boot;
  boot["kind"] = spec.boot_kind;
  if (!spec.kernel.empty()) boot["kernel"] = spec.kernel;
  if (!spec.initramfs.empty()) boot["initramfs"] = spec.initramfs;
  if (!spec.command_line.empty()) boot["command_line"] = spec.command_line;
  return boot;
}

Json shares_of(const VmSpec& spec) {
  Json shares = Json::array();
  for (const Share& each : spec.shares) {
    Json share;
    share["tag"] = each.tag;
    share["path"] = each.path;
    share["read_only"] = each.is_read_only;
    shares.push_back(std::move(share));
  }
  return shares;
}

ClientError to_problem_from(const Json& json) {
  ClientError error;
  error.kind = ErrorKind::kProblem;
  error.status = static_cast<int>(number_member(json, "status"));
  error.code = string_member(json, "code");
  error.detail = string_member(json, "detail");
  error.subject = string_member(json, "subject");
  error.request_id = string_member(json, "request_id");
  error.operation = string_member(json, "operation");
  error.state = string_member(json, "state");
  error.allowed_actions = string_list(json, "allowed_actions");
  error.holders = holder_list(json, "holders");
  const Json& fields = member(json, "fields");
  if (fields.is_array()) {
    for (const Json& each : fields) error.fields.push_back({string_member(each, "field"), string_member(each, "detail")});
  }
  error.message = error.detail.empty() ? string_member(json, "title") : error.detail;
  error.document = dump(json);
  return error;
}

} // namespace

std::optional<Json> parse_json(std::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  return std::optional<Json>{std::in_place, std::move(json)};
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string string_member(const Json& object, const char* key) {
  const Json& found = member(object, key);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

std::optional<std::string> optional_string(const Json& object, const char* key) {
  const Json& found = member(object, key);
  if (!found.is_string()) return std::nullopt;
  return found.get<std::string>();
}

std::uint64_t unsigned_member(const Json& object, const char* key) {
  const Json& found = member(object, key);
  return found.is_number_unsigned() ? found.get<std::uint64_t>() : 0;
}

bool bool_member(const Json& object, const char* key, bool otherwise) {
  const Json& found = member(object, key);
  return found.is_boolean() ? found.get<bool>() : otherwise;
}

Vm to_vm(const Json& json) {
  const Json& status = member(json, "status");
  Vm vm;
  vm.id = string_member(json, "id");
  vm.name = string_member(json, "name");
  vm.guest = string_member(json, "guest");
  vm.driver = string_member(json, "driver");
  vm.is_simulated = bool_member(json, "simulated");
  vm.cpu_count = static_cast<std::uint32_t>(unsigned_member(json, "cpu_count"));
  vm.memory_bytes = unsigned_member(json, "memory_bytes");
  vm.disk_bytes = unsigned_member(json, "disk_bytes");
  vm.network_mode = string_member(member(json, "network"), "mode");
  vm.mac_address = string_member(json, "mac_address");
  vm.machine_id = string_member(json, "machine_id");
  vm.labels = string_map(json, "labels");
  vm.revision = unsigned_member(json, "revision");
  vm.created_at = string_member(json, "created_at");
  vm.state = string_member(status, "state");
  vm.since = string_member(status, "since");
  vm.reason = string_member(status, "reason");
  vm.detail = string_member(status, "detail");
  vm.addresses = string_list(status, "addresses");
  vm.operation = optional_string(status, "operation");
  vm.allowed_actions = string_list(status, "allowed_actions");
  vm.document = dump(json);
  return vm;
}

Operation to_operation(const Json& json) {
  Operation operation;
  operation.id = string_member(json, "id");
  operation.kind = string_member(json, "kind");
  operation.state = string_member(json, "state");
  operation.subject = string_member(json, "subject");
  operation.step = string_member(json, "step");
  operation.vm = optional_string(json, "vm");
  operation.progress = number_member(json, "progress");
  if (member(json, "position").is_number_unsigned()) {
    operation.position = static_cast<std::uint32_t>(unsigned_member(json, "position"));
  }
  const Json& blockers = member(json, "blocked_by");
  if (blockers.is_array()) {
    for (const Json& each : blockers) operation.blocked_by.push_back({string_member(each, "kind"), holder_list(each, "holders")});
  }
  if (member(json, "error").is_object()) operation.error = to_problem_from(member(json, "error"));
  operation.result = optional_string(json, "result");
  operation.document = dump(json);
  return operation;
}

AddressReport to_address_report(const Json& json) {
  AddressReport report;
  const Json& items = member(json, "items");
  if (items.is_array()) {
    for (const Json& each : items) report.items.push_back(to_address(each));
  }
  report.reason = string_member(json, "reason");
  report.is_visible = bool_member(json, "visible", true);
  report.document = dump(json);
  return report;
}

Event to_event(std::string_view type, std::string_view data) {
  Event event;
  event.document = data;
  event.type = type;
  event.is_gap = type == "gap";
  const auto json = parse_json(data);
  if (!json) return event;
  event.sequence = unsigned_member(*json, "sequence");
  event.time = string_member(*json, "time");
  event.subject = string_member(*json, "subject");
  event.name = string_member(*json, "name");
  event.operation = optional_string(*json, "operation");
  event.details = string_map(*json, "details");
  return event;
}

ClientError to_problem(int status, std::string_view body) {
  const auto json = parse_json(body);
  if (!json || string_member(*json, "code").empty()) {
    ClientError error;
    error.kind = ErrorKind::kProtocol;
    error.status = status;
    error.message = "the answer has status " + std::to_string(status) + ", but is no problem document of berth's";
    error.document = body;
    return error;
  }
  ClientError error = to_problem_from(*json);
  if (error.status == 0) error.status = status;
  return error;
}

ClientError to_failure(const Operation& operation) {
  ClientError error;
  if (operation.error) error = *operation.error;
  error.kind = ErrorKind::kProblem;
  error.operation = operation.id;
  // Without a problem of its own, the state is the code: "cancelled" and "interrupted" are codes of that name too.
  if (error.code.empty()) error.code = operation.state;
  if (error.message.empty()) error.message = operation.kind + " of " + operation.subject + " has ended: " + operation.state;
  return error;
}

std::string to_body(const VmSpec& spec) {
  Json body;
  body["name"] = spec.name;
  body["guest"] = spec.guest;
  body["cpu_count"] = spec.cpu_count;
  body["memory_bytes"] = spec.memory_bytes;
  if (spec.disk_bytes) body["disk_bytes"] = *spec.disk_bytes;
  if (!spec.disk_image.empty()) body["disk_image"] = spec.disk_image;
  if (!spec.restore_image.empty()) body["restore_image"] = spec.restore_image;
  if (spec.display_width != 0) body["display"] = {{"width", spec.display_width}, {"height", spec.display_height}};
  if (!spec.boot_kind.empty()) body["boot"] = boot_of(spec);
  if (!spec.network_mode.empty()) body["network"]["mode"] = spec.network_mode;
  if (!spec.network_interface.empty()) body["network"]["interface"] = spec.network_interface;
  if (!spec.disk_caching.empty()) body["disk"]["caching"] = spec.disk_caching;
  if (!spec.disk_synchronization.empty()) body["disk"]["synchronization"] = spec.disk_synchronization;
  if (!spec.shares.empty()) body["shares"] = shares_of(spec);
  if (!spec.rosetta_tag.empty()) body["rosetta"]["tag"] = spec.rosetta_tag;
  if (spec.has_sound) body["sound"] = *spec.has_sound;
  if (!spec.mac_address.empty()) body["mac_address"] = spec.mac_address;
  if (!spec.machine_id.empty()) body["machine_id"] = spec.machine_id;
  for (const auto& [key, value] : spec.labels) body["labels"][key] = value;
  if (spec.autostart) body["autostart"] = *spec.autostart;
  return dump(body);
}

std::string to_body(const StartOptions& options) {
  Json body = Json::object();
  if (options.recovery) body["recovery"] = true;
  if (options.queue) body["queue"] = true;
  if (options.randomize_mac) body["randomize_mac"] = true;
  if (options.discard_saved_state) body["discard_saved_state"] = true;
  return dump(body);
}

} // namespace berth::client
