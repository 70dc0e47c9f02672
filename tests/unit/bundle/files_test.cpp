// Small files: whole or not at all, never through links, never in place of another.
#include "daemon/bundle/files.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

std::string text_of(const fs::path& file) {
  const auto bytes = files::read(file, 1024);
  return bytes ? std::string(bytes->begin(), bytes->end()) : "(" + bytes.error().detail + ")";
}
Result<void> write(const fs::path& file, std::string_view text) {
  return files::write_new(file, files::as_bytes(text), files::Sync::kYes);
}
std::size_t entries(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST(Files, AreMadePrivateAndNew) {
  const TempDir directory;
  ASSERT_TRUE(write(directory / "a", "one"));
  EXPECT_EQ(text_of(directory / "a"), "one");
  struct stat status{};
  ASSERT_EQ(::stat((directory / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto again = write(directory / "a", "two");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kStorageFailed);
  EXPECT_EQ(text_of(directory / "a"), "one");
}

TEST(Files, AreReplacedWhole) {
  const TempDir directory;
  ASSERT_TRUE(files::replace(directory / "a", files::as_bytes("new")));
  EXPECT_EQ(text_of(directory / "a"), "new");
  ASSERT_TRUE(write(directory / "a.new", "left by a crash"));
  ASSERT_TRUE(files::replace(directory / "a", files::as_bytes("newer")));
  EXPECT_EQ(text_of(directory / "a"), "newer");
  EXPECT_EQ(entries(directory.path()), 1U);
}

TEST(Files, AreLeftAsTheyAreWhenAReplacementFails) {
  const TempDir directory;
  fs::create_directories(directory / "a" / "inside");
  const auto replaced = files::replace(directory / "a", files::as_bytes("new"));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, ErrorCode::kStorageFailed);
  EXPECT_TRUE(fs::is_directory(directory / "a" / "inside"));
  EXPECT_EQ(entries(directory.path()), 1U) << "no temporary file is left";
  EXPECT_FALSE(files::replace(directory / "absent" / "a", files::as_bytes("new")));
}

// What a link in the place of a file points to is somebody else's.
TEST(Files, AreNeverReachedThroughLinks) {
  const TempDir directory;
  ASSERT_TRUE(write(directory / "other", "secret"));
  fs::create_symlink(directory / "other", directory / "link");
  const auto read = files::read(directory / "link", 1024);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kStorageFailed);
  EXPECT_FALSE(write(directory / "link", "x"));
  ASSERT_TRUE(files::replace(directory / "link", files::as_bytes("mine")));
  EXPECT_FALSE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(text_of(directory / "other"), "secret");
}

TEST(Files, AreReadUpToALimit) {
  const TempDir directory;
  ASSERT_TRUE(write(directory / "a", "0123456789"));
  EXPECT_EQ(files::read(directory / "a", 10)->size(), 10U);
  EXPECT_EQ(files::read(directory / "a", 9).error().code, ErrorCode::kPayloadTooLarge);
  EXPECT_EQ(files::read(directory / "absent", 9).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files::read(directory.path(), 9).error().code, ErrorCode::kStorageFailed);
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(files::read(directory / "pipe", 9).error().code, ErrorCode::kStorageFailed) << "and it does not wait for a writer";
}

TEST(Files, AreRenamedOnlyToAFreeName) {
  const TempDir directory;
  ASSERT_TRUE(write(directory / "a", "a"));
  ASSERT_TRUE(write(directory / "b", "b"));
  EXPECT_FALSE(files::rename(directory / "a", directory / "b"));
  EXPECT_EQ(text_of(directory / "b"), "b");
  ASSERT_TRUE(files::make_directory(directory / "full"));
  ASSERT_TRUE(files::make_directory(directory / "empty"));
  EXPECT_FALSE(files::rename(directory / "full", directory / "empty")) << "an empty directory is not replaced either";
  ASSERT_TRUE(files::rename(directory / "a", directory / "c"));
  EXPECT_EQ(text_of(directory / "c"), "a");
  EXPECT_FALSE(fs::exists(directory / "a"));
}

TEST(Files, LieInPrivateDirectories) {
  const TempDir directory;
  ASSERT_TRUE(files::make_directory(directory / "d"));
  EXPECT_TRUE(files::make_directory(directory / "d"));
  struct stat status{};
  ASSERT_EQ(::stat((directory / "d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  ASSERT_TRUE(write(directory / "f", ""));
  EXPECT_FALSE(files::make_directory(directory / "f")) << "a file in its place is no directory";
  EXPECT_FALSE(files::make_directory(directory / "absent" / "d"));
}

TEST(Files, AreRemovedWithAllBeneath) {
  const TempDir directory;
  fs::create_directories(directory / "a" / "b" / "c");
  ASSERT_TRUE(write(directory / "kept", "kept"));
  fs::create_symlink(directory / "kept", directory / "a" / "link");
  EXPECT_TRUE(files::remove_all(directory / "a"));
  EXPECT_FALSE(fs::exists(directory / "a"));
  EXPECT_EQ(text_of(directory / "kept"), "kept") << "links are not followed";
  EXPECT_TRUE(files::remove_all(directory / "a")) << "gone is gone";
}

TEST(Files, TellAFullDiskFromABrokenOne) {
  EXPECT_EQ(files::error_of(ENOSPC, "write", "x").code, ErrorCode::kInsufficientDisk);
  EXPECT_EQ(files::error_of(EDQUOT, "write", "x").code, ErrorCode::kInsufficientDisk);
  EXPECT_EQ(files::error_of(EFBIG, "write", "x").code, ErrorCode::kInsufficientDisk);
  EXPECT_EQ(files::error_of(EIO, "write", "x").code, ErrorCode::kStorageFailed);
  EXPECT_EQ(files::error_of(EIO, "write", "/a/b").detail, "could not write /a/b: Input/output error");
  const TempDir directory;
  EXPECT_GT(*files::free_bytes(directory.path()), 0U);
  EXPECT_FALSE(files::free_bytes(directory / "absent"));
}

} // namespace
} // namespace berth
