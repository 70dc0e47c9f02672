// kill -9 in the middle of writing: the store that is left holds whole transactions, all that were told, in order.
#include <csignal>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

// VM, its machine identifier and two events: they are there together or not at all.
Transaction whole(std::uint64_t number) {
  MachineIdRecord identity;
  identity.key = MachineIdKey{test::uuid_number(number)};
  identity.data = std::vector<std::uint8_t>(300, static_cast<std::uint8_t>(number));
  return {{plain_vm(number), identity}, {plain_event(number), plain_event(number)}};
}

// The child: writes for ever, several at a time, and tells the parent with one byte of each that was promised.
[[noreturn]] void write_for_ever(const std::filesystem::path& file, int tell) {
  test::ManualLoop loop;
  auto store = Store::open(loop, {.file = file});
  if (!store || !(*store)->load()) ::_exit(2);
  struct Writer {
    static Task<void> run(Store* store, std::uint64_t number, int tell) {
      const auto done = co_await store->commit(whole(number));
      if (!done || ::write(tell, "k", 1) != 1) ::_exit(3);
    }
  };
  TaskGroup group{[](const std::string&, std::exception_ptr) { ::_exit(4); }};
  for (std::uint64_t number = 1;; ++number) {
    group.spawn("commit", Writer::run(store->get(), number, tell));
    if (!loop.run_until([&] { return group.in_flight() < 8; })) ::_exit(5);
  }
}

using StoreKill = StoreTest;

TEST_F(StoreKill, LeavesAPrefixOfWholeTransactions) {
  for (const std::size_t wanted : {1U, 40U, 200U}) {
    options.file = directory / ("berth" + std::to_string(wanted) + ".db");
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_for_ever(options.file, ends[1]);
    const UniqueFd read_end{ends[0]};
    ::close(ends[1]);
    std::size_t promised = 0;
    char byte = 0;
    while (promised < wanted && ::read(read_end.get(), &byte, 1) == 1) ++promised;
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);
    while (::read(read_end.get(), &byte, 1) == 1) ++promised; // told before it died
    const auto state = open();
    ASSERT_TRUE(state) << state.error().detail;
    const std::uint64_t count = state->vms.size();
    EXPECT_GE(count, promised) << "a promise was broken";
    EXPECT_EQ(state->machine_ids.size(), count);
    EXPECT_EQ(state->last_sequence, 2 * count);
    std::set<VmId> found;
    for (const auto& vm : state->vms) found.insert(vm.id);
    for (std::uint64_t number = 1; number <= count; ++number)
      EXPECT_TRUE(found.contains(test::vm_number(number))) << number << " of " << count;
    EXPECT_EQ(*commit({{}, {plain_event(1)}}), 2 * count + 1);
    store.reset();
  }
}

} // namespace
} // namespace berth
