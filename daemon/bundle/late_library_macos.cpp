// libcurl is part of macOS and shared by all its processes, and libzip brings nothing along there: both are linked as usual.
#include "daemon/bundle/late_library.hpp"

#include <cstdlib>

#include <dlfcn.h>

namespace berth {

bool LateLibrary::load() { return true; }

void* LateLibrary::find(const char* function) {
  if (void* const found = ::dlsym(RTLD_DEFAULT, function)) return found;
  std::abort();
}

LateLibrary& late_curl() {
  static LateLibrary library("libcurl.4.dylib");
  return library;
}

LateLibrary& late_zip() {
  static LateLibrary library("libzip.dylib");
  return library;
}

} // namespace berth
