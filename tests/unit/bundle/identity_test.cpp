// Where the ECID is found in an auxiliary storage, and where it is not.
#include "daemon/bundle/identity.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

std::string mark(std::uint64_t ecid) {
  std::string bytes = std::string("\x04") + "ECID" + "\x02" + (ecid >> 63 ? std::string("\x09\x00", 2) : std::string("\x08"));
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(ecid >> shift);
  return bytes;
}

std::optional<Ecid> found_in(const std::string& bytes, std::uint64_t offset) {
  const test::TempDir directory;
  std::ofstream file(directory / "AuxiliaryStorage", std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
  file.close();
  return find_auxiliary_ecid(directory / "AuxiliaryStorage");
}

TEST(AuxiliaryEcid, IsFoundWhereverItLies) {
  const std::uint64_t small = 0x1c4bb370c08694bb, large = 0x9cde470a5dcf5a35;
  for (const std::uint64_t ecid : {small, large})
    for (const std::uint64_t offset : {0ULL, 0x6c804ULL, (1ULL << 20) - 3, (1ULL << 20), (5ULL << 20) + 17})
      EXPECT_EQ(found_in(mark(ecid), offset), Ecid{ecid}) << std::hex << ecid << " at " << offset;
}

TEST(AuxiliaryEcid, IsNotGuessed) {
  EXPECT_EQ(found_in("", 0), std::nullopt);
  EXPECT_EQ(found_in(mark(1).substr(0, 14), 100), std::nullopt) << "cut off";
  EXPECT_EQ(found_in(std::string("\x04") + "ECID\x02\x04" + "12345678", 100), std::nullopt) << "of another length";
  EXPECT_EQ(found_in(std::string("\x04") + "ECID\x02\x09" + "\x01" + "12345678", 100), std::nullopt) << "more than 64 bits";
  EXPECT_EQ(find_auxiliary_ecid("/no/such/file"), std::nullopt);
}

} // namespace
} // namespace berth
