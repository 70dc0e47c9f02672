// Turns, retries, threads.
#include "daemon/service/downloads.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace berth {

namespace {

constexpr Duration kLongestPause{60'000};
constexpr Duration kLongWait{3'600'000};
constexpr std::uint64_t kWorthwhile = 1ULL << 20; // an attempt that brings so much begins the count of retries anew

// "1.2 GB": as download speeds are told, by powers of ten.
std::string size_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  std::uint64_t tenths = bytes * 10;
  for (; tenths >= 10'000 && unit + 1 < std::size(kUnits); ++unit) tenths /= 1000;
  const std::string whole = std::to_string(tenths / 10);
  return (unit == 0 ? whole : whole + "." + std::to_string(tenths % 10)) + " " + kUnits[unit];
}

std::string step_text(const DownloadProgress& progress) {
  return "downloading: " + size_text(progress.done) + " of " + size_text(progress.total) + ", " +
         size_text(progress.bytes_per_second) + "/s";
}

} // namespace

// Shared with threads and with coroutines: both may outlive the object that began them.
struct Downloads::State {
  std::atomic<bool> is_stopping{false};
  // The rest is of the core thread.
  std::list<std::pair<OperationId, std::string>> queue; // who waits for which file, first come first
  std::set<std::string> running;                        // files
  std::map<std::uint64_t, std::thread> threads;
  std::uint64_t next_thread = 0;

  void join(std::uint64_t number) {
    const auto found = threads.find(number);
    if (found == threads.end()) return;
    found->second.join();
    threads.erase(found);
  }
};

// Invariant: while it lives, nobody else fetches its file, and it counts.
class Downloads::Turn {
public:
  Turn(std::shared_ptr<State> state, World& world, std::string file)
      : state_(std::move(state)), world_(world), file_(std::move(file)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    state_->running.erase(file_);
    if (state_->is_stopping) return;
    for (const auto& id : std::vector(state_->queue.begin(), state_->queue.end()))
      if (const OperationHandle waiting = world_.operation(id.first)) waiting->changed.notify();
  }

private:
  std::shared_ptr<State> state_;
  World& world_;
  std::string file_;
};

Downloads::Downloads(Context& context, OperationService& operations, DownloadOptions options)
    : context_(context), operations_(operations), options_(options), state_(std::make_shared<State>()) {}

Downloads::~Downloads() {
  state_->is_stopping = true;
  for (auto& [number, thread] : state_->threads) thread.join();
  state_->threads.clear();
}

void Downloads::stop() {
  state_->is_stopping = true;
  for (const OperationId& id : std::vector(context_.world.operation_order.begin(), context_.world.operation_order.end()))
    if (const OperationHandle operation = context_.world.operation(id); operation && !is_finished(operation->record.state))
      operation->changed.notify();
}

Result<void> Downloads::judge_end(const OperationControl& control) const {
  if (state_->is_stopping) return fail(ErrorCode::kInterrupted, "the daemon is stopping");
  if (control.is_cancelled) return fail(ErrorCode::kCancelled, "the download was cancelled");
  return {};
}

Task<Result<std::shared_ptr<const void>>> Downloads::turn(std::shared_ptr<OperationControl> control, std::filesystem::path path) {
  const std::string file = path.string();
  const OperationHandle operation = context_.world.operation(control->id);
  const auto place = state_->queue.emplace(state_->queue.end(), control->id, file);
  // Free for this one, and nobody before it could take it.
  const auto is_mine = [&] {
    if (state_->running.size() >= options_.at_once || state_->running.contains(file)) return false;
    return std::none_of(state_->queue.begin(), place, [&](const auto& each) { return !state_->running.contains(each.second); });
  };
  Result<void> ended = judge_end(*control);
  if (ended && !is_mine()) operations_.progress(control->id, 0, "waiting for other downloads");
  while (ended && !is_mine()) {
    co_await wait_for(context_.loop, operation->changed, kLongWait);
    ended = judge_end(*control);
  }
  state_->queue.erase(place);
  if (!ended) co_return std::unexpected(ended.error());
  state_->running.insert(file);
  co_return std::make_shared<const Turn>(state_, context_.world, file);
}

Task<Result<void>> Downloads::pause(std::shared_ptr<OperationControl> control, Duration length) {
  const OperationHandle operation = context_.world.operation(control->id);
  const SteadyTime end = context_.loop.steady_now() + length;
  for (;;) {
    if (auto ended = judge_end(*control); !ended) co_return ended;
    const auto left = std::chrono::ceil<Duration>(end - context_.loop.steady_now());
    if (left <= Duration{0}) co_return Result<void>{};
    co_await wait_for(context_.loop, operation->changed, left);
  }
}

Pending<Result<void>> Downloads::attempt(std::shared_ptr<OperationControl> control, std::shared_ptr<Download> download) {
  auto [resolver, pending] = one_shot<Result<void>>();
  DownloadWatch watch;
  watch.is_stopped = [control, state = state_] { return control->is_cancelled || state->is_stopping; };
  watch.progress = [this, id = control->id, loop = &context_.loop](const DownloadProgress& progress) {
    const double fraction = progress.total == 0 ? 0 : static_cast<double>(progress.done) / static_cast<double>(progress.total);
    loop->post([this, id, fraction, step = step_text(progress)] { operations_.progress(id, fraction, step); });
  };
  const std::uint64_t number = state_->next_thread++;
  try {
    state_->threads[number] =
        std::thread([state = state_, loop = &context_.loop, download, watch = std::move(watch), number, resolver] {
          const auto done = std::make_shared<Result<void>>(download->fetch(watch));
          loop->post([state, number, done, resolver] {
            state->join(number);
            resolver(std::move(*done));
          });
        });
  } catch (const std::system_error& error) {
    state_->threads.erase(number);
    resolver(fail(ErrorCode::kStorageFailed, std::string("no thread for the download: ") + error.what()));
  }
  return std::move(pending);
}

Task<Result<void>> Downloads::fetch_all(std::shared_ptr<OperationControl> control, std::shared_ptr<Download> download) {
  Duration length = options_.first_pause;
  unsigned failures = 0;
  for (;;) {
    const Result<void> done = co_await attempt(control, download);
    if (done) co_return done;
    if (auto ended = judge_end(*control); !ended) co_return ended;
    if (!download->is_worth_a_retry()) co_return done;
    if (download->gained() >= kWorthwhile) {
      failures = 0;
      length = options_.first_pause;
    }
    if (++failures > options_.most_retries) co_return done;
    const OperationHandle operation = context_.world.operation(control->id);
    operations_.progress(control->id, operation->record.progress, "waiting to go on: " + done.error().detail);
    if (auto waited = co_await pause(control, length); !waited) co_return waited;
    length = std::min(2 * length, kLongestPause);
  }
}

Task<Result<Downloaded>> Downloads::fetch(std::shared_ptr<OperationControl> control, std::string url,
                                          std::filesystem::path file) {
  const auto download = std::make_shared<Download>(std::move(url), file, options_.limits);
  if (auto done = co_await fetch_all(control, download); !done) co_return std::unexpected(done.error());
  co_return Downloaded{download->sha256(), download->size()};
}

} // namespace berth
