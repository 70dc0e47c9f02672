// Every number of the framework's errors, and what it means to a user of berth.
#include "machine/error_table.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "machine/query_json.hpp"

namespace berth::vz {
namespace {

struct Row {
  FrameworkError error;
  const char* code;
  HostTruth truth = {};
};

TEST(ErrorTable, KnowsEachNumber) {
  const auto vz = [](std::int64_t number, std::vector<FrameworkError::Cause> causes = {}) {
    return FrameworkError{"VZErrorDomain", number, "words", std::move(causes)};
  };
  const FrameworkError::Cause again{"NSPOSIXErrorDomain", 35}, held{"VZErrorDomain", 50002},
      too_new{"com.apple.MobileDevice.MobileRestore", 11}, other{"com.apple.MobileDevice.MobileRestore", 3004};
  const HostTruth unentitled{false, true}, old_hardware{true, false};
  const std::vector<Row> rows{
      {vz(1), "machine_failed"},
      {vz(2), "invalid_value"},
      {vz(2, {again}), "bundle_in_use"},
      {vz(2, {{"NSPOSIXErrorDomain", 5}, again}), "bundle_in_use"},
      {vz(2, {again}), "bundle_in_use", unentitled},
      {vz(2, {held}), "bundle_in_use"},
      {vz(2), "entitlement_missing", unentitled},
      {vz(2), "unsupported", old_hardware},
      {vz(3), "state_conflict"},
      {vz(4), "state_conflict"},
      {vz(5), "bundle_invalid"},
      {vz(6), "quota_held_elsewhere"},
      {vz(7), "network_unavailable"},
      {vz(8), "insufficient_disk"},
      {vz(9), "cancelled"},
      {vz(10), "unsupported"},
      {vz(11), "save_failed"},
      {vz(12), "restore_failed"},
      {vz(10001), "network_unavailable"},
      {vz(10002), "image_invalid"},
      {vz(10003), "image_invalid"},
      {vz(10004), "image_invalid"},
      {vz(10004), "entitlement_missing", unentitled},
      {vz(10005), "image_invalid"},
      {vz(10006), "restore_image_too_new"},
      {vz(10007), "install_failed"},
      {vz(10007, {other}), "install_failed"},
      {vz(10007, {{"NSCocoaErrorDomain", 1}, too_new}), "restore_image_too_new"},
      {vz(20001), "machine_failed"},
      {vz(20002), "machine_failed"},
      {vz(30001), "machine_failed"},
      {vz(30004), "machine_failed"},
      {vz(40001), "machine_failed"},
      {vz(-9), "host_key_unavailable"},
      {vz(-9), "host_key_unavailable", unentitled},
      {{"NSPOSIXErrorDomain", 28, "", {}}, "insufficient_disk"},
      {{"NSPOSIXErrorDomain", 35, "", {}}, "bundle_in_use"},
      {{"NSCocoaErrorDomain", 260, "", {}}, "bundle_invalid"},
      {{"NSCocoaErrorDomain", 640, "", {}}, "insufficient_disk"},
      {{"SomethingElse", 2, "", {again}}, "machine_failed"},
  };
  for (const Row& row : rows) {
    const Failure failure = explain(row.error, row.truth);
    EXPECT_EQ(failure.code, row.code) << row.error.domain << " " << row.error.number;
    EXPECT_EQ(failure.domain, row.error.domain);
    EXPECT_EQ(failure.number, row.error.number);
    EXPECT_NE(failure.detail.find(row.error.text), std::string::npos) << "the framework's words are kept";
    EXPECT_FALSE(failure.detail.empty());
  }
}

TEST(ErrorTable, NeverReadsTheText) {
  const FrameworkError error{
      "VZErrorDomain", 1, "The process doesn’t have the “com.apple.security.virtualization” entitlement.", {}};
  EXPECT_EQ(explain(error, {}).code, "machine_failed");
}

TEST(QueryJson, WritesWhatTheProtocolSays) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64(std::string("\xff\x00\x80", 3)), "/wCA");
  EXPECT_EQ(to_json(LatestAnswer{"https://x/y.ipsw", "15.1.0", "24B83"}),
            R"({"build":"24B83","url":"https://x/y.ipsw","version":"15.1.0"})");
  EXPECT_EQ(
      to_json(ImageAnswer{"12.0.1", "21A", false, std::nullopt, 0, 0}),
      R"({"build":"21A","hardware_model":null,"minimum_cpu_count":0,"minimum_memory_bytes":0,"supported":false,"version":"12.0.1"})");
  EXPECT_EQ(to_json(Failure{"unsupported", "no", "", 0}),
            R"({"error":{"code":"unsupported","detail":"no","domain":"","number":0}})");
}

} // namespace
} // namespace berth::vz
