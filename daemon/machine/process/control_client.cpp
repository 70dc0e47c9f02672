// Reads until the kernel has no more, hands out in order, and never trusts that its owner outlives a callback.
#include "daemon/machine/process/control_client.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

namespace berth {

namespace {

std::unexpected<Error> silent(const std::string& command) {
  return fail(ErrorCode::kMachineUnreachable, "the machine did not answer " + command + " in time");
}
std::unexpected<Error> closed() { return fail(ErrorCode::kMachineUnreachable, "the control channel of the machine is closed"); }

} // namespace

ControlClient::ControlClient(EventLoop& loop, UniqueFd connected, Duration deadline, std::unique_ptr<ControlCodec> codec,
                             Handlers handlers)
    : loop_(loop), socket_(std::move(connected)), deadline_(deadline), codec_(std::move(codec)),
      handlers_(std::make_shared<const Handlers>(std::move(handlers))) {}

void ControlClient::start() {
  watch_ = loop_.watch(socket_.get(), Readiness::kReadable, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->drain();
  });
}

Task<Result<void>> ControlClient::open(std::shared_ptr<ControlClient> self, Duration deadline) {
  const SteadyTime end = self->loop_.steady_now() + deadline;
  while (!self->is_greeted_) {
    if (self->is_closed()) co_return closed();
    const auto left = std::chrono::ceil<Duration>(end - self->loop_.steady_now());
    if (left <= Duration::zero()) {
      self->set_silent(true);
      co_return silent("with its greeting");
    }
    co_await wait_for(self->loop_, self->greeted_, left);
  }
  if (!self->is_open_) {
    auto answer = co_await execute(self, std::string(self->codec_->opening()));
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    self->is_open_ = true;
  }
  co_return Result<void>{};
}

Task<Result<ControlValues>> ControlClient::execute(std::shared_ptr<ControlClient> self, std::string command,
                                                   std::string arguments, int fd, std::optional<Duration> deadline) {
  if (self->is_closed()) co_return closed();
  const std::uint64_t id = self->next_id_++;
  auto [resolver, pending] = one_shot<Result<ControlValues>>();
  if (!self->send(self->codec_->encode(command, arguments, id), fd)) {
    if (self->is_closed()) co_return closed();
    co_return silent(command);
  }
  Registration timer = self->loop_.after(deadline.value_or(self->deadline_), [weak = self->weak_from_this(), id] {
    if (const auto client = weak.lock()) client->expire(id);
  });
  self->waiting_.emplace(id, Waiting{resolver, std::move(timer)});
  auto answer = co_await std::move(pending);
  if (!answer) {
    answer.error().detail = command + ": " + answer.error().detail;
  }
  co_return answer;
}

Task<bool> ControlClient::is_answering(std::shared_ptr<ControlClient> self, Duration deadline) {
  if (self->is_closed() || !self->waiting_.empty()) co_return true;
  const std::uint64_t before = self->readings_;
  if (!self->send(self->codec_->encode(self->codec_->probe(), {}, self->next_id_++), -1)) co_return self->is_closed();
  co_await sleep_for(self->loop_, deadline);
  // A daemon that was itself held up finds the answer in the socket.
  self->drain();
  co_return self->is_closed() || self->readings_ != before;
}

void ControlClient::drain() {
  const auto self = shared_from_this();
  std::array<char, 16384> buffer;
  while (!is_closed()) {
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (count <= 0) return lost();
    ++readings_;
    const auto messages = codec_->feed({buffer.data(), static_cast<std::size_t>(count)});
    set_silent(false);
    if (!messages) return lost();
    for (const ControlMessage& message : *messages) {
      if (is_closed()) return;
      deliver(message);
    }
  }
}

void ControlClient::deliver(const ControlMessage& message) {
  switch (message.kind) {
    case ControlMessage::Kind::kGreeting:
      is_greeted_ = true;
      greeted_.notify();
      return;
    case ControlMessage::Kind::kReturn:
    case ControlMessage::Kind::kError: answered(message); return;
    case ControlMessage::Kind::kEvent:
      if (const auto handlers = handlers_; handlers && handlers->on_event) handlers->on_event(message);
      return;
  }
}

void ControlClient::answered(const ControlMessage& message) {
  auto found = waiting_.extract(message.id);
  if (found.empty()) return; // the answer to a command that was given up
  const auto resolver = found.mapped().resolver;
  found.mapped().timer.cancel();
  if (message.kind == ControlMessage::Kind::kError) {
    resolver(fail(message.code, message.detail));
  } else {
    resolver(message.values);
  }
}

void ControlClient::expire(std::uint64_t id) {
  const auto self = shared_from_this();
  // When this daemon was itself held up, the answer has come and only waits to be read.
  drain();
  auto found = waiting_.extract(id);
  if (found.empty()) return;
  set_silent(true);
  found.mapped().resolver(fail(ErrorCode::kMachineUnreachable, "no answer in time"));
}

void ControlClient::lost() {
  const auto handlers = handlers_;
  close();
  if (handlers && handlers->on_closed) handlers->on_closed();
}

void ControlClient::close() {
  const auto self = shared_from_this();
  handlers_.reset();
  watch_.cancel();
  socket_.reset();
  for (const auto& [id, each] : std::exchange(waiting_, {})) each.resolver(closed());
  greeted_.notify();
}

bool ControlClient::send(const std::string& line, int fd) {
  iovec data{const_cast<char*>(line.data()), line.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  const ssize_t sent = ::sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(line.size())) return true;
  // A socket that does not take one short line is full of commands nobody reads. What went out is half a command, and
  // the stream is of no more use.
  if (sent > 0) lost();
  set_silent(true);
  return false;
}

void ControlClient::set_silent(bool is_silent) {
  if (is_closed() || std::exchange(is_silent_, is_silent) == is_silent) return;
  if (const auto handlers = handlers_; handlers && handlers->on_reachable) handlers->on_reachable(!is_silent);
}

} // namespace berth
