// The shim's methods; all but writing and syncing go straight through (sqlite.org/vfs.html, test_vfstrace.c).
#include "tests/support/faulty_vfs.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <stdexcept>

#include <sqlite3.h>

namespace berth::test {

struct FaultyVfs::Impl {
  std::string name;
  sqlite3_vfs* base = nullptr;
  sqlite3_vfs vfs{};
  std::atomic<Fault> fault{Fault::kNone};
  std::atomic<std::uint64_t> allowance{std::numeric_limits<std::uint64_t>::max()};
  std::atomic<std::uint64_t> syncs{0}, failures{0};

  std::mutex mutex;
  std::condition_variable changed;
  bool is_holding = false;
  int held = 0;
};

namespace {

// Our file; the file of the default VFS lies right behind it in the same memory.
struct ShimFile {
  sqlite3_file file;
  void* owner;
};

sqlite3_file* below(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<ShimFile*>(file) + 1); }

} // namespace

struct FaultyVfsCalls {
  using Impl = FaultyVfs::Impl;
  using Fault = FaultyVfs::Fault;

  static Impl& owner(sqlite3_file* file) { return *static_cast<Impl*>(reinterpret_cast<ShimFile*>(file)->owner); }
  static Impl& owner(sqlite3_vfs* vfs) { return *static_cast<Impl*>(vfs->pAppData); }
  static int failed(Impl& impl, int code) {
    ++impl.failures;
    return code;
  }

  static int close(sqlite3_file* file) { return below(file)->pMethods->xClose(below(file)); }
  static int read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
    return below(file)->pMethods->xRead(below(file), bytes, count, offset);
  }

  static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    Impl& impl = owner(file);
    if (impl.fault == Fault::kNoSpace) return failed(impl, SQLITE_FULL);
    if (impl.fault == Fault::kWriteError) return failed(impl, SQLITE_IOERR_WRITE);
    const std::uint64_t allowance = impl.allowance;
    if (allowance == std::numeric_limits<std::uint64_t>::max())
      return below(file)->pMethods->xWrite(below(file), bytes, count, offset);
    const auto fits = std::min<std::uint64_t>(allowance, static_cast<std::uint64_t>(count));
    impl.allowance = allowance - fits;
    if (fits > 0)
      if (const int code = below(file)->pMethods->xWrite(below(file), bytes, static_cast<int>(fits), offset); code != SQLITE_OK)
        return code;
    return fits == static_cast<std::uint64_t>(count) ? SQLITE_OK : failed(impl, SQLITE_FULL);
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) { return below(file)->pMethods->xTruncate(below(file), size); }

  static int sync(sqlite3_file* file, int flags) {
    Impl& impl = owner(file);
    {
      std::unique_lock lock(impl.mutex);
      ++impl.held;
      impl.changed.notify_all();
      impl.changed.wait(lock, [&] { return !impl.is_holding; });
      --impl.held;
    }
    ++impl.syncs;
    if (impl.fault == Fault::kSyncError) return failed(impl, SQLITE_IOERR_FSYNC);
    return below(file)->pMethods->xSync(below(file), flags);
  }

  static int file_size(sqlite3_file* file, sqlite3_int64* size) { return below(file)->pMethods->xFileSize(below(file), size); }
  static int lock(sqlite3_file* file, int level) { return below(file)->pMethods->xLock(below(file), level); }
  static int unlock(sqlite3_file* file, int level) { return below(file)->pMethods->xUnlock(below(file), level); }
  static int check_reserved(sqlite3_file* file, int* out) { return below(file)->pMethods->xCheckReservedLock(below(file), out); }
  static int control(sqlite3_file* file, int what, void* argument) {
    return below(file)->pMethods->xFileControl(below(file), what, argument);
  }
  static int sector_size(sqlite3_file* file) { return below(file)->pMethods->xSectorSize(below(file)); }
  static int characteristics(sqlite3_file* file) { return below(file)->pMethods->xDeviceCharacteristics(below(file)); }
  static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    return below(file)->pMethods->xShmMap(below(file), region, size, extend, out);
  }
  static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) { below(file)->pMethods->xShmBarrier(below(file)); }
  static int shm_unmap(sqlite3_file* file, int remove) { return below(file)->pMethods->xShmUnmap(below(file), remove); }

  // Version 2: with shared memory, which WAL needs, without memory-mapped reads.
  static constexpr sqlite3_io_methods kMethods{
      2,           close,           read,    write,    truncate,    sync,      file_size, lock,   unlock, check_reserved, control,
      sector_size, characteristics, shm_map, shm_lock, shm_barrier, shm_unmap, nullptr,   nullptr};

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
    Impl& impl = owner(vfs);
    auto* shim = new (file) ShimFile{};
    shim->owner = &impl;
    const int code = impl.base->xOpen(impl.base, name, below(file), flags, out_flags);
    // SQLite closes what has methods, even after a failure.
    shim->file.pMethods = below(file)->pMethods ? &kMethods : nullptr;
    return code;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    return owner(vfs).base->xDelete(owner(vfs).base, name, sync_directory);
  }
  static int access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    return owner(vfs).base->xAccess(owner(vfs).base, name, flags, out);
  }
  static int full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
    return owner(vfs).base->xFullPathname(owner(vfs).base, name, size, out);
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    return owner(vfs).base->xRandomness(owner(vfs).base, size, out);
  }
  static int sleep(sqlite3_vfs* vfs, int microseconds) { return owner(vfs).base->xSleep(owner(vfs).base, microseconds); }
  static int current_time(sqlite3_vfs* vfs, double* out) { return owner(vfs).base->xCurrentTime(owner(vfs).base, out); }
  static int last_error(sqlite3_vfs* vfs, int size, char* out) {
    return owner(vfs).base->xGetLastError(owner(vfs).base, size, out);
  }
  static int current_time_64(sqlite3_vfs* vfs, sqlite3_int64* out) {
    return owner(vfs).base->xCurrentTimeInt64(owner(vfs).base, out);
  }
};

