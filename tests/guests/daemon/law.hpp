// What must hold of a daemon that has come up after any death, looked at from outside: over the API, in its directory and
// among the processes of the host.
#pragma once

#include <set>
#include <string>

#include "tests/guests/daemon/harbour_fixture.hpp"

namespace berth::test {

// All items of a collection.
Json list_all(ApiClient& api, const std::string& collection);
// Values of one member of each.
std::set<std::string> members(const Json& items, const std::string& name);

// Waits until recovery has ended, then: every operation is over and no VM is held or on its way; staging is empty; the
// bundles are those of the VMs and the images those of the list; each VM that runs has one process, and there is no other.
void expect_law(TestHarbour& harbour, ApiClient& api);

// No claim is left over: each VM of the list can be started and stopped when its twins rest, and is refused while one
// runs. Ends with every VM at rest.
void expect_claims_free(ApiClient& api);

} // namespace berth::test
