// Head fields of every answer.
#include "api/outgoing.hpp"

namespace berth::api {

namespace {

constexpr std::string_view kFixedFields = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

// A value that a handler made of input must not begin a new field.
void append_clean(std::string& text, std::string_view value) {
  for (const char c : value) text += (c == '\r' || c == '\n' || c == '\0') ? ' ' : c;
}

} // namespace

void Outgoing::add(std::string_view part) {
  if (!part.empty()) parts_[count_++] = {const_cast<char*>(part.data()), part.size()};
}

void Outgoing::add_frame_fields(const AnswerFrame& frame) {
  if (!frame.request_id.empty()) tail_.append("X-Request-Id: ").append(frame.request_id).append("\r\n");
  if (!frame.keep_alive)
    tail_ += "Connection: close\r\n";
  else if (!frame.is_http_1_1)
    tail_ += "Connection: keep-alive\r\n";
  tail_.append(frame.date_line).append("\r\n");
}

std::span<iovec> Outgoing::compose(const Response& response, const AnswerFrame& frame) {
  count_ = 0;
  tail_.clear();
  if (response.prepared) {
    const std::string_view wire = response.prepared->wire;
    add_frame_fields(frame);
    add(wire.substr(0, response.prepared->head_size - 2)); // the empty line comes with the tail
    add(tail_);
    if (!frame.is_head) add(wire.substr(response.prepared->head_size));
    return {parts_.data(), count_};
  }
  const std::string_view body = response.shared_body ? std::string_view{*response.shared_body} : std::string_view{response.body};
  head_.clear();
  head_.append("HTTP/1.1 ")
      .append(std::to_string(response.status))
      .append(" ")
      .append(reason_phrase(response.status))
      .append("\r\n");
  for (const auto& [name, value] : response.headers) {
    head_.append(name).append(": ");
    append_clean(head_, value);
    head_ += "\r\n";
  }
  const bool has_no_body = response.status == 204 || response.status == 304;
  if (!has_no_body) head_.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  head_ += kFixedFields;
  add_frame_fields(frame);
  add(head_);
  add(tail_);
  if (!frame.is_head && !has_no_body) add(body);
  return {parts_.data(), count_};
}

std::span<iovec> Outgoing::compose_stream_head(std::string_view content_type, const AnswerFrame& frame) {
  count_ = 0;
  tail_.clear();
  head_.assign("HTTP/1.1 200 OK\r\nContent-Type: ").append(content_type).append("\r\n");
  if (frame.is_http_1_1) head_ += "Transfer-Encoding: chunked\r\n";
  head_ += kFixedFields;
  add_frame_fields(frame);
  add(head_);
  add(tail_);
  return {parts_.data(), count_};
}

} // namespace berth::api
