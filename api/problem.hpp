// Errors as application/problem+json: the one switch from codes to HTTP statuses.
#pragma once

#include <string>
#include <string_view>

#include "api/response.hpp"
#include "daemon/core/error.hpp"

namespace berth::api {

struct ProblemKind {
  int status;
  std::string_view title;
};

// Every code, without a default: a new code does not compile until it has a status.
ProblemKind problem_kind(ErrorCode code);

// The document alone, for an operation's "error" member. Context members: "state" is a string; "holders" with
// "holder_names" becomes [{"id","name"}], "fields" with "field_details" becomes [{"field","detail"}]; every other key
// is an array of strings. Empty `request_id` and `operation` are left out.
std::string problem_json(const Error& error, std::string_view request_id = {}, std::string_view operation = {});

// The answer, with Retry-After and WWW-Authenticate where the status asks for them.
Response problem(const Error& error, std::string_view request_id = {}, std::string_view operation = {});
inline Response problem(const Error& error, const Request& request, std::string_view operation = {}) {
  return problem(error, request.request_id, operation);
}

} // namespace berth::api
