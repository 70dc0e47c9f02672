// Events after their commit: the newest in memory, the older ones in the store, a signal for those who follow.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "daemon/core/event.hpp"
#include "daemon/runtime/task.hpp"
#include "daemon/store/store.hpp"

namespace berth {

// An event, and what the API made of it once for all subscribers.
struct JournalEntry {
  Event event;
  std::shared_ptr<const std::string> text;
};

class Journal {
public:
  explicit Journal(std::size_t keep) : keep_(keep) {}

  // At start: what the store loaded.
  void restore(std::vector<Event> recent, std::uint64_t last_sequence);
  // In the order of sequence numbers.
  void publish(std::vector<Event> events);

  std::uint64_t last_sequence() const { return last_sequence_; }
  // The oldest event in memory; one more than the last when there is none.
  std::uint64_t first_in_memory() const { return entries_.empty() ? last_sequence_ + 1 : entries_.front().event.sequence; }
  // Events in memory after `sequence`; the caller has looked at first_in_memory.
  std::vector<JournalEntry*> after(std::uint64_t sequence, std::size_t limit);
  Signal& grown() { return grown_; }

private:
  std::size_t keep_;
  std::deque<JournalEntry> entries_;
  std::uint64_t last_sequence_ = 0;
  Signal grown_;
};

} // namespace berth
