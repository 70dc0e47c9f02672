// The guest's serial port: its output goes to console.log, input comes from console.sock. A full disk or a silent reader
// never stops the guest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"
#include "machine/loop.hpp"

namespace berth::vz {

class Console {
public:
  static constexpr std::size_t kMaxInput = 64 << 10; // waiting for the guest; then the client waits

  // Makes the log (0600, opened to append: berthd punches holes in its beginning) and the socket.
  static Result<std::unique_ptr<Console>> create(Loop& loop, const std::filesystem::path& runtime_dir, int inherited = -1);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // For the framework, which takes its own duplicates: what the guest reads, and where it writes.
  int guest_reader() const { return to_guest_.reader.get(); }
  int guest_writer() const { return from_guest_.writer.get(); }

  // Takes what the guest has written up to now: its last words, when it has ended.
  void drain();
  // Output that no disk took.
  std::uint64_t dropped_bytes() const { return dropped_bytes_; }

private:
  struct Pipe {
    UniqueFd reader, writer;
  };
  Console(Loop& loop, std::filesystem::path socket, UniqueFd log, UniqueFd listener, Pipe to_guest, Pipe from_guest);
  bool read_guest();
  void append(std::string_view bytes);
  void accept_clients();
  void read_client();
  void write_guest();
  void update_watches();
  void close_client();

  Loop& loop_;
  const std::filesystem::path socket_;
  UniqueFd log_, listener_, client_;
  Pipe to_guest_, from_guest_;
  std::string input_;
  std::uint64_t dropped_bytes_ = 0;
};

} // namespace berth::vz
