// Whether guests can run for the user and the session that this process is in.
#pragma once

#include <optional>
#include <string>

namespace berth {

struct UnfitSession {
  std::string why, what_to_do;
};

// nullopt: nothing is known against it. On Linux nothing ever is.
std::optional<UnfitSession> judge_session();

} // namespace berth
