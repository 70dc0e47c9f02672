// Property lists byte for byte against samples that Apple's framework wrote.
#include "daemon/bundle/property_list.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

Bytes from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) continue; // padding
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) bytes.push_back(static_cast<std::uint8_t>(bits >> (count -= 8)));
  }
  return bytes;
}

// VZMacMachineIdentifier.dataRepresentation, of tart and macosvm bundles.
constexpr std::string_view kSmallEcid = "YnBsaXN0MDDRAQJURUNJRBMcS7NwwIaUuwgLEAAAAAAAAAEBAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAAZ";
constexpr std::string_view kLargeEcid =
    "YnBsaXN0MDDRAQJURUNJRBQAAAAAAAAAAJzeRwpdz1o1CAsQAAAAAAAAAQEAAAAAAAAAAwAAAAAAAAAAAAAAAAAAACE=";
// VZMacHardwareModel.dataRepresentation: macosvm, vfkit, cua.
constexpr std::string_view kModelOld = "YnBsaXN0MDDTAQIDBAUGXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pb"
                                       "mltdW1TdXBwb3J0ZWRPUxQAAAAAAAAAAAAAAAAAAAABEAKjBwgI"
                                       "EAwQAAgPKz1SY2VpawAAAAAAAAEBAAAAAAAAAAkAAAAAAAAAAAAAAAAAAABt";
constexpr std::string_view kModelCompact = "YnBsaXN0MDDTAQIDBAUGXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QE"
                                           "k1pbmltdW1TdXBwb3J0ZWRPUxABEAKjBwgIEA0QAAgPKz1SVFZaXAAA"
                                           "AAAAAAEBAAAAAAAAAAkAAAAAAAAAAAAAAAAAAABe";
constexpr std::string_view kModelTwo = "YnBsaXN0MDDTAQIDBAQFXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pb"
                                       "mltdW1TdXBwb3J0ZWRPUxACowYHBxANEAAIDys9UlRYWgAAAAAA"
                                       "AAEBAAAAAAAAAAgAAAAAAAAAAAAAAAAAAABc";

void check_ecid(std::string_view base64, std::size_t size, std::uint64_t value) {
  const Bytes sample = from_base64(base64);
  ASSERT_EQ(sample.size(), size);
  const auto key = decode_machine_identifier(sample);
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(*key, MachineIdKey{Ecid{value}});
  EXPECT_EQ(encode_machine_identifier(*key), sample);
}

TEST(MachineIdentifiers, AreByteEqualToTheFrameworks) {
  check_ecid(kSmallEcid, 60, 0x1c4bb370c08694bb);
  check_ecid(kLargeEcid, 68, 0x9cde470a5dcf5a35);
}

// libplist and others write eight bytes where the framework writes sixteen: the same machine.
TEST(MachineIdentifiers, HaveTwoEncodingsOfOneEcid) {
  Bytes eight = from_base64(kSmallEcid);
  const std::uint64_t value = 0x9cde470a5dcf5a35;
  for (std::size_t i = 0; i < 8; ++i) eight[17 + i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  const auto short_form = decode_machine_identifier(eight);
  ASSERT_TRUE(short_form) << short_form.error().detail;
  EXPECT_EQ(*short_form, *decode_machine_identifier(from_base64(kLargeEcid)));
  EXPECT_NE(encode_machine_identifier(*short_form), eight);
}

TEST(MachineIdentifiers, ComeBackWhateverTheirValue) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xff}, std::uint64_t{0x100}, std::uint64_t{0xffff},
        std::uint64_t{0x10000}, std::uint64_t{0xffffffff}, std::uint64_t{0x100000000}, std::uint64_t{0x7fffffffffffffff},
        std::uint64_t{0x8000000000000000}, UINT64_MAX, std::uint64_t{0x1661a1d30fb268d5}, std::uint64_t{0xc3e7196d6b9d9883},
        std::uint64_t{0xe54168ffe959d072}}) {
    const auto key = decode_machine_identifier(encode_machine_identifier(MachineIdKey{Ecid{value}}));
    ASSERT_TRUE(key) << value;
    EXPECT_EQ(key->ecid()->value, value);
  }
}

TEST(MachineIdentifiers, AreSeventyBytesForAUuid) {
  const MachineIdKey key{*Uuid::parse("00112233-4455-4677-8899-aabbccddeeff")};
  const Bytes data = encode_machine_identifier(key);
  ASSERT_EQ(data.size(), 70U);
  const Bytes begin{'b', 'p', 'l', 'i', 's',  't',  '0',  '0',  0xd1, 1,    2,   0x54,
                    'U', 'U', 'I', 'D', 0x4f, 0x10, 0x10, 0x00, 0x11, 0x22, 0x33};
  EXPECT_EQ(Bytes(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(begin.size())), begin);
  EXPECT_EQ(*decode_machine_identifier(data), key);
}

