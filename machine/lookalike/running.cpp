// Looking at a lock and writing whose it is are one step, so that each of two twins finds the other.
#include "machine/lookalike/running.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "machine/lookalike/host.hpp"

namespace lookalike {
namespace {

std::filesystem::path directory() {
  const auto path = host_directory() / "running";
  ::mkdir(path.c_str(), 0700);
  return path;
}

} // namespace

std::optional<RunningIdentity> RunningIdentity::enter_alone(const std::string& identifier, const std::filesystem::path& disk) {
  // Taking the lock and writing whose it is are one step for all processes.
  const FileLock turn = FileLock::wait_for(directory() / "turn");
  RunningIdentity entered;
  if (entered.lock_.take_made(directory() / identifier) != 0) return std::nullopt;
  entered.lock_.write(disk.string() + "\n");
  return entered;
}

RunningIdentity RunningIdentity::enter(const std::string& identifier, const std::filesystem::path& disk) {
  if (auto alone = enter_alone(identifier, disk)) return std::move(*alone);
  const FileLock turn = FileLock::wait_for(directory() / "turn");
  const std::filesystem::path other = read_text(directory() / identifier).value_or("");
  mark_damaged(disk);
  mark_damaged(other);
  write_text(host_directory() / "damaged",
             fmt::format("{}identifier {}: {} and {}\n", read_text(host_directory() / "damaged").value_or(""), identifier,
                         other.string(), disk.string()));
  return {};
}

} // namespace lookalike
