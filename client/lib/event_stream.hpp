// Parser of text/event-stream (WHATWG HTML, section 9.2.6). Takes pieces as they come off the wire, gives messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::client {

struct StreamMessage {
  std::string type; // "message" when the stream names none
  std::string data; // lines joined by '\n'
};

class EventStreamParser {
public:
  // The messages that are complete with this piece. A piece may end anywhere, also between '\r' and '\n'.
  std::vector<StreamMessage> feed(std::string_view piece);
  // The last id that came before a blank line: what to send as Last-Event-ID. Kept over messages that name none.
  const std::optional<std::string>& last_id() const { return last_id_; }
  // Forgets a message that was cut off with its connection; the last id stays.
  void restart();

private:
  void take_line(std::string_view line, std::vector<StreamMessage>& messages);
  void take_field(std::string_view name, std::string_view value);

  std::string line_;
  bool skip_newline_ = false; // the line before ended with '\r'
  std::string type_, data_;
  bool has_data_ = false;
  std::optional<std::string> pending_id_, last_id_;
};

} // namespace berth::client
