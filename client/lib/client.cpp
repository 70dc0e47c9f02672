// Requests, and what only reads.
#include "client/lib/client_impl.hpp"

#include <algorithm>
#include <cctype>

namespace berth::client {

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char each) { return std::tolower(static_cast<unsigned char>(each)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool has_header(const HttpRequest& request, std::string_view name) {
  return std::ranges::any_of(request.headers, [&](const auto& each) { return equals_ignoring_case(each.first, name); });
}

// A request that may be sent twice without being done twice. PATCH carries If-Match, so the second one is refused.
bool is_repeatable(const HttpRequest& request) { return request.method != "POST" || has_header(request, "Idempotency-Key"); }

constexpr std::string_view kPageSize = "limit=1000";

// Longest wait the daemon grants in one request.
constexpr std::chrono::seconds kLongestWait{300};

} // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHexadecimal = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string encoded;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    const bool is_alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    if (is_alphanumeric || kUnreserved.contains(each)) {
      encoded.push_back(each);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHexadecimal[byte >> 4]);
      encoded.push_back(kHexadecimal[byte & 15]);
    }
  }
  return encoded;
}

std::string_view Reply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

bool Operation::is_finished() const {
  return state == "succeeded" || state == "failed" || state == "cancelled" || state == "interrupted";
}

std::string vm_target(std::string_view vm, std::string_view action) {
  std::string target = "/v1/vms/" + percent_encode(vm);
  if (!action.empty()) target.append("/").append(action);
  return target;
}

Result<Json> to_document(const Reply& reply) {
  if (auto json = parse_json(reply.body)) return Result<Json>{std::in_place, std::move(*json)};
  ClientError error;
  error.kind = ErrorKind::kProtocol;
  error.message = "the answer is not JSON";
  error.document = reply.body;
  return std::unexpected(std::move(error));
}

Result<HttpConnection*> Client::Impl::connection() {
  if (kept && kept->is_reusable()) return kept.get();
  kept.reset();
  auto opened = HttpConnection::open(options.socket_path, options.connect_timeout);
  if (!opened) return std::unexpected(opened.error());
  kept = std::move(*opened);
  return kept.get();
}

Result<Reply> Client::Impl::send(const HttpRequest& request, Milliseconds extra_time) {
  const bool was_open = kept != nullptr;
  for (bool is_retry = false;; is_retry = true) {
    auto open = connection();
    if (!open) return std::unexpected(open.error());
    auto reply = (*open)->exchange(request, Deadline::after(add_limits(options.request_timeout, extra_time)));
    if (reply) return reply;
    const bool has_begun = kept->has_answer_begun();
    kept.reset();
    // The daemon may close an idle connection in the moment in which it is used again.
    const bool may_retry =
        was_open && !is_retry && !has_begun && reply.error().kind == ErrorKind::kProtocol && is_repeatable(request);
    if (!may_retry) return reply;
  }
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const ClientOptions& Client::options() const { return impl_->options; }

namespace {

// What the daemon would refuse as a hostile path is only a name that nothing can have.
std::optional<ClientError> impossible_name(std::string_view target) {
  std::string_view rest = target.substr(0, target.find('?'));
  while (!rest.empty()) {
    rest.remove_prefix(1); // the '/'
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    if (!segment.empty() && segment != "." && segment != ".." && !segment.contains("%2F")) continue;
    ClientError error;
    error.kind = ErrorKind::kProblem;
    error.status = 404;
    error.code = "not_found";
    error.message = error.detail =
        segment.empty() ? "an empty name names nothing" : "nothing is named so: a name is not '.' or '..', and has no '/'";
    return error;
  }
  return std::nullopt;
}

} // namespace

Result<Reply> Client::request(std::string_view method, std::string_view target, std::string_view body, const Headers& headers,
                              Milliseconds extra_time) {
  if (auto error = impossible_name(target)) return std::unexpected(std::move(*error));
  const HttpRequest request{std::string{method}, std::string{target}, std::string{body}, headers};
  auto reply = impl_->send(request, extra_time);
  if (!reply || reply->status < 400) return reply;
  auto error = to_problem(reply->status, reply->body);
  error.socket_path = impl_->options.socket_path;
  return std::unexpected(std::move(error));
}

Result<std::vector<std::string>> Client::list(std::string_view target) {
  std::vector<std::string> items;
  const std::string base = std::string{target}.append(target.contains('?') ? "&" : "?").append(kPageSize);
  std::string cursor;
  do {
    auto reply = request("GET", cursor.empty() ? base : base + "&cursor=" + percent_encode(cursor));
    if (!reply) return std::unexpected(reply.error());
    auto page = to_document(*reply);
    if (!page) return std::unexpected(page.error());
    const Json& page_items = member(*page, "items");
    if (page_items.is_array()) {
      for (const Json& each : page_items) items.push_back(dump(each));
    }
    cursor = string_member(*page, "next_cursor");
  } while (!cursor.empty());
  return items;
}

Result<std::vector<Vm>> Client::list_vms(std::string_view query) {
  std::string target = "/v1/vms";
  if (!query.empty()) target.append("?").append(query);
  auto items = list(target);
  if (!items) return std::unexpected(items.error());
  std::vector<Vm> vms;
  for (const auto& each : *items) vms.push_back(to_vm(*parse_json(each)));
  return vms;
}

Result<Vm> Client::vm(std::string_view vm) {
  auto reply = request("GET", vm_target(vm));
  if (!reply) return std::unexpected(reply.error());
  auto json = to_document(*reply);
  if (!json) return std::unexpected(json.error());
  return to_vm(*json);
}

Result<AddressReport> Client::addresses(std::string_view vm, std::chrono::seconds wait) {
  const auto granted = std::clamp(wait, std::chrono::seconds{0}, kLongestWait);
  auto reply = request("GET", vm_target(vm, "addresses?wait=" + std::to_string(granted.count())), {}, {}, granted);
  if (!reply) return std::unexpected(reply.error());
  auto json = to_document(*reply);
  if (!json) return std::unexpected(json.error());
  return to_address_report(*json);
}

Result<std::vector<Operation>> Client::list_operations() {
  auto items = list("/v1/operations");
  if (!items) return std::unexpected(items.error());
  std::vector<Operation> operations;
  for (const auto& each : *items) operations.push_back(to_operation(*parse_json(each)));
  return operations;
}

Result<Operation> Client::operation(std::string_view id) {
  auto reply = request("GET", "/v1/operations/" + percent_encode(id));
  if (!reply) return std::unexpected(reply.error());
  auto json = to_document(*reply);
  if (!json) return std::unexpected(json.error());
  return to_operation(*json);
}

} // namespace berth::client
