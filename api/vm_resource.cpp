// /v1/vms: list, create, read, change, delete, clone, import, repair.
#include <algorithm>

#include "api/answer.hpp"
#include "api/device_fields.hpp"
#include "api/json_reader.hpp"

namespace berth::api {

namespace {

constexpr std::string_view kGuests[] = {"linux", "macos"};
constexpr std::string_view kBootKinds[] = {"none", "kernel", "efi", "macos"};
constexpr std::uint64_t kMost32 = 0xffff'ffff;

std::optional<MacAddress> read_mac(JsonReader& json, std::string_view field = "mac_address") {
  const auto text = json.optional_string(field);
  if (!text) return std::nullopt;
  const auto mac = MacAddress::parse(*text);
  if (!mac) json.refuse(field, "is not a MAC address");
  return mac;
}

std::optional<BootSpec> read_boot(JsonReader& json) {
  auto object = json.optional_object("boot");
  if (!object) return std::nullopt;
  BootSpec boot;
  object->require("kind");
  const auto kind = object->optional_choice("kind", kBootKinds);
  if (kind) boot.kind = *parse_boot_kind(kBootKinds[*kind]);
  if (boot.kind != BootKind::kKernel) return boot; // every other member is then an unknown field
  boot.kernel = object->string("kernel");
  boot.initramfs = object->optional_string("initramfs").value_or("");
  boot.command_line = object->optional_string("command_line").value_or("");
  for (const auto& [field, id] : {std::pair{"kernel", &boot.kernel}, std::pair{"initramfs", &boot.initramfs}})
    if (!id->empty() && !is_image_id(*id)) object->refuse(field, "is not the id of an image");
  return boot;
}

// Absent: nullopt. Null: no display.
std::optional<std::optional<DisplaySpec>> read_display(JsonReader& json) {
  if (!json.has("display")) return std::nullopt;
  if (json.take_null("display")) return std::optional<DisplaySpec>{};
  auto object = json.optional_object("display");
  if (!object) return std::nullopt;
  DisplaySpec display;
  display.width = static_cast<std::uint32_t>(object->unsigned_integer("width", 1, 16384));
  display.height = static_cast<std::uint32_t>(object->unsigned_integer("height", 1, 16384));
  return std::optional{display};
}

void check_labels(JsonReader& json, const std::optional<std::map<std::string, std::string>>& labels) {
  if (!labels) return;
  if (labels->size() > 64) json.refuse("labels", "has more than 64 entries");
  for (const auto& [name, value] : *labels)
    if (name.empty() || name.size() > 63 || value.size() > 255)
      json.refuse("labels", "has a name or a value that is too long or empty");
}

Result<CreateVm> read_create(const Request& request) {
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) return std::unexpected(parsed.error());
  JsonReader& json = *parsed;
  CreateVm vm;
  vm.name = json.string("name");
  json.require("guest");
  if (const auto guest = json.optional_choice("guest", kGuests)) vm.guest = *parse_guest(kGuests[*guest]);
  vm.cpu_count = static_cast<std::uint32_t>(json.unsigned_integer("cpu_count", 1, kMost32));
  vm.memory_bytes = json.unsigned_integer("memory_bytes", 1);
  vm.disk_bytes = json.optional_unsigned("disk_bytes").value_or(0);
  vm.disk_image = json.optional_string("disk_image");
  if (vm.disk_image && !is_image_id(*vm.disk_image)) json.refuse("disk_image", "is not the id of an image");
  vm.restore_image = json.optional_string("restore_image");
  if (vm.restore_image && !is_image_id(*vm.restore_image)) json.refuse("restore_image", "is not the id of an image");
  if (const auto boot = read_boot(json)) vm.boot = *boot;
  if (const auto display = read_display(json)) vm.display = *display;
  if (auto network = read_network(json)) {
    vm.network = network->mode;
    vm.bridge_interface = std::move(network->bridge_interface);
  }
  const DiskFields disk = read_disk(json);
  vm.disk_caching = disk.caching;
  vm.disk_synchronization = disk.synchronization;
  vm.shares = read_shares(json).value_or(std::vector<SharedDirectory>{});
  vm.rosetta_tag = read_rosetta(json).value_or(std::nullopt);
  vm.has_sound = json.boolean("sound", false);
  vm.mac_address = read_mac(json);
  if (const auto key = json.optional_string("machine_id"); key && *key != "new") {
    vm.machine_id = MachineIdKey::parse(*key);
    if (!vm.machine_id) json.refuse("machine_id", "is neither \"new\" nor the key of a machine identifier");
  }
  const auto labels = json.optional_string_map("labels");
  check_labels(json, labels);
  if (labels) vm.labels = *labels;
  vm.autostart = json.boolean("autostart", false);
  vm.autostart_priority =
      static_cast<std::int32_t>(json.optional_integer("autostart_priority", -1'000'000, 1'000'000).value_or(0));
  if (auto done = json.finish(); !done) return std::unexpected(done.error());
  return vm;
}

Result<PatchVm> read_patch(const Request& request) {
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) return std::unexpected(parsed.error());
  JsonReader& json = *parsed;
  PatchVm patch;
  patch.name = json.optional_string("name");
  if (const auto count = json.optional_unsigned("cpu_count", 1, kMost32)) patch.cpu_count = static_cast<std::uint32_t>(*count);
  patch.memory_bytes = json.optional_unsigned("memory_bytes", 1);
  if (json.take_null("memory_target_bytes"))
    patch.memory_target_bytes.emplace();
  else if (const auto target = json.optional_unsigned("memory_target_bytes", 1))
    patch.memory_target_bytes.emplace(*target);
  patch.disk_bytes = json.optional_unsigned("disk_bytes");
  patch.boot = read_boot(json);
  patch.display = read_display(json);
  if (auto network = read_network(json)) {
    patch.network = network->mode;
    patch.bridge_interface = std::move(network->bridge_interface);
  }
  const DiskFields disk = read_disk(json);
  patch.disk_caching = disk.caching;
  patch.disk_synchronization = disk.synchronization;
  patch.shares = read_shares(json);
  patch.rosetta_tag = read_rosetta(json);
  patch.has_sound = json.optional_boolean("sound");
  patch.mac_address = read_mac(json);
  patch.labels = json.optional_string_map("labels");
  check_labels(json, patch.labels);
  patch.autostart = json.optional_boolean("autostart");
  if (const auto priority = json.optional_integer("autostart_priority", -1'000'000, 1'000'000))
    patch.autostart_priority = static_cast<std::int32_t>(*priority);
  if (auto done = json.finish(); !done) return std::unexpected(done.error());
  return patch;
}

