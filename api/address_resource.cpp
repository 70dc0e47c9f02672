// /v1/vms/{vm}/addresses and /v1/leases.
#include <algorithm>

#include "api/answer.hpp"

namespace berth::api {

namespace {

constexpr std::uint64_t kLongestWait = 300;

// Answers as soon as there is an address, or when the wait is over; unknown is an empty list with a reason.
Task<Response> get_addresses(Api& api, Request request) {
  if (auto known = request.check_query({"wait"}); !known) co_return refuse(known.error(), request);
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto wait = request.query_number("wait", 0, kLongestWait);
  if (!wait) co_return refuse(wait.error(), request);
  const SteadyTime end = api.loop().steady_now() + std::chrono::seconds(wait->value_or(0));
  AddressLookup lookup = api.harbour.addresses().addresses_of((*vm)->record);
  // While it runs on a network that the host does not see, none can come; a VM at rest may yet be started elsewhere.
  const auto can_come = [&] {
    return (*vm)->record.status.state != VmState::kRunning || api.harbour.addresses().are_visible((*vm)->record);
  };
  while (lookup.addresses.empty() && can_come() && !(*vm)->is_gone && !api.harbour.context().is_stopping) {
    const auto left = std::chrono::ceil<Duration>(end - api.loop().steady_now());
    if (left <= Duration{0}) break;
    co_await wait_for(api.loop(), (*vm)->changed, left);
    lookup = api.harbour.addresses().addresses_of((*vm)->record);
  }
  if ((*vm)->is_gone)
    co_return refuse(Error{ErrorCode::kNotFound, "the VM has been deleted", (*vm)->record.id.to_string()}, request);
  JsonWriter json(512);
  write_addresses(json, lookup, api.harbour.addresses().are_visible((*vm)->record), api.loop().now());
  co_return Response::json(200, json.take());
}

Response list_leases(Api& api, const Request& request) {
  if (auto known = request.check_query({"limit", "cursor"}); !known) return refuse(known.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  auto leases = api.harbour.addresses().leases();
  const auto key = [](const LeaseRow& lease) { return lease.ip.to_string() + " " + lease.mac.to_string(); };
  std::ranges::sort(leases, {}, key);
  return Response::json(200, list_json(leases, *page, key, [](const LeaseRow&) { return true; }, write_lease));
}

} // namespace

void add_address_routes(Router& router, Api& api) {
  router.add_async(Method::kGet, "/v1/vms/{vm}/addresses", Access::kReader,
                   [&api](Request request) { return get_addresses(api, std::move(request)); });
  router.add(Method::kGet, "/v1/leases", Access::kReader, [&api](const Request& request) { return list_leases(api, request); });
}

} // namespace berth::api
