// Puts the parts together. What fails before the socket is there is told by exit.json and on standard error.
#include "machine/run_command.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include <fcntl.h>

#include "daemon/host/small_file.hpp"
#include "machine/bundle_locks.hpp"
#include "machine/console.hpp"
#include "machine/descriptor.hpp"
#include "machine/loop.hpp"
#include "machine/machine_host.hpp"
#include "machine/protocol.hpp"
#include "machine/rpc_server.hpp"
#include "machine/spec.hpp"
#include "machine/vz_machine.hpp"

namespace berth::vz {

namespace {

int refuse(const std::filesystem::path& runtime_dir, const Failure& failure) {
  std::fprintf(stderr, "berth-machine: %s\n", failure.detail.c_str());
  const auto written = write_exit_report(runtime_dir, {protocol::kExitCrashed, failure.detail, failure.code});
  if (!written) std::fprintf(stderr, "berth-machine: %s\n", written.error().detail.c_str());
  return 1;
}

// SIGTERM asks for the same end as `stop`: a host that shuts down sends it to everybody. A signal handler may only write.
volatile int termination_writer = -1;

void on_termination(int) {
  const int saved = errno;
  const char byte = 0;
  if (::write(termination_writer, &byte, 1) < 0) errno = saved;
}

Result<UniqueFd> watch_termination(Loop& loop, std::function<void()> on_asked) {
  auto ends = make_pipe();
  if (!ends) return std::unexpected(ends.error());
  if (auto set = set_nonblocking(ends->writer.get()); !set) return std::unexpected(set.error());
  termination_writer = ends->writer.release(); // for the life of the process: a signal may come at any time
  struct sigaction action{};
  action.sa_handler = on_termination;
  ::sigaction(SIGTERM, &action, nullptr);
  loop.watch(ends->reader.get(), POLLIN, [&loop, fd = ends->reader.get(), on_asked = std::move(on_asked)](short) {
    loop.unwatch(fd);
    on_asked();
  });
  return std::move(ends->reader);
}

HostedMachine hosted(const Spec& spec, const VzMachine::Facts& facts, const std::filesystem::path& runtime_dir) {
  HostedMachine machine;
  machine.vm = spec.vm.to_string();
  machine.simulated = facts.is_simulated;
  machine.cannot_save = facts.cannot_save;
  machine.has_network = spec.network.mode != Attachment::kNone;
  if (spec.balloon) machine.memory_target_bytes = spec.memory_bytes;
  machine.minimum_memory_bytes = facts.minimum_memory_bytes;
  machine.memory_bytes = spec.memory_bytes;
  machine.runtime_dir = runtime_dir;
  machine.locked_files = spec.locked_files();
  return machine;
}

Result<Spec> read_spec(const std::filesystem::path& runtime_dir) {
  const std::filesystem::path file = runtime_dir / protocol::kSpecFile;
  const auto text = read_small_file(file);
  if (!text) return fail(ErrorCode::kNotFound, "cannot read " + file.string());
  return parse_spec(*text);
}

// Everything that lives as long as the machine, in the order in which it is made.
struct Parts {
  UniqueFd bundle_lock;
  std::shared_ptr<Loop> loop;
  std::unique_ptr<Console> console; // null: the guest has no serial port
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<MachineHost> host;
  UniqueFd termination;
};

Outcome<void> make_parts(Parts& parts, const RunOptions& options) {
  auto spec = read_spec(options.runtime_dir);
  if (!spec) return std::unexpected(Failure{spec.error()});
  auto lock = lock_bundle(spec->bundle);
  if (!lock) return std::unexpected(Failure{lock.error()});
  parts.bundle_lock = std::move(*lock);
  auto loop = Loop::create();
  if (!loop) return std::unexpected(Failure{loop.error()});
  parts.loop = std::move(*loop);
  VzMachine::Plan plan{*spec, -1, -1};
  if (spec->serial) {
    auto console = Console::create(*parts.loop, options.runtime_dir, options.console_listener);
    if (!console) return std::unexpected(Failure{console.error()});
    parts.console = std::move(*console);
    plan.guest_reader = parts.console->guest_reader();
    plan.guest_writer = parts.console->guest_writer();
  }
  auto machine = VzMachine::create(std::move(plan), [weak = std::weak_ptr{parts.loop}](auto work) {
    if (const auto target = weak.lock()) target->post(std::move(work));
  });
  if (!machine) return std::unexpected(machine.error());
  parts.server = std::make_unique<RpcServer>(*parts.loop);
  HostTiming timing;
  timing.first_command = options.first_command;
  parts.host =
      std::make_unique<MachineHost>(*parts.loop, *parts.server, hosted(*spec, (*machine)->facts(), options.runtime_dir), timing);
  MachineHost& host = *parts.host;
  auto termination = watch_termination(*parts.loop, [&host] { host.stop_now(); });
  if (!termination) return std::unexpected(Failure{termination.error()});
  parts.termination = std::move(*termination);
  (*machine)->observe(host.observer());
  host.begin(
      std::move(*machine),
      [console = parts.console.get()] {
        if (console) console->drain();
      },
      [&target = *parts.loop] { target.quit(); });
  const auto listening =
      parts.server->listen(options.runtime_dir / protocol::kSocketFile,
                           {.on_request = [&host](auto client, Request request) { host.on_request(client, std::move(request)); },
                            .on_gone = [&host](auto client) { host.on_gone(client); }},
                           options.listener);
  if (!listening) return std::unexpected(Failure{listening.error()});
  return {};
}

} // namespace

int run_machine(const RunOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGINT, SIG_IGN); // of a terminal that berthd was started from
  Parts parts;
  if (auto made = make_parts(parts, options); !made) return refuse(options.runtime_dir, made.error());
  parts.loop->run();
  if (parts.console && parts.console->dropped_bytes() != 0)
    std::fprintf(stderr, "berth-machine: %llu bytes of the console were not written to its log\n",
                 static_cast<unsigned long long>(parts.console->dropped_bytes()));
  return 0;
}

} // namespace berth::vz