// What a list of VMs may be narrowed to.
struct VmFilter {
  std::optional<VmState> state;
  std::optional<Guest> guest;
  std::optional<std::string> name;
  std::vector<std::pair<std::string, std::optional<std::string>>> labels; // all must fit

  bool fits(const VmRecord& vm) const {
    if (state && vm.status.state != *state) return false;
    if (guest && vm.guest != *guest) return false;
    if (name && vm.name != *name) return false;
    return std::ranges::all_of(labels, [&](const auto& wanted) {
      const auto label = vm.labels.find(wanted.first);
      return label != vm.labels.end() && (!wanted.second || label->second == *wanted.second);
    });
  }
};

Result<VmFilter> filter_of(const Request& request) {
  if (auto known = request.check_query({"state", "guest", "name", "label", "limit", "cursor"}); !known)
    return std::unexpected(known.error());
  VmFilter filter;
  if (const auto state = request.query_value("state")) {
    filter.state = parse_vm_state(*state);
    if (!filter.state) return fail(ErrorCode::kInvalidValue, "the query parameter state is not a state of VMs", "state");
  }
  if (const auto guest = request.query_value("guest")) {
    filter.guest = parse_guest(*guest);
    if (!filter.guest) return fail(ErrorCode::kInvalidValue, "the query parameter guest is neither macos nor linux", "guest");
  }
  if (const auto name = request.query_value("name")) filter.name = std::string(*name);
  for (const NamedValue& each : request.query) {
    if (each.name != "label") continue;
    const auto equals = each.value.find('=');
    if (equals == std::string::npos)
      filter.labels.emplace_back(each.value, std::nullopt);
    else
      filter.labels.emplace_back(each.value.substr(0, equals), each.value.substr(equals + 1));
  }
  return filter;
}

