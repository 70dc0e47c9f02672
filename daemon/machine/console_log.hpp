// The serial log of one VM as a file, read by offset whether the VM runs or not. Blocking: called on the pool.
#pragma once

#include <cstdint>
#include <filesystem>

#include "daemon/core/error.hpp"
#include "daemon/machine/machine.hpp"

namespace berth {

// QEMU appends to console.log, also while no daemon lives. What is too old is punched out as a hole: a file's offset
// stays the console's offset for ever, and nothing is lost to a race with the writer, as it would be in a copy.
class ConsoleLog {
public:
  static constexpr std::uint64_t kDefaultCap = 8 << 20;

  explicit ConsoleLog(std::filesystem::path runtime_dir);

  struct Range {
    std::uint64_t begin = 0, end = 0; // begin: of the oldest byte that is kept
  };
  // An absent log is an empty one.
  Result<Range> range() const;
  // At most `limit` bytes from `offset` on; chunk.offset is larger than asked when older ones are gone, and is the end
  // when the asked offset lies beyond it.
  Result<Console::Chunk> read(std::uint64_t offset, std::size_t limit) const;
  // The newest `limit` bytes.
  Result<Console::Chunk> tail(std::size_t limit) const;
  // When more than `cap` bytes are kept, lets go of all but the newest half of `cap`, up to a block of 4 KiB.
  Result<void> trim(std::uint64_t cap) const;
  // Makes the file, mode 0600, when it is not there.
  Result<void> create() const;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace berth
