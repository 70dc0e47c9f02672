// What is done with a change, whoever told of it.
#include "daemon/machine/process/file_watch.hpp"

namespace berth {

void FileWatch::tell(const std::set<int>& changed) {
  for (const int id : changed) {
    const auto found = watched_.find(id);
    if (found == watched_.end()) continue;
    const auto callback = found->second.callback; // it may end its own watch
    callback();
  }
}

} // namespace berth
