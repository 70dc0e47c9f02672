// What a running VM holds of the host: its files, locked, and one of the places for macOS guests.
#pragma once

#include <memory>
#include <vector>

#include "machine/lookalike/file_lock.hpp"
#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

namespace lookalike {

class Resources {
public:
  Resources() = default;
  ~Resources() { release(); }
  Resources(const Resources&) = delete;
  Resources& operator=(const Resources&) = delete;

  // nil, or the error with which a start is refused; nothing is held then.
  NSError* take(VZVirtualMachineConfiguration* configuration);
  void release();
  void leak_slot();

private:
  NSError* take_all(VZVirtualMachineConfiguration* configuration);
  void keep_late(std::chrono::milliseconds delay);

  std::vector<FileLock> locks_;
  std::unique_ptr<Slot> slot_;
  int late_ = -1; // while it is open, somebody waits to let go of the locks
};

} // namespace lookalike
