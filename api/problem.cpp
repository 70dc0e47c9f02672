// The switch from codes to HTTP, and the document.
#include "api/problem.hpp"

#include "api/json_writer.hpp"

namespace berth::api {

ProblemKind problem_kind(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMalformedRequest: return {400, "Malformed request"};
    case ErrorCode::kMalformedJson: return {400, "Malformed JSON"};
    case ErrorCode::kUnknownField: return {400, "Unknown field"};
    case ErrorCode::kInvalidValue: return {422, "Invalid value"};
    case ErrorCode::kUnsupportedMediaType: return {415, "Unsupported media type"};
    case ErrorCode::kPayloadTooLarge: return {413, "Payload too large"};
    case ErrorCode::kHeaderTooLarge: return {431, "Header too large"};
    case ErrorCode::kUriTooLong: return {414, "URI too long"};
    case ErrorCode::kRequestTimeout: return {408, "Request timeout"};
    case ErrorCode::kTooManyRequests: return {429, "Too many requests"};
    case ErrorCode::kMethodNotAllowed: return {405, "Method not allowed"};
    case ErrorCode::kNotFound: return {404, "Not found"};
    case ErrorCode::kNotImplemented: return {501, "Not implemented"};
    case ErrorCode::kUnauthorized: return {401, "Unauthorized"};
    case ErrorCode::kPermissionDenied: return {403, "Permission denied"};
    case ErrorCode::kHostNotAllowed: return {403, "Host not allowed"};
    case ErrorCode::kOriginNotAllowed: return {403, "Origin not allowed"};
    case ErrorCode::kPathNotAllowed: return {403, "Path not allowed"};
    case ErrorCode::kPreconditionFailed: return {412, "Precondition failed"};
    case ErrorCode::kPreconditionRequired: return {428, "Precondition required"};
    case ErrorCode::kIdempotencyKeyReused: return {422, "Idempotency key reused"};
    case ErrorCode::kStateConflict: return {409, "State conflict"};
    case ErrorCode::kOperationInProgress: return {409, "Operation in progress"};
    case ErrorCode::kNameInUse: return {409, "Name in use"};
    case ErrorCode::kMachineIdInUse: return {409, "Machine identifier in use"};
    case ErrorCode::kMachineIdAltered: return {409, "Machine identifier altered"};
    case ErrorCode::kMachineIdCarried: return {409, "Machine identifier carried"};
    case ErrorCode::kMacInUse: return {409, "MAC address in use"};
    case ErrorCode::kQuotaExceeded: return {409, "Quota exceeded"};
    case ErrorCode::kQuotaHeldElsewhere: return {409, "Quota held elsewhere"};
    case ErrorCode::kBundleInUse: return {409, "Bundle in use"};
    case ErrorCode::kImageInUse: return {409, "Image in use"};
    case ErrorCode::kImageInvalid: return {422, "Image invalid"};
    case ErrorCode::kBundleInvalid: return {422, "Bundle invalid"};
    case ErrorCode::kNothingToBoot: return {409, "Nothing to boot"};
    case ErrorCode::kAlreadyFinished: return {409, "Already finished"};
    case ErrorCode::kInsufficientMemory: return {507, "Insufficient memory"};
    case ErrorCode::kInsufficientDisk: return {507, "Insufficient disk"};
    case ErrorCode::kStorageFailed: return {507, "Storage failed"};
    case ErrorCode::kDriverUnavailable: return {422, "Driver unavailable"};
    case ErrorCode::kMachineFailed: return {502, "Machine failed"};
    case ErrorCode::kMachineUnreachable: return {504, "Machine unreachable"};
    case ErrorCode::kNetworkUnavailable: return {409, "Network unavailable"};
    case ErrorCode::kDeadlineExceeded: return {504, "Deadline exceeded"};
    case ErrorCode::kHostKeyUnavailable: return {409, "Host key unavailable"};
    case ErrorCode::kEntitlementMissing: return {422, "Entitlement missing"};
    case ErrorCode::kRestoreImageTooNew: return {422, "Restore image too new"};
    case ErrorCode::kInstallFailed: return {502, "Installation failed"};
    case ErrorCode::kSaveFailed: return {502, "Save failed"};
    case ErrorCode::kRestoreFailed: return {409, "Restore failed"};
    case ErrorCode::kUnsupported: return {422, "Unsupported"};
    case ErrorCode::kCancelled: return {409, "Cancelled"};
    case ErrorCode::kInterrupted: return {500, "Interrupted"};
    case ErrorCode::kStarting: return {503, "Starting"};
    case ErrorCode::kShuttingDown: return {503, "Shutting down"};
    case ErrorCode::kInternal: return {500, "Internal error"};
  }
  return {500, "Internal error"};
}

namespace {

const std::vector<std::string>* values_of(const Error& error, std::string_view key) {
  for (const ErrorContext& each : error.context)
    if (each.key == key) return &each.values;
  return nullptr;
}

// Two lists beside each other as [{first: …, second: …}]; a missing second is "".
void write_pairs(JsonWriter& json, std::string_view member, const std::vector<std::string>& firsts, std::string_view first_name,
                 const std::vector<std::string>* seconds, std::string_view second_name) {
  json.key(member).begin_array();
  for (std::size_t index = 0; index < firsts.size(); ++index) {
    json.begin_object().field(first_name, firsts[index]);
    json.field(second_name, seconds != nullptr && index < seconds->size() ? (*seconds)[index] : std::string{});
    json.end_object();
  }
  json.end_array();
}

void write_context(JsonWriter& json, const Error& error) {
  for (const auto& [key, values] : error.context) {
    if (key == "holder_names" || key == "field_details") continue;
    if (key == "holders") {
      write_pairs(json, key, values, "id", values_of(error, "holder_names"), "name");
    } else if (key == "fields") {
      write_pairs(json, key, values, "field", values_of(error, "field_details"), "detail");
    } else if (key == "state") {
      json.field(key, values.empty() ? std::string{} : values.front());
    } else {
      json.key(key).begin_array();
      for (const std::string& value : values) json.value(value);
      json.end_array();
    }
  }
}

} // namespace

std::string problem_json(const Error& error, std::string_view request_id, std::string_view operation) {
  const ProblemKind kind = problem_kind(error.code);
  const std::string_view code = to_string(error.code);
  JsonWriter json;
  json.begin_object()
      .field("type", "urn:berth:problem:" + std::string{code})
      .field("title", kind.title)
      .field("status", kind.status);
  json.field("code", code).field("detail", error.detail);
  if (!error.subject.empty()) json.field("subject", error.subject);
  if (!request_id.empty()) json.field("request_id", request_id);
  if (!operation.empty()) json.field("operation", operation);
  write_context(json, error);
  json.end_object();
  return json.take();
}

Response problem(const Error& error, std::string_view request_id, std::string_view operation) {
  const int status = problem_kind(error.code).status;
  Response response = Response::of(status, "application/problem+json", problem_json(error, request_id, operation));
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

} // namespace berth::api
