// Keeps the guest's network card attached: the framework drops the attachment now and then, and never puts it back itself.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "machine/failure.hpp"
#include "machine/loop.hpp"

namespace berth::vz {

class NetworkKeeper {
public:
  struct Timing {
    std::chrono::milliseconds first_pause{100}, longest_pause{30'000};
    std::chrono::milliseconds steady{10'000}; // attached for that long, the next loss is a new one
  };
  using Done = std::function<void(Outcome<void>)>;
  using Reconnect = std::function<void(Done)>;
  using Notify = std::function<void(bool is_attached, const std::string& detail)>;

  NetworkKeeper(Loop& loop, Timing timing, bool is_attached);
  ~NetworkKeeper() { stop(); }
  NetworkKeeper(const NetworkKeeper&) = delete;
  NetworkKeeper& operator=(const NetworkKeeper&) = delete;

  // `reconnect` puts a new attachment in. `notify` hears of each change of is_attached(), however often a loss is told.
  void begin(Reconnect reconnect, Notify notify);
  void stop();

  bool is_attached() const { return is_attached_; }
  void on_disconnected(const std::string& detail);
  // Now, instead of after the pause.
  void reconnect(Done done);

private:
  void try_now();
  void on_tried(Outcome<void> outcome);

  Loop& loop_;
  const Timing timing_;
  Reconnect reconnect_;
  Notify notify_;
  bool is_attached_;
  bool is_trying_ = false;
  bool was_lost_again_ = false; // during the attempt
  std::chrono::milliseconds pause_;
  Loop::TimerId timer_ = 0;
  std::vector<Done> waiting_;
};

} // namespace berth::vz