FaultyVfs::FaultyVfs(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->base = sqlite3_vfs_find(nullptr);
  if (!impl_->base || impl_->base->iVersion < 2) throw std::runtime_error{"no default VFS of version 2"};
  sqlite3_vfs& vfs = impl_->vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + impl_->base->szOsFile;
  vfs.mxPathname = impl_->base->mxPathname;
  vfs.zName = impl_->name.c_str();
  vfs.pAppData = impl_.get();
  vfs.xOpen = FaultyVfsCalls::open;
  vfs.xDelete = FaultyVfsCalls::remove;
  vfs.xAccess = FaultyVfsCalls::access;
  vfs.xFullPathname = FaultyVfsCalls::full_path;
  vfs.xRandomness = FaultyVfsCalls::randomness;
  vfs.xSleep = FaultyVfsCalls::sleep;
  vfs.xCurrentTime = FaultyVfsCalls::current_time;
  vfs.xGetLastError = FaultyVfsCalls::last_error;
  vfs.xCurrentTimeInt64 = FaultyVfsCalls::current_time_64;
  if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) throw std::runtime_error{"sqlite3_vfs_register"};
}

FaultyVfs::~FaultyVfs() {
  release_syncs();
  sqlite3_vfs_unregister(&impl_->vfs);
}

const std::string& FaultyVfs::name() const { return impl_->name; }
void FaultyVfs::set(Fault fault) {
  impl_->fault = fault;
  if (fault == Fault::kNone) impl_->allowance = std::numeric_limits<std::uint64_t>::max();
}
void FaultyVfs::allow_bytes(std::uint64_t bytes) { impl_->allowance = bytes; }

void FaultyVfs::hold_syncs() {
  const std::lock_guard lock(impl_->mutex);
  impl_->is_holding = true;
}

void FaultyVfs::release_syncs() {
  const std::lock_guard lock(impl_->mutex);
  impl_->is_holding = false;
  impl_->changed.notify_all();
}

bool FaultyVfs::wait_for_held_sync() {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, std::chrono::seconds{10}, [&] { return impl_->held > 0; });
}

std::uint64_t FaultyVfs::syncs() const { return impl_->syncs; }
std::uint64_t FaultyVfs::failures() const { return impl_->failures; }

} // namespace berth::test
