// Bytes of a control channel to messages and back: one JSON object a line, whatever its dialect. Pure: no socket, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth {

// The scalars of a JSON object by name; nested objects with dots ("qemu.major"), booleans as "true" and "false".
// Arrays, nulls and what lies deeper than four levels are left out: nothing here needs them.
using ControlValues = std::map<std::string, std::string, std::less<>>;

struct ControlMessage {
  enum class Kind : std::uint8_t { kGreeting, kReturn, kError, kEvent };
  Kind kind = Kind::kEvent;
  std::uint64_t id = 0;                       // of a return or an error; 0 when it carries none of ours
  std::string name;                           // event name, or error class
  ErrorCode code = ErrorCode::kMachineFailed; // of an error
  std::string detail;                         // an error's description
  ControlValues values;                       // the return value, the event's data, the greeting's version
};

class ControlCodec {
public:
  // A longer line than this is garbage: answers to our commands stay below a kilobyte.
  static constexpr std::size_t kMaxLine = 1 << 20;

  virtual ~ControlCodec() = default;

  // Takes bytes as they come and gives the messages that are complete. An error means that the stream is not of this
  // dialect (not JSON, no known kind, a line without an end): it is then broken for good, and every later call fails.
  Result<std::vector<ControlMessage>> feed(std::string_view bytes);

  // `arguments` is the text of a JSON object, or empty. `command` and `arguments` are our own constants and numbers.
  virtual std::string encode(std::string_view command, std::string_view arguments, std::uint64_t id) const = 0;
  // A question that costs nothing.
  virtual std::string_view probe() const = 0;
  // The command that answers a greeting; empty when there is none.
  virtual std::string_view opening() const { return {}; }

private:
  virtual std::optional<ControlMessage> read(const std::string& line) const = 0;

  std::string line_; // the beginning of a line whose end has not come yet
  bool is_broken_ = false;
};

} // namespace berth
