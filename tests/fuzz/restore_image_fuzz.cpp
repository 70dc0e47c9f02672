// Restore images from anywhere: the archive as a whole, and the text of a manifest by itself.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "daemon/bundle/restore_image.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto judge = [](const Result<RestoreImage>& read) {
    if (read && (read->version.empty() || read->build.empty())) std::abort();
    if (!read && (read.error().code != ErrorCode::kImageInvalid || read.error().detail.empty())) std::abort();
  };
  judge(read_restore_image({size, [=](std::uint64_t offset, std::span<std::uint8_t> buffer) -> std::int64_t {
                              const std::size_t begin = std::min<std::size_t>(offset, size);
                              const std::size_t count = std::min(buffer.size(), size - begin);
                              if (count > 0) std::memcpy(buffer.data(), data + begin, count);
                              return static_cast<std::int64_t>(count);
                            }}));
  judge(parse_build_manifest({reinterpret_cast<const char*>(data), size}));
  return 0;
}
