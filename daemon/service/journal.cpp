// The ring of recent events.
#include "daemon/service/journal.hpp"

#include <algorithm>

namespace berth {

void Journal::restore(std::vector<Event> recent, std::uint64_t last_sequence) {
  for (Event& event : recent) entries_.push_back({std::move(event), nullptr});
  last_sequence_ = last_sequence;
}

void Journal::publish(std::vector<Event> events) {
  if (events.empty()) return;
  for (Event& event : events) {
    last_sequence_ = event.sequence;
    entries_.push_back({std::move(event), nullptr});
  }
  while (entries_.size() > keep_) entries_.pop_front();
  grown_.notify();
}

std::vector<JournalEntry*> Journal::after(std::uint64_t sequence, std::size_t limit) {
  std::vector<JournalEntry*> found;
  auto entry = std::ranges::upper_bound(entries_, sequence, {}, [](const JournalEntry& each) { return each.event.sequence; });
  for (; entry != entries_.end() && found.size() < limit; ++entry) found.push_back(&*entry);
  return found;
}

} // namespace berth
