// A request as handlers see it: parsed, checked, decoded once, and owner of all its bytes. Knows no socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth::api {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };
std::string_view to_string(Method method);
std::optional<Method> parse_method(std::string_view text); // case-sensitive, as methods are

enum class Role : std::uint8_t {
  kNone,     // a peer that the policy does not know: may call only what Access::kAnyone allows
  kReader,   // reads, streams, but changes nothing
  kOperator, // everything
};
std::string_view to_string(Role role);

// Who is at the other end, from the kernel; of a TCP connection the kernel tells nothing: `is_tcp`, uid of the daemon.
struct Peer {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0; // 0 when unknown
  Role role = Role::kNone;
  bool is_tcp = false;
};

// Header fields in the order of arrival, in one block of memory that is used again for the next request.
class Headers {
public:
  void clear();
  void add(std::string_view name, std::string_view value);
  // The first field of this name in any case. Fields that may stand once only are checked by the parser.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  std::size_t size() const { return fields_.size(); }
  std::pair<std::string_view, std::string_view> at(std::size_t index) const;

private:
  struct Field {
    std::uint32_t name_at, name_size, value_at, value_size;
  };
  std::string text_;
  std::vector<Field> fields_;
};

struct NamedValue {
  std::string name, value;
};

struct Request {
  Method method = Method::kGet; // GET for HEAD too: the server drops the body itself
  bool is_head = false;
  std::string path;                        // as sent, without the query
  std::vector<NamedValue> path_parameters; // by the name in the route's braces, percent-decoded once
  std::vector<NamedValue> query;           // percent-decoded once; a name stands once
  Headers headers;
  std::string body;
  Peer peer;
  std::string request_id; // the client's X-Request-Id or one of ours

  // The decoded value of {name}; empty when the route has no such parameter, which is a bug of the route.
  const std::string& parameter(std::string_view name) const;
  std::optional<std::string_view> header(std::string_view name) const { return headers.find(name); }
  std::optional<std::string_view> query_value(std::string_view name) const;

  // kUnknownField for the first query parameter that is not in `known`.
  Result<void> check_query(std::initializer_list<std::string_view> known) const;
  // A decimal query parameter, nullopt when absent; kInvalidValue when it is no number or out of range.
  Result<std::optional<std::uint64_t>> query_number(std::string_view name, std::uint64_t least, std::uint64_t most) const;
  // "true" or "false"; absent is false.
  Result<bool> query_flag(std::string_view name) const;
  // Seconds of `Prefer: wait=N`, cut to `most`; nullopt when absent. Other preferences are ignored (RFC 7240).
  Result<std::optional<std::uint32_t>> prefer_wait(std::uint32_t most) const;
  // The integer revision of If-Match: "7" in quotes. kPreconditionRequired when absent, kInvalidValue when not of
  // that form; nullopt for "*".
  Result<std::optional<std::uint64_t>> if_match_revision() const;
  // Idempotency-Key, nullopt when absent; kInvalidValue unless it is 1 to 128 visible ASCII characters.
  Result<std::optional<std::string>> idempotency_key() const;
};

} // namespace berth::api