Response list_vms(Api& api, const Request& request) {
  std::string key;
  for (const NamedValue& each : request.query) key += each.name + "=" + each.value + "&";
  World& world = api.world();
  if (auto kept = api.lists.find(world.version, key)) return Response::from(std::move(kept));
  const auto filter = filter_of(request);
  if (!filter) return refuse(filter.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  const std::string body = list_json(
      world.vms_by_name, *page, [](const auto& item) { return item.first; },
      [&](const auto& item) { return filter->fits(item.second->record); },
      [](JsonWriter& json, const auto& item) { json.raw(vm_document(*item.second)->body()); });
  auto answer = prepare(200, "application/json", body);
  api.lists.put(world.version, std::move(key), answer);
  return Response::from(std::move(answer));
}

Response get_vm(Api& api, const Request& request) {
  if (auto known = request.check_query({}); !known) return refuse(known.error(), request);
  const auto vm = find_vm(api, request);
  if (!vm) return refuse(vm.error(), request);
  return Response::from(vm_document(**vm));
}

// The VM, and what was found in its bundle. Reads files: not a plain look.
Task<Response> check_vm(Api& api, Request request) {
  if (auto known = request.check_query({"check"}); !known) co_return refuse(known.error(), request);
  if (request.query_value("check") != "identity")
    co_return refuse(Error{ErrorCode::kInvalidValue, "the query parameter check knows only identity", "check"}, request);
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto report = co_await api.harbour.vms().examine(*vm);
  if (!report) co_return refuse(report.error(), request);
  JsonWriter json;
  json.begin_object().field("intact", report->is_intact());
  json.field("machine_identifier", to_string(report->machine_identifier));
  json.field("hardware_model", to_string(report->hardware_model));
  json.field("auxiliary_storage", to_string(report->auxiliary_storage)).end_object();
  std::string body{vm_document(**vm)->body()};
  body.pop_back();
  body += ",\"identity_check\":" + json.text() + "}";
  co_return Response::json(200, std::move(body)).with("ETag", revision_etag((*vm)->record.revision));
}

Finished made(Api& api) {
  return [&api](const OperationRecord& operation) { return vm_made(api, operation.vm ? *operation.vm : VmId{}); };
}

Finished changed(Api& api, VmHandle vm, bool is_changed) {
  return [&api, vm, is_changed](const OperationRecord&) { return vm_changed(api, vm->record.id, is_changed); };
}

Task<Response> do_create(Api& api, Request request, CreateVm create, Caller caller) {
  auto accepted = co_await api.harbour.vms().create(std::move(create), std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), made(api), made(api));
}

Task<Response> create_vm(Api& api, Request request) {
  auto create = read_create(request);
  if (!create) co_return refuse(create.error(), request);
  Act act = [&api, request, create = *create](Caller caller) { return do_create(api, request, create, std::move(caller)); };
  co_return co_await once(api, request, std::move(act),
                          [&api, request](std::string location) { return replay_operation(api, request, location, made(api)); });
}

Task<Response> patch_vm(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto revision = request.if_match_revision();
  if (!revision) co_return refuse(revision.error(), request);
  auto patch = read_patch(request);
  if (!patch) co_return refuse(patch.error(), request);
  if (api.harbour.context().is_stopping) co_return refuse(Error{ErrorCode::kShuttingDown, "berthd is stopping"}, request);
  const auto done = co_await api.harbour.vms().patch(*vm, std::move(*patch), *revision, {request.peer.uid, {}});
  if (!done) co_return refuse(done.error(), request);
  co_return vm_changed(api, (*vm)->record.id, true);
}

Task<Response> delete_vm(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  if (request.header("If-Match")) {
    const auto revision = request.if_match_revision();
    if (!revision) co_return refuse(revision.error(), request);
    if (*revision && **revision != (*vm)->record.revision)
      co_return refuse(
          Error{ErrorCode::kPreconditionFailed, (*vm)->record.name + " has another revision", (*vm)->record.id.to_string()},
          request);
  }
  if (api.harbour.context().is_stopping) co_return refuse(Error{ErrorCode::kShuttingDown, "berthd is stopping"}, request);
  auto accepted = co_await api.harbour.vms().remove(*vm, {request.peer.uid, {}});
  const auto gone = [](const OperationRecord&) { return Response::no_content(); };
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), gone, gone);
}

