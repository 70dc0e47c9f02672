// An SQLite VFS over the default one whose disk can be made full, broken or slow. Registered under its name while the
// object lives; every file of a database opened by that name goes through it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace berth::test {

class FaultyVfs {
public:
  enum class Fault {
    kNone,
    kNoSpace,    // writes: SQLITE_FULL, as ENOSPC is told
    kWriteError, // writes: SQLITE_IOERR_WRITE, as EIO is told
    kSyncError,  // fsync: SQLITE_IOERR_FSYNC; what was written may or may not be there
  };

  explicit FaultyVfs(std::string name = "berth-faulty");
  ~FaultyVfs(); // every database must be closed
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  const std::string& name() const;
  void set(Fault fault);
  // The disk takes this many bytes more; the write that goes beyond is torn there, and every later one fails too.
  void allow_bytes(std::uint64_t bytes);

  // From now on each fsync waits until release_syncs.
  void hold_syncs();
  void release_syncs();
  // True when an fsync waits, within ten seconds.
  bool wait_for_held_sync();

  std::uint64_t syncs() const;
  std::uint64_t failures() const; // calls that were made to fail

private:
  struct Impl;
  friend struct FaultyVfsCalls;
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
