// A temporary file, and then its name: a crash in between leaves the old report, which berthd removes before each start.
#include "machine/exit_report.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "daemon/runtime/unique_fd.hpp"
#include "machine/protocol.hpp"

namespace berth::vz {

namespace {

std::unexpected<Error> failed(const std::string& what, const std::filesystem::path& path) {
  return fail(ErrorCode::kStorageFailed, "cannot " + what + " " + path.string() + ": " + std::strerror(errno));
}

} // namespace

Result<void> write_exit_report(const std::filesystem::path& runtime_dir, const ExitReport& report) {
  using Json = nlohmann::json;
  const Json json{
      {"reason", report.reason}, {"detail", report.detail}, {"code", report.code.empty() ? Json(nullptr) : Json(report.code)}};
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::filesystem::path file = runtime_dir / protocol::kExitFile, temporary = file.string() + ".new";
  {
    const UniqueFd fd{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) return failed("make", temporary);
    const ssize_t count = ::write(fd.get(), text.data(), text.size()); // a regular file takes all, or is full
    if (count != static_cast<ssize_t>(text.size())) {
      if (count >= 0) errno = ENOSPC;
      return failed("write", temporary);
    }
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) return failed("rename", temporary);
  return {};
}

} // namespace berth::vz
