// The JSON side of QMP; the only place where it is parsed.
#include "daemon/machine/process/qmp_codec.hpp"

#include <nlohmann/json.hpp>

#include "daemon/machine/process/control_json.hpp"

namespace berth {

std::optional<ControlMessage> QmpCodec::read(const std::string& line) const {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  ControlMessage message;
  message.id = id_of(object);
  if (const auto greeting = object.find("QMP"); greeting != object.end()) {
    message.kind = ControlMessage::Kind::kGreeting;
    message.values = flatten(*greeting);
    return message;
  }
  if (const auto value = object.find("return"); value != object.end()) {
    message.kind = ControlMessage::Kind::kReturn;
    message.values = flatten(*value);
    return message;
  }
  if (const auto error = object.find("error"); error != object.end() && error->is_object()) {
    message.kind = ControlMessage::Kind::kError;
    message.name = text_of(*error, "class");
    message.detail = text_of(*error, "desc");
    return message;
  }
  if (message.name = text_of(object, "event"); !message.name.empty()) {
    message.kind = ControlMessage::Kind::kEvent;
    if (const auto data = object.find("data"); data != object.end()) message.values = flatten(*data);
    return message;
  }
  return std::nullopt;
}

std::string QmpCodec::encode(std::string_view command, std::string_view arguments, std::uint64_t id) const {
  std::string line = R"({"execute":")" + std::string{command} + R"(","id":)" + std::to_string(id);
  if (!arguments.empty()) line += R"(,"arguments":)" + std::string{arguments};
  return line + "}\n";
}

} // namespace berth
