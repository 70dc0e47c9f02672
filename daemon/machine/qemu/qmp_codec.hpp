// Bytes of the QEMU Machine Protocol to messages and back. Pure: no socket, no clock.
// Format: docs/interop/qmp-spec.txt of QEMU 7.2; one JSON object a line, ended by CR LF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth {

// The scalars of a JSON object by name; nested objects with dots ("qemu.major"), booleans as "true" and "false".
// Arrays, nulls and what lies deeper than four levels are left out: nothing here needs them.
using QmpValues = std::map<std::string, std::string, std::less<>>;

struct QmpMessage {
  enum class Kind : std::uint8_t { kGreeting, kReturn, kError, kEvent };
  Kind kind = Kind::kEvent;
  std::uint64_t id = 0; // of a return or an error; 0 when it carries none of ours
  std::string name;     // event name, or error class
  std::string detail;   // an error's description
  QmpValues values;     // the return value, the event's data, the greeting's version
};

class QmpCodec {
public:
  // A longer line than this is garbage: QEMU's own answers to our commands stay below a kilobyte.
  static constexpr std::size_t kMaxLine = 1 << 20;

  // Takes bytes as they come and gives the messages that are complete. An error means that the stream is not QMP (not
  // JSON, no known kind, a line without an end): it is then broken for good, and every later call fails.
  Result<std::vector<QmpMessage>> feed(std::string_view bytes);

  // `arguments` is the text of a JSON object, or empty. `command` and `arguments` are our own constants and numbers.
  static std::string encode(std::string_view command, std::string_view arguments, std::uint64_t id);

private:
  std::string line_; // the beginning of a line whose end has not come yet
  bool is_broken_ = false;
};

} // namespace berth
