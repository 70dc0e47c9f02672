// The QEMU Machine Protocol: docs/interop/qmp-spec.txt of QEMU 7.2; one JSON object a line, ended by CR LF.
#pragma once

#include "daemon/machine/process/control_codec.hpp"

namespace berth {

class QmpCodec : public ControlCodec {
public:
  std::string encode(std::string_view command, std::string_view arguments, std::uint64_t id) const override;
  std::string_view probe() const override { return "query-status"; }
  std::string_view opening() const override { return "qmp_capabilities"; }

private:
  std::optional<ControlMessage> read(const std::string& line) const override;
};

} // namespace berth
