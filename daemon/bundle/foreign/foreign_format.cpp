// Names of formats.
#include "daemon/bundle/foreign/foreign_format.hpp"

namespace berth::foreign {

std::string_view to_string(Format format) {
  switch (format) {
    case Format::kTart: return "tart";
    case Format::kLume: return "lume";
    case Format::kUtm: return "utm";
    case Format::kVirtualBuddy: return "virtualbuddy";
    case Format::kMacosvm: return "macosvm";
    case Format::kAppleSample: return "apple_sample";
    case Format::kParallels: return "parallels";
    case Format::kLima: return "lima";
    case Format::kGhostVm: return "ghostvm";
    case Format::kMacVm: return "macvm";
  }
  return "unknown";
}

} // namespace berth::foreign
