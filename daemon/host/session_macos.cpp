// Guests of macOS 15 and later have a key in the login keychain, which only a user who is logged in at the screen has open.
#include "daemon/host/session.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace berth {

std::optional<UnfitSession> judge_session() {
  if (::geteuid() == 0)
    return UnfitSession{"berthd runs as root, who has no login keychain: macOS 15 and later do not start as its guests",
                        "run berthd as a user's agent: berth service install, without --system"};
  struct stat console{};
  // Who is logged in at the screen owns the console.
  if (::stat("/dev/console", &console) == 0 && console.st_uid != ::geteuid())
    return UnfitSession{"the user of berthd is not logged in at the screen, so the login keychain may be locked",
                        "log in at the screen, or let the user be logged in automatically"};
  return std::nullopt;
}

} // namespace berth
