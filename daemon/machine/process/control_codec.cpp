// Lines, split and joined as the kernel likes.
#include "daemon/machine/process/control_codec.hpp"

#include <utility>

namespace berth {

namespace {
bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }
} // namespace

Result<std::vector<ControlMessage>> ControlCodec::feed(std::string_view bytes) {
  std::vector<ControlMessage> messages;
  while (!is_broken_ && !bytes.empty()) {
    const auto end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    is_broken_ = line_.size() > kMaxLine;
    if (end == std::string_view::npos || is_broken_) break;
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (is_blank(line)) continue;
    if (auto message = read(line)) {
      messages.push_back(std::move(*message));
    } else {
      is_broken_ = true;
    }
  }
  if (!is_broken_) return messages;
  line_ = {};
  return fail(ErrorCode::kMachineFailed, "the control channel of the machine does not speak its language");
}

} // namespace berth
