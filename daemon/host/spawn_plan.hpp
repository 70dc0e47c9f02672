// The two argument objects of posix_spawn with their ends, and the files that stand in for pipes.
#pragma once

#include <spawn.h>

#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Default signal handling, no signal blocked, and no descriptor but the named ones.
class SpawnPlan {
public:
  struct Wishes {
    // For 0, 1 and 2; -1 is /dev/null.
    int standard_input = -1, standard_output = -1, standard_error = -1;
    std::vector<int> inherited; // all above 2
    bool has_own_session = false;
  };

  SpawnPlan();
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan();

  // 0 or an error number.
  int fill(const Wishes& wishes);

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

private:
  int keep_open(int fd);
  static int platform_flags();

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// A file without a name that holds `content`, to be read from its beginning: unlike a pipe it never fills up, and a helper
// that does not read raises no SIGPIPE.
Result<UniqueFd> unnamed_file(std::string_view content);
// The same, empty, as the system makes it.
Result<UniqueFd> make_unnamed_file();

} // namespace berth
