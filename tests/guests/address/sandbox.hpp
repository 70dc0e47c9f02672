// A place of its own for tests of the network: namespaces that end, with all that runs in them, when the test ends.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "daemon/runtime/event_loop.hpp"

namespace berth::sandbox {

// Runs `scenario` as the first process of new network, process and mount namespaces, with lo up. Expectations that
// fail there fail the calling test. The reason when there can be no such namespaces here, to skip with; else empty.
std::string run(const std::function<void()>& scenario);

// Runs a program to its end; expects that it succeeds, and gives its output.
std::string command(const std::vector<std::string>& argv, const std::string& input = {});

// Runs a coroutine on a loop of its own until it ends, at most `deadline` long.
void run_task(const std::function<Task<void>(EventLoop&)>& task, std::chrono::seconds deadline = std::chrono::seconds{60});

// Lets the loop go on until the condition holds; false when it does not come to hold within ten seconds.
Task<bool> until(EventLoop& loop, std::function<bool()> holds);

} // namespace berth::sandbox

// ASSERT_TRUE for coroutines.
#define BERTH_REQUIRE(condition, message)                                                                                        \
  if (!(condition)) {                                                                                                            \
    ADD_FAILURE() << #condition << ": " << message;                                                                              \
    co_return;                                                                                                                   \
  }
