// Idempotency-Key: a POST that is sent again gets the answer of the first one, and does nothing a second time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "daemon/service/context.hpp"

namespace berth {

class IdempotencyTable {
public:
  explicit IdempotencyTable(Context& context) : context_(context) {}

  void restore(std::vector<IdempotencyRecord> records);

  // Waits while the same key of the same user is being answered. Then: the earlier record, when its request was the same
  // (kIdempotencyKeyReused when not), or nullopt: the caller goes first, and must call end().
  Task<Result<std::optional<IdempotencyRecord>>> begin(std::uint32_t uid, std::string key, std::string fingerprint);
  // `location` of what the request made; empty when it failed and may be tried again.
  void end(const IdempotencyRecord& record, std::string location);

private:
  using Key = std::pair<std::uint32_t, std::string>;
  void forget_old();

  Context& context_;
  std::map<Key, IdempotencyRecord> records_; // location empty: being answered
  Signal ended_;
};

} // namespace berth
