// berth.json: what makes a bundle explain itself on another host, and what a lost store is rebuilt from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/snapshot.hpp"
#include "daemon/core/vm.hpp"

namespace berth {

struct BundleDescription {
  VmRecord vm; // without status, revision and operation
  Bytes machine_identifier;
};

// The rest of a record, which means nothing on another host: labels, display, autostart and the like. Put into `vm` only
// when a lost store is rebuilt; what is missing or wrong there is left as it is.
void read_ledger_facts(std::string_view text, VmRecord& vm);

// snapshot.json, beside the parts of a snapshot, for the same purpose.
std::string describe(const SnapshotRecord& snapshot);
std::optional<SnapshotRecord> read_snapshot_description(std::string_view text);

std::string describe(const VmRecord& vm, const Bytes& machine_identifier);

// kBundleInvalid with the reason. What comes from another host is judged as if it had been posted: names, sizes and
// identity are checked here.
Result<BundleDescription> read_description(std::string_view text);

} // namespace berth
