// JSON on disk; exceptions of the parser stay here.
#include "daemon/machine/process/process_record.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/host/small_file.hpp"

namespace berth {

namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr auto kProcess = "process.json", kExit = "exit.json";

Result<void> write(const std::filesystem::path& directory, const char* name, const json& value) {
  const auto path = directory / name, draft = directory / (std::string{name} + ".new");
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  const UniqueFd fd{::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::rename(draft.c_str(), path.c_str()) != 0)
    return fail(ErrorCode::kStorageFailed, "cannot write " + path.string() + ": " + std::strerror(errno));
  return {};
}

// Null when there is no such file, discarded when it is not JSON.
json read(const std::filesystem::path& directory, const char* name) {
  const auto text = read_small_file(directory / name);
  return text ? json::parse(*text, nullptr, false) : json(nullptr);
}

std::string text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::uint64_t number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

} // namespace

Result<void> write_run_record(const std::filesystem::path& directory, const ProcessRecord& record) {
  return write(directory, kProcess,
               {{"version", kVersion},
                {"pid", record.process.pid},
                {"start_time", record.process.start_time},
                {"boot_id", record.process.boot_id},
                {"uuid", record.uuid.to_string()}});
}

Result<ProcessRecord> read_run_record(const std::filesystem::path& directory) {
  const json value = read(directory, kProcess);
  const auto path = (directory / kProcess).string();
  if (value.is_null()) return fail(ErrorCode::kNotFound, "there is no " + path);
  const auto uuid = value.is_object() ? Uuid::parse(text(value, "uuid")) : std::nullopt;
  ProcessRecord record;
  if (uuid) {
    record.process.pid = static_cast<std::int32_t>(number(value, "pid"));
    record.process.start_time = number(value, "start_time");
    record.process.boot_id = text(value, "boot_id");
    record.uuid = *uuid;
  }
  if (!uuid || number(value, "version") != kVersion || record.process.pid <= 1 || record.process.boot_id.empty())
    return fail(ErrorCode::kMachineFailed, path + " is not a process record");
  return record;
}

Result<void> write_exit_record(const std::filesystem::path& directory, const MachineExit& end) {
  return write(directory, kExit, {{"reason", to_string(end.reason)}, {"detail", end.detail}});
}

std::optional<MachineExit> read_exit_record(const std::filesystem::path& directory) {
  const json value = read(directory, kExit);
  if (!value.is_object()) return std::nullopt;
  const std::string reason = text(value, "reason");
  for (const auto each :
       {ExitReason::kGuestShutdown, ExitReason::kGuestPanic, ExitReason::kForced, ExitReason::kSaved, ExitReason::kCrashed}) {
    if (reason == to_string(each)) return MachineExit{each, text(value, "detail")};
  }
  return std::nullopt;
}

void remove_records(const std::filesystem::path& directory) {
  for (const char* name : {kProcess, kExit}) ::unlink((directory / name).c_str());
}

std::string last_words(const std::filesystem::path& log, std::size_t limit) {
  const UniqueFd file{::open(log.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string words(std::min(size, limit), '\0');
  const ssize_t count = ::pread(file.get(), words.data(), words.size(), static_cast<off_t>(size - words.size()));
  words.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (size > limit) words.erase(0, words.find('\n') == std::string::npos ? 0 : words.find('\n') + 1);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  for (char& each : words) {
    if (each == '\n')
      each = ';';
    else if (static_cast<unsigned char>(each) < 0x20)
      each = ' ';
  }
  return words;
}

} // namespace berth