void check_model(std::string_view base64, std::size_t size, const HardwareModel& model) {
  const Bytes sample = from_base64(base64);
  ASSERT_EQ(sample.size(), size);
  const auto found = decode_hardware_model(sample);
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(*found, model);
}

TEST(HardwareModels, AreReadInAllThreeEncodings) {
  check_model(kModelOld, 150, {1, 2, {12, 0, 0}});
  check_model(kModelCompact, 135, {1, 2, {13, 0, 0}});
  check_model(kModelTwo, 132, {2, 2, {13, 0, 0}});
}

TEST(HardwareModels, AreWrittenByteEqualToTheFrameworks) {
  EXPECT_EQ(encode_hardware_model({1, 2, {13, 0, 0}}), from_base64(kModelCompact));
  EXPECT_EQ(encode_hardware_model({2, 2, {13, 0, 0}}), from_base64(kModelTwo));
  EXPECT_EQ(encode_hardware_model(HardwareModel{}), from_base64(kModelTwo)) << "the default is what new images get";
}

void check_garbage(const Bytes& bytes) {
  const auto key = decode_machine_identifier(bytes);
  if (!key) {
    EXPECT_EQ(key.error().code, ErrorCode::kInvalidValue);
  }
  const auto model = decode_hardware_model(bytes);
  if (!model) {
    EXPECT_EQ(model.error().code, ErrorCode::kInvalidValue);
  }
}

TEST(PropertyLists, RefuseEveryTruncation) {
  for (const std::string_view sample : {kSmallEcid, kLargeEcid}) {
    const Bytes whole = from_base64(sample);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes torn(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode_machine_identifier(torn)) << size;
    }
  }
  const Bytes whole = from_base64(kModelTwo);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_hardware_model(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
}

TEST(PropertyLists, SurviveEveryChangedByte) {
  for (const std::string_view sample : {kSmallEcid, kLargeEcid, kModelOld, kModelCompact, kModelTwo})
    for (std::size_t place = 0; place < from_base64(sample).size(); ++place)
      for (const std::uint8_t value : {0x00, 0x01, 0x0f, 0x7f, 0x80, 0xa1, 0xd1, 0xff}) {
        Bytes changed = from_base64(sample);
        changed[place] = value;
        check_garbage(changed);
      }
}

TEST(PropertyLists, RefuseOtherKinds) {
  EXPECT_FALSE(decode_machine_identifier({}));
  EXPECT_FALSE(decode_machine_identifier(from_base64(kModelTwo)));
  EXPECT_FALSE(decode_hardware_model(from_base64(kSmallEcid)));
  const std::string_view xml =
      "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>ECID</key><integer>5</integer></dict></plist>";
  EXPECT_FALSE(decode_machine_identifier(Bytes(xml.begin(), xml.end())));
  Bytes huge = from_base64(kSmallEcid);
  huge.insert(huge.begin() + 8, 70'000, 0);
  EXPECT_FALSE(decode_machine_identifier(huge));
}

// Thirty arrays, each of which holds the next one twice: whoever builds it builds 2^30 values.
TEST(MachineIdentifiers, ThatDoubleThemselvesAreRefused) {
  Bytes list{'b', 'p', 'l', 'i', 's', 't', '0', '0', 0xd1, 1, 2, 'Q', 'a'};
  Bytes offsets{8, 11};
  for (std::uint8_t level = 0; level < 30; ++level) {
    offsets.push_back(static_cast<std::uint8_t>(list.size()));
    list.insert(list.end(), {0xa2, static_cast<std::uint8_t>(level + 3), static_cast<std::uint8_t>(level + 3)});
  }
  offsets.push_back(static_cast<std::uint8_t>(list.size()));
  list.insert(list.end(), {'Q', 'b'});
  const auto table = static_cast<std::uint8_t>(list.size());
  list.insert(list.end(), offsets.begin(), offsets.end());
  Bytes trailer(32, 0);
  trailer[6] = trailer[7] = 1;
  trailer[15] = static_cast<std::uint8_t>(offsets.size());
  trailer[31] = table;
  list.insert(list.end(), trailer.begin(), trailer.end());
  EXPECT_FALSE(decode_machine_identifier(list));
  EXPECT_FALSE(decode_hardware_model(list));
}

} // namespace
} // namespace berth
