// One read at a time, and never a half-written file.
#include "daemon/address/lease_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

constexpr Duration kSettleTime{10};

// Blocks; on the pool. No file is an empty text.
Result<std::string> read_text(const std::filesystem::path& path) {
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file && errno == ENOENT) return std::string{};
  struct stat facts{};
  if (!file || ::fstat(file.get(), &facts) != 0)
    return fail(ErrorCode::kStorageFailed,
                "the lease file " + path.string() + " cannot be read: " + std::generic_category().message(errno));
  if (!S_ISREG(facts.st_mode)) return fail(ErrorCode::kStorageFailed, path.string() + " is not a regular file");
  std::string text;
  char block[64 * 1024];
  while (text.size() < LeaseFile::kMaxSize) {
    const ssize_t count = ::read(file.get(), block, std::min(sizeof block, LeaseFile::kMaxSize - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(ErrorCode::kStorageFailed,
                  "the lease file " + path.string() + " cannot be read: " + std::generic_category().message(errno));
    if (count == 0) break;
    text.append(block, static_cast<std::size_t>(count));
  }
  return text;
}

} // namespace

struct LeaseFile::State : std::enable_shared_from_this<LeaseFile::State> {
  State(EventLoop& event_loop, std::filesystem::path path, Callbacks calls)
      : loop(event_loop), file(std::move(path)), callbacks(std::move(calls)) {}

  void changed() {
    if (is_reading) {
      is_dirty = true;
      return;
    }
    is_reading = true;
    is_dirty = false;
    auto result = std::make_shared<Result<std::string>>();
    loop.run_blocking([path = file, result] { *result = read_text(path); },
                      [weak = weak_from_this(), result] {
                        if (const auto self = weak.lock()) self->take(std::move(*result));
                      });
  }

  void take(Result<std::string> text) {
    is_reading = false;
    if (is_dirty) return changed(); // the file has changed under the read
    if (!text) {
      doubtful.reset();
      return callbacks.on_unreadable(text.error());
    }
    const bool is_torn = !text->empty() && text->back() != '\n';
    const bool is_shorter = last && text->size() < last->size();
    if ((is_torn || is_shorter) && doubtful != *text) {
      doubtful = std::move(*text);
      again = loop.after(kSettleTime, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->changed();
      });
      return;
    }
    doubtful.reset();
    if (last == *text) return;
    last = std::move(*text);
    callbacks.on_text(*last);
  }

  EventLoop& loop;
  std::filesystem::path file;
  Callbacks callbacks;
  bool is_reading = false;
  bool is_dirty = false;
  std::optional<std::string> last;     // the text that was handed out
  std::optional<std::string> doubtful; // a text that waits to be seen again
  Registration again;
};

LeaseFile::LeaseFile(std::shared_ptr<State> state, std::unique_ptr<DirectoryWatch> watch)
    : state_(std::move(state)), watch_(std::move(watch)) {}

Result<std::unique_ptr<LeaseFile>> LeaseFile::open(EventLoop& loop, std::filesystem::path file, Callbacks callbacks) {
  const std::string name = file.filename().string();
  const std::filesystem::path directory = file.parent_path();
  auto state = std::make_shared<State>(loop, std::move(file), std::move(callbacks));
  auto watch = DirectoryWatch::open(loop, directory, [raw = state.get(), name](const std::string& changed) {
    if (changed.empty() || changed == name) raw->changed();
  });
  if (!watch) return std::unexpected(watch.error());
  state->changed(); // after the watch: a change in between makes one read too many, never one too few
  return std::unique_ptr<LeaseFile>{new LeaseFile(std::move(state), std::move(*watch))};
}

void LeaseFile::look() { state_->changed(); }

} // namespace berth
