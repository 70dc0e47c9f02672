// How far a long operation is: one line that is drawn again on a terminal, one line per step elsewhere.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include <berth/client.hpp>

#include "client/session.hpp"

namespace berth::cli {

class Progress {
public:
  enum class Style { kSilent, kLines, kBar };

  Progress(std::ostream& err, Style style) : err_(err), style_(style) {}
  explicit Progress(const Session& session);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(const client::Operation& operation);
  // Wipes the drawn line, so that what is printed next stands alone.
  void clear();

private:
  std::ostream& err_;
  Style style_;
  std::string last_;
};

// "waiting for machine_id of alpha, place 2": what an operation does now, for people.
std::string step_text(const client::Operation& operation);

// The wait that the user asked for, with `progress` told meanwhile; `progress` must outlive it.
client::Wait wait_of(const Session& session, Progress& progress);

} // namespace berth::cli
