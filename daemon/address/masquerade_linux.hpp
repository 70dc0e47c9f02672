// What lets guests reach beyond the host: forwarding, and their addresses hidden behind the host's. All of it blocks
// (files, the program nft): on the pool.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/address/ip_address.hpp"
#include "daemon/core/error.hpp"

namespace berth {

// The table's name, which tells berth's rules from everybody else's.
std::string masquerade_table(const std::string& bridge);

// Pure. Rules for `nft -f -`: one transaction that makes the table anew, whether it was there or not.
std::string masquerade_rules(const std::string& bridge, const Subnet& subnet);

Result<void> apply_masquerade(const std::string& bridge, const Subnet& subnet);
// The table may be gone already.
Result<void> remove_masquerade(const std::string& bridge);

// Turns IPv4 forwarding on in this network namespace. What it was before is written to `record` first, unless that
// file is there from an earlier daemon, which then knows better.
Result<void> enable_forwarding(const std::filesystem::path& record);
// Puts the recorded value back and removes the record. Without a record nothing is done.
Result<void> restore_forwarding(const std::filesystem::path& record);

} // namespace berth
