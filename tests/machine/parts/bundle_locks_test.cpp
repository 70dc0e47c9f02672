// Real flock(2) locks: who has the bundle, and when the guest's files are free.
#include "machine/bundle_locks.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include "machine/exit_report.hpp"
#include "tests/machine/parts/loop_harness.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>
#include <iterator>

namespace berth::vz {
namespace {

using std::chrono::milliseconds;

UniqueFd held(const std::filesystem::path& file, int how) {
  UniqueFd fd{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  EXPECT_EQ(::flock(fd.get(), how | LOCK_NB), 0);
  return fd;
}

TEST(BundleLocks, GiveABundleToOne) {
  berth::test::TempDir bundle;
  auto first = lock_bundle(bundle.path());
  ASSERT_TRUE(first);
  const auto second = lock_bundle(bundle.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBundleInUse);
  first->reset();
  EXPECT_TRUE(lock_bundle(bundle.path()));
  EXPECT_EQ(lock_bundle(bundle / "nothing").error().code, ErrorCode::kBundleInvalid);
}

TEST(BundleLocks, FindWhatIsHeld) {
  berth::test::TempDir bundle;
  const std::vector<std::filesystem::path> files{bundle / "absent", bundle / "Disk.img", bundle / "AuxiliaryStorage"};
  EXPECT_FALSE(first_locked(files));
  auto shared = held(files[2], LOCK_SH);
  EXPECT_EQ(first_locked(files), files[2]);
  const auto exclusive = held(files[1], LOCK_EX);
  EXPECT_EQ(first_locked(files), files[1]);
}

TEST(LockWait, WaitsForALateRelease) {
  berth::test::TempDir bundle;
  const auto loop = test::make_loop();
  auto lock = held(bundle / "Disk.img", LOCK_EX);
  bool is_done = false;
  std::optional<std::filesystem::path> still = "unset";
  LockWait wait{*loop};
  wait.begin({bundle / "Disk.img"}, milliseconds{10'000}, [&](auto locked) {
    is_done = true;
    still = locked;
  });
  EXPECT_FALSE(is_done) << "never from inside begin";
  loop->after(milliseconds{20}, [&] { lock.reset(); });
  ASSERT_TRUE(test::pump(*loop, [&] { return is_done; }));
  EXPECT_FALSE(still);
}

TEST(LockWait, NamesTheFileAtItsDeadline) {
  berth::test::TempDir bundle;
  const auto loop = test::make_loop();
  const auto lock = held(bundle / "Disk.img", LOCK_EX);
  std::optional<std::filesystem::path> still;
  bool is_done = false;
  LockWait wait{*loop};
  wait.begin({bundle / "Disk.img"}, milliseconds{5}, [&](auto locked) {
    is_done = true;
    still = locked;
  });
  ASSERT_TRUE(test::pump(*loop, [&] { return is_done; }));
  EXPECT_EQ(still, bundle / "Disk.img");
}

TEST(ExitReport, IsThereWholeAndOnlyTheLastOne) {
  berth::test::TempDir directory;
  ASSERT_TRUE(write_exit_report(directory.path(), {"crashed", "the \"guest\" broke", "machine_failed"}));
  ASSERT_TRUE(write_exit_report(directory.path(), {"forced", "stopped", ""}));
  std::ifstream stream(directory / "exit.json");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>{stream}, {}),
            "{\"code\":null,\"detail\":\"stopped\",\"reason\":\"forced\"}\n");
  EXPECT_FALSE(std::filesystem::exists(directory / "exit.json.new"));
  EXPECT_FALSE(write_exit_report(directory / "nowhere", {"forced", "", ""}));
}

} // namespace
} // namespace berth::vz
