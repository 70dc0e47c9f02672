// What is the same for every process, whoever made it.
#include "daemon/machine/process/process.hpp"

#include <csignal>
#include <utility>

#include "daemon/host/process_identity.hpp"

namespace berth {

Result<ProcessHandle> reopen_process(const ProcessIdentity& identity) {
  auto watch = open_process(identity);
  if (!watch) return std::unexpected(watch.error());
  return ProcessHandle{identity, std::move(*watch)};
}

std::optional<ProcessEnd> reap(const ProcessWatch& process) {
  const auto exit = reap_process(process);
  if (!exit) return std::nullopt;
  if (exit->kind == ChildExit::Kind::kExited) return ProcessEnd{exit->value, 0, "exit status " + std::to_string(exit->value)};
  const std::string name = signal_name(exit->value);
  return ProcessEnd{128 + exit->value, exit->value,
                    "signal " + std::to_string(exit->value) + (name.empty() ? "" : " (" + name + ")")};
}

bool kill_process(const ProcessWatch& process) { return signal_process(process, SIGKILL).has_value(); }

bool kill_and_wait(const ProcessWatch& process, int milliseconds) {
  kill_process(process);
  const bool is_gone = wait_for_end(process, milliseconds);
  if (is_gone) reap(process);
  return is_gone;
}

} // namespace berth
