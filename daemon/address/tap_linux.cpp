// Taps by the ioctls of /dev/net/tun.
#include "daemon/address/tap_linux.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr std::size_t kDigits = 12;

std::string errno_text() { return std::generic_category().message(errno); }

} // namespace

std::string tap_name(VmId vm) {
  std::string name = "bt";
  for (const char each : vm.to_string())
    if (each != '-' && name.size() < 2 + kDigits) name += each;
  return name;
}

bool is_tap_name(const std::string& name) {
  return name.size() == 2 + kDigits && name.starts_with("bt") &&
         name.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
}

Result<void> check_taps() {
  const UniqueFd device{::open(kDevice, O_RDWR | O_CLOEXEC)};
  if (!device) return fail(ErrorCode::kNetworkUnavailable, std::string(kDevice) + " cannot be opened: " + errno_text());
  return {};
}

Result<void> make_tap(const std::string& name) {
  const UniqueFd device{::open(kDevice, O_RDWR | O_CLOEXEC)};
  if (!device) return fail(ErrorCode::kNetworkUnavailable, std::string(kDevice) + " cannot be opened: " + errno_text());
  if (name.empty() || name.size() >= IFNAMSIZ)
    return fail(ErrorCode::kInternal, "\"" + name + "\" is not a name for an interface");
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  // With the header that lets host and guest pass on checksums and large segments undone.
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) {
    const char* hint = errno == EBUSY ? " (another process has it open)" : "";
    return fail(ErrorCode::kNetworkUnavailable, "the interface " + name + " cannot be made: " + errno_text() + hint);
  }
  if (::ioctl(device.get(), TUNSETOWNER, static_cast<unsigned long>(::getuid())) != 0 ||
      ::ioctl(device.get(), TUNSETPERSIST, 1UL) != 0)
    return fail(ErrorCode::kNetworkUnavailable, "the interface " + name + " cannot be kept: " + errno_text());
  return {};
}

} // namespace berth
