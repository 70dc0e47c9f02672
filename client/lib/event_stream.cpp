// text/event-stream, line by line.
#include "client/lib/event_stream.hpp"

#include <utility>

namespace berth::client {

std::vector<StreamMessage> EventStreamParser::feed(std::string_view piece) {
  std::vector<StreamMessage> messages;
  for (const char each : piece) {
    const bool is_second_half = std::exchange(skip_newline_, false) && each == '\n';
    if (is_second_half) continue;
    if (each != '\n' && each != '\r') {
      line_.push_back(each);
      continue;
    }
    skip_newline_ = each == '\r';
    take_line(line_, messages);
    line_.clear();
  }
  return messages;
}

void EventStreamParser::restart() {
  line_.clear();
  type_.clear();
  data_.clear();
  has_data_ = false;
  skip_newline_ = false;
  pending_id_.reset();
}

void EventStreamParser::take_line(std::string_view line, std::vector<StreamMessage>& messages) {
  if (line.empty()) {
    if (pending_id_) last_id_ = std::exchange(pending_id_, std::nullopt);
    if (has_data_) messages.push_back({type_.empty() ? "message" : type_, data_});
    type_.clear();
    data_.clear();
    has_data_ = false;
    return;
  }
  if (line.front() == ':') return; // a comment: the heartbeat
  const auto colon = line.find(':');
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
}

void EventStreamParser::take_field(std::string_view name, std::string_view value) {
  if (name == "event") {
    type_ = value;
  } else if (name == "data") {
    if (has_data_) data_.push_back('\n');
    data_ += value;
    has_data_ = true;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    pending_id_ = value;
  }
}

} // namespace berth::client
