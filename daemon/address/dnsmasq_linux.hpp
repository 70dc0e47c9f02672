// The DHCP and DNS server of the nat network: one dnsmasq process in its own session. It outlives the daemon, because
// guests renew their leases while the daemon is away, and is taken back by the next one.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/address/ip_address.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/host/process_watch.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {

struct DnsmasqOptions {
  std::filesystem::path program;
  std::filesystem::path state_dir; // holds its lease file, log, pid file and record
  std::string bridge;
  Subnet subnet;    // with the host's own address in it
  std::string user; // to run as; empty: as dnsmasq decides (it leaves root by itself)
  std::chrono::seconds lease_time{3600};
};

// Pure. What the program is started with; a process with exactly these arguments is ours.
std::vector<std::string> dnsmasq_arguments(const DnsmasqOptions& options);

std::filesystem::path dnsmasq_lease_file(const std::filesystem::path& state_dir);

class Dnsmasq {
public:
  enum class Adoption {
    kAllowed, // a process of an earlier daemon goes on
    kRefused, // it is ended first: its bridge is not there any more
  };

  // Returns when the server answers on the bridge. kNetworkUnavailable with its own words when it does not come up.
  static Task<Result<std::unique_ptr<Dnsmasq>>> open(EventLoop& loop, DnsmasqOptions options, Adoption adoption);
  // Lets go of the process; never ends it.
  ~Dnsmasq() = default;
  Dnsmasq(const Dnsmasq&) = delete;
  Dnsmasq& operator=(const Dnsmasq&) = delete;

  const ProcessIdentity& process() const { return process_; }
  bool is_running() const { return static_cast<bool>(watch_); }
  // How often it was started again after it ended without our asking: at first after 100 ms, then ever later.
  std::uint64_t restarts() const { return restarts_; }

  // Ends the process; done when it is gone.
  Task<void> stop();

private:
  Dnsmasq(EventLoop& loop, DnsmasqOptions options);
  Task<Result<void>> launch();
  Task<Result<void>> wait_ready();
  Task<bool> wait_end(std::optional<Duration> at_most);
  Task<void> supervise();
  Task<void> end_process();
  Task<void> remove_record();
  std::filesystem::path path(const char* name) const { return options_.state_dir / name; }

  EventLoop& loop_;
  DnsmasqOptions options_;
  ProcessIdentity process_;
  ProcessWatch watch_; // of the process that runs
  bool is_stopping_ = false;
  bool is_launching_ = false; // by supervise()
  std::uint64_t restarts_ = 0;
  TaskGroup tasks_; // last: what waits in it refers to the members above
};

} // namespace berth
