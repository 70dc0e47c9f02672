// What the framework's errors mean to a user of berth: by domain and number, never by text. No Objective-C here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "machine/failure.hpp"

namespace berth::vz {

struct FrameworkError {
  struct Cause {
    std::string domain;
    std::int64_t number = 0;
  };
  std::string domain;
  std::int64_t number = 0;
  std::string text;          // the framework's own words, for people
  std::vector<Cause> causes; // underlying errors, outermost first
};

// What the same number means depends on these.
struct HostTruth {
  bool is_entitled = true;  // this process has com.apple.security.virtualization
  bool is_supported = true; // VZVirtualMachine.isSupported
};

Failure explain(const FrameworkError& error, HostTruth truth);

} // namespace berth::vz
