// The states are those that launchctl(1) and systemctl(1) name.
#include "tests/unit/service/stand_in.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace berth::cli::test {

Outcome<ToolResult> StandIn::run(const Words& words) {
  if (words.front() == "launchctl") return launchctl(words);
  if (words.front() == "systemctl") return systemctl(words);
  if (words.front() == "plutil") return std::unexpected("cannot run plutil: No such file or directory");
  return ToolResult{127, "not in this test: " + words.front()};
}

std::vector<std::string> StandIn::take_calls() { return std::exchange(calls_, {}); }

ToolResult StandIn::told_state(bool is_systemd) {
  if (leaving_ != Leaving::kNothing && looks_until_gone-- <= 0) {
    pid = 0;
    if (leaving_ == Leaving::kService) is_loaded = false;
    leaving_ = Leaving::kNothing;
  }
  const std::string number = std::to_string(pid);
  if (is_systemd)
    return {0, "LoadState=" + std::string(is_loaded ? "loaded" : "not-found") +
                   "\nActiveState=" + (pid != 0 ? "active" : "inactive") + "\nMainPID=" + number + "\nFragmentPath=\n"};
  if (!is_loaded) return {113, "Could not find service \"berth.berthd\" in domain for user gui: 501\n"};
  return {0, "gui/501/berth.berthd = {\n\tactive count = 1\n\tstate = " + std::string(pid != 0 ? "running" : "not running") +
                 "\n\n\tprogram = /x/berthd\n" + (pid != 0 ? "\tpid = " + number + "\n" : "") + "}\n"};
}

ToolResult StandIn::launchctl(const Words& words) {
  const std::string& verb = words.at(1);
  if (verb == "print") return told_state(false);
  calls_.push_back(shell_line(words));
  if (verb == refuses) return {5, "Bootstrap failed: 5: Input/output error\n"};
  if (verb == "bootstrap") {
    if (is_loaded || leaving_ != Leaving::kNothing) return {37, "Bootstrap failed: 37: Operation already in progress\n"};
    if (!std::filesystem::exists(words.at(3))) return {2, "No such file\n"};
    is_loaded = true;
    pid = next_pid_++; // RunAtLoad
  } else if (verb == "bootout") {
    if (!is_loaded) return {3, "Boot-out failed: 3: No such process\n"};
    leaving_ = Leaving::kService;
  } else if (verb == "kill") {
    if (pid == 0) return {3, "No process to signal.\n"};
    leaving_ = Leaving::kProcess;
  } else if (verb == "kickstart") {
    if (!is_loaded) return {113, "Could not find service\n"};
    if (pid == 0) pid = next_pid_++;
  }
  return {};
}

ToolResult StandIn::systemctl(const Words& words) {
  Words rest(words.begin() + 1, words.end());
  std::erase(rest, "--user");
  const std::string& verb = rest.front();
  if (verb == "is-active") return {pid != 0 ? 0 : 3, ""};
  if (verb == "show") return told_state(true);
  calls_.push_back(shell_line(words));
  if (verb == refuses) return {1, "Job for berthd.service failed.\n"};
  if (verb == "enable" || verb == "start") {
    is_loaded = true;
    if (pid == 0) pid = next_pid_++;
  } else if (verb == "stop" || verb == "disable") {
    pid = 0;
  } else if (verb == "kill") {
    leaving_ = Leaving::kProcess;
  }
  return {};
}

Bench::Bench(bool is_dry_run) : hands(said, {is_dry_run, [this](const Words& words) { return stand_in.run(words); }, [] {}}) {}

ServicePlace Bench::place(ServiceScope scope) const {
  return {
      .scope = scope, .uid = 501, .home = directory / "home", .config = directory / "home/.config", .root = directory / "root"};
}

ServiceSpec Bench::spec(ServiceScope scope) const {
  ServiceSpec spec;
  spec.scope = scope;
  spec.uid = scope == ServiceScope::kUser ? 501 : ::getuid();
  if (scope == ServiceScope::kSystem) spec.user = "harbour";
  spec.home = directory / "home";
  spec.root = directory / "root";
  spec.berthd = "/opt/berth & co/berthd";
  spec.state_dir = directory / "home/state";
  spec.socket = directory / "home/state/run/berthd.sock";
  return spec;
}

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

} // namespace berth::cli::test
