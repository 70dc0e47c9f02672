// SHA-256 by the vectors of FIPS 180-4, and the copy that hashes.
#include "daemon/bundle/sha256.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/core/image.hpp"
#include "daemon/runtime/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

using test::TempDir;

constexpr std::string_view kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, FollowsTheVectors) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), kOfAbc);
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_TRUE(is_image_id(sha256("abc")));
}

UniqueFd open_file(const std::filesystem::path& file) {
  return UniqueFd{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
}
void write(const std::filesystem::path& file, std::string_view text) {
  ASSERT_TRUE(files::write_new(file, files::as_bytes(text), files::Sync::kNo));
}

TEST(CopyHashed, CopiesAndNames) {
  const TempDir directory;
  write(directory / "from", "abc");
  std::uint64_t done = 0, total = 0;
  const disk::CloneControl control{[&](std::uint64_t now, std::uint64_t of) { done = now, total = of; }, nullptr};
  const auto from = open_file(directory / "from");
  char first = 0;
  ASSERT_EQ(::read(from.get(), &first, 1), 1) << "whoever looked at it before moved its position";
  const auto copy = copy_hashed(from, directory / "to", control);
  ASSERT_TRUE(copy) << copy.error().detail;
  EXPECT_EQ(copy->sha256, kOfAbc);
  EXPECT_EQ(copy->bytes, 3U);
  EXPECT_EQ(done, 3U);
  EXPECT_EQ(total, 3U);
  EXPECT_EQ(*files::read(directory / "to", 10), (std::vector<std::uint8_t>{'a', 'b', 'c'}));
  struct stat status{};
  ASSERT_EQ(::stat((directory / "to").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(CopyHashed, MakesHolesOfZeros) {
  const TempDir directory;
  const std::string text = std::string(8 << 20, '\0') + "end";
  write(directory / "from", text);
  const auto copy = copy_hashed(open_file(directory / "from"), directory / "to");
  ASSERT_TRUE(copy) << copy.error().detail;
  EXPECT_EQ(copy->sha256, sha256(text));
  EXPECT_EQ(*disk::size(directory / "to"), text.size());
  EXPECT_LT(*disk::allocated(directory / "to"), 2U << 20);
  const auto back = files::read(directory / "to", 16 << 20);
  ASSERT_TRUE(back);
  EXPECT_TRUE(std::string(back->begin(), back->end()) == text);
  // A file of nothing but zeros has no byte written, and yet its size.
  write(directory / "zeros", std::string(4096, '\0'));
  ASSERT_TRUE(copy_hashed(open_file(directory / "zeros"), directory / "zeros copy"));
  EXPECT_EQ(*disk::size(directory / "zeros copy"), 4096U);
}

void check_refused(const std::filesystem::path& from, const std::filesystem::path& to, ErrorCode code,
                   const disk::CloneControl& control = {}) {
  const auto copy = copy_hashed(open_file(from), to, control);
  ASSERT_FALSE(copy) << from;
  EXPECT_EQ(copy.error().code, code) << copy.error().detail;
  EXPECT_FALSE(std::filesystem::exists(to));
}

TEST(CopyHashed, RefusesWhatIsNoFileAndLeavesNothing) {
  const TempDir directory;
  write(directory / "from", "abc");
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  check_refused(directory / "pipe", directory / "to", ErrorCode::kInvalidValue);
  check_refused(directory.path(), directory / "to", ErrorCode::kInvalidValue);
  const std::atomic<bool> is_cancelled{true};
  check_refused(directory / "from", directory / "to", ErrorCode::kCancelled, {{}, &is_cancelled});
}

TEST(CopyHashed, NeverReplaces) {
  const TempDir directory;
  write(directory / "from", "abc");
  write(directory / "to", "mine");
  EXPECT_FALSE(copy_hashed(open_file(directory / "from"), directory / "to"));
  EXPECT_EQ(files::read(directory / "to", 10)->size(), 4U);
}

TEST(Images, AreJudgedByTheirFirstBytes) {
  const TempDir directory;
  write(directory / "empty", "");
  write(directory / "raw", "x");
  write(directory / "qcow", "QFI\xfb and more");
  for (const ImageKind kind : {ImageKind::kKernel, ImageKind::kInitramfs, ImageKind::kDisk}) {
    EXPECT_EQ(judge_image(directory / "empty", kind).error().code, ErrorCode::kImageInvalid);
    EXPECT_TRUE(judge_image(directory / "raw", kind));
  }
  EXPECT_EQ(judge_image(directory / "qcow", ImageKind::kDisk).error().code, ErrorCode::kImageInvalid);
  EXPECT_EQ(judge_image(directory / "absent", ImageKind::kDisk).error().code, ErrorCode::kStorageFailed);
}

} // namespace
} // namespace berth
