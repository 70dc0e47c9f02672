// A walk with openat(O_NOFOLLOW): the same on Linux and macOS, and no name can be swapped for a link between check and use.
#include "daemon/host/path_policy.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace berth {

namespace {

std::unexpected<Error> refused(const std::string& path, const std::string& why) {
  return fail(ErrorCode::kPathNotAllowed, "the path " + path + " " + why, path);
}

bool is_beneath(const std::filesystem::path& path, std::span<const std::filesystem::path> roots) {
  if (roots.empty()) return true;
  for (const auto& root : roots) {
    auto part = path.begin();
    bool is_inside = true;
    for (const auto& wanted : root) {
      if (wanted.empty()) continue; // a root with a slash at its end
      if (part == path.end() || *part != wanted) {
        is_inside = false;
        break;
      }
      ++part;
    }
    if (is_inside) return true;
  }
  return false;
}

} // namespace

Result<UniqueFd> open_allowed(const std::string& text, std::span<const std::filesystem::path> roots) {
  const std::filesystem::path path(text);
  if (text.size() > 4096 || text.find('\0') != std::string::npos || !path.is_absolute())
    return refused(text, "is not an absolute path");
  for (const auto& part : path)
    if (part == "..") return refused(text, "has a .. in it");
  if (!is_beneath(path, roots)) return refused(text, "is outside of the allowed roots");
  UniqueFd at{::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (const auto& part : path.relative_path()) {
    if (part.empty() || part == ".") continue;
    // O_NONBLOCK: a named pipe must not hold the pool.
    UniqueFd next{::openat(at.get(), part.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (!next && errno == ENOENT) return fail(ErrorCode::kNotFound, text + " does not exist", text);
    if (!next && (errno == ELOOP || errno == EMLINK)) return refused(text, "goes through a symbolic link at " + part.string());
    if (!next && errno == ENOTDIR) return fail(ErrorCode::kNotFound, text + " does not exist", text);
    if (!next && errno == EACCES) return refused(text, "may not be read by the daemon");
    if (!next) return fail(ErrorCode::kStorageFailed, "could not open " + text + ": " + std::strerror(errno), text);
    at = std::move(next);
  }
  return at;
}

std::filesystem::path path_of(const UniqueFd& fd) {
#ifdef __APPLE__
  char name[1024] = {};
  ::fcntl(fd.get(), F_GETPATH, name);
  return name;
#else
  return "/proc/self/fd/" + std::to_string(fd.get());
#endif
}

} // namespace berth
