// A saved state fits one machine and one content of its disks: SavedState.json beside it says which. Restored on anything
// else it ruins the disk, because the guest's memory holds what it believes to be there. Blocking: call on the pool.
#pragma once

#include "daemon/bundle/bundle.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"

namespace berth {

// Writes down what the state in `bundle` belongs to: this record, and the disks as they lie there now. Once the process that
// saved it writes no more.
Result<void> bind_saved_state(const BundlePaths& bundle, const VmRecord& vm);

// kRestoreFailed, and the sentence names what has changed. A state without SavedState.json fits: an earlier berthd, or one
// that ended at that moment, wrote none.
Result<void> check_saved_state(const BundlePaths& bundle, const VmRecord& vm);

// After the files of `from` were copied to `to`: the copy belongs to the same machine, and to the disks beside it. Refused
// like a check when those of `from` have changed since.
Result<void> carry_saved_state(const BundlePaths& from, const BundlePaths& to);

// The state and what it belongs to.
Result<void> remove_saved_state(const BundlePaths& bundle);

} // namespace berth
