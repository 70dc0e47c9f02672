// /v1/machine-ids.
#include "api/answer.hpp"
#include "api/json_reader.hpp"

namespace berth::api {

namespace {

Result<MachineIdKey> key_of(Api& api, const Request& request) {
  const std::string& text = request.parameter("key");
  const auto key = MachineIdKey::parse(text);
  if (key && api.world().machine_ids.contains(*key)) return *key;
  return fail(ErrorCode::kNotFound, "the ledger has no machine identifier " + text, text);
}

Response document(Api& api, const MachineIdKey& key, int status) {
  const MachineIdRecord& record = api.world().machine_ids.at(key);
  // Who carries and who holds it changes without the record: the tag has both.
  const std::string body = machine_id_json(api.world(), record);
  return Response::json(status, body).with("ETag", revision_etag(record.revision));
}

Response list_machine_ids(Api& api, const Request& request) {
  if (auto known = request.check_query({"limit", "cursor"}); !known) return refuse(known.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  return Response::json(200,
                        list_json(
                            api.world().machine_ids, *page, [](const auto& item) { return item.first.to_string(); },
                            [](const auto&) { return true; },
                            [&](JsonWriter& json, const auto& item) { json.raw(machine_id_json(api.world(), item.second)); }));
}

Response get_machine_id(Api& api, const Request& request) {
  const auto key = key_of(api, request);
  if (!key) return refuse(key.error(), request);
  return document(api, *key, 200);
}

std::optional<Bytes> from_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.empty() || text.size() % 4 != 0 || text.size() > 65536) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  Bytes bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<std::uint8_t>(bits >> count & 0xff));
    }
  }
  return bytes;
}

Task<Response> do_add(Api& api, Request request, NewMachineId wanted, Caller caller) {
  if (caller.idempotency) caller.idempotency->location.clear();
  const auto added = co_await api.harbour.machine_ids().add(std::move(wanted), std::move(caller));
  if (!added) co_return refuse(added.error(), request);
  auto answer = document(api, added->key, added->is_new ? 201 : 200);
  if (!added->is_new) co_return answer;
  co_return std::move(answer).with("Location", "/v1/machine-ids/" + added->key.to_string());
}

Task<Response> replay_add(Api& api, Request request, std::string location) {
  const auto key = MachineIdKey::parse(location.substr(location.rfind('/') + 1));
  if (!key || !api.world().machine_ids.contains(*key))
    co_return refuse(Error{ErrorCode::kNotFound, "the machine identifier of this Idempotency-Key has been deleted"}, request);
  co_return document(api, *key, 201).with("Location", location);
}

Task<Response> add_machine_id(Api& api, Request request) {
  constexpr std::string_view kGuests[] = {"linux", "macos"};
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  JsonReader& json = *parsed;
  NewMachineId wanted;
  if (const auto guest = json.optional_choice("generate", kGuests)) wanted.generate = *parse_guest(kGuests[*guest]);
  if (const auto data = json.optional_string("data")) {
    wanted.data = from_base64(*data);
    if (!wanted.data) json.refuse("data", "is not base64");
  }
  wanted.path = json.optional_string("path");
  wanted.name = json.optional_string("name").value_or("");
  wanted.is_kept = json.boolean("kept", true);
  if (json.has("generate") + json.has("data") + json.has("path") != 1)
    json.refuse("generate", "exactly one of generate, data and path must be given");
  if (wanted.name.size() > 255) json.refuse("name", "is longer than 255 characters");
  if (auto done = json.finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, wanted](Caller caller) { return do_add(api, request, wanted, std::move(caller)); };
  co_return co_await once(api, request, std::move(act),
                          [&api, request](std::string location) { return replay_add(api, request, location); });
}

Task<Response> patch_machine_id(Api& api, Request request) {
  const auto key = key_of(api, request);
  if (!key) co_return refuse(key.error(), request);
  const auto revision = request.if_match_revision();
  if (!revision) co_return refuse(revision.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  PatchMachineId patch;
  patch.is_kept = parsed->optional_boolean("kept");
  for (const auto& [field, value] :
       {std::pair{"name", &patch.name}, std::pair{"serial_number", &patch.serial_number},
        std::pair{"hardware_uuid", &patch.hardware_uuid}, std::pair{"provisioning_uuid", &patch.provisioning_uuid}}) {
    if (parsed->take_null(field))
      value->emplace();
    else
      *value = parsed->optional_string(field);
    if (*value && (*value)->size() > 255) parsed->refuse(field, "is longer than 255 characters");
  }
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  const auto done = co_await api.harbour.machine_ids().patch(*key, std::move(patch), *revision, {request.peer.uid, {}});
  if (!done) co_return refuse(done.error(), request);
  co_return document(api, *key, 200);
}

Task<Response> delete_machine_id(Api& api, Request request) {
  const auto key = key_of(api, request);
  if (!key) co_return refuse(key.error(), request);
  if (request.header("If-Match")) {
    const auto revision = request.if_match_revision();
    if (!revision) co_return refuse(revision.error(), request);
    if (*revision && **revision != api.world().machine_ids.at(*key).revision)
      co_return refuse(Error{ErrorCode::kPreconditionFailed, key->to_string() + " has another revision", key->to_string()},
                       request);
  }
  const auto done = co_await api.harbour.machine_ids().remove(*key, {request.peer.uid, {}});
  if (!done) co_return refuse(done.error(), request);
  co_return Response::no_content();
}

} // namespace

void add_machine_id_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/v1/machine-ids", Access::kReader,
             [&api](const Request& request) { return list_machine_ids(api, request); });
  router.add_async(Method::kPost, "/v1/machine-ids", Access::kOperator,
                   [&api](Request request) { return add_machine_id(api, std::move(request)); });
  router.add(Method::kGet, "/v1/machine-ids/{key}", Access::kReader,
             [&api](const Request& request) { return get_machine_id(api, request); });
  router.add_async(Method::kPatch, "/v1/machine-ids/{key}", Access::kOperator,
                   [&api](Request request) { return patch_machine_id(api, std::move(request)); });
  router.add_async(Method::kDelete, "/v1/machine-ids/{key}", Access::kOperator,
                   [&api](Request request) { return delete_machine_id(api, std::move(request)); });
}

} // namespace berth::api
