// Files by way of a neighbour and rename.
#include "client/service/hands.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace berth::cli {

namespace fs = std::filesystem;

namespace {

constexpr int kLooks = 1000;

std::unexpected<std::string> failed(const std::string& what, const fs::path& path, const std::error_code& error) {
  return std::unexpected(what + " " + path.string() + ": " + error.message());
}

std::error_code last_error() { return {errno, std::generic_category()}; }

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return std::nullopt;
  std::ostringstream text;
  text << stream.rdbuf();
  return std::move(text).str();
}

Outcome<void> write_whole(const fs::path& path, const std::string& bytes, mode_t mode) {
  const fs::path fresh = path.string() + ".new";
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return failed("cannot write", fresh, last_error());
  std::size_t done = 0;
  bool is_good = ::fchmod(file, mode) == 0; // whatever the umask
  while (is_good && done < bytes.size()) {
    const auto count = ::write(file, bytes.data() + done, bytes.size() - done);
    is_good = count > 0 || (count < 0 && errno == EINTR);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  is_good = is_good && ::fsync(file) == 0;
  const auto error = last_error();
  ::close(file);
  if (is_good && ::rename(fresh.c_str(), path.c_str()) == 0) return {};
  const auto reason = is_good ? last_error() : error;
  ::unlink(fresh.c_str());
  return failed("cannot write", path, reason);
}

} // namespace

std::string shell_line(const Words& words) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char each : word) line += each == '\'' ? std::string("'\\''") : std::string(1, each);
    line += '\'';
  }
  return line;
}

void Hands::say(const std::string& line) { out_ << line << '\n'; }

Outcome<bool> Hands::write_file(const fs::path& path, const std::string& text) {
  if (options_.is_dry_run) {
    say("would write " + path.string() + ":");
    out_ << text;
    return true;
  }
  if (read_file(path) == text) {
    say("unchanged " + path.string());
    return false;
  }
  if (auto written = write_whole(path, text, 0644); !written) return std::unexpected(written.error());
  say("wrote " + path.string());
  return true;
}

Outcome<bool> Hands::remove_file(const fs::path& path) {
  if (options_.is_dry_run) {
    say("would remove " + path.string());
    return true;
  }
  std::error_code error;
  const bool is_removed = fs::remove(path, error);
  if (error) return failed("cannot remove", path, error);
  if (is_removed) say("removed " + path.string());
  return is_removed;
}

Outcome<void> Hands::make_directory(const fs::path& path, std::uint32_t mode, std::optional<std::uint32_t> uid) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  if (options_.is_dry_run) {
    say("would make " + path.string() + "/");
    return {};
  }
  if (path.has_parent_path() && path.parent_path() != path)
    if (auto above = make_directory(path.parent_path(), mode, uid); !above) return above;
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) != 0) return failed("cannot make", path, last_error());
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return failed("cannot make", path, last_error());
  if (uid && *uid != ::geteuid() && ::chown(path.c_str(), *uid, static_cast<gid_t>(-1)) != 0)
    return failed("cannot give away", path, last_error());
  say("made " + path.string() + "/");
  return {};
}

Outcome<void> Hands::replace_program(const fs::path& from, const fs::path& to) {
  if (options_.is_dry_run) {
    say("would put " + from.string() + " in the place of " + to.string());
    return {};
  }
  const auto bytes = read_file(from);
  if (!bytes) return failed("cannot read", from, last_error());
  struct stat status{};
  if (::stat(to.c_str(), &status) != 0) return failed("cannot read", to, last_error());
  const fs::path previous = to.string() + ".previous";
  ::unlink(previous.c_str());
  if (::link(to.c_str(), previous.c_str()) != 0) return failed("cannot keep the old program as", previous, last_error());
  if (auto written = write_whole(to, *bytes, status.st_mode & 07777); !written) return written;
  say("replaced " + to.string() + ", and kept " + previous.string());
  return {};
}

Outcome<void> Hands::put_back(const fs::path& to) {
  const fs::path previous = to.string() + ".previous";
  if (::rename(previous.c_str(), to.c_str()) != 0) return failed("cannot put back", previous, last_error());
  say("put back " + to.string());
  return {};
}

Outcome<void> Hands::run(const Words& words) {
  say((options_.is_dry_run ? "would run: " : "run: ") + shell_line(words));
  if (options_.is_dry_run) return {};
  const auto result = options_.run_tool(words);
  if (!result) return std::unexpected(result.error());
  if (result->exit_code == 0) return {};
  std::string said = result->output;
  while (said.ends_with('\n')) said.pop_back();
  return std::unexpected(shell_line(words) + " ended with " + std::to_string(result->exit_code) +
                         (said.empty() ? "" : ": " + said));
}

std::optional<ToolResult> Hands::ask(const Words& words) {
  if (options_.is_dry_run) return std::nullopt;
  auto result = options_.run_tool(words);
  if (!result) return std::nullopt;
  return std::move(*result);
}

bool Hands::wait_until(const std::function<bool()>& holds, std::chrono::seconds at_most) {
  if (options_.is_dry_run) return true;
  const auto end = std::chrono::steady_clock::now() + at_most; // a look may take its time, too
  for (int look = 0; look < kLooks && std::chrono::steady_clock::now() < end; ++look) {
    if (holds()) return true;
    options_.pause();
  }
  return false;
}

} // namespace berth::cli
