// Ownership of Objective-C objects, their texts, and their exceptions, the same with GNUstep and on macOS without ARC.
// For .mm files only.
#pragma once

#import <Foundation/Foundation.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "machine/failure.hpp"

#if defined(__has_feature) && __has_feature(objc_arc)
#error "machine/ counts references itself: build it with -fno-objc-arc"
#endif

namespace berth::vz {

// One reference.
template <class T>
class ObjCPtr {
public:
  ObjCPtr() = default;
  ObjCPtr(const ObjCPtr& other) : object_([other.object_ retain]) {}
  ObjCPtr(ObjCPtr&& other) noexcept : object_(std::exchange(other.object_, nil)) {}
  ObjCPtr& operator=(ObjCPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ObjCPtr() { [object_ release]; }

  T* get() const { return object_; }
  explicit operator bool() const { return object_ != nil; }
  void reset() { *this = ObjCPtr{}; }

  // For adopt() and keep().
  static ObjCPtr holding(T* object) {
    ObjCPtr pointer;
    pointer.object_ = object;
    return pointer;
  }

private:
  T* object_ = nil;
};

// Of alloc-init: the reference is ours already.
template <class T>
ObjCPtr<T> adopt(T* object) {
  return ObjCPtr<T>::holding(object);
}
// Of anything else.
template <class T>
ObjCPtr<T> keep(T* object) {
  return ObjCPtr<T>::holding([object retain]);
}

std::string to_text(NSString* text); // "" for nil
std::string to_bytes(NSData* data);
NSString* ns_string(const std::string& text); // autoreleased, as all of these
NSURL* to_url(const std::filesystem::path& path);
NSData* to_data(const std::string& bytes);

// What an exception of the framework means: invalid_value for a bad argument, machine_failed for the rest.
Failure explain_exception(NSException* exception);

// Runs framework code. C++ `catch` does not work in .mm files with GNUstep's runtime, and @try does.
template <class Work>
Outcome<void> guarded(Work&& work) {
  @try {
    return work();
  } @catch (NSException* exception) {
    return std::unexpected(explain_exception(exception));
  }
}

} // namespace berth::vz
