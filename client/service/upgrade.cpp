// Swap, restart, look, and back again when it is no good.
#include "client/service/upgrade.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace berth::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kPatience{20};

bool is_same(const fs::path& one, const fs::path& other) {
  std::ifstream left(one, std::ios::binary), right(other, std::ios::binary);
  using Bytes = std::istreambuf_iterator<char>;
  return left && right && std::equal(Bytes(left), Bytes(), Bytes(right), Bytes());
}

// Where an installed berthd looks for its berth-machine.
fs::path machine_of(const fs::path& berthd) {
  std::error_code error;
  const fs::path apart = berthd.parent_path().parent_path() / "libexec/berth/berth-machine";
  return fs::exists(apart, error) ? apart : berthd.parent_path() / "berth-machine";
}

// The programs that were replaced.
Outcome<std::vector<fs::path>> swap(Hands& hands, const fs::path& from, const fs::path& berthd) {
  std::error_code error;
  if (!fs::exists(from / "berthd", error)) return std::unexpected("there is no " + (from / "berthd").string());
  const auto version = hands.ask({(from / "berthd").string(), "--version"});
  if (version && (version->exit_code != 0 || !version->output.starts_with("berthd ")))
    return std::unexpected((from / "berthd").string() + " does not run here, and is not taken");
  std::vector<fs::path> swapped;
  const fs::path machine =
      fs::exists(from / "berth-machine", error) ? from / "berth-machine" : from.parent_path() / "libexec/berth/berth-machine";
  for (const auto& [fresh, installed] : {std::pair{from / "berthd", berthd}, std::pair{machine, machine_of(berthd)}}) {
    if (!fs::exists(fresh, error) || !fs::exists(installed, error)) continue;
    if (is_same(fresh, installed)) {
      hands.say("unchanged " + installed.string());
      continue;
    }
    if (fs::is_symlink(installed, error))
      return std::unexpected(installed.string() + " is a link of a package manager: upgrade it there, then leave out --from");
    if (auto replaced = hands.replace_program(fresh, installed); !replaced) return std::unexpected(replaced.error());
    swapped.push_back(installed);
  }
  return swapped;
}

} // namespace

fs::path own_directory() {
#ifdef __APPLE__
  std::string name(4096, '\0');
  auto size = static_cast<std::uint32_t>(name.size());
  if (::_NSGetExecutablePath(name.data(), &size) != 0) return {};
  // Not followed when it is a link: Homebrew's own ones stay where they are when the version changes.
  std::error_code error;
  return fs::absolute(name.c_str(), error).lexically_normal().parent_path();
#else
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
#endif
}

Outcome<void> upgrade_service(Hands& hands, ServiceManager& manager, const fs::path& from, const UpgradePort& port) {
  const auto status = manager.status();
  if (!status) return std::unexpected(status.error());
  std::vector<fs::path> swapped;
  if (!from.empty()) {
    if (status->program.empty()) return std::unexpected("the service is not installed: there is no program to replace");
    std::error_code error;
    const auto programs = swap(hands, fs::absolute(from, error).lexically_normal(), status->program);
    if (!programs) return std::unexpected(programs.error());
    swapped = *programs;
  }
  auto restarted = manager.restart();
  if (restarted && hands.wait_until([&] { return port.answers(status->socket); }, kPatience)) {
    hands.say(hands.is_dry_run() ? "would wait for berthd to answer" : "berthd answers");
    return {};
  }
  const std::string why = restarted ? "berthd does not answer" : restarted.error();
  if (swapped.empty()) return std::unexpected(why);
  for (const auto& program : swapped)
    if (auto back = hands.put_back(program); !back) return std::unexpected(why + "; and " + back.error());
  if (auto again = manager.restart(); !again) return std::unexpected(why + "; the old programs are back, but: " + again.error());
  return std::unexpected(why + "; the old programs are back");
}

} // namespace berth::cli
