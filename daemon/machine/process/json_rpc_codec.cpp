// The JSON side of berth-machine's protocol; the only place in the daemon where its messages are parsed.
#include "daemon/machine/process/json_rpc_codec.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/machine/process/control_json.hpp"

namespace berth {

ErrorCode error_code_of(std::string_view name) {
  const auto found = std::ranges::find(all_error_codes(), name, [](ErrorCode code) { return to_string(code); });
  return found == all_error_codes().end() ? ErrorCode::kMachineFailed : *found;
}

std::optional<ControlMessage> JsonRpcCodec::read(const std::string& line) const {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object() || text_of(object, "jsonrpc") != "2.0") return std::nullopt;
  ControlMessage message;
  message.id = id_of(object);
  if (const auto value = object.find("result"); value != object.end()) {
    message.kind = ControlMessage::Kind::kReturn;
    message.values = flatten(*value);
    return message;
  }
  if (const auto error = object.find("error"); error != object.end() && error->is_object()) {
    message.kind = ControlMessage::Kind::kError;
    message.detail = text_of(*error, "message");
    if (const auto data = error->find("data"); data != error->end() && data->is_object()) {
      message.code = error_code_of(text_of(*data, "code"));
      message.values = flatten(*data);
    }
    return message;
  }
  if (message.name = text_of(object, "method"); !message.name.empty()) {
    message.kind = ControlMessage::Kind::kEvent;
    if (const auto parameters = object.find("params"); parameters != object.end()) message.values = flatten(*parameters);
    return message;
  }
  return std::nullopt;
}

std::string JsonRpcCodec::encode(std::string_view command, std::string_view arguments, std::uint64_t id) const {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + std::string{command} + R"(","params":)" +
         (arguments.empty() ? "{}" : std::string{arguments}) + "}\n";
}

} // namespace berth
