// The one error type of berth and its frozen list of codes. Holds no HTTP: api/problem.cpp maps codes to statuses.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

// Frozen: a code never changes its meaning and is never removed. openapi.yaml lists the same names, and a test
// holds the two together. The comment says when to choose a code over its neighbours.
enum class ErrorCode : std::uint8_t {
  // The request could not be read.
  kMalformedRequest,     // HTTP framing or header rules broken; the connection closes afterwards
  kMalformedJson,        // the body is not JSON, too deep, has duplicate keys or bad UTF-8
  kUnknownField,         // a field or query parameter that this route does not know
  kInvalidValue,         // readable, known, but not a value that can be: wrong type, out of range
  kUnsupportedMediaType, // a body that does not say application/json
  kPayloadTooLarge,
  kHeaderTooLarge,
  kUriTooLong,
  kRequestTimeout,   // the client did not send its request in time
  kTooManyRequests,  // a bound on connections, streams or queued work of this caller is reached
  kMethodNotAllowed, // the route exists, the method does not
  kNotFound,         // the route or the named thing does not exist
  kNotImplemented,   // a transfer coding or an HTTP feature that berth refuses

  // Who asks.
  kUnauthorized,     // TCP listener: bearer token missing or wrong
  kPermissionDenied, // this uid has no role, or a reader asks for a change
  kHostNotAllowed,   // Host header outside the allow-list
  kOriginNotAllowed, // a browser's cross-site request
  kPathNotAllowed,   // a path outside the allowed roots, or one that goes through a link

  // Preconditions of one request.
  kPreconditionFailed,   // If-Match names another revision
  kPreconditionRequired, // PATCH without If-Match
  kIdempotencyKeyReused, // same key, other request

  // Conflicts with the present state; each names the holder.
  kStateConflict,       // the VM's state does not allow the action
  kOperationInProgress, // another operation holds the VM
  kNameInUse,
  kMachineIdInUse,     // another active VM carries this machine identifier
  kMachineIdAltered,   // the bundle's identity is not the ledger's; repair puts it back
  kMachineIdCarried,   // a VM carries this machine identifier: it is not deleted, nor imported again unless shared on purpose
  kMacInUse,           // another active VM of the same network has this MAC address
  kQuotaExceeded,      // every berth is taken by VMs of this daemon
  kQuotaHeldElsewhere, // a berth is free in the ledger, but the host refuses: another program holds it
  kBundleInUse,        // another process holds the disk or the bundle
  kImageInUse,         // an image cannot be deleted while a VM boots from it
  kImageInvalid,       // not an image of the said kind, truncated or hostile
  kBundleInvalid,      // an import or a restore found a broken bundle
  kNothingToBoot,      // a start of a VM that has neither kernel, nor firmware disk
  kAlreadyFinished,    // cancel of an operation that has ended

  // Room and storage.
  kInsufficientMemory, // the host has not enough memory for this guest
  kInsufficientDisk,   // checked before anything is written
  kStorageFailed,      // the store or a file could not be written: disk full or I/O error

  // The machine below.
  kDriverUnavailable,  // this host has no driver for the guest
  kMachineFailed,      // the VM process refused or broke
  kMachineUnreachable, // the VM process is silent; nothing is assumed about the guest
  kNetworkUnavailable, // the wanted network cannot be made on this host, or a server cannot be reached or used
  kDeadlineExceeded,   // the thing did not happen in the time given
  kHostKeyUnavailable, // the host has no key for guests now: log in, or unlock the login keychain
  kEntitlementMissing, // berth-machine is not signed as the framework wants it
  kRestoreImageTooNew, // the host must be updated before it can install this image
  kInstallFailed,      // the installer gave up; the detail has its reason
  kSaveFailed,         // the machine could not save its state, and is still there
  kRestoreFailed,      // the saved state does not fit the machine or the host; a cold start discards it on request
  kUnsupported,        // this driver or host lacks the feature; the detail names it

  // Ends of operations.
  kCancelled,
  kInterrupted, // the daemon ended in the middle; the state was put right at the next start

  // The daemon itself.
  kStarting,
  kShuttingDown,
  kInternal, // a bug of ours
};

// snake_case name as it stands in the API, without the k.
std::string_view to_string(ErrorCode code);

// Every code, for tests and for the contract.
const std::vector<ErrorCode>& all_error_codes();

// A further member of the problem document: what holds the thing, which actions are allowed.
struct ErrorContext {
  std::string key;
  std::vector<std::string> values;
};

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string detail;  // one lower-case sentence that names the thing
  std::string subject; // id or name of the thing it is about, may be empty
  std::vector<ErrorContext> context;

  Error() = default;
  Error(ErrorCode c, std::string d, std::string s = {}) : code(c), detail(std::move(d)), subject(std::move(s)) {}

  Error&& with(std::string key, std::vector<std::string> values) && {
    context.push_back({std::move(key), std::move(values)});
    return std::move(*this);
  }
};

template <class T>
using Result = std::expected<T, Error>;

// Short form of std::unexpected(Error{…}).
inline std::unexpected<Error> fail(ErrorCode code, std::string detail, std::string subject = {}) {
  return std::unexpected(Error{code, std::move(detail), std::move(subject)});
}

} // namespace berth
