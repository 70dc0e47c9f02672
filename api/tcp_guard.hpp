// What stands before every request on a TCP listener: Host, Origin, Sec-Fetch-Site, bearer token. Keeps web pages and
// other users of the host out.
#pragma once

#include <string>
#include <vector>

#include "api/request.hpp"
#include "api/server.hpp"

namespace berth::api {

// The one line of the token file. kPermissionDenied when others may read it, kInvalidValue when it holds no token.
Result<std::string> read_token(const std::string& path);

class TcpGuard {
public:
  TcpGuard(std::uint16_t port, std::string token, std::vector<std::string> allowed_origins);
  // Nothing when the request may pass. The same on every method and on WebSockets.
  Result<void> check(const Request& request) const;

private:
  std::vector<std::string> hosts_;
  std::string token_;
  std::vector<std::string> origins_;
};

} // namespace berth::api
