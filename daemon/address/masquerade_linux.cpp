// Rules by nft without a shell, forwarding by procfs.
#include "daemon/address/masquerade_linux.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "daemon/core/time.hpp"
#include "daemon/host/child_process.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr Duration kNftTimeout{10'000};

std::string errno_text() { return std::generic_category().message(errno); }

Result<void> run_nft(const std::string& rules) {
  const auto done = run_to_end({"nft", "-f", "-"}, rules, kNftTimeout);
  if (!done) return std::unexpected(done.error());
  if (done->exit.is_success()) return {};
  const std::string said = done->output.substr(0, done->output.find('\n'));
  return fail(ErrorCode::kNetworkUnavailable, "nft " + done->exit.to_string() + (said.empty() ? "" : ": " + said));
}

std::optional<char> read_digit(const char* path) {
  const UniqueFd file{::open(path, O_RDONLY | O_CLOEXEC)};
  char digit = 0;
  if (!file || ::read(file.get(), &digit, 1) != 1) return std::nullopt;
  return digit;
}

bool write_digit(const char* path, int flags, char digit) {
  const UniqueFd file{::open(path, O_WRONLY | O_CLOEXEC | flags, 0600)};
  const char text[2] = {digit, '\n'};
  return file && ::write(file.get(), text, sizeof text) == static_cast<ssize_t>(sizeof text);
}

} // namespace

std::string masquerade_table(const std::string& bridge) { return "berth_" + bridge; }

std::string masquerade_rules(const std::string& bridge, const Subnet& subnet) {
  const std::string table = "table inet " + masquerade_table(bridge);
  const std::string range = subnet.network().to_string();
  return table + "\ndelete " + table + "\n" + table + " {\n" +
         "  chain postrouting {\n"
         "    type nat hook postrouting priority srcnat; policy accept;\n"
         "    ip saddr " +
         range + " ip daddr != " + range + " oifname != \"" + bridge + "\" masquerade\n" +
         "  }\n"
         "}\n";
}

Result<void> apply_masquerade(const std::string& bridge, const Subnet& subnet) {
  return run_nft(masquerade_rules(bridge, subnet));
}

Result<void> remove_masquerade(const std::string& bridge) {
  const std::string table = "table inet " + masquerade_table(bridge);
  return run_nft(table + "\ndelete " + table + "\n"); // made first, so that the deletion never fails for want of it
}

Result<void> enable_forwarding(const std::filesystem::path& record) {
  const auto before = read_digit(kForwarding);
  if (!before) return fail(ErrorCode::kNetworkUnavailable, std::string(kForwarding) + " cannot be read: " + errno_text());
  if (*before == '1') return {};
  if (!write_digit(record.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW, *before) && errno != EEXIST)
    return fail(ErrorCode::kStorageFailed, record.string() + " cannot be written: " + errno_text());
  if (!write_digit(kForwarding, 0, '1'))
    return fail(ErrorCode::kNetworkUnavailable, std::string(kForwarding) + " cannot be written: " + errno_text());
  return {};
}

Result<void> restore_forwarding(const std::filesystem::path& record) {
  const auto before = read_digit(record.c_str());
  if (!before) return {};
  if (!write_digit(kForwarding, 0, *before))
    return fail(ErrorCode::kNetworkUnavailable, std::string(kForwarding) + " cannot be written: " + errno_text());
  ::unlink(record.c_str());
  return {};
}

} // namespace berth
