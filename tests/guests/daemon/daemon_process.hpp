// The real berthd in a process of its own: started, killed, waited for, looked at from outside. It asks nothing of it over
// HTTP but /healthz.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/time.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::test {

struct DaemonSettings {
  std::filesystem::path state_dir, socket, lock_dir, log; // --state-dir and so on; an empty one is not given
  std::vector<std::string> options{"--network", "user", "--accelerator", "tcg"};
  std::map<std::string, std::string> environment; // on top of the test's own
  std::vector<std::string> wrapper;               // a program that executes what follows it
  // Runs in the child before berthd does: joins namespaces, sets limits. False ends the child.
  std::function<bool()> prepare;
};

// How a process ended, as waitpid(2) tells it.
struct ProcessEnd {
  int status = 0;
  bool is_killed() const;  // by SIGKILL
  int exit_status() const; // -1 when a signal ended it
};

class DaemonProcess {
public:
  // Starts the program; returns at once.
  explicit DaemonProcess(const DaemonSettings& settings);
  // Kills it when it still runs. Its guests are the caller's.
  ~DaemonProcess();
  DaemonProcess(DaemonProcess&&) noexcept = default;
  DaemonProcess& operator=(DaemonProcess&&) = delete;

  pid_t pid() const { return pid_; }
  bool is_alive();
  void signal(int number) const;
  // Empty when it still runs then.
  std::optional<ProcessEnd> wait_end(Duration at_most);
  // SIGKILL, or SIGTERM, and the end; a failure of the test when it does not come in time.
  ProcessEnd kill();
  ProcessEnd terminate();

private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ProcessEnd> end_;
};

// Processes, zombies aside, that run `program` and name `folder` on their command line.
std::vector<pid_t> processes_of(const std::filesystem::path& folder, const std::string& program);
// Ends what is left of them, and collects the dead that became this process's children.
void end_processes_of(const std::filesystem::path& folder);

// Looks until `holds`, at most so long; what it looks at comes from other processes, which nobody can be told of.
bool eventually(const std::function<bool()>& holds, Duration at_most = Duration{10'000});

std::string read_text(const std::filesystem::path& file);

} // namespace berth::test
