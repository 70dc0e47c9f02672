// Sparse disks: made, grown, copied with their holes.
#include "daemon/bundle/disk.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/mount.h>
#endif

#include "daemon/bundle/files.hpp"
#include "daemon/runtime/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

using test::TempDir;
constexpr std::uint64_t kMebibyte = 1024 * 1024;

void put(const std::filesystem::path& file, std::uint64_t offset, std::string_view text) {
  const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CLOEXEC)};
  ASSERT_EQ(::pwrite(fd.get(), text.data(), text.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(text.size()));
}
std::string get(const std::filesystem::path& file, std::uint64_t offset, std::size_t size) {
  const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text(size, '?');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(fd.get(), text.data(), size, static_cast<off_t>(offset)))));
  return text;
}

TEST(Disks, AreSparse) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "d", 10 * 1024 * kMebibyte));
  EXPECT_EQ(*disk::size(directory / "d"), 10 * 1024 * kMebibyte);
  EXPECT_LT(*disk::allocated(directory / "d"), kMebibyte);
  struct stat status{};
  ASSERT_EQ(::stat((directory / "d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(Disks, AreRefusedWithSizesThatCannotBe) {
  const TempDir directory;
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{511}, std::uint64_t{513}, UINT64_MAX - 511, std::uint64_t{1} << 63}) {
    const auto made = disk::create(directory / "d", bytes);
    ASSERT_FALSE(made) << bytes;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidValue) << made.error().detail;
    EXPECT_FALSE(std::filesystem::exists(directory / "d")) << bytes;
  }
  // Larger than any file system here: the call itself fails, and nothing is left.
  EXPECT_FALSE(disk::create(directory / "d", (std::uint64_t{1} << 63) - 512));
  EXPECT_FALSE(std::filesystem::exists(directory / "d"));
  ASSERT_TRUE(disk::create(directory / "d", 512));
  EXPECT_FALSE(disk::create(directory / "d", 1024)) << "never in place of another";
  EXPECT_EQ(*disk::size(directory / "d"), 512U);
}

TEST(Disks, OnlyGrow) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "d", 4096));
  put(directory / "d", 0, "data");
  ASSERT_TRUE(disk::grow(directory / "d", 8192));
  EXPECT_EQ(*disk::size(directory / "d"), 8192U);
  EXPECT_EQ(get(directory / "d", 0, 4), "data");
  EXPECT_TRUE(disk::grow(directory / "d", 8192)) << "the size it has";
  for (const std::uint64_t bytes : {std::uint64_t{4096}, std::uint64_t{0}, std::uint64_t{8193}, UINT64_MAX - 511})
    EXPECT_EQ(disk::grow(directory / "d", bytes).error().code, ErrorCode::kInvalidValue) << bytes;
  EXPECT_EQ(*disk::size(directory / "d"), 8192U);
  EXPECT_EQ(disk::grow(directory / "absent", 512).error().code, ErrorCode::kNotFound);
}

TEST(Disks, AreCopiedWithTheirHoles) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "from", 256 * kMebibyte));
  put(directory / "from", 0, "begin");
  put(directory / "from", 100 * kMebibyte, std::string(3 * kMebibyte, 'm'));
  put(directory / "from", 256 * kMebibyte - 3, "end");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> progress;
  const disk::CloneControl control{[&](std::uint64_t done, std::uint64_t total) { progress.emplace_back(done, total); }, nullptr};
  const auto method = disk::clone(directory / "from", directory / "to", control);
  ASSERT_TRUE(method) << method.error().detail;
  EXPECT_EQ(*disk::size(directory / "to"), 256 * kMebibyte);
  EXPECT_EQ(get(directory / "to", 0, 5), "begin");
  EXPECT_EQ(get(directory / "to", 100 * kMebibyte, 3 * kMebibyte), std::string(3 * kMebibyte, 'm'));
  EXPECT_EQ(get(directory / "to", 256 * kMebibyte - 3, 3), "end");
  EXPECT_EQ(get(directory / "to", 50 * kMebibyte, 4), std::string(4, '\0'));
  EXPECT_LT(*disk::allocated(directory / "to"), 8 * kMebibyte);
  if (*method == disk::CloneMethod::kCopyOnWrite) return; // nothing to show progress of
  ASSERT_GE(progress.size(), 3U);
  for (std::size_t i = 1; i < progress.size(); ++i) EXPECT_GE(progress[i].first, progress[i - 1].first);
  EXPECT_LE(progress.back().first, progress.back().second);
}

