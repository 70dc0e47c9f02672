// Nettle's SHA-256, over memory and over files.
#include "daemon/bundle/sha256.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/system_calls.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

std::string digest(sha256_ctx& context) {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> bytes{};
  sha256_digest(&context, bytes.size(), bytes.data());
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += hex[byte >> 4];
    text += hex[byte & 15];
  }
  return text;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

Result<void> write_at(int to, std::span<const std::uint8_t> bytes, std::uint64_t offset, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const auto written = ::pwrite(to, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(files::error_of(errno, "write", file));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<HashedCopy> copy_and_hash(int from, int to, std::uint64_t total, const std::filesystem::path& file,
                                 const disk::CloneControl& control) {
  sha256_ctx context;
  sha256_init(&context);
  HashedCopy copy;
  std::vector<std::uint8_t> buffer(1024 * 1024);
  for (;;) {
    const auto got = ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(copy.bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(files::error_of(errno, "read the source of", file));
    if (got == 0) break;
    const std::span<const std::uint8_t> bytes(buffer.data(), static_cast<std::size_t>(got));
    sha256_update(&context, bytes.size(), bytes.data());
    if (!is_zero(bytes))
      if (auto written = write_at(to, bytes, copy.bytes, file); !written) return std::unexpected(written.error());
    copy.bytes += bytes.size();
    if (control.progress) control.progress(copy.bytes, std::max(total, copy.bytes));
    if (control.is_cancelled && *control.is_cancelled) return fail(ErrorCode::kCancelled, "the copy was cancelled");
  }
  if (::ftruncate(to, static_cast<off_t>(copy.bytes)) != 0) return std::unexpected(files::error_of(errno, "size", file));
  if (files::sync_descriptor(to) != 0) return std::unexpected(files::error_of(errno, "sync", file));
  copy.sha256 = digest(context);
  return copy;
}

} // namespace

std::string sha256(std::string_view bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  return digest(context);
}

struct Sha256::State {
  sha256_ctx context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { restart(); }
Sha256::~Sha256() = default;
void Sha256::restart() { sha256_init(&state_->context); }
void Sha256::update(std::span<const std::uint8_t> bytes) { sha256_update(&state_->context, bytes.size(), bytes.data()); }
std::string Sha256::finish() { return digest(state_->context); } // nettle begins anew by itself

Result<HashedCopy> copy_hashed(const UniqueFd& from, const std::filesystem::path& to, const disk::CloneControl& control) {
  struct stat status{};
  if (::fstat(from.get(), &status) != 0) return std::unexpected(files::error_of(errno, "look at the source of", to));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalidValue, "the path does not name a regular file", "path");
  const auto free = files::free_bytes(to.parent_path());
  if (!free) return std::unexpected(free.error());
  const auto needed =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_blocks) * 512);
  if (needed > *free)
    return fail(ErrorCode::kInsufficientDisk,
                "the copy needs " + std::to_string(needed) + " bytes, " + std::to_string(*free) + " are free");
  const UniqueFd target{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!target) return std::unexpected(files::error_of(errno, "make", to));
  auto copy = copy_and_hash(from.get(), target.get(), static_cast<std::uint64_t>(status.st_size), to, control);
  if (!copy) ::unlink(to.c_str());
  return copy;
}

Result<void> judge_image(const std::filesystem::path& file, ImageKind kind) {
  const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return std::unexpected(files::error_of(errno, "open", file));
  std::array<char, 8> begin{};
  const auto got = ::read(fd.get(), begin.data(), begin.size());
  if (got < 0) return std::unexpected(files::error_of(errno, "read", file));
  if (got == 0) return fail(ErrorCode::kImageInvalid, "the image is empty");
  const std::string_view text(begin.data(), static_cast<std::size_t>(got));
  if (kind == ImageKind::kDisk)
    for (const std::string_view magic : {"QFI\xfb", "KDMV", "vhdxfile", "conectix", "shdw"})
      if (text.starts_with(magic)) return fail(ErrorCode::kImageInvalid, "the disk image is not raw; convert it first");
  return {};
}

} // namespace berth
