// JSON-RPC 2.0 as berth-machine speaks it: machine/protocol.hpp.
#pragma once

#include "daemon/machine/process/control_codec.hpp"

namespace berth {

// Notifications become events: `name` is the method. Errors carry berth's own code.
class JsonRpcCodec : public ControlCodec {
public:
  std::string encode(std::string_view command, std::string_view arguments, std::uint64_t id) const override;
  std::string_view probe() const override { return "hello"; }

private:
  std::optional<ControlMessage> read(const std::string& line) const override;
};

// An error code by its name in the API; kMachineFailed for a name that is not known.
ErrorCode error_code_of(std::string_view name);

} // namespace berth
