// What handlers have in common: finding the VM, waiting for an operation, pages of lists, idempotency.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/api.hpp"
#include "api/problem.hpp"

namespace berth::api {

// kNotFound with the name that was asked for.
Result<VmHandle> find_vm(Api& api, const Request& request);

// The problem, with "operation" as its own member where the error's context names one.
Response refuse(const Error& error, const Request& request);

// 202 with the operation, or after Prefer: wait the finished thing by `finished`, or the operation's own problem.
using Finished = std::function<Response(const OperationRecord&)>;
Task<Response> answer_accepted(Api& api, Request request, Result<Accepted> accepted, Finished finished, Finished already);

// The two common ways to be finished.
Response vm_changed(Api& api, const VmId& vm, bool is_changed);
Response vm_made(Api& api, const VmId& vm);

// Runs `act` under the request's Idempotency-Key: a repeated request gets what the first one made. `act` is given the
// caller to pass on, and answers as if there were no key.
using Act = std::function<Task<Response>(Caller)>;
Task<Response> once(Api& api, Request request, Act act, std::function<Task<Response>(std::string location)> replay);

// Replays by the location that was kept: an operation is waited for and answered as at the first time.
Task<Response> replay_operation(Api& api, Request request, std::string location, Finished finished);

struct Page {
  std::size_t limit = 100;
  std::string after; // the key of the last item of the page before; empty: from the beginning
};
Result<Page> page_of(const Request& request);
// Cursors are opaque to clients: base64url of the key.
std::string cursor_of(std::string_view key);

// {"items":[…],"next_cursor":…} of what comes after page.after in an ordered range. `key_of(item)` is text that orders
// like the range; `keep(item)` filters; `write(json, item)` appends one item.
template <class Range, class KeyOf, class Keep, class Write>
std::string list_json(const Range& range, const Page& page, KeyOf key_of, Keep keep, Write write) {
  JsonWriter json(4096);
  json.begin_object().key("items").begin_array();
  std::size_t count = 0;
  std::string last, next;
  for (const auto& item : range) {
    if (!page.after.empty() && !(page.after < key_of(item))) continue;
    if (!keep(item)) continue;
    if (count == page.limit) {
      next = last;
      break;
    }
    write(json, item);
    last = key_of(item);
    ++count;
  }
  json.end_array().key("next_cursor");
  if (next.empty())
    json.null();
  else
    json.value(cursor_of(next));
  json.end_object();
  return json.take();
}

} // namespace berth::api
