// The Asio side of the event loop.
#include "daemon/runtime/asio_event_loop.hpp"

#include <atomic>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace berth {

namespace asio = boost::asio;

struct AsioEventLoop::Impl {
  explicit Impl(unsigned threads) : pool_threads(threads), work(asio::make_work_guard(context)) {}

  unsigned pool_threads;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::unique_ptr<asio::thread_pool> pool; // made at the first blocking call: an idle daemon has no idle threads
};

namespace {

struct Timer {
  explicit Timer(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  bool is_live = true;
};

struct Watch : std::enable_shared_from_this<Watch> {
  Watch(asio::io_context& context, int fd, Readiness how, std::function<void()> call)
      : descriptor(context, fd), readiness(how), callback(std::move(call)) {}

  void arm() {
    const auto kind =
        readiness == Readiness::kReadable ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
    descriptor.async_wait(kind, [self = shared_from_this()](const boost::system::error_code& error) {
      if (error || !self->is_live) return;
      self->callback();
      if (self->is_live) self->arm();
    });
  }

  // The descriptor is the caller's: let go of it, never close it.
  void end() {
    is_live = false;
    descriptor.release();
  }

  asio::posix::stream_descriptor descriptor;
  Readiness readiness;
  std::function<void()> callback;
  bool is_live = true;
};

struct Signals {
  explicit Signals(asio::io_context& context) : set(context) {}
  void arm(const std::shared_ptr<Signals>& self) {
    set.async_wait([self](const boost::system::error_code& error, int number) {
      if (error || !self->is_live) return;
      self->callback(number);
      if (self->is_live) self->arm(self);
    });
  }
  asio::signal_set set;
  std::function<void(int)> callback;
  bool is_live = true;
};

// Gives out a handle whose end calls `end`, while the operation keeps the object itself alive.
template <class T, class End>
Registration owning(std::shared_ptr<T> object, End end) {
  return Registration{std::shared_ptr<void>(object.get(), [object, end](void*) { end(*object); })};
}

} // namespace

AsioEventLoop::AsioEventLoop(unsigned pool_threads) : impl_(std::make_unique<Impl>(pool_threads)) {}

AsioEventLoop::~AsioEventLoop() {
  if (impl_->pool) impl_->pool->join();
}

void AsioEventLoop::run() { impl_->context.run(); }
void AsioEventLoop::stop() { impl_->context.stop(); }
asio::io_context& AsioEventLoop::context() { return impl_->context; }

void AsioEventLoop::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

Timestamp AsioEventLoop::now() const { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

SteadyTime AsioEventLoop::steady_now() const {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::steady_clock::now());
}

Registration AsioEventLoop::after(Duration delay, std::function<void()> callback) {
  auto timer = std::make_shared<Timer>(impl_->context);
  timer->timer.expires_after(delay);
  timer->timer.async_wait([timer, callback = std::move(callback)](const boost::system::error_code& error) {
    if (!error && timer->is_live) callback();
  });
  return owning(std::move(timer), [](Timer& each) {
    each.is_live = false;
    each.timer.cancel();
  });
}

Registration AsioEventLoop::watch(int fd, Readiness readiness, std::function<void()> callback) {
  auto watch = std::make_shared<Watch>(impl_->context, fd, readiness, std::move(callback));
  watch->arm();
  return owning(std::move(watch), [](Watch& each) { each.end(); });
}

Registration AsioEventLoop::on_signals(std::vector<int> signals, std::function<void(int)> callback) {
  auto set = std::make_shared<Signals>(impl_->context);
  for (const int number : signals) set->set.add(number);
  set->callback = std::move(callback);
  set->arm(set);
  return owning(std::move(set), [](Signals& each) {
    each.is_live = false;
    each.set.cancel();
  });
}

void AsioEventLoop::run_blocking(std::function<void()> work, std::function<void()> done) {
  if (!impl_->pool) impl_->pool = std::make_unique<asio::thread_pool>(impl_->pool_threads);
  asio::post(*impl_->pool, [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    post(std::move(done));
  });
}

} // namespace berth
