// Why something did not work, as berth-machine tells it: one of berth's codes, a sentence, and the framework's own number.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

#include "daemon/core/error.hpp"

namespace berth::vz {

struct Failure {
  std::string code;   // a code of daemon/core/error.hpp as the API writes it
  std::string detail; // one lower-case sentence that says what to do
  std::string domain; // the framework's error domain, empty when the failure is ours
  std::int64_t number = 0;

  Failure(std::string c, std::string d, std::string where = {}, std::int64_t n = 0)
      : code(std::move(c)), detail(std::move(d)), domain(std::move(where)), number(n) {}
  Failure(const Error& error) : code(to_string(error.code)), detail(error.detail) {} // NOLINT: every Error is a Failure
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(std::string code, std::string detail) {
  return std::unexpected(Failure{std::move(code), std::move(detail)});
}

} // namespace berth::vz
