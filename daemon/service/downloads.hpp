// Downloads under way: a few at once, the others in turn, each attempt on a thread of its own. Knows nothing of images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/bundle/download.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/operation_service.hpp"

namespace berth {

struct DownloadOptions {
  DownloadLimits limits;
  std::size_t at_once = 2;
  unsigned most_retries = 6;   // in a row that bring next to nothing
  Duration first_pause{1'000}; // before the first of them; each later one is twice as long
};

struct Downloaded {
  std::string sha256;
  std::uint64_t bytes = 0;
};

class Downloads {
public:
  Downloads(Context& context, OperationService& operations, DownloadOptions options);
  // Ends the attempts under way and waits for their threads; what has come is kept.
  ~Downloads();

  // The file is the caller's, and counts as one of those under way, as long as what is returned lives. Waits until nobody
  // else has it and few enough are under way. kCancelled; kInterrupted when the daemon is stopping.
  Task<Result<std::shared_ptr<const void>>> turn(std::shared_ptr<OperationControl> control, std::filesystem::path file);
  // Fetches the URL into the file, in its turn, telling the operation's progress. The file is left on every failure; whoever
  // has the turn removes it. kCancelled, kInterrupted; else as Download says.
  Task<Result<Downloaded>> fetch(std::shared_ptr<OperationControl> control, std::string url, std::filesystem::path file);
  // The daemon is stopping: every fetch ends soon.
  void stop();

private:
  struct State;
  class Turn;
  Task<Result<void>> pause(std::shared_ptr<OperationControl> control, Duration length);
  Task<Result<void>> fetch_all(std::shared_ptr<OperationControl> control, std::shared_ptr<Download> download);
  Pending<Result<void>> attempt(std::shared_ptr<OperationControl> control, std::shared_ptr<Download> download);
  Result<void> judge_end(const OperationControl& control) const;

  Context& context_;
  OperationService& operations_;
  const DownloadOptions options_;
  std::shared_ptr<State> state_;
};

} // namespace berth
