// Building answers.
#include "api/response.hpp"

namespace berth::api {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::shared_ptr<const Prepared> prepare(int status, std::string_view content_type, std::string_view body, std::string_view etag) {
  auto prepared = std::make_shared<Prepared>();
  prepared->status = status;
  prepared->etag = etag;
  std::string& wire = prepared->wire;
  wire.reserve(body.size() + 256);
  wire.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason_phrase(status)).append("\r\n");
  wire.append("Content-Type: ").append(content_type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  if (!etag.empty()) wire.append("\r\nETag: ").append(etag);
  wire.append("\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n");
  prepared->head_size = wire.size();
  wire.append(body);
  return prepared;
}

std::string revision_etag(std::uint64_t revision) { return '"' + std::to_string(revision) + '"'; }

Response Response::of(int status, std::string_view content_type, std::string body) {
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

Response Response::json(int status, std::string body) { return of(status, "application/json", std::move(body)); }

Response Response::shared(int status, std::string_view content_type, std::shared_ptr<const std::string> body) {
  Response response = of(status, content_type, {});
  response.shared_body = std::move(body);
  return response;
}

Response Response::from(std::shared_ptr<const Prepared> prepared) {
  Response response;
  response.status = prepared->status;
  response.prepared = std::move(prepared);
  return response;
}

Response Response::no_content() {
  Response response;
  response.status = 204;
  return response;
}

Response Response::not_modified(std::string etag) {
  Response response;
  response.status = 304;
  response.headers.emplace_back("ETag", std::move(etag));
  return response;
}

Response&& Response::with(std::string name, std::string value) && {
  headers.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
  if (etag.empty()) return false;
  while (!if_none_match.empty()) {
    const std::size_t comma = if_none_match.find(',');
    std::string_view item = if_none_match.substr(0, comma);
    if_none_match = comma == std::string_view::npos ? std::string_view{} : if_none_match.substr(comma + 1);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == etag) return true;
  }
  return false;
}

} // namespace berth::api
