// /v1/images.
#include "api/answer.hpp"
#include "api/json_reader.hpp"

namespace berth::api {

namespace {

Response list_images(Api& api, const Request& request) {
  if (auto known = request.check_query({"limit", "cursor"}); !known) return refuse(known.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  return Response::json(200, list_json(
                                 api.world().images, *page, [](const auto& item) { return item.first; },
                                 [](const auto&) { return true; },
                                 [&](JsonWriter& json, const auto& item) { json.raw(image_json(api.world(), item.second)); }));
}

Response get_image(Api& api, const Request& request) {
  const std::string& id = request.parameter("image");
  const auto found = api.world().images.find(id);
  if (found == api.world().images.end()) return refuse(Error{ErrorCode::kNotFound, "there is no image " + id, id}, request);
  return Response::json(200, image_json(api.world(), found->second));
}

Finished imported(Api& api) {
  return [&api](const OperationRecord& operation) {
    const auto found = api.world().images.find(operation.result);
    if (found == api.world().images.end())
      return problem(Error{ErrorCode::kNotFound, "the image has been deleted", operation.result});
    return Response::json(201, image_json(api.world(), found->second)).with("Location", "/v1/images/" + operation.result);
  };
}

Task<Response> do_import(Api& api, Request request, ImportImage import, Caller caller) {
  auto accepted = co_await api.harbour.images().import(std::move(import), std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), imported(api), imported(api));
}

Task<Response> import_image(Api& api, Request request) {
  constexpr std::string_view kKinds[] = {"kernel", "initramfs", "disk", "restore"};
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  ImportImage import;
  const auto path = parsed->optional_string("path"), url = parsed->optional_string("url");
  const auto latest = parsed->optional_boolean("latest");
  if (latest == false) parsed->refuse("latest", "it is true or left out");
  const int sources = (path ? 1 : 0) + (url ? 1 : 0) + (latest ? 1 : 0);
  if (sources != 1)
    parsed->refuse(sources == 0 ? "path" : url ? "url" : "latest", "exactly one of path, url and latest is given");
  if (path == "" || url == "") parsed->refuse(url ? "url" : "path", "it must not be empty");
  import.path = path.value_or("");
  import.url = url.value_or("");
  import.is_latest = latest.value_or(false);
  if (!latest) parsed->require("kind");
  if (const auto kind = parsed->optional_choice("kind", kKinds)) import.kind = *parse_image_kind(kKinds[*kind]);
  if (import.is_latest && import.kind != ImageKind::kRestore) parsed->refuse("kind", "the latest image is a restore image");
  import.name = parsed->optional_string("name");
  import.sha256 = parsed->optional_string("sha256").value_or("");
  if (!import.sha256.empty() && !is_image_id(import.sha256)) parsed->refuse("sha256", "it has 64 digits of 0 to 9 and a to f");
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, import](Caller caller) { return do_import(api, request, import, std::move(caller)); };
  co_return co_await once(api, request, std::move(act), [&api, request](std::string location) {
    return replay_operation(api, request, location, imported(api));
  });
}

Task<Response> delete_image(Api& api, Request request) {
  const auto done = co_await api.harbour.images().remove(request.parameter("image"), {request.peer.uid, {}});
  if (!done) co_return refuse(done.error(), request);
  co_return Response::no_content();
}

} // namespace

void add_image_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/v1/images", Access::kReader, [&api](const Request& request) { return list_images(api, request); });
  router.add_async(Method::kPost, "/v1/images", Access::kOperator,
                   [&api](Request request) { return import_image(api, std::move(request)); });
  router.add(Method::kGet, "/v1/images/{image}", Access::kReader,
             [&api](const Request& request) { return get_image(api, request); });
  router.add_async(Method::kDelete, "/v1/images/{image}", Access::kOperator,
                   [&api](Request request) { return delete_image(api, std::move(request)); });
}

} // namespace berth::api
