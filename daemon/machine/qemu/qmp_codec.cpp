// The JSON side of QMP; the only place where it is parsed.
#include "daemon/machine/qemu/qmp_codec.hpp"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace berth {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 4;

void flatten(const json& object, const std::string& prefix, int depth, QmpValues& values) {
  if (!object.is_object() || depth > kMaxDepth) return;
  for (const auto& [name, value] : object.items()) {
    const std::string key = prefix + name;
    if (value.is_string()) {
      values[key] = value.get<std::string>();
    } else if (value.is_boolean()) {
      values[key] = value.get<bool>() ? "true" : "false";
    } else if (value.is_number()) {
      values[key] = value.dump();
    } else if (value.is_object()) {
      flatten(value, key + ".", depth + 1, values);
    }
  }
}

std::string text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<QmpMessage> to_message(const json& object) {
  if (!object.is_object()) return std::nullopt;
  QmpMessage message;
  if (const auto id = object.find("id"); id != object.end() && id->is_number_unsigned()) message.id = id->get<std::uint64_t>();
  if (const auto greeting = object.find("QMP"); greeting != object.end()) {
    message.kind = QmpMessage::Kind::kGreeting;
    flatten(*greeting, "", 1, message.values);
    return message;
  }
  if (const auto value = object.find("return"); value != object.end()) {
    message.kind = QmpMessage::Kind::kReturn;
    flatten(*value, "", 1, message.values);
    return message;
  }
  if (const auto error = object.find("error"); error != object.end() && error->is_object()) {
    message.kind = QmpMessage::Kind::kError;
    message.name = text(*error, "class");
    message.detail = text(*error, "desc");
    return message;
  }
  if (message.name = text(object, "event"); !message.name.empty()) {
    message.kind = QmpMessage::Kind::kEvent;
    if (const auto data = object.find("data"); data != object.end()) flatten(*data, "", 1, message.values);
    return message;
  }
  return std::nullopt;
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

} // namespace

Result<std::vector<QmpMessage>> QmpCodec::feed(std::string_view bytes) {
  std::vector<QmpMessage> messages;
  while (!is_broken_ && !bytes.empty()) {
    const auto end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    is_broken_ = line_.size() > kMaxLine;
    if (end == std::string_view::npos || is_broken_) break;
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (is_blank(line)) continue;
    if (auto message = to_message(json::parse(line, nullptr, false))) {
      messages.push_back(std::move(*message));
    } else {
      is_broken_ = true;
    }
  }
  if (!is_broken_) return messages;
  line_ = {};
  return fail(ErrorCode::kMachineFailed, "the control channel of the machine does not speak QMP");
}

std::string QmpCodec::encode(std::string_view command, std::string_view arguments, std::uint64_t id) {
  std::string line = R"({"execute":")" + std::string{command} + R"(","id":)" + std::to_string(id);
  if (!arguments.empty()) line += R"(,"arguments":)" + std::string{arguments};
  return line + "}\n";
}

} // namespace berth
