// A library that is loaded when it is first needed: a daemon that never fetched an image carries none of what libcurl and
// libzip bring along, which on Debian is memory that berthd would share with nobody, in thirty libraries.
#pragma once

#include <atomic>
#include <mutex>

namespace berth {

class LateLibrary {
public:
  // `file` is what the linker would have written into the program, for example "libzip.so.4".
  explicit LateLibrary(const char* file) : file_(file) {}

  // Thread-safe; the first call reads files. False when the library cannot be loaded, and the next call tries again.
  bool load();
  // Ends the process when the library is not loaded, or has no such function: whoever calls has asked load().
  void* find(const char* function);

private:
  [[maybe_unused]] const char* file_; // not where libraries are linked
  std::mutex mutex_;
  std::atomic<void*> handle_{nullptr}; // for the life of the process
};

LateLibrary& late_curl();
LateLibrary& late_zip();

} // namespace berth
