// Serial queues with a thread each, as include/dispatch/dispatch.h says. Knows nothing of virtual machines.
#include <dispatch/dispatch.h>

#import <Foundation/Foundation.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace {

using Clock = std::chrono::steady_clock;

struct Work {
  dispatch_block_t block = nullptr; // copied, or
  dispatch_function_t function = nullptr;
  void* context = nullptr;
};

struct Specific {
  void* context = nullptr;
  dispatch_function_t destructor = nullptr;
};

thread_local dispatch_queue_t current_queue = nullptr;

void run(const Work& work) {
  @autoreleasepool {
    if (work.block) {
      work.block();
      Block_release(work.block);
    } else {
      work.function(work.context);
    }
  }
}

} // namespace

struct dispatch_queue_s {
  std::string label;
  std::mutex mutex;
  std::condition_variable changed;
  // By the time at which each is due; equal times stay in the order in which they came.
  std::multimap<Clock::time_point, Work> waiting;
  std::map<const void*, Specific> specifics;
  int references = 1;

  void add(Clock::time_point due, Work work) {
    const std::lock_guard lock(mutex);
    waiting.emplace(due, work);
    changed.notify_one();
  }

  // Until the last reference is gone and nothing waits.
  void serve() {
    current_queue = this;
    GSRegisterCurrentThread();
    std::unique_lock lock(mutex);
    while (references > 0 || !waiting.empty()) {
      if (waiting.empty()) {
        changed.wait(lock);
      } else if (const auto due = waiting.begin()->first; due > Clock::now()) {
        changed.wait_until(lock, due);
      } else {
        const Work work = waiting.begin()->second;
        waiting.erase(waiting.begin());
        lock.unlock();
        run(work);
        lock.lock();
      }
    }
    lock.unlock();
    for (const auto& [key, specific] : specifics)
      if (specific.destructor) specific.destructor(specific.context);
    GSUnregisterCurrentThread();
    delete this;
  }
};

dispatch_queue_t dispatch_queue_create(const char* label, dispatch_queue_attr_t) {
  // GNUstep takes locks only once it knows that there are threads; this must be said on the thread that was there first.
  static std::once_flag once;
  std::call_once(once, [] {
    @autoreleasepool {
      GSRegisterCurrentThread();
      [NSThread currentThread];
    }
  });
  auto* queue = new dispatch_queue_s;
  queue->label = label ? label : "";
  std::thread([queue] { queue->serve(); }).detach();
  return queue;
}

void dispatch_retain(dispatch_queue_t queue) {
  const std::lock_guard lock(queue->mutex);
  ++queue->references;
}

void dispatch_release(dispatch_queue_t queue) {
  const std::lock_guard lock(queue->mutex);
  --queue->references;
  queue->changed.notify_one();
}

const char* dispatch_queue_get_label(dispatch_queue_t queue) { return queue->label.c_str(); }

void dispatch_async(dispatch_queue_t queue, dispatch_block_t block) {
  queue->add(Clock::now(), {.block = (dispatch_block_t)Block_copy(block)});
}

void dispatch_async_f(dispatch_queue_t queue, void* context, dispatch_function_t work) {
  queue->add(Clock::now(), {.function = work, .context = context});
}

void dispatch_after(dispatch_time_t when, dispatch_queue_t queue, dispatch_block_t block) {
  const Clock::time_point due{std::chrono::nanoseconds(when)};
  queue->add(std::max(due, Clock::now()), {.block = (dispatch_block_t)Block_copy(block)});
}

dispatch_time_t dispatch_time(dispatch_time_t when, int64_t nanoseconds) {
  const auto base = when == DISPATCH_TIME_NOW ? Clock::now().time_since_epoch() : std::chrono::nanoseconds(when);
  return static_cast<dispatch_time_t>((base + std::chrono::nanoseconds(nanoseconds)).count());
}

void dispatch_queue_set_specific(dispatch_queue_t queue, const void* key, void* context, dispatch_function_t destructor) {
  const std::lock_guard lock(queue->mutex);
  if (const auto old = queue->specifics.find(key); old != queue->specifics.end()) {
    if (old->second.destructor) old->second.destructor(old->second.context);
    queue->specifics.erase(old);
  }
  if (context) queue->specifics[key] = {context, destructor};
}

void* dispatch_get_specific(const void* key) {
  if (!current_queue) return nullptr;
  const std::lock_guard lock(current_queue->mutex);
  const auto found = current_queue->specifics.find(key);
  return found == current_queue->specifics.end() ? nullptr : found->second.context;
}

void dispatch_assert_queue(dispatch_queue_t queue) {
  if (current_queue == queue) return;
  std::fprintf(stderr, "BUG IN CLIENT OF LIBDISPATCH: Assertion failed: Block was expected to execute on queue [%s]\n",
               queue->label.c_str());
  std::fflush(stderr);
  std::abort();
}

// GNUstep and libobjc keep what they allocate until the end. These hold in every sanitized program that has a queue.
#if defined(__has_feature) && __has_feature(address_sanitizer)
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
extern "C" const char* __lsan_default_suppressions() { return "leak:libobjc\nleak:libgnustep-base\n"; }
#endif
