// The table of routes: method and path to handler, compiled once. Knows neither sockets nor JSON.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/request.hpp"
#include "api/response.hpp"
#include "api/stream.hpp"
#include "daemon/runtime/task.hpp"

namespace berth::api {

enum class Access : std::uint8_t {
  kAnyone,   // every peer that may connect, without a role too
  kReader,   // readers and operators
  kOperator, // operators alone
};

// The core thread answers at once; must not wait.
using SyncHandler = std::function<Response(const Request&)>;
// A coroutine; the request is its own. Cancelled (destroyed) only when the whole server is.
using AsyncHandler = std::function<Task<Response>(Request)>;
// Asked before a stream or a WebSocket begins; an answer refuses it.
using StreamCheck = std::function<std::optional<Response>(const Request&)>;
using StreamHandler = std::function<Task<void>(Request, std::shared_ptr<EventStream>)>;
using WebSocketHandler = std::function<Task<void>(Request, std::shared_ptr<WebSocket>)>;

enum class RouteKind : std::uint8_t { kSync, kAsync, kStream, kWebSocket };

struct RouteInfo {
  Method method;
  std::string pattern; // "/v1/vms/{vm}/start", as openapi.yaml writes it
  Access access;
  RouteKind kind;
};

struct Route {
  RouteInfo info;
  StreamCheck check;
  std::variant<SyncHandler, AsyncHandler, StreamHandler, WebSocketHandler> handler;
  std::vector<std::string> parameter_names;
  AsyncHandler with_query; // of a kSync route, may be empty
};

class Router {
public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // Patterns: segments of text or {name}; text goes before {name} where both fit, so "/v1/vms/import" may stand
  // beside "/v1/vms/{vm}". Adding one method and pattern twice is a bug and asserts.
  void add(Method method, std::string pattern, Access access, SyncHandler handler);
  // A plain answer at once, and one that takes its time when the request has a query.
  void add_with_query(Method method, std::string pattern, Access access, SyncHandler plain, AsyncHandler with_query);
  void add_async(Method method, std::string pattern, Access access, AsyncHandler handler);
  // GET, answered by text/event-stream.
  void add_stream(std::string pattern, Access access, StreamCheck check, StreamHandler handler);
  // GET with an upgrade; without a good one it is answered by kMalformedRequest and Sec-WebSocket-Version.
  void add_websocket(std::string pattern, Access access, StreamCheck check, WebSocketHandler handler);

  std::vector<RouteInfo> routes() const;

  // For the server and for tests of handlers without a socket.
  struct Match {
    const Route* route = nullptr; // null: no such path, or not this method
    std::string allow;            // "GET, HEAD, POST" when the path exists without this method
  };
  // `path` as sent. Parameters are decoded into `parameters`; kMalformedRequest for a path that is not allowed:
  // %2f, %00, bad escapes, dot segments, empty segments, bytes that are not UTF-8.
  Result<Match> match(Method method, std::string_view path, std::vector<NamedValue>& parameters) const;

private:
  struct Node;
  void insert(Route route);
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Route>> routes_;
};

} // namespace berth::api
