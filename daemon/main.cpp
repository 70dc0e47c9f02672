// Composition root of berthd: the one place that names concrete classes, reads the environment and ends the process.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include <grp.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.hpp"
#include "daemon/options.hpp"
#include "daemon/platform.hpp"
#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/service/farewell.hpp"
#include "daemon/service/harbour.hpp"

namespace {

using namespace berth;

constexpr Duration kGrace{10'000};      // for work under way when the daemon is asked to end
constexpr Duration kGuestGrace{60'000}; // for --guests; service managers are told to wait for all of it

std::array<std::uint8_t, 16> kernel_random() {
  std::array<std::uint8_t, 16> bytes{};
  if (::getentropy(bytes.data(), bytes.size()) != 0) std::abort(); // identifiers that are not random must never be made
  return bytes;
}

Log make_log(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>("berthd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(level == "warning" ? spdlog::level::warn : spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::debug);
  return [logger](LogLevel each, const std::string& line) {
    switch (each) {
      case LogLevel::kDebug: logger->debug("{}", line); return;
      case LogLevel::kInfo: logger->info("{}", line); return;
      case LogLevel::kWarning: logger->warn("{}", line); return;
      case LogLevel::kError: logger->error("{}", line); return;
    }
  };
}

Result<std::uint32_t> group_id(const std::string& name) {
  if (const group* found = ::getgrnam(name.c_str())) return found->gr_gid;
  return fail(ErrorCode::kInvalidValue, "there is no group " + name, name);
}

Result<api::RolePolicy> role_policy(const DaemonOptions& options) {
  api::RolePolicy policy;
  policy.operator_uids = {0, static_cast<std::uint32_t>(::geteuid())};
  for (const auto& [names, gids] :
       {std::pair{&options.operator_groups, &policy.operator_gids}, std::pair{&options.reader_groups, &policy.reader_gids}})
    for (const auto& name : *names) {
      const auto gid = group_id(name);
      if (!gid) return std::unexpected(gid.error());
      gids->push_back(*gid);
    }
  return policy;
}

HarbourOptions harbour_options(const DaemonOptions& options) {
  HarbourOptions harbour;
  harbour.state_dir = options.state_dir;
  harbour.lock_dir = options.lock_dir;
  harbour.quota_limit = options.quota;
  for (const auto& root : options.allowed_roots) harbour.allowed_roots.emplace_back(root);
  harbour.network = network_options(options);
  harbour.store.keep_events = options.keep_events;
  return harbour;
}

Result<void> open_listeners(api::Server& server, const DaemonOptions& options, const Log& log) {
  std::optional<api::TcpOptions> tcp;
  if (options.tcp_port)
    tcp = api::TcpOptions{options.tcp_address, *options.tcp_port, options.tcp_token_file, options.tcp_origins};
  const auto inherited = server.adopt_inherited(tcp);
  if (!inherited) return std::unexpected(inherited.error());
  if (*inherited == 0) {
    std::optional<std::uint32_t> group;
    if (!options.socket_group.empty()) {
      const auto gid = group_id(options.socket_group);
      if (!gid) return std::unexpected(gid.error());
      group = *gid;
    }
    if (auto listening = server.listen_unix(options.socket, group); !listening) return listening;
    if (tcp)
      if (auto listening = server.listen_tcp(*tcp); !listening) return listening;
  }
  for (const auto& listener : server.listeners()) log(LogLevel::kInfo, "listening on " + listener.address);
  return {};
}

GuestsAtEnd guests_at_end(const std::string& name) {
  if (name == "stop") return GuestsAtEnd::kStop;
  return name == "suspend" ? GuestsAtEnd::kSuspend : GuestsAtEnd::kLeave;
}

Task<void> shut_down(AsioEventLoop& loop, Harbour& harbour, api::Server& server, GuestsAtEnd guests, Log log) {
  log(LogLevel::kInfo, guests == GuestsAtEnd::kLeave ? "stopping; guests run on" : "stopping, and the guests first");
  harbour.context().is_stopping = true;
  co_await server.stop(kGrace);
  co_await part_with_guests(harbour, guests, kGuestGrace);
  co_await harbour.stop(kGrace);
  loop.stop();
}

int fail_start(const Log& log, const Error& error) {
  log(LogLevel::kError, error.detail);
  return 1;
}

int run(DaemonOptions options) {
  const Log log = make_log(options.log_level);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(077); // what berthd makes is for its user alone; what others need is opened to them by name
  prepare_memory();
  settle(options);
  AsioEventLoop loop;
  auto roles = role_policy(options);
  if (!roles) return fail_start(log, roles.error());
  auto opened = Harbour::open(loop, harbour_options(options), make_drivers(loop, options), kernel_random, log);
  if (!opened) return fail_start(log, opened.error());
  Harbour& harbour = **opened;

  api::Api api{harbour};
  api::ServerOptions server_options;
  server_options.roles = std::move(*roles);
  server_options.limits.connections = options.max_connections;
  server_options.limits.connections_per_uid = options.max_connections_per_user;
  server_options.limits.streams_per_uid = options.max_streams_per_user;
  server_options.warn = [log](const std::string& line) { log(LogLevel::kWarning, line); };
  api::Server server(loop, api::make_router(api), std::move(server_options));
  api.server = &server;
  if (auto listening = open_listeners(server, options, log); !listening) return fail_start(log, listening.error());

  TaskGroup shutdown([log](const std::string& name, std::exception_ptr) { log(LogLevel::kError, "bug in " + name); });
  bool is_asked = false;
  // SIGUSR1 is for an upgrade: whatever SIGTERM would do to guests, they run on.
  const Registration signals = loop.on_signals({SIGTERM, SIGINT, SIGUSR1}, [&](int number) {
    if (is_asked) return loop.stop(); // asked twice: at once
    is_asked = true;
    const auto guests = number == SIGUSR1 ? GuestsAtEnd::kLeave : guests_at_end(options.guests);
    shutdown.spawn("shutdown", shut_down(loop, harbour, server, guests, log));
  });
  harbour.start();
  trim_memory(); // what loading needed
  log(LogLevel::kInfo,
      "berthd " BERTH_VERSION " has " + std::to_string(harbour.world().vms.size()) + " VMs in " + options.state_dir);
  loop.run();
  log(LogLevel::kInfo, "stopped");
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return options.error().exit_code;
  try {
    return run(*options);
  } catch (const std::exception& exception) {
    std::cerr << "berthd: " << exception.what() << '\n';
    return 1;
  }
}
