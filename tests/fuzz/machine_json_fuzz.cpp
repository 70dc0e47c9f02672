// What berth-machine reads: any bytes are a spec or a request, or a clean refusal of both.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "machine/rpc_message.hpp"
#include "machine/spec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto spec = berth::vz::parse_spec(text);
  if (!spec && spec.error().detail.empty()) std::abort();
  if (spec && (spec->cpu_count == 0 || !spec->bundle.is_absolute())) std::abort();
  const auto request = berth::vz::parse_request(text);
  if (request && berth::vz::parse_request(text)->id != request->id) std::abort();
  // A refusal is one line, whatever it quotes.
  if (!request && request.error().find('\n') != request.error().size() - 1) std::abort();
  return 0;
}
