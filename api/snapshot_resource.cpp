// /v1/vms/{vm}/snapshots.
#include "api/answer.hpp"
#include "api/json_reader.hpp"

namespace berth::api {

namespace {

Result<SnapshotId> snapshot_of(Api& api, const VmEntry& vm, const Request& request) {
  const std::string& text = request.parameter("snapshot");
  const auto id = SnapshotId::parse(text);
  if (id) {
    const auto found = api.world().snapshots.find(*id);
    if (found != api.world().snapshots.end() && found->second.vm == vm.record.id) return *id;
  }
  return fail(ErrorCode::kNotFound, vm.record.name + " has no snapshot " + text, text);
}

Response list_snapshots(Api& api, const Request& request) {
  if (auto known = request.check_query({"limit", "cursor"}); !known) return refuse(known.error(), request);
  const auto vm = find_vm(api, request);
  if (!vm) return refuse(vm.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  const auto key = [](const SnapshotRecord* each) { return to_rfc3339(each->created_at) + each->id.to_string(); };
  return Response::json(200,
                        list_json(
                            api.world().snapshots_of((*vm)->record.id), *page, key, [](const SnapshotRecord*) { return true; },
                            [](JsonWriter& json, const SnapshotRecord* each) { json.raw(snapshot_json(*each)); }));
}

Response get_snapshot(Api& api, const Request& request) {
  const auto vm = find_vm(api, request);
  if (!vm) return refuse(vm.error(), request);
  const auto id = snapshot_of(api, **vm, request);
  if (!id) return refuse(id.error(), request);
  return Response::json(200, snapshot_json(api.world().snapshots.at(*id)));
}

Finished taken(Api& api, VmHandle vm) {
  return [&api, vm](const OperationRecord& operation) {
    const auto id = SnapshotId::parse(operation.result);
    const auto found = id ? api.world().snapshots.find(*id) : api.world().snapshots.end();
    if (found == api.world().snapshots.end())
      return problem(Error{ErrorCode::kNotFound, "the snapshot has been deleted", operation.result});
    return Response::json(201, snapshot_json(found->second))
        .with("Location", "/v1/vms/" + vm->record.id.to_string() + "/snapshots/" + operation.result);
  };
}

Task<Response> do_take(Api& api, Request request, VmHandle vm, std::optional<std::string> name, std::optional<bool> memory,
                       Caller caller) {
  auto accepted = co_await api.harbour.snapshots().take(vm, std::move(name), memory, std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), taken(api, vm), taken(api, vm));
}

Task<Response> take_snapshot(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  const auto name = parsed->optional_string("name");
  const auto memory = parsed->optional_boolean("memory");
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, vm = *vm, name, memory](Caller caller) {
    return do_take(api, request, vm, name, memory, std::move(caller));
  };
  co_return co_await once(api, request, std::move(act), [&api, request, vm = *vm](std::string location) {
    return replay_operation(api, request, location, taken(api, vm));
  });
}

Task<Response> do_restore(Api& api, Request request, VmHandle vm, SnapshotId snapshot, bool with_safety, Caller caller) {
  auto accepted = co_await api.harbour.snapshots().revert(vm, snapshot, with_safety, std::move(caller));
  const auto done = [&api, vm](const OperationRecord&) { return vm_changed(api, vm->record.id, true); };
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), done, done);
}

Task<Response> restore_snapshot(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto id = snapshot_of(api, **vm, request);
  if (!id) co_return refuse(id.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  const bool with_safety = parsed->boolean("safety_snapshot", false);
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, vm = *vm, id = *id, with_safety](Caller caller) {
    return do_restore(api, request, vm, id, with_safety, std::move(caller));
  };
  co_return co_await once(api, request, std::move(act), [&api, request, vm = *vm](std::string location) {
    return replay_operation(api, request, location,
                            [&api, vm](const OperationRecord&) { return vm_changed(api, vm->record.id, true); });
  });
}

Task<Response> delete_snapshot(Api& api, Request request) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto id = snapshot_of(api, **vm, request);
  if (!id) co_return refuse(id.error(), request);
  auto accepted = co_await api.harbour.snapshots().remove(*vm, *id, {request.peer.uid, {}});
  const auto gone = [](const OperationRecord&) { return Response::no_content(); };
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), gone, gone);
}

} // namespace

void add_snapshot_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/v1/vms/{vm}/snapshots", Access::kReader,
             [&api](const Request& request) { return list_snapshots(api, request); });
  router.add_async(Method::kPost, "/v1/vms/{vm}/snapshots", Access::kOperator,
                   [&api](Request request) { return take_snapshot(api, std::move(request)); });
  router.add(Method::kGet, "/v1/vms/{vm}/snapshots/{snapshot}", Access::kReader,
             [&api](const Request& request) { return get_snapshot(api, request); });
  router.add_async(Method::kDelete, "/v1/vms/{vm}/snapshots/{snapshot}", Access::kOperator,
                   [&api](Request request) { return delete_snapshot(api, std::move(request)); });
  router.add_async(Method::kPost, "/v1/vms/{vm}/snapshots/{snapshot}/restore", Access::kOperator,
                   [&api](Request request) { return restore_snapshot(api, std::move(request)); });
}

} // namespace berth::api
