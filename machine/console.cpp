// Two pipes, one a direction. The framework's ends block, as it expects; ours do not.
#include "machine/console.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

#include "machine/descriptor.hpp"
#include "machine/protocol.hpp"

namespace berth::vz {

Result<std::unique_ptr<Console>> Console::create(Loop& loop, const std::filesystem::path& runtime_dir, int inherited) {
  const std::filesystem::path file = runtime_dir / protocol::kConsoleLogFile;
  UniqueFd log{::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!log) return fail(ErrorCode::kStorageFailed, "cannot open " + file.string() + ": " + std::strerror(errno));
  const std::filesystem::path socket = runtime_dir / protocol::kConsoleSocketFile;
  auto listener = listen_at(socket, inherited);
  if (!listener) return std::unexpected(listener.error());
  auto in = make_pipe();
  if (!in) return std::unexpected(in.error());
  auto out = make_pipe();
  if (!out) return std::unexpected(out.error());
  for (const int fd : {in->writer.get(), out->reader.get()})
    if (auto set = set_nonblocking(fd); !set) return std::unexpected(set.error());
  return std::unique_ptr<Console>{new Console{loop, socket, std::move(log), std::move(*listener),
                                              Pipe{std::move(in->reader), std::move(in->writer)},
                                              Pipe{std::move(out->reader), std::move(out->writer)}}};
}

Console::Console(Loop& loop, std::filesystem::path socket, UniqueFd log, UniqueFd listener, Pipe to_guest, Pipe from_guest)
    : loop_(loop), socket_(std::move(socket)), log_(std::move(log)), listener_(std::move(listener)),
      to_guest_(std::move(to_guest)), from_guest_(std::move(from_guest)) {
  loop_.watch(listener_.get(), POLLIN, [this](short) { accept_clients(); });
  loop_.watch(from_guest_.reader.get(), POLLIN, [this](short) { read_guest(); });
}

Console::~Console() {
  close_client();
  loop_.unwatch(listener_.get());
  loop_.unwatch(from_guest_.reader.get());
  loop_.unwatch(to_guest_.writer.get());
  ::unlink(socket_.c_str());
}

// One portion, so that a guest that never stops writing does not starve the rest.
bool Console::read_guest() {
  char bytes[64 << 10];
  const ssize_t count = ::read(from_guest_.reader.get(), bytes, sizeof bytes);
  if (count > 0) append({bytes, static_cast<std::size_t>(count)});
  return count > 0;
}

void Console::drain() {
  while (read_guest()) {
  }
}

void Console::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(log_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      dropped_bytes_ += bytes.size();
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Console::accept_clients() {
  while (auto client = accept_own(listener_.get())) {
    close_client();
    client_ = std::move(*client);
    update_watches();
  }
}

void Console::read_client() {
  char bytes[4096];
  const ssize_t count = ::recv(client_.get(), bytes, sizeof bytes, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close_client();
  input_.append(bytes, static_cast<std::size_t>(count));
  write_guest();
}

void Console::write_guest() {
  while (!input_.empty()) {
    const ssize_t count = ::write(to_guest_.writer.get(), input_.data(), input_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break; // full: the guest does not read now
    input_.erase(0, static_cast<std::size_t>(count));
  }
  update_watches();
}

void Console::update_watches() {
  if (client_) {
    const short events = input_.size() < kMaxInput ? POLLIN : 0;
    loop_.watch(client_.get(), events, [this](short) { read_client(); });
  }
  if (input_.empty()) {
    loop_.unwatch(to_guest_.writer.get());
  } else {
    loop_.watch(to_guest_.writer.get(), POLLOUT, [this](short) { write_guest(); });
  }
}

void Console::close_client() {
  if (!client_) return;
  loop_.unwatch(client_.get());
  client_.reset();
}

} // namespace berth::vz