Task<Response> do_clone(Api& api, Request request, VmHandle vm, CloneVm clone, Caller caller) {
  auto accepted = co_await api.harbour.vms().clone(vm, std::move(clone), std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), made(api), made(api));
}

Task<Response> clone_vm(Api& api, Request request) {
  constexpr std::string_view kIdentities[] = {"keep", "new"};
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  CloneVm clone;
  clone.name = parsed->string("name");
  clone.new_machine_id = parsed->optional_choice("machine_id", kIdentities).value_or(0) == 1;
  clone.accept_unbootable = parsed->boolean("accept_unbootable", false);
  clone.mac_address = read_mac(*parsed);
  clone.labels = parsed->optional_string_map("labels");
  check_labels(*parsed, clone.labels);
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, vm = *vm, clone](Caller caller) { return do_clone(api, request, vm, clone, std::move(caller)); };
  co_return co_await once(api, request, std::move(act),
                          [&api, request](std::string location) { return replay_operation(api, request, location, made(api)); });
}

Task<Response> do_import(Api& api, Request request, ImportVm import, Caller caller) {
  auto accepted = co_await api.harbour.vms().import(std::move(import), std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), made(api), made(api));
}

Task<Response> import_vm(Api& api, Request request) {
  constexpr std::string_view kMacs[] = {"keep", "new"};
  constexpr std::string_view kPolicies[] = {"refuse", "keep_shared"};
  constexpr std::string_view kShares[] = {"drop", "keep"};
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  ImportVm import;
  import.path = parsed->string("path");
  import.name = parsed->optional_string("name");
  import.new_mac_address = parsed->optional_choice("mac_address", kMacs).value_or(0) == 1;
  import.keeps_shares = parsed->optional_choice("shares", kShares).value_or(0) == 1;
  if (parsed->optional_choice("mid_policy", kPolicies).value_or(0) == 1) import.mid_policy = MidPolicy::kKeepShared;
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, import](Caller caller) { return do_import(api, request, import, std::move(caller)); };
  co_return co_await once(api, request, std::move(act),
                          [&api, request](std::string location) { return replay_operation(api, request, location, made(api)); });
}

Task<Response> do_repair(Api& api, Request request, VmHandle vm, Caller caller) {
  auto accepted = co_await api.harbour.vms().repair(vm, std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), changed(api, vm, true),
                                     changed(api, vm, false));
}

Task<Response> repair_vm(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, vm = *vm](Caller caller) { return do_repair(api, request, vm, std::move(caller)); };
  co_return co_await once(api, request, std::move(act), [&api, request, vm = *vm](std::string location) {
    return replay_operation(api, request, location, changed(api, vm, true));
  });
}

} // namespace

void add_vm_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/v1/vms", Access::kReader, [&api](const Request& request) { return list_vms(api, request); });
  router.add_async(Method::kPost, "/v1/vms", Access::kOperator,
                   [&api](Request request) { return create_vm(api, std::move(request)); });
  router.add_async(Method::kPost, "/v1/vms/import", Access::kOperator,
                   [&api](Request request) { return import_vm(api, std::move(request)); });
  router.add_with_query(
      Method::kGet, "/v1/vms/{vm}", Access::kReader, [&api](const Request& request) { return get_vm(api, request); },
      [&api](Request request) { return check_vm(api, std::move(request)); });
  router.add_async(Method::kPatch, "/v1/vms/{vm}", Access::kOperator,
                   [&api](Request request) { return patch_vm(api, std::move(request)); });
  router.add_async(Method::kDelete, "/v1/vms/{vm}", Access::kOperator,
                   [&api](Request request) { return delete_vm(api, std::move(request)); });
  router.add_async(Method::kPost, "/v1/vms/{vm}/clone", Access::kOperator,
                   [&api](Request request) { return clone_vm(api, std::move(request)); });
  router.add_async(Method::kPost, "/v1/vms/{vm}/repair", Access::kOperator,
                   [&api](Request request) { return repair_vm(api, std::move(request)); });
}

} // namespace berth::api
