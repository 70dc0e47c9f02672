// Takes over inherited sockets after looking what they are.
#include "api/inherited.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace berth::api {

namespace {

int socket_option(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

std::string unix_path(const sockaddr_un& address, socklen_t size) {
  const std::size_t offset = offsetof(sockaddr_un, sun_path);
  if (size <= offset) return {};
  return {address.sun_path, ::strnlen(address.sun_path, size - offset)};
}

} // namespace

Result<InheritedSocket> describe_listener(UniqueFd fd) {
  const std::string which = "inherited descriptor " + std::to_string(fd.get());
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
    return fail(ErrorCode::kInvalidValue, which + " is not a socket");
  if (socket_option(fd.get(), SO_TYPE) != SOCK_STREAM) return fail(ErrorCode::kInvalidValue, which + " is not a stream socket");
#ifdef SO_ACCEPTCONN
  if (socket_option(fd.get(), SO_ACCEPTCONN) != 1) return fail(ErrorCode::kInvalidValue, which + " is not listening");
#endif
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  InheritedSocket inherited;
  if (storage.ss_family == AF_UNIX) {
    inherited.address = unix_path(reinterpret_cast<const sockaddr_un&>(storage), size);
    // An abstract socket has no directory that keeps others out (CVE-2020-15257).
    if (inherited.address.empty()) return fail(ErrorCode::kInvalidValue, which + " is a socket without a path");
  } else if (storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
    if (ntohl(address.sin_addr.s_addr) != INADDR_LOOPBACK)
      return fail(ErrorCode::kInvalidValue, which + " does not listen on 127.0.0.1");
    inherited.kind = ListenerKind::kTcp;
    inherited.port = ntohs(address.sin_port);
    inherited.address = "127.0.0.1:" + std::to_string(inherited.port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage);
    if (!IN6_IS_ADDR_LOOPBACK(&address.sin6_addr)) return fail(ErrorCode::kInvalidValue, which + " does not listen on ::1");
    inherited.kind = ListenerKind::kTcp;
    inherited.port = ntohs(address.sin6_port);
    inherited.address = "[::1]:" + std::to_string(inherited.port);
  } else {
    return fail(ErrorCode::kInvalidValue, which + " is neither a Unix nor a TCP socket");
  }
  inherited.socket = std::move(fd);
  return inherited;
}

Result<std::vector<InheritedSocket>> take_inherited() {
  auto descriptors = take_descriptors();
  if (!descriptors) return std::unexpected(std::move(descriptors.error()));
  std::vector<InheritedSocket> sockets;
  for (UniqueFd& each : *descriptors) {
    auto inherited = describe_listener(std::move(each));
    if (!inherited) return std::unexpected(std::move(inherited.error()));
    sockets.push_back(std::move(*inherited));
  }
  return sockets;
}

} // namespace berth::api
