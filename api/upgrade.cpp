// The checks of a handshake, before Beast sees it.
#include "api/upgrade.hpp"

#include <algorithm>

#include "api/problem.hpp"

namespace berth::api {

namespace {

bool same_token(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(one, other, [&](char a, char b) { return lower(a) == lower(b); });
}

Response upgrade_required(const Request& request, std::string detail) {
  Response response = problem(Error{ErrorCode::kMalformedRequest, std::move(detail)}, request);
  return std::move(response).with("Sec-WebSocket-Version", "13");
}

} // namespace

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (same_token(item, token)) return true;
  }
  return false;
}

std::optional<Response> refuse_upgrade(const Request& request) {
  if (!has_token(request.header("Connection").value_or(""), "upgrade") ||
      !same_token(request.header("Upgrade").value_or(""), "websocket"))
    return upgrade_required(request, "this route is a WebSocket: ask for the upgrade");
  if (request.header("Sec-WebSocket-Version").value_or("") != "13")
    return upgrade_required(request, "the WebSocket version must be 13");
  const std::string_view key = request.header("Sec-WebSocket-Key").value_or("");
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  const bool is_key = key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64);
  if (!is_key || request.headers.count("Sec-WebSocket-Key") != 1)
    return upgrade_required(request, "Sec-WebSocket-Key must be sixteen bytes in base64");
  return std::nullopt;
}

} // namespace berth::api