TEST(Disks, AreCopiedEvenWhenTheyAreOneHole) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "from", kMebibyte));
  ASSERT_TRUE(disk::clone(directory / "from", directory / "to"));
  EXPECT_EQ(*disk::size(directory / "to"), kMebibyte);
  EXPECT_EQ(*disk::allocated(directory / "to"), 0U);
}

TEST(Disks, LeaveNothingOfACancelledCopy) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "from", 64 * kMebibyte));
  put(directory / "from", 0, std::string(8 * kMebibyte, 'x'));
  std::atomic<bool> is_cancelled{false};
  const disk::CloneControl control{[&](std::uint64_t, std::uint64_t) { is_cancelled = true; }, &is_cancelled};
  const auto copied = disk::clone(directory / "from", directory / "to", control);
  if (copied && *copied == disk::CloneMethod::kCopyOnWrite)
    GTEST_SKIP() << "this file system shares blocks at once: nothing to cancel";
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(directory / "to"));
}

TEST(Disks, AreNeitherCopiedOverOthersNorThroughLinks) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "from", 512));
  ASSERT_TRUE(files::write_new(directory / "to", files::as_bytes("mine"), files::Sync::kNo));
  EXPECT_FALSE(disk::clone(directory / "from", directory / "to"));
  EXPECT_EQ(get(directory / "to", 0, 10), "mine");
  std::filesystem::create_symlink(directory / "from", directory / "link");
  EXPECT_FALSE(disk::clone(directory / "link", directory / "other"));
  EXPECT_FALSE(disk::size(directory / "link"));
  EXPECT_FALSE(disk::grow(directory / "link", 1024));
  EXPECT_EQ(*disk::size(directory / "from"), 512U);
  EXPECT_EQ(disk::clone(directory / "absent", directory / "other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(disk::clone(directory.path(), directory / "other").error().code, ErrorCode::kInvalidValue);
  EXPECT_FALSE(std::filesystem::exists(directory / "other"));
}

#ifdef __linux__
TEST(Disks, AreNotCopiedToAFullFileSystem) {
  const TempDir directory;
  ASSERT_TRUE(disk::create(directory / "from", 16 * kMebibyte));
  put(directory / "from", 0, std::string(4 * kMebibyte, 'x'));
  const auto small = directory / "small";
  ASSERT_TRUE(files::make_directory(small));
  if (::mount("tmpfs", small.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0)
    GTEST_SKIP() << "no right to mount a file system of one megabyte: " << std::strerror(errno);
  const auto copied = disk::clone(directory / "from", small / "to");
  const bool is_left = std::filesystem::exists(small / "to");
  ASSERT_EQ(::umount(small.c_str()), 0);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::kInsufficientDisk) << copied.error().detail;
  EXPECT_FALSE(is_left);
}

// A file system of our own that can share blocks: nothing of the disk is written a second time.
TEST(Disks, ShareTheirBlocksWhereTheFileSystemCan) {
  const TempDir directory;
  const std::string image = (directory / "xfs").string(), mounted = (directory / "shares").string();
  ASSERT_TRUE(disk::create(image, 1024 * kMebibyte));
  ASSERT_TRUE(files::make_directory(mounted));
  if (std::system(
          ("mkfs.xfs -q -m reflink=1 " + image + " && mount -o loop,nosuid,nodev " + image + " " + mounted + " 2>/dev/null")
              .c_str()) != 0)
    GTEST_SKIP() << "no right to mount a file system, or none that shares blocks";
  const std::filesystem::path from = directory / "shares" / "from", to = directory / "shares" / "to";
  const auto made = disk::create(from, 256 * kMebibyte);
  put(from, 0, std::string(64 * kMebibyte, 'x'));
  const auto before = files::free_bytes(mounted);
  const auto method = disk::clone(from, to);
  const auto after = files::free_bytes(mounted);
  put(from, 0, "changed");
  const std::string text = get(to, 0, 7);
  ASSERT_EQ(std::system(("umount " + mounted).c_str()), 0);
  ASSERT_TRUE(made && before && after);
  ASSERT_TRUE(method) << method.error().detail;
  EXPECT_EQ(*method, disk::CloneMethod::kCopyOnWrite);
  EXPECT_LT(*before, *after + 8 * kMebibyte) << "64 MiB of data lie there once";
  EXPECT_EQ(text, "xxxxxxx") << "and are two disks all the same";
}
#endif

} // namespace
} // namespace berth
