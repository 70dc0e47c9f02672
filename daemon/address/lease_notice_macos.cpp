// notify_register_file_descriptor(3): each notice is four bytes on a pipe.
#include "daemon/address/lease_notice_macos.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

// From <notify.h>, which not every collection of macOS headers has; they have been the same since Mac OS X 10.3.
extern "C" {
std::uint32_t notify_register_file_descriptor(const char* name, int* descriptor, int flags, int* token);
std::uint32_t notify_cancel(int token);
}

namespace berth {

namespace {
constexpr const char* kName = "com.apple.bootpd.DHCPLeaseList"; // bootpd.tproj/dhcpd.c of Apple's bootp
constexpr std::uint32_t kOk = 0;                                // NOTIFY_STATUS_OK
} // namespace

Result<std::unique_ptr<LeaseNotice>> LeaseNotice::open(EventLoop& loop, std::function<void()> on_notice) {
  int descriptor = -1, token = -1;
  if (const std::uint32_t status = ::notify_register_file_descriptor(kName, &descriptor, 0, &token); status != kOk)
    return fail(ErrorCode::kInternal, "notify(3) does not tell of leases: status " + std::to_string(status));
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
  std::unique_ptr<LeaseNotice> notice{new LeaseNotice(UniqueFd{descriptor}, token, std::move(on_notice))};
  notice->watch_ = loop.watch(descriptor, Readiness::kReadable, [self = notice.get()] { self->read_notices(); });
  return notice;
}

// notify_cancel closes the descriptor of the last token of it.
LeaseNotice::~LeaseNotice() {
  watch_.cancel();
  descriptor_.release();
  ::notify_cancel(token_);
}

void LeaseNotice::read_notices() {
  std::array<char, 256> tokens;
  ssize_t count = 0;
  bool is_told = false;
  while ((count = ::read(descriptor_.get(), tokens.data(), tokens.size())) > 0) is_told = true;
  if (!is_told) return;
  const auto on_notice = on_notice_; // a copy, which lives on when the callback destroys this
  on_notice();
}

} // namespace berth
