// An HTTP server of one file on the loopback, which answers as well or as badly as a test says. It serves any path.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "daemon/runtime/unique_fd.hpp"

namespace berth::test {

// How one request is answered.
struct HttpStep {
  enum class Kind {
    kServe,       // as it should be: ranges, If-Range, a length
    kCut,         // closes the connection after `bytes` of the body
    kHold,        // as kCut, but keeps the connection until the server lets go
    kStatus,      // `status` alone
    kRedirect,    // to `location`
    kNoLength,    // the body without its length
    kIgnoreRange, // the whole with status 200, whatever was asked
    kWrongRange,  // status 206 from another place
    kCompressed,  // says that the body is gzip
  };
  Kind kind = Kind::kServe;
  std::uint64_t bytes = 0;
  int status = 0;
  std::string location;
};

struct HttpRequest {
  std::string path, range, if_range;
};

class HttpFileServer {
public:
  explicit HttpFileServer(std::string body);
  ~HttpFileServer();
  HttpFileServer(const HttpFileServer&) = delete;

  std::string url(const std::string& path = "/image.ipsw") const;
  void set_file(std::string body, std::string etag, std::string last_modified = {});
  // For the next requests, one after the other; then kServe.
  void script(std::vector<HttpStep> steps);
  // For all requests from now on.
  void always(HttpStep step);
  // Waits until so many requests have come, or ten seconds.
  bool wait_for_requests(std::size_t count);
  std::vector<HttpRequest> requests() const;
  std::size_t most_at_once() const; // connections that were being answered
  void let_go();                    // what is held is cut

private:
  void accept_all();
  void answer(UniqueFd connection);
  HttpStep next(const HttpRequest& request);
  void respond(int fd, const HttpStep& step, const HttpRequest& request);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string body_, etag_ = "\"one\"", last_modified_;
  std::deque<HttpStep> steps_;
  HttpStep always_;
  std::vector<HttpRequest> requests_;
  std::vector<std::thread> answering_;
  std::size_t at_once_ = 0, most_at_once_ = 0;
  std::uint64_t releases_ = 0;
  bool is_over_ = false;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

} // namespace berth::test
