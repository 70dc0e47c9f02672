// Linux has no such framework: a guest is a berth-machine over the look-alike, and its runtime directory says whose it is.
#include "daemon/host/foreign_guests.hpp"

#include <algorithm>
#include <charconv>

#include <sys/stat.h>

#include "daemon/host/small_file.hpp"

namespace berth {

namespace {

constexpr std::string_view kProgram = "berth-machine";

// The words of a command line, which the kernel separates by zero bytes.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\0', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

bool is_beneath(const std::filesystem::path& path, const std::filesystem::path& directory) {
  const auto [end, rest] = std::ranges::mismatch(directory, path);
  return end == directory.end();
}

} // namespace

std::vector<ForeignGuest> list_foreign_guests(const std::filesystem::path& state_dir) {
  std::vector<ForeignGuest> found;
  std::error_code error;
  const auto own = std::filesystem::weakly_canonical(state_dir, error);
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    ForeignGuest guest;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), guest.pid);
    if (failed != std::errc{} || end != name.data() + name.size()) continue;
    const auto words = words_of(read_small_file(entry.path() / "cmdline").value_or(""));
    if (words.size() < 3 || words[1] != "run" || std::filesystem::path(words[0]).filename() != kProgram) continue;
    if (is_beneath(std::filesystem::weakly_canonical(words[2], error), own)) continue;
    struct stat facts{};
    if (::stat(entry.path().c_str(), &facts) != 0) continue; // it has just ended
    guest.uid = facts.st_uid;
    guest.program = kProgram;
    guest.is_simulated = true;
    found.push_back(std::move(guest));
  }
  std::ranges::sort(found, {}, &ForeignGuest::pid);
  return found;
}

} // namespace berth
