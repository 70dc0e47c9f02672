// JSON-RPC 2.0. A request without an id is refused: berthd waits for each answer, and so it has no use for one.
#include "machine/rpc_message.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <nlohmann/json.hpp>

#include "machine/protocol.hpp"

namespace berth::vz {

namespace {

using Json = nlohmann::json;

constexpr int kParseError = -32700, kInvalidRequest = -32600, kUnknownMethod = -32601, kBadParams = -32602, kFailed = -32000;

enum class Kind : std::uint8_t { kNothing, kRecovery, kFile, kImage, kBytes };

struct MethodRow {
  Method method;
  const char* name;
  Kind takes;
};
constexpr std::array<MethodRow, 13> kMethods{{
    {Method::kHello, "hello", Kind::kNothing},
    {Method::kStart, "start", Kind::kRecovery},
    {Method::kRestore, "restore", Kind::kFile},
    {Method::kInstall, "install", Kind::kImage},
    {Method::kCancelInstall, "cancel_install", Kind::kNothing},
    {Method::kPause, "pause", Kind::kNothing},
    {Method::kResume, "resume", Kind::kNothing},
    {Method::kSave, "save", Kind::kFile},
    {Method::kRequestStop, "request_stop", Kind::kNothing},
    {Method::kStop, "stop", Kind::kNothing},
    {Method::kSetMemoryTarget, "set_memory_target", Kind::kBytes},
    {Method::kReconnectNetwork, "reconnect_network", Kind::kNothing},
    {Method::kQuit, "quit", Kind::kNothing},
}};

const char* member_of(Kind kind) {
  switch (kind) {
    case Kind::kNothing: return "";
    case Kind::kRecovery: return "recovery";
    case Kind::kFile: return "file";
    case Kind::kImage: return "image";
    case Kind::kBytes: return "bytes";
  }
  return "";
}

// Bytes of a file name or of the framework's text need not be UTF-8; what is not becomes U+FFFD.
std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string line_with_id(const std::string& id, const char* member, const Json& value) {
  std::string line = line_of(Json{{"jsonrpc", "2.0"}, {member, value}});
  line.insert(line.size() - 2, ",\"id\":" + id); // before the last brace
  return line;
}

std::string error_answer(const std::string& id, int code, const std::string& message) {
  return line_with_id(id, "error", Json{{"code", code}, {"message", message}});
}

std::string notification(const char* method, Json params) {
  return line_of(Json{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

// What is wrong with params, empty when nothing is.
std::string read_params(const Json& params, Kind kind, Request& request) {
  const std::string name = member_of(kind);
  for (const auto& [member, value] : params.items())
    if (member != name) return "\"" + member + "\" is not known";
  if (kind == Kind::kNothing) return {};
  const auto found = params.find(name);
  if (found == params.end()) return "\"" + name + "\" is missing";
  if (kind == Kind::kRecovery) {
    if (!found->is_boolean()) return "\"recovery\" is neither true nor false";
    request.recovery = found->get<bool>();
  } else if (kind == Kind::kBytes) {
    if (!found->is_number_unsigned()) return "\"bytes\" is not a whole number";
    request.bytes = found->get<std::uint64_t>();
  } else {
    if (found->is_string()) request.path = found->get<std::string>();
    if (!request.path.starts_with('/') || request.path.find('\0') != std::string::npos)
      return "\"" + name + "\" is not an absolute path";
  }
  return {};
}

Json code_of(const ExitReport& report) { return report.code.empty() ? Json(nullptr) : Json(report.code); }

} // namespace

std::string_view to_string(Method method) {
  for (const MethodRow& row : kMethods)
    if (row.method == method) return row.name;
  return "";
}

std::expected<Request, std::string> parse_request(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) return std::unexpected(error_answer("null", kParseError, "the line is not JSON"));
  if (!json.is_object()) return std::unexpected(error_answer("null", kInvalidRequest, "a request is one object"));
  const auto id = json.find("id");
  if (id == json.end() || !(id->is_number_integer() || id->is_string()))
    return std::unexpected(error_answer("null", kInvalidRequest, "\"id\" is neither a whole number nor a text"));
  Request request;
  request.id = id->dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto refuse = [&](int code, const std::string& message) {
    return std::unexpected(error_answer(request.id, code, message));
  };
  for (const auto& [member, value] : json.items())
    if (member != "jsonrpc" && member != "id" && member != "method" && member != "params")
      return refuse(kInvalidRequest, "\"" + member + "\" is not known");
  if (const auto version = json.find("jsonrpc"); version == json.end() || *version != "2.0")
    return refuse(kInvalidRequest, "\"jsonrpc\" is not \"2.0\"");
  const auto method = json.find("method");
  if (method == json.end() || !method->is_string()) return refuse(kInvalidRequest, "\"method\" is not a text");
  const std::string name = method->get<std::string>();
  const auto row = std::ranges::find_if(kMethods, [&](const MethodRow& each) { return name == each.name; });
  if (row == kMethods.end()) return refuse(kUnknownMethod, "there is no method \"" + name + "\"");
  request.method = row->method;
  const auto params = json.find("params");
  if (params == json.end() || !params->is_object()) return refuse(kBadParams, "\"params\" is not an object");
  if (const std::string wrong = read_params(*params, row->takes, request); !wrong.empty()) return refuse(kBadParams, wrong);
  return request;
}

std::string hello_answer(const std::string& id, const Hello& hello) {
  const Json target = hello.memory_target_bytes ? Json(*hello.memory_target_bytes) : Json(nullptr);
  return line_with_id(id, "result",
                      Json{{"protocol", protocol::kVersion},
                           {"vm", hello.vm},
                           {"state", hello.state},
                           {"simulated", hello.simulated},
                           {"can_save", hello.can_save},
                           {"cannot_save", hello.cannot_save},
                           {"memory_target_bytes", target},
                           {"network_attached", hello.network_attached}});
}

std::string empty_answer(const std::string& id) { return line_with_id(id, "result", Json::object()); }

std::string failure_answer(const std::string& id, const Failure& failure) {
  const Json data{{"code", failure.code}, {"detail", failure.detail}, {"domain", failure.domain}, {"number", failure.number}};
  return line_with_id(id, "error", Json{{"code", kFailed}, {"message", failure.detail}, {"data", data}});
}

std::string too_long_answer() {
  return error_answer("null", kInvalidRequest, "a message is longer than " + std::to_string(protocol::kMaxMessage) + " bytes");
}

std::string state_notification(std::string_view state) { return notification("state", Json{{"state", state}}); }

std::string progress_notification(double fraction) {
  return notification("progress", Json{{"fraction", std::clamp(fraction, 0.0, 1.0)}});
}

std::string network_notification(bool is_attached, const std::string& detail) {
  return notification("network", Json{{"attached", is_attached}, {"detail", detail}});
}

std::string exit_notification(const ExitReport& report) {
  return notification("exit", Json{{"reason", report.reason}, {"detail", report.detail}, {"code", code_of(report)}});
}

} // namespace berth::vz
