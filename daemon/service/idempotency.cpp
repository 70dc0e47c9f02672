// Keys of the last day. They are written with the intent of their request, in the same transaction.
#include "daemon/service/idempotency.hpp"

#include <algorithm>

namespace berth {

namespace {

constexpr std::chrono::hours kKeep{24};
constexpr std::size_t kMost = 10'000;

} // namespace

void IdempotencyTable::restore(std::vector<IdempotencyRecord> records) {
  for (auto& record : records) {
    Key key{record.uid, record.key};
    records_[std::move(key)] = std::move(record);
  }
  forget_old();
}

void IdempotencyTable::forget_old() {
  const Timestamp oldest = context_.loop.now() - kKeep;
  Transaction transaction;
  for (auto entry = records_.begin(); entry != records_.end();) {
    if (!entry->second.location.empty() && entry->second.created_at < oldest) {
      transaction.writes.emplace_back(DeleteIdempotency{entry->first.first, entry->first.second});
      entry = records_.erase(entry);
    } else {
      ++entry;
    }
  }
  if (!transaction.writes.empty())
    context_.tasks.spawn("forget idempotency keys", context_.ledger.record(std::move(transaction)));
}

Task<Result<std::optional<IdempotencyRecord>>> IdempotencyTable::begin(std::uint32_t uid, std::string key,
                                                                       std::string fingerprint) {
  const Key full{uid, key};
  for (;;) {
    const auto found = records_.find(full);
    if (found == records_.end()) break;
    if (found->second.fingerprint != fingerprint)
      co_return fail(ErrorCode::kIdempotencyKeyReused, "the Idempotency-Key was used for another request");
    if (!found->second.location.empty()) co_return found->second;
    co_await wait_for(context_.loop, ended_, Duration{60'000});
  }
  if (records_.size() >= kMost) {
    forget_old();
    if (records_.size() >= kMost)
      co_return fail(ErrorCode::kTooManyRequests, "too many idempotency keys of the last day are kept");
  }
  IdempotencyRecord record;
  record.uid = uid;
  record.key = std::move(key);
  record.fingerprint = std::move(fingerprint);
  record.created_at = context_.loop.now();
  records_[full] = std::move(record);
  co_return std::nullopt;
}

void IdempotencyTable::end(const IdempotencyRecord& record, std::string location) {
  const auto found = records_.find({record.uid, record.key});
  if (found == records_.end()) return;
  if (location.empty())
    records_.erase(found);
  else
    found->second.location = std::move(location);
  ended_.notify();
}

} // namespace berth
