// /v1/events: the journal as server-sent events. A subscriber takes up where it left off; the one that is too slow is
// cut off and does so.
#include <algorithm>
#include <charconv>

#include "api/answer.hpp"

namespace berth::api {

namespace {

constexpr Duration kHeartbeat{15'000};
constexpr std::size_t kBatch = 256;

struct Subscription {
  std::uint64_t after = 0;
  std::vector<std::string> types; // prefixes; none: all
};

// Last-Event-ID is what a browser sends when it connects again, so it wins over the address it was given.
Result<Subscription> subscription_of(Api& api, const Request& request) {
  if (auto known = request.check_query({"after", "type"}); !known) return std::unexpected(known.error());
  Subscription subscription{api.harbour.journal().last_sequence(), {}};
  const auto after = request.query_number("after", 0, UINT64_MAX);
  if (!after) return std::unexpected(after.error());
  if (*after) subscription.after = **after;
  if (const auto last = request.header("Last-Event-ID")) {
    const auto [end, error] = std::from_chars(last->data(), last->data() + last->size(), subscription.after);
    if (error != std::errc{} || end != last->data() + last->size())
      return fail(ErrorCode::kInvalidValue, "Last-Event-ID is not a number", "Last-Event-ID");
  }
  for (const NamedValue& each : request.query)
    if (each.name == "type") subscription.types.push_back(each.value);
  return subscription;
}

bool is_wanted(const Subscription& subscription, const Event& event) {
  return subscription.types.empty() ||
         std::ranges::any_of(subscription.types, [&](const std::string& prefix) { return event.type.starts_with(prefix); });
}

std::string text_of(const Event& event) {
  return "id: " + std::to_string(event.sequence) + "\nevent: " + event.type + "\ndata: " + event_json(event) + "\n\n";
}

// Sends what is older than memory, out of the store. False when the stream has ended.
Task<bool> send_stored(Api& api, std::shared_ptr<EventStream> stream, std::shared_ptr<Subscription> subscription) {
  const auto oldest = co_await api.harbour.store().oldest_event();
  if (!oldest) co_return false;
  if (*oldest > subscription->after + 1) {
    // Also when the number is from another journal's future: nothing is made up.
    const std::string gap = "event: gap\ndata: {\"after\":" + std::to_string(subscription->after) +
                            ",\"oldest\":" + std::to_string(*oldest) + "}\n\n";
    if (!stream->send(gap)) co_return false;
    subscription->after = *oldest - 1;
  }
  while (subscription->after + 1 < api.harbour.journal().first_in_memory()) {
    const auto events = co_await api.harbour.store().events_after(subscription->after, kBatch);
    if (!events || events->empty()) co_return events.has_value();
    for (const Event& event : *events) {
      subscription->after = event.sequence;
      if (is_wanted(*subscription, event) && !stream->send(text_of(event))) co_return false;
    }
    if (!co_await stream->ready()) co_return false;
  }
  co_return true;
}

// Everything that memory has after the subscriber's place. The text is made once for all subscribers.
bool send_recent(Journal& journal, EventStream& stream, Subscription& subscription) {
  for (JournalEntry* entry : journal.after(subscription.after, kBatch)) {
    subscription.after = entry->event.sequence;
    if (!is_wanted(subscription, entry->event)) continue;
    if (!entry->text) entry->text = std::make_shared<const std::string>(text_of(entry->event));
    if (!stream.send(*entry->text)) return false;
  }
  return true;
}

Task<void> follow(Api& api, Request request, std::shared_ptr<EventStream> stream) {
  auto parsed = subscription_of(api, request);
  if (!parsed) co_return;
  const auto subscription = std::make_shared<Subscription>(std::move(*parsed));
  Journal& journal = api.harbour.journal();
  if (subscription->after > journal.last_sequence()) {
    const std::string gap = "event: gap\ndata: {\"after\":" + std::to_string(subscription->after) +
                            ",\"oldest\":" + std::to_string(journal.first_in_memory()) + "}\n\n";
    subscription->after = journal.last_sequence();
    if (!stream->send(gap)) co_return;
  }
  if (!stream->send(": berth\n\n")) co_return; // the head goes out at once
  while (stream->is_open()) {
    if (subscription->after + 1 < journal.first_in_memory())
      if (!co_await send_stored(api, stream, subscription)) co_return;
    if (!send_recent(journal, *stream, *subscription)) co_return;
    if (subscription->after < journal.last_sequence()) {
      if (!co_await stream->ready()) co_return;
      continue;
    }
    auto [resolver, pending] = one_shot<bool>();
    journal.grown().listen(resolver);
    stream->closed().listen(resolver);
    const Registration timer = api.loop().after(kHeartbeat, [resolver] { resolver(false); });
    const bool has_news = co_await std::move(pending);
    if (!has_news && stream->is_open() && !stream->send(": heartbeat\n\n")) co_return;
  }
}

} // namespace

void add_event_routes(Router& router, Api& api) {
  const auto check = [&api](const Request& request) -> std::optional<Response> {
    const auto subscription = subscription_of(api, request);
    if (!subscription) return refuse(subscription.error(), request);
    return std::nullopt;
  };
  router.add_stream("/v1/events", Access::kReader, check, [&api](Request request, std::shared_ptr<EventStream> stream) {
    return follow(api, std::move(request), std::move(stream));
  });
}

} // namespace berth::api
