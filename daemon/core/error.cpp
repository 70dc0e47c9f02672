// Names of the error codes.
#include "daemon/core/error.hpp"

namespace berth {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kMalformedRequest: return "malformed_request";
    case ErrorCode::kMalformedJson: return "malformed_json";
    case ErrorCode::kUnknownField: return "unknown_field";
    case ErrorCode::kInvalidValue: return "invalid_value";
    case ErrorCode::kUnsupportedMediaType: return "unsupported_media_type";
    case ErrorCode::kPayloadTooLarge: return "payload_too_large";
    case ErrorCode::kHeaderTooLarge: return "header_too_large";
    case ErrorCode::kUriTooLong: return "uri_too_long";
    case ErrorCode::kRequestTimeout: return "request_timeout";
    case ErrorCode::kTooManyRequests: return "too_many_requests";
    case ErrorCode::kMethodNotAllowed: return "method_not_allowed";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kNotImplemented: return "not_implemented";
    case ErrorCode::kUnauthorized: return "unauthorized";
    case ErrorCode::kPermissionDenied: return "permission_denied";
    case ErrorCode::kHostNotAllowed: return "host_not_allowed";
    case ErrorCode::kOriginNotAllowed: return "origin_not_allowed";
    case ErrorCode::kPathNotAllowed: return "path_not_allowed";
    case ErrorCode::kPreconditionFailed: return "precondition_failed";
    case ErrorCode::kPreconditionRequired: return "precondition_required";
    case ErrorCode::kIdempotencyKeyReused: return "idempotency_key_reused";
    case ErrorCode::kStateConflict: return "state_conflict";
    case ErrorCode::kOperationInProgress: return "operation_in_progress";
    case ErrorCode::kNameInUse: return "name_in_use";
    case ErrorCode::kMachineIdInUse: return "machine_id_in_use";
    case ErrorCode::kMachineIdAltered: return "machine_id_altered";
    case ErrorCode::kMachineIdCarried: return "machine_id_carried";
    case ErrorCode::kMacInUse: return "mac_in_use";
    case ErrorCode::kQuotaExceeded: return "quota_exceeded";
    case ErrorCode::kQuotaHeldElsewhere: return "quota_held_elsewhere";
    case ErrorCode::kBundleInUse: return "bundle_in_use";
    case ErrorCode::kImageInUse: return "image_in_use";
    case ErrorCode::kImageInvalid: return "image_invalid";
    case ErrorCode::kBundleInvalid: return "bundle_invalid";
    case ErrorCode::kNothingToBoot: return "nothing_to_boot";
    case ErrorCode::kAlreadyFinished: return "already_finished";
    case ErrorCode::kInsufficientMemory: return "insufficient_memory";
    case ErrorCode::kInsufficientDisk: return "insufficient_disk";
    case ErrorCode::kStorageFailed: return "storage_failed";
    case ErrorCode::kDriverUnavailable: return "driver_unavailable";
    case ErrorCode::kMachineFailed: return "machine_failed";
    case ErrorCode::kMachineUnreachable: return "machine_unreachable";
    case ErrorCode::kNetworkUnavailable: return "network_unavailable";
    case ErrorCode::kDeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::kHostKeyUnavailable: return "host_key_unavailable";
    case ErrorCode::kEntitlementMissing: return "entitlement_missing";
    case ErrorCode::kRestoreImageTooNew: return "restore_image_too_new";
    case ErrorCode::kInstallFailed: return "install_failed";
    case ErrorCode::kSaveFailed: return "save_failed";
    case ErrorCode::kRestoreFailed: return "restore_failed";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInterrupted: return "interrupted";
    case ErrorCode::kStarting: return "starting";
    case ErrorCode::kShuttingDown: return "shutting_down";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

const std::vector<ErrorCode>& all_error_codes() {
  static const std::vector<ErrorCode> codes = [] {
    std::vector<ErrorCode> all;
    for (int value = 0; value <= static_cast<int>(ErrorCode::kInternal); ++value) all.push_back(static_cast<ErrorCode>(value));
    return all;
  }();
  return codes;
}

} // namespace berth
