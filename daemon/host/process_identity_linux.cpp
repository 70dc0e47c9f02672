// Process identities from procfs.
#include "daemon/host/process_identity_linux.hpp"

#include <fcntl.h>
// glibc 2.36 declares these without C linkage (sourceware bug 29505, mended in 2.37).
extern "C" {
#include <sys/pidfd.h>
}
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>
#include <vector>

#include "daemon/host/small_file.hpp"

namespace berth {

namespace {

std::string errno_text() { return std::generic_category().message(errno); }

// The fields of a line between blanks.
std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return fields;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \n"), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// The id does not change while the kernel lives, but it is read each time: a cached value would be a global.
Result<std::string> boot_id() {
  auto text = read_small_file("/proc/sys/kernel/random/boot_id");
  if (!text) return fail(ErrorCode::kInternal, "the boot id of this host cannot be read: " + errno_text());
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return std::move(*text);
}

Result<ProcessStat> stat_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const auto line = read_small_file(path);
  // ESRCH: it ended between the open and the read. Anything else, as a daemon out of descriptors, says nothing of it.
  if (!line && (errno == ENOENT || errno == ESRCH))
    return fail(ErrorCode::kNotFound, "there is no process " + std::to_string(pid));
  if (!line) return fail(ErrorCode::kInternal, path + " cannot be read: " + errno_text());
  const auto stat = parse_process_stat(*line);
  if (!stat) return fail(ErrorCode::kInternal, path + " is not of the form that proc(5) describes");
  if (stat->state == 'Z' || stat->state == 'X')
    return fail(ErrorCode::kNotFound, "process " + std::to_string(pid) + " has ended");
  return *stat;
}

Result<void> write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::kStorageFailed, errno_text());
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

} // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view line) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto fields = split_fields(line.substr(name_end + 1)); // the first of them is field 3
  constexpr std::size_t kStartTime = 22 - 3;
  if (fields.size() <= kStartTime || fields[0].size() != 1) return std::nullopt;
  const auto start_time = parse_number<std::uint64_t>(fields[kStartTime]);
  if (!start_time) return std::nullopt;
  return ProcessStat{.state = fields[0][0], .start_time = *start_time};
}

Result<ProcessIdentity> identify_process(pid_t pid) {
  const auto stat = stat_of(pid);
  if (!stat) return std::unexpected(stat.error());
  auto boot = boot_id();
  if (!boot) return std::unexpected(boot.error());
  return ProcessIdentity{.pid = pid, .start_time = stat->start_time, .boot_id = std::move(*boot)};
}

Result<ProcessWatch> open_process(const ProcessIdentity& identity) {
  if (identity.pid <= 0) return fail(ErrorCode::kNotFound, "no process has the pid " + std::to_string(identity.pid));
  UniqueFd process{::pidfd_open(identity.pid, 0)};
  if (!process) {
    // EINVAL: the number belongs to a thread of another process now.
    if (errno == ESRCH || errno == EINVAL)
      return fail(ErrorCode::kNotFound, "there is no process " + std::to_string(identity.pid));
    return fail(ErrorCode::kInternal, "process " + std::to_string(identity.pid) + " cannot be watched: " + errno_text());
  }
  // The descriptor comes first: when the pid still has the recorded start time now, then it had it at the open too,
  // because a pid that is used again gets a later one.
  const auto now = identify_process(identity.pid);
  if (!now) return std::unexpected(now.error());
  if (*now != identity)
    return fail(ErrorCode::kNotFound, "pid " + std::to_string(identity.pid) + " belongs to another process now");
  return ProcessWatch{std::move(process)};
}

bool command_line_contains(const ProcessIdentity& identity, std::string_view text) {
  return read_small_file("/proc/" + std::to_string(identity.pid) + "/cmdline").value_or("").find(text) != std::string::npos;
}

// The first thread is the one that answers; ready to run and not answering means that it gets no processor.
bool is_waiting_for_processor(pid_t pid) {
  const auto line = read_small_file("/proc/" + std::to_string(pid) + "/stat");
  const auto stat = line ? parse_process_stat(*line) : std::nullopt;
  return stat && stat->state == 'R';
}

std::optional<ProcessIdentity> parse_process_record(std::string_view text) {
  const auto fields = split_fields(text);
  if (fields.size() != 3 || text.empty() || text.back() != '\n') return std::nullopt;
  const auto pid = parse_number<std::int32_t>(fields[0]);
  const auto start_time = parse_number<std::uint64_t>(fields[1]);
  if (!pid || *pid <= 0 || !start_time) return std::nullopt;
  return ProcessIdentity{.pid = *pid, .start_time = *start_time, .boot_id = std::string{fields[2]}};
}

Result<void> write_process_record(const std::filesystem::path& file, const ProcessIdentity& identity) {
  const std::string text =
      std::to_string(identity.pid) + " " + std::to_string(identity.start_time) + " " + identity.boot_id + "\n";
  const std::string temporary = file.string() + ".new";
  const UniqueFd out{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!out) return fail(ErrorCode::kStorageFailed, "the process record " + temporary + " cannot be made: " + errno_text());
  const auto written = write_all(out.get(), text);
  if (!written || ::fsync(out.get()) != 0 || std::rename(temporary.c_str(), file.c_str()) != 0) {
    const std::string reason = written ? errno_text() : written.error().detail;
    ::unlink(temporary.c_str());
    return fail(ErrorCode::kStorageFailed, "the process record " + file.string() + " cannot be written: " + reason);
  }
  return {};
}

Result<ProcessIdentity> read_process_record(const std::filesystem::path& file) {
  const auto text = read_small_file(file);
  if (!text) {
    if (errno == ENOENT) return fail(ErrorCode::kNotFound, "there is no process record " + file.string());
    return fail(ErrorCode::kStorageFailed, "the process record " + file.string() + " cannot be read: " + errno_text());
  }
  auto identity = parse_process_record(*text);
  if (!identity) return fail(ErrorCode::kBundleInvalid, file.string() + " is not a process record");
  return std::move(*identity);
}

} // namespace berth
