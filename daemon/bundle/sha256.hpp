// The name of an image is the hash of its bytes. Blocking: call on the pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "daemon/bundle/disk.hpp"
#include "daemon/core/image.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

// The same over bytes that come one after the other.
class Sha256 {
public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void restart();
  void update(std::span<const std::uint8_t> bytes);
  std::string finish(); // and restarts

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct HashedCopy {
  std::string sha256;
  std::uint64_t bytes = 0;
};

// Copies the open regular file from its begin to the new file `to` while hashing it; stretches of zeros become holes.
// kInvalidValue (not a regular file), kInsufficientDisk (checked first), kCancelled. No file is left then.
Result<HashedCopy> copy_hashed(const UniqueFd& from, const std::filesystem::path& to, const disk::CloneControl& control = {});

// Looks at the first bytes: kImageInvalid for an empty file, and for a disk that is not raw (a qcow2 names other files).
Result<void> judge_image(const std::filesystem::path& file, ImageKind kind);

} // namespace berth
