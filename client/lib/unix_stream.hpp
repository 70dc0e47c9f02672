// A connected Unix socket on which every read and write has a deadline, in the shape of Beast's SyncStream.
// Not Asio's socket: its blocking calls wait without limit, and ignore SO_RCVTIMEO.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <berth/client.hpp>

#include "client/lib/deadline.hpp"

namespace berth::client {

class UnixStream {
public:
  static Result<UnixStream> connect(const std::string& path, Milliseconds timeout);

  UnixStream(UnixStream&& other) noexcept : fd_(std::exchange(other.fd_, -1)), deadline_(other.deadline_) {}
  UnixStream& operator=(UnixStream&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(deadline_, other.deadline_);
    return *this;
  }
  ~UnixStream();

  // For all reads and writes from here on; those that pass it fail with asio::error::timed_out.
  void set_deadline(Deadline deadline) { deadline_ = deadline; }
  // True when the daemon has closed its end, or sent what nobody asked for: not to be used again.
  bool is_stale() const;
  // Gives the descriptor away.
  int release() { return std::exchange(fd_, -1); }

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
    error = {};
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto each = boost::asio::buffer_sequence_begin(buffers); each != end; ++each) {
      const boost::asio::mutable_buffer buffer = *each;
      if (buffer.size() > 0) return read_bytes(buffer.data(), buffer.size(), error);
    }
    return 0;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, boost::system::error_code& error) {
    error = {};
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto each = boost::asio::buffer_sequence_begin(buffers); each != end; ++each) {
      const boost::asio::const_buffer buffer = *each;
      if (buffer.size() > 0) return write_bytes(buffer.data(), buffer.size(), error);
    }
    return 0;
  }

  // The throwing forms are part of Beast's concept; nothing here calls them.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t size = read_some(buffers, error);
    if (error) throw boost::system::system_error{error};
    return size;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t size = write_some(buffers, error);
    if (error) throw boost::system::system_error{error};
    return size;
  }

private:
  explicit UnixStream(int fd) : fd_(fd) {}
  std::size_t read_bytes(void* data, std::size_t size, boost::system::error_code& error);
  std::size_t write_bytes(const void* data, std::size_t size, boost::system::error_code& error);
  bool wait_for(short events, boost::system::error_code& error) const;

  int fd_ = -1;
  Deadline deadline_ = Deadline::never();
};

// What a failed connect(2) means, with the path in its sentence.
ClientError connect_error(int error_number, const std::string& path);

} // namespace berth::client
