// What a restore image says of itself; read by VZMacOSRestoreImage and by the installer.
#pragma once

#include <string>

#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

namespace lookalike {

struct ImageFacts {
  NSError* error = nil; // autoreleased; nil when the image could be read
  std::string version, build;
  bool is_for_virtual_macs = false;
};
ImageFacts read_image(NSURL* file);

// Apple's models: version 2 of the representation for images of macOS 15 and later on such hosts.
VZMacHardwareModel* hardware_model_for(const OsVersion& image);

} // namespace lookalike
