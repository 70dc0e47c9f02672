// QMP from a hostile QEMU: any bytes, in any pieces, give the same messages or a clean refusal.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/machine/process/qmp_codec.hpp"

namespace {

struct Outcome {
  std::size_t messages = 0;
  bool is_broken = false;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(std::string_view bytes, std::size_t piece) {
  berth::QmpCodec codec;
  Outcome outcome;
  while (!bytes.empty() && !outcome.is_broken) {
    const auto messages = codec.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    if (messages)
      outcome.messages += messages->size();
    else
      outcome.is_broken = true;
  }
  return outcome;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const Outcome pieces = feed(bytes.substr(1), 1 + data[0] % 64), whole = feed(bytes.substr(1), size);
  // A refusal comes with the piece that holds the fault, so messages before it in the same piece are not handed out.
  if (pieces.is_broken != whole.is_broken) std::abort();
  if (!whole.is_broken && pieces != whole) std::abort();
  return 0;
}
