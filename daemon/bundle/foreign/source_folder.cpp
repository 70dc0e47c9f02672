// openat(O_NOFOLLOW) part by part; flock and record locks, whichever the other tool takes.
#include "daemon/bundle/foreign/source_folder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "daemon/bundle/files.hpp"

namespace berth::foreign {

namespace {

namespace fs = std::filesystem;

fs::path path_of(const UniqueFd& folder) {
#ifdef __APPLE__
  char name[1024] = {};
  ::fcntl(folder.get(), F_GETPATH, name);
  return name;
#else
  return "/proc/self/fd/" + std::to_string(folder.get());
#endif
}

// Takes a shared lock, which keeps a virtual machine from the file as long as it is held (Virtualization.framework and
// QEMU lock what they write), and looks for record locks, which tart and QEMU take.
bool is_held_elsewhere(int file) {
  if (::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) return true;
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(file, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

struct Magic {
  std::string_view bytes;
  bool is_at_the_end; // in the last 512 bytes
  std::string_view name;
};
constexpr std::array<Magic, 10> kMagics{{
    {"QFI\xfb", false, "qcow2"},
    {"shdw", false, "ASIF"},
    {"WithoutFreeSpace", false, "an expanding disk of Parallels"},
    {"WithouFreSpacExt", false, "an expanding disk of Parallels"},
    {"KDMV", false, "VMDK"},
    {"vhdxfile", false, "VHDX"},
    {"conectix", true, "VHD"},
    {"koly", true, "UDIF"},
    {"sprs", false, "a sparse image"},
    {"<<< ", false, "VDI"},
}};

} // namespace

fs::path SourceFile::path() const { return path_of(*folder) / name; }

std::unexpected<Error> SourceFolder::refused(const std::string& name, const std::string& why) const {
  return fail(ErrorCode::kPathNotAllowed, "the file " + name + " of " + shown_ + " " + why, shown_);
}

Result<SourceFolder::Place> SourceFolder::place_of(const std::string& text) const {
  if (text.empty() || text.size() > 1024 || text.find('\0') != std::string::npos)
    return fail(ErrorCode::kBundleInvalid, shown_ + " names a file that cannot be", shown_);
  fs::path path(text);
  if (path.is_absolute()) {
    path = path.lexically_relative(shown_);
    if (path.empty()) return refused(text, "is outside of the folder");
  }
  Place place{folder_, {}};
  for (auto part = path.begin(); part != path.end(); ++part) {
    if (*part == "..") return refused(text, "is outside of the folder");
    if (part->empty() || *part == ".") continue;
    if (!place.name.empty()) {
      auto next = std::make_shared<UniqueFd>(
          ::openat(place.folder->get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!*next && errno == ENOENT) return fail(ErrorCode::kNotFound, shown_ + " has no " + text, shown_);
      if (!*next) return refused(text, "goes through a link or something that is no folder");
      place.folder = std::move(next);
    }
    place.name = part->string();
  }
  if (place.name.empty()) return fail(ErrorCode::kBundleInvalid, shown_ + " names a file that cannot be", shown_);
  return place;
}

bool SourceFolder::has(const std::string& name) const {
  const auto place = place_of(name);
  struct stat status{};
  return place && ::fstatat(place->folder->get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

std::vector<std::string> SourceFolder::names_ending(std::string_view suffix, std::size_t most) const {
  std::vector<std::string> names;
  // The descriptor's own position must stay: a copy of it would share it.
  const int copy = ::openat(folder_->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (!listing) {
    if (copy >= 0) ::close(copy);
    return names;
  }
  while (const dirent* entry = ::readdir(listing)) {
    const std::string_view name = entry->d_name;
    if (name.size() > suffix.size() && name.ends_with(suffix) && names.size() < most) names.emplace_back(name);
  }
  ::closedir(listing);
  std::ranges::sort(names);
  return names;
}

Result<SourceFile> SourceFolder::hold(const std::string& name) const {
  auto place = place_of(name);
  if (!place) return std::unexpected(place.error());
  // O_NONBLOCK: a named pipe must not hold the pool.
  auto file = std::make_shared<UniqueFd>(
      ::openat(place->folder->get(), place->name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!*file && errno == ENOENT) return fail(ErrorCode::kNotFound, shown_ + " has no " + name, shown_);
  if (!*file && (errno == ELOOP || errno == EMLINK)) return refused(name, "is a symbolic link");
  if (!*file && errno == EACCES) return refused(name, "may not be read by the daemon");
  if (!*file) return std::unexpected(files::error_of(errno, "open", fs::path(shown_) / name));
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return std::unexpected(files::error_of(errno, "look at", fs::path(shown_) / name));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kBundleInvalid, name + " of " + shown_ + " is not a regular file", shown_);
  if (is_held_elsewhere(file->get()))
    return fail(ErrorCode::kBundleInUse, "another program holds " + name + " of " + shown_ + ": stop the VM there first", shown_);
  return SourceFile{place->folder, std::move(file), place->name, static_cast<std::uint64_t>(status.st_size)};
}

Result<Bytes> SourceFolder::read(const std::string& name, std::size_t limit) const {
  const auto source = hold(name);
  if (!source) return std::unexpected(source.error());
  if (source->bytes > limit)
    return fail(ErrorCode::kBundleInvalid, name + " of " + shown_ + " has more than " + std::to_string(limit) + " bytes", shown_);
  Bytes bytes(static_cast<std::size_t>(source->bytes));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto got = ::pread(source->file->get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(files::error_of(errno, "read", fs::path(shown_) / name));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<void> SourceFolder::judge_raw(const SourceFile& disk) const {
  if (disk.bytes == 0 || disk.bytes % 512 != 0)
    return fail(ErrorCode::kBundleInvalid, "the disk " + disk.name + " of " + shown_ + " is empty, or no whole number of sectors",
                shown_);
  std::array<char, 512> first{}, last{};
  if (::pread(disk.file->get(), first.data(), first.size(), 0) != static_cast<ssize_t>(first.size()) ||
      ::pread(disk.file->get(), last.data(), last.size(), static_cast<off_t>(disk.bytes - last.size())) !=
          static_cast<ssize_t>(last.size()))
    return fail(ErrorCode::kStorageFailed, "could not read the disk " + disk.name + " of " + shown_, shown_);
  for (const Magic& magic : kMagics)
    if (std::string_view(magic.is_at_the_end ? last.data() : first.data(), 512).starts_with(magic.bytes))
      return fail(ErrorCode::kUnsupported,
                  "the disk " + disk.name + " of " + shown_ + " is " + std::string(magic.name) +
                      ", which berth cannot take: convert it to raw first",
                  shown_);
  return {};
}

} // namespace berth::foreign
