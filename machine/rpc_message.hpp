// The lines of the protocol with berthd, as protocol.hpp fixes them: requests read, answers and notifications written.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "machine/exit_report.hpp"
#include "machine/failure.hpp"

namespace berth::vz {

enum class Method : std::uint8_t {
  kHello,
  kStart,
  kRestore,
  kInstall,
  kCancelInstall,
  kPause,
  kResume,
  kSave,
  kRequestStop,
  kStop,
  kSetMemoryTarget,
  kReconnectNetwork,
  kQuit,
};
std::string_view to_string(Method method);

struct Request {
  std::string id; // the JSON text of a number or a string, given back as it came
  Method method = Method::kHello;
  bool recovery = false;   // start
  std::string path;        // restore, save: the file; install: the image
  std::uint64_t bytes = 0; // set_memory_target
};

// Any bytes are safe to give. The error is the answer to send: -32700, -32600, -32601 or -32602.
std::expected<Request, std::string> parse_request(std::string_view line);

struct Hello {
  std::string vm, state;
  bool simulated = false, can_save = false, network_attached = false;
  std::string cannot_save; // why, when it cannot
  std::optional<std::uint64_t> memory_target_bytes;
};

// Each is one line with its newline.
std::string hello_answer(const std::string& id, const Hello& hello);
std::string empty_answer(const std::string& id);
std::string failure_answer(const std::string& id, const Failure& failure);
std::string too_long_answer();

std::string state_notification(std::string_view state);
std::string progress_notification(double fraction);
std::string network_notification(bool is_attached, const std::string& detail);
std::string exit_notification(const ExitReport& report);

} // namespace berth::vz
