// Start, adoption, supervision and end of dnsmasq.
#include "daemon/address/dnsmasq_linux.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/address/directory_watch.hpp"
#include "daemon/host/child_process.hpp"
#include "daemon/host/process_identity_linux.hpp"
#include "daemon/host/small_file.hpp"

namespace berth {

namespace {

constexpr const char* kPidFile = "dnsmasq.pid";
constexpr const char* kLog = "dnsmasq.log";
constexpr const char* kRecord = "dnsmasq.record";
constexpr Duration kReadyTimeout{5000};
constexpr Duration kEndTimeout{2000};
constexpr Duration kFirstBackOff{100};
constexpr Duration kLongestBackOff{30'000};
constexpr Duration kStableAfter{60'000}; // a process that lived this long starts the back-off anew

std::string pid_file_argument(const DnsmasqOptions& options) { return "--pid-file=" + (options.state_dir / kPidFile).string(); }

// The last line of the log, which names the reason when dnsmasq gives up.
std::string last_words(const std::filesystem::path& log) {
  std::string text = read_small_file(log).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t line = text.rfind('\n');
  return text.substr(line == std::string::npos ? 0 : line + 1).substr(0, 500);
}

struct FoundProcess {
  ProcessIdentity process;
  ProcessWatch watch;
  bool is_current = false; // started with exactly the arguments of today
};

// Blocks. The process of an earlier daemon, kNotFound when there is none. The pid file of dnsmasq itself outlives a
// crash of the daemon between the start and the record, so it is asked too.
Result<FoundProcess> find_process(const DnsmasqOptions& options) {
  auto identity = read_process_record(options.state_dir / kRecord);
  auto watch = identity ? open_process(*identity) : Result<ProcessWatch>{std::unexpected(identity.error())};
  if (!watch) {
    const int pid = std::atoi(read_small_file(options.state_dir / kPidFile).value_or("").c_str());
    if (pid <= 0) return fail(ErrorCode::kNotFound, "no dnsmasq is recorded");
    identity = identify_process(pid);
    if (!identity) return std::unexpected(identity.error());
    watch = open_process(*identity);
    if (!watch) return std::unexpected(watch.error());
  }
  const std::string command = read_small_file("/proc/" + std::to_string(identity->pid) + "/cmdline").value_or("");
  std::string wanted;
  for (const std::string& each : dnsmasq_arguments(options)) wanted += each + '\0';
  // A pid file is no proof by itself, its number may be a stranger's by now: only ours has our file as an argument.
  if (command.find(pid_file_argument(options) + '\0') == std::string::npos)
    return fail(ErrorCode::kNotFound, "process " + std::to_string(identity->pid) + " is not the dnsmasq of this network");
  if (const auto written = write_process_record(options.state_dir / kRecord, *identity); !written)
    return std::unexpected(written.error());
  return FoundProcess{.process = std::move(*identity), .watch = std::move(*watch), .is_current = command == wanted};
}

// Blocks. The record is written in the same step, so that no later failure loses the process.
Result<ChildProcess> start_process(const DnsmasqOptions& options) {
  std::error_code ignored; // there may be none
  std::filesystem::remove(options.state_dir / kPidFile, ignored);
  const std::filesystem::path log = options.state_dir / kLog;
  const UniqueFd out{::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!out)
    return fail(ErrorCode::kStorageFailed, log.string() + " cannot be written: " + std::generic_category().message(errno));
  auto child = spawn_child({.argv = dnsmasq_arguments(options),
                            .session = ChildSession::kOwn,
                            .standard_output = out.get(),
                            .standard_error = out.get()});
  if (!child) return child;
  if (const auto written = write_process_record(options.state_dir / kRecord, child->identity); !written) {
    (void)signal_process(child->watch, SIGKILL); // it would be lost; when it has ended already, the better
    return std::unexpected(written.error());
  }
  return child;
}

} // namespace

std::filesystem::path dnsmasq_lease_file(const std::filesystem::path& state_dir) { return state_dir / "dnsmasq.leases"; }

std::vector<std::string> dnsmasq_arguments(const DnsmasqOptions& options) {
  const std::uint32_t network = options.subnet.network().address.v4_value();
  const std::uint32_t host_bits = (std::uint32_t{1} << (32 - options.subnet.prefix)) - 1;
  const std::string host = options.subnet.address.to_string();
  const auto at = [network](std::uint32_t number) { return IpAddress::v4(network + number).to_string(); };
  std::vector<std::string> arguments{
      options.program.string(),
      "--keep-in-foreground",
      "--conf-file=/dev/null", // nothing of the host's own dnsmasq
      "--no-hosts",            // the names of the host are not the guests' business
      "--interface=" + options.bridge,
      "--except-interface=lo",
      "--bind-interfaces", // other servers of the host keep their ports
      "--dhcp-range=" + at(2) + "," + at(host_bits - 1) + "," + IpAddress::v4(~host_bits).to_string() + "," +
          std::to_string(options.lease_time.count()),
      "--dhcp-leasefile=" + dnsmasq_lease_file(options.state_dir).string(),
      "--dhcp-authoritative",
      "--dhcp-no-override",
      "--no-ping", // a guest would wait 3 s for each new address; nobody else gives out addresses of this range
      "--dhcp-option=option:router," + host,
      "--dhcp-option=option:dns-server," + host,
      "--domain-needed",
      "--bogus-priv",
      "--log-facility=-", // to standard error, which is the log
      "--quiet-dhcp",     // the log keeps what goes wrong, and stays small
      pid_file_argument(options),
  };
  if (!options.user.empty()) {
    arguments.push_back("--user=" + options.user);
    arguments.push_back("--group=" + options.user);
  }
  return arguments;
}

Dnsmasq::Dnsmasq(EventLoop& loop, DnsmasqOptions options)
    : loop_(loop), options_(std::move(options)), tasks_([](const std::string& name, const std::exception_ptr&) {
        spdlog::error("network: the task {} ended by an exception", name);
      }) {}

Task<Result<std::unique_ptr<Dnsmasq>>> Dnsmasq::open(EventLoop& loop, DnsmasqOptions options, Adoption adoption) {
  std::unique_ptr<Dnsmasq> server{new Dnsmasq(loop, std::move(options))};
  auto found = co_await blocking(loop, [wanted = server->options_] { return find_process(wanted); });
  if (found) {
    server->process_ = std::move(found->process);
    server->watch_ = std::move(found->watch);
    if (adoption == Adoption::kRefused || !found->is_current) co_await server->end_process();
  }
  if (!server->watch_) {
    if (auto launched = co_await server->launch(); !launched) co_return std::unexpected(std::move(launched.error()));
  }
  server->tasks_.spawn("dnsmasq", server->supervise());
  co_return std::move(server);
}

Task<Result<void>> Dnsmasq::launch() {
  auto child = co_await blocking(loop_, [options = options_] { return start_process(options); });
  if (!child) co_return std::unexpected(std::move(child.error()));
  process_ = std::move(child->identity);
  watch_ = std::move(child->watch);
  auto ready = co_await wait_ready();
  if (!ready) co_await end_process();
  co_return std::move(ready);
}

// dnsmasq writes its pid file when its sockets are bound, and ends when they cannot be.
Task<Result<void>> Dnsmasq::wait_ready() {
  auto [resolver, pending] = one_shot<bool>();
  const Registration end = loop_.watch(watch_.descriptor(), Readiness::kReadable, [resolver] { resolver(false); });
  const Registration deadline = loop_.after(kReadyTimeout, [resolver] { resolver(false); });
  auto watch = DirectoryWatch::open(loop_, options_.state_dir, [resolver, file = path(kPidFile)](const std::string& name) {
    std::error_code ignored; // not there yet is the same as not to be seen
    if ((name.empty() || name == kPidFile) && std::filesystem::file_size(file, ignored) > 0 && !ignored) resolver(true);
  });
  if (!watch) co_return std::unexpected(std::move(watch.error()));
  std::error_code ignored;
  if (std::filesystem::file_size(path(kPidFile), ignored) > 0 && !ignored) resolver(true); // before the watch was there
  if (co_await std::move(pending)) co_return Result<void>{};
  const std::string words = co_await blocking(loop_, [log = path(kLog)] { return last_words(log); });
  co_return fail(ErrorCode::kNetworkUnavailable, "dnsmasq did not come up" + (words.empty() ? std::string{} : ": " + words));
}

// Waits for the end of the process and collects it. False when it still runs after `at_most`.
Task<bool> Dnsmasq::wait_end(std::optional<Duration> at_most) {
  auto [resolver, pending] = one_shot<bool>();
  const Registration end = loop_.watch(watch_.descriptor(), Readiness::kReadable, [resolver] { resolver(true); });
  Registration deadline;
  if (at_most) deadline = loop_.after(*at_most, [resolver] { resolver(false); });
  co_return co_await std::move(pending);
}

Task<void> Dnsmasq::supervise() {
  Duration back_off = kFirstBackOff;
  while (!is_stopping_) {
    const SteadyTime started = loop_.steady_now();
    if (watch_) {
      co_await wait_end(std::nullopt);
      const auto exit = reap_process(watch_); // an adopted one is not our child: how it ended is not known
      watch_.reset();
      if (is_stopping_) co_return;
      spdlog::warn("network: dnsmasq {} {}; starting it again", process_.pid, exit ? exit->to_string() : "has ended");
      if (loop_.steady_now() - started > kStableAfter) back_off = kFirstBackOff;
    }
    co_await sleep_for(loop_, back_off);
    back_off = std::min(back_off * 2, kLongestBackOff);
    if (is_stopping_) co_return;
    ++restarts_;
    is_launching_ = true;
    const auto launched = co_await launch();
    is_launching_ = false;
    if (!launched) spdlog::warn("network: {}", launched.error().detail);
  }
}

// While supervise() does not watch the process.
Task<void> Dnsmasq::end_process() {
  if (!watch_) co_return;
  for (const int number : {SIGTERM, SIGKILL}) {
    (void)signal_process(watch_, number); // fails only when it has ended
    const bool has_ended = co_await wait_end(kEndTimeout);
    if (has_ended) break;
  }
  reap_process(watch_);
  watch_.reset();
  co_await remove_record();
}

Task<void> Dnsmasq::remove_record() {
  co_await blocking(loop_, [record = path(kRecord)] {
    std::error_code ignored; // without a record there is nothing to find, which is what is wanted
    return std::filesystem::remove(record, ignored);
  });
}

Task<void> Dnsmasq::stop() {
  is_stopping_ = true;
  // A start under way is let come to its end, or the process would be nobody's.
  if (is_launching_) co_await wait_for(loop_, tasks_.ended(), kReadyTimeout + 3 * kEndTimeout);
  if (tasks_.in_flight() == 0) {
    co_await end_process();
    co_return;
  }
  if (!watch_) co_return; // between two starts: supervise() looks at is_stopping_ before the next
  for (const int number : {SIGTERM, SIGKILL}) {
    (void)signal_process(watch_, number); // fails only when it has ended
    const bool has_ended = co_await wait_for(loop_, tasks_.ended(), kEndTimeout);
    if (has_ended) break;
  }
  co_await remove_record();
}

} // namespace berth
