// Records of every kind, and a store opened, loaded and driven by the manual loop.
#pragma once

#include <deque>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "daemon/store/store.hpp"
#include "tests/support/counter_random.hpp"
#include "tests/support/manual_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {

inline Timestamp moment(std::int64_t milliseconds) { return test::ManualLoop::kStart + Duration{milliseconds}; }

inline VmRecord plain_vm(std::uint64_t number) {
  VmRecord vm;
  vm.id = test::vm_number(number);
  vm.name = "vm" + std::to_string(number);
  vm.driver = "fake";
  vm.machine_id = MachineIdKey{test::uuid_number(number)};
  vm.created_at = moment(static_cast<std::int64_t>(number));
  return vm;
}

inline Event plain_event(std::uint64_t number) {
  Event event;
  event.time = moment(static_cast<std::int64_t>(number));
  event.type = "vm.created";
  event.subject = test::vm_number(number).to_string();
  return event;
}

// VM number n and the event that tells of it.
inline Transaction create_vm(std::uint64_t number) { return {{plain_vm(number)}, {plain_event(number)}}; }

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>{stream}, {}};
}

class StoreTest : public testing::Test {
protected:
  // Opens and loads; a failure of either is the result.
  Result<StoredState> open() {
    store.reset();
    auto opened = Store::open(loop, options);
    if (!opened) return std::unexpected(opened.error());
    store = std::move(*opened);
    return store->load();
  }
  Result<std::uint64_t> commit(Transaction transaction) { return loop.run(store->commit(std::move(transaction))); }

  // Puts the commit's result at its place in `results` when it comes.
  void commit_later(Transaction transaction) {
    results.emplace_back();
    group.spawn("commit", keep(store->commit(std::move(transaction)), &results.back()));
  }
  bool all_came() {
    return loop.run_until([this] { return group.in_flight() == 0; });
  }

  test::TempDir directory;
  test::ManualLoop loop;
  StoreOptions options{.file = directory / "berth.db"};
  std::deque<std::optional<Result<std::uint64_t>>> results;
  std::unique_ptr<Store> store;
  TaskGroup group{[](const std::string& name, std::exception_ptr) { ADD_FAILURE() << name << " threw"; }};

private:
  static Task<void> keep(Task<Result<std::uint64_t>> task, std::optional<Result<std::uint64_t>>* out) {
    out->emplace(co_await task);
  }
};

} // namespace berth
