// berth.json: what makes a bundle explain itself on another host, and what a lost store is rebuilt from.
#pragma once

#include <string>

#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"

namespace berth {

struct BundleDescription {
  VmRecord vm; // without status, revision and operation
  Bytes machine_identifier;
};

std::string describe(const VmRecord& vm, const Bytes& machine_identifier);

// kBundleInvalid with the reason. What comes from another host is judged as if it had been posted: names, sizes and
// identity are checked here.
Result<BundleDescription> read_description(std::string_view text);

} // namespace berth
