// Configurations of other tools: the first byte chooses the format, the rest is its text. No text may do more than be
// refused, and what is read of one is within its bounds.
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <span>

#include "daemon/bundle/foreign/settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size == 0) return 0;
  const auto format = foreign::kAllFormats[(data[0] - '0') % std::size(foreign::kAllFormats)];
  const std::span text{data + 1, size - 1};
  (void)foreign::format_of_config_json(text);
  (void)foreign::is_macosvm(text);
  const auto settings = foreign::read_settings(format, text);
  if (!settings) {
    if (settings.error().code != ErrorCode::kBundleInvalid && settings.error().code != ErrorCode::kUnsupported) std::abort();
    return 0;
  }
  if (settings->display && (settings->display->width == 0 || settings->display->width > 16384)) std::abort();
  if (settings->machine_identifier.size() > size || settings->hardware_model.size() > size) std::abort();
  return 0;
}
