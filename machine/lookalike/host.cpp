// Reads the host's files anew each time, because tests change them while the process runs.
#include "machine/lookalike/host.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lookalike {
namespace {

constexpr std::uint64_t kQuota = 2; // two macOS guests, as Apple's kernel has it
constexpr OsVersion kHostVersion{26, 1, 0};

std::string trimmed(std::string text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  text.erase(end == std::string::npos ? 0 : end + 1);
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

std::filesystem::path made(std::filesystem::path directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno == ENOENT) {
    std::error_code ignored; // whatever is then done in the directory fails, and is heard of
    std::filesystem::create_directories(directory.parent_path(), ignored);
    ::mkdir(directory.c_str(), 0700);
  }
  return directory;
}

} // namespace

std::filesystem::path host_directory() {
  if (const char* given = std::getenv("BERTH_LOOKALIKE_DIR"); given && *given) return made(given);
  const char* temporary = std::getenv("TMPDIR");
  const std::filesystem::path parent = temporary && *temporary ? temporary : "/tmp";
  return made(parent / ("berth-lookalike-" + std::to_string(::getuid())));
}

std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return trimmed(std::string(std::istreambuf_iterator<char>(file), {}));
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  auto fresh = path;
  fresh += "-";
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return;
  const auto written = ::write(descriptor, text.data(), text.size());
  ::close(descriptor);
  if (written == static_cast<ssize_t>(text.size())) ::rename(fresh.c_str(), path.c_str());
}

std::optional<std::string> fault(std::string_view name) { return read_text(host_directory() / "faults" / name); }

bool has_fault(std::string_view name) { return ::access((host_directory() / "faults" / name).c_str(), F_OK) == 0; }

std::optional<std::chrono::milliseconds> fault_delay(std::string_view name, std::chrono::milliseconds otherwise) {
  const auto argument = fault(name);
  if (!argument) return std::nullopt;
  const auto number = parse_number(*argument);
  return number ? std::chrono::milliseconds(*number) : otherwise;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t host_number(std::string_view name, std::uint64_t otherwise) {
  const auto text = read_text(host_directory() / name);
  return text ? parse_number(*text).value_or(otherwise) : otherwise;
}

OsVersion parse_version(std::string_view text) {
  OsVersion version;
  for (long* part : {&version.major, &version.minor, &version.patch}) {
    const auto dot = text.find('.');
    *part = static_cast<long>(parse_number(text.substr(0, dot)).value_or(0));
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return version;
}

OsVersion host_version() {
  const auto text = read_text(host_directory() / "host_os_version");
  return text ? parse_version(*text) : kHostVersion;
}

std::unique_ptr<Slot> Slot::take() {
  const auto directory = made(host_directory() / "slots");
  // Counting and taking is one step for all processes.
  const FileLock count = FileLock::wait_for(directory / "count");
  const std::uint64_t limit = host_number("quota_limit", kQuota);
  std::uint64_t held = host_number("leaked", 0);
  std::optional<FileLock> free;
  for (std::uint64_t place = 0; place < limit; ++place) {
    FileLock lock;
    if (lock.take_made(directory / std::to_string(place)) != 0)
      ++held;
    else if (!free)
      free = std::move(lock);
  }
  if (!free || held >= limit) return nullptr;
  free->write(std::to_string(::getpid()) + "\n");
  return std::unique_ptr<Slot>(new Slot(std::move(*free)));
}

void Slot::leak() {
  const FileLock count = FileLock::wait_for(host_directory() / "slots" / "count");
  write_text(host_directory() / "leaked", std::to_string(host_number("leaked", 0) + 1) + "\n");
}

} // namespace lookalike
