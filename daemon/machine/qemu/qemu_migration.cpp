// Saving to a file and coming up from one: QEMU's migration, through a descriptor, so that the sandbox may deny QEMU
// every path and every process.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/machine/qemu/qemu_session.hpp"

namespace berth {

namespace {

Result<UniqueFd> make_draft(const std::filesystem::path& draft) {
  ::unlink(draft.c_str());
  UniqueFd fd{::open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail(ErrorCode::kStorageFailed, "cannot make " + draft.string() + ": " + std::strerror(errno));
  return fd;
}

// Durable under its own name, or not there.
Result<void> publish(int fd, const std::filesystem::path& draft, const std::filesystem::path& file) {
  const auto failed = [&](const char* what) {
    const int number = errno;
    ::unlink(draft.c_str());
    return fail(ErrorCode::kStorageFailed, std::string{"cannot "} + what + " " + file.string() + ": " + std::strerror(number));
  };
  if (::fsync(fd) != 0) return failed("write");
  if (::rename(draft.c_str(), file.c_str()) != 0) return failed("name");
  const UniqueFd directory{::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory || ::fsync(directory.get()) != 0) {
    ::unlink(file.c_str());
    return failed("make durable");
  }
  return {};
}

// QEMU has better to do than to answer while it moves its state.
class Busy {
public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

private:
  bool& flag_;
};

} // namespace

Duration QemuSession::migration_deadline() const {
  return deadlines_.save + std::chrono::seconds{static_cast<std::int64_t>(facts_.memory_bytes >> 24)};
}

Task<Result<void>> QemuSession::enable_migration_events(Self self) {
  auto answer = co_await self->execute("migrate-set-capabilities", R"({"capabilities":[{"capability":"events","state":true}]})");
  if (!answer) co_return std::unexpected(answer.error());
  // The default is a network's 128 MiB a second; a file takes what it can.
  answer = co_await self->execute("migrate-set-parameters", R"({"max-bandwidth":1099511627776})");
  if (!answer) co_return std::unexpected(answer.error());
  self->migration_status_.clear();
  co_return Result<void>{};
}

Task<Result<void>> QemuSession::wait_for_migration(Self self) {
  const SteadyTime end = self->loop_.steady_now() + self->migration_deadline();
  while (true) {
    if (self->ended_) co_return fail(ErrorCode::kMachineFailed, self->ended_->detail);
    if (self->migration_status_ == "completed") co_return Result<void>{};
    if (self->migration_status_ == "failed" || self->migration_status_ == "cancelled") break;
    const auto left = std::chrono::ceil<Duration>(end - self->loop_.steady_now());
    if (left <= Duration::zero()) co_return fail(ErrorCode::kDeadlineExceeded, "the machine's state was not moved in time");
    co_await wait_for(self->loop_, self->changed_, left);
  }
  auto info = co_await self->execute("query-migrate");
  std::string detail = "moving the machine's state failed";
  if (info && info->contains("error-desc")) detail += ": " + (*info)["error-desc"];
  const bool is_storage = detail.find("Unable to write") != std::string::npos;
  co_return fail(is_storage ? ErrorCode::kStorageFailed : ErrorCode::kMachineFailed, std::move(detail));
}

Task<Result<void>> QemuSession::migrate(Self self, std::shared_ptr<UniqueFd> file) {
  if (auto enabled = co_await enable_migration_events(self); !enabled) co_return enabled;
  auto answer = co_await self->execute("getfd", R"({"fdname":"state"})", file->get());
  if (!answer) co_return std::unexpected(answer.error());
  answer = co_await self->execute("migrate", R"({"uri":"fd:state"})");
  if (!answer) co_return std::unexpected(answer.error());
  auto moved = co_await wait_for_migration(self);
  if (!moved && moved.error().code == ErrorCode::kDeadlineExceeded) co_await self->execute("migrate_cancel");
  co_return moved;
}

Task<Result<void>> QemuSession::save(Self self, std::filesystem::path file, AfterSave after) {
  if (!self->is_paused_) co_return fail(ErrorCode::kStateConflict, "a machine is saved from paused, and this one runs");
  if (self->is_saved_)
    co_return fail(ErrorCode::kStateConflict, "the state was saved already, and QEMU saves it again only when the guest has run");
  const Busy busy(self->is_migrating_); // after `self` in the frame, so it goes first
  const std::filesystem::path draft = file.string() + ".partial";
  auto made = co_await blocking(self->loop_, [draft] { return make_draft(draft); });
  if (!made) co_return std::unexpected(made.error());
  const auto fd = std::make_shared<UniqueFd>(std::move(*made)); // the pool may need it longer than this frame lives
  if (auto moved = co_await migrate(self, fd); !moved) {
    co_await blocking(self->loop_, [draft] { return ::unlink(draft.c_str()); });
    co_return moved;
  }
  self->is_saved_ = true;
  auto published = co_await blocking(self->loop_, [fd, draft, file] { return publish(fd->get(), draft, file); });
  if (!published) co_return published;
  if (after == AfterSave::kStayPaused) co_return Result<void>{};
  self->cause_ = MachineExit{ExitReason::kSaved, "saved to " + file.string()};
  co_await quit(self);
  if (!co_await wait_for_end(self, self->deadlines_.quit + self->deadlines_.kill))
    co_return fail(ErrorCode::kDeadlineExceeded, "the machine is saved, but its process does not end");
  co_return Result<void>{};
}

Task<Result<void>> QemuSession::restore(Self self, int inherited_fd) {
  const Busy busy(self->is_migrating_);
  if (auto enabled = co_await enable_migration_events(self); !enabled) co_return enabled;
  auto answer = co_await self->execute("migrate-incoming", R"({"uri":"fd:)" + std::to_string(inherited_fd) + R"("})");
  if (!answer) co_return std::unexpected(answer.error());
  if (auto moved = co_await wait_for_migration(self); !moved) co_return moved;
  co_return co_await resume(self);
}

} // namespace berth
