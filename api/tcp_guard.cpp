// The TCP listener's checks.
#include "api/tcp_guard.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

namespace {

constexpr std::size_t kLeastToken = 32, kMostToken = 4096;

// Takes the same time wherever the texts differ.
bool same_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t index = 0; index < secret.size(); ++index) {
    const char c = given.empty() ? '\0' : given[index % given.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(c) ^ static_cast<unsigned char>(secret[index]));
  }
  return difference == 0;
}

std::string lowered(std::string_view text) {
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

} // namespace

Result<std::string> read_token(const std::string& path) {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return fail(ErrorCode::kInvalidValue, "the token file cannot be opened: " + path, path);
  if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0 || status.st_uid != ::geteuid())
    return fail(ErrorCode::kPermissionDenied, "the token file must be a file of this user with mode 0600: " + path, path);
  std::string token(kMostToken, '\0');
  const ssize_t size = ::read(fd.get(), token.data(), token.size());
  token.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.size() < kLeastToken || !std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; }))
    return fail(ErrorCode::kInvalidValue, "the token file must hold one line of at least 32 visible characters: " + path, path);
  return token;
}

TcpGuard::TcpGuard(std::uint16_t port, std::string token, std::vector<std::string> allowed_origins)
    : token_(std::move(token)), origins_(std::move(allowed_origins)) {
  for (const char* name : {"localhost", "127.0.0.1", "[::1]"}) hosts_.push_back(name + (":" + std::to_string(port)));
}

Result<void> TcpGuard::check(const Request& request) const {
  const auto host = request.header("Host");
  if (!host || std::ranges::find(hosts_, lowered(*host)) == hosts_.end())
    return fail(ErrorCode::kHostNotAllowed, "Host must be localhost, 127.0.0.1 or [::1] with the port of this listener");
  if (request.headers.count("Origin") > 1 || request.headers.count("Authorization") > 1)
    return fail(ErrorCode::kMalformedRequest, "Origin or Authorization stands twice");
  const auto origin = request.header("Origin");
  const bool is_listed = origin && std::ranges::find(origins_, *origin) != origins_.end();
  if (origin && !is_listed) return fail(ErrorCode::kOriginNotAllowed, "requests of this Origin are not allowed");
  const auto site = request.header("Sec-Fetch-Site");
  if (site && *site != "same-origin" && *site != "none" && !is_listed)
    return fail(ErrorCode::kOriginNotAllowed, "cross-site requests of a browser are not allowed");
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view given = request.header("Authorization").value_or("");
  const bool has_scheme = given.size() > kScheme.size() && lowered(given.substr(0, kScheme.size())) == kScheme;
  if (!has_scheme || !same_secret(given.substr(kScheme.size()), token_))
    return fail(ErrorCode::kUnauthorized, "the bearer token is missing or wrong");
  return {};
}

} // namespace berth::api
