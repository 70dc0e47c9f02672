// What launchd hands over: the sockets that launchd/*.plist names "Listeners".
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "api/inherited.hpp"

// <launch.h>, since macOS 10.10. ESRCH: this process is none of launchd's; ENOENT: its property list has no such sockets;
// EALREADY: they were taken. The array is the caller's to free(), the descriptors are its to close.
extern "C" int launch_activate_socket(const char* name, int** descriptors, std::size_t* count);

namespace berth::api {

Result<std::vector<UniqueFd>> take_descriptors() {
  int* given = nullptr;
  std::size_t count = 0;
  const int number = ::launch_activate_socket("Listeners", &given, &count);
  std::vector<UniqueFd> descriptors;
  if (number == ESRCH || number == ENOENT) return descriptors;
  if (number != 0)
    return fail(ErrorCode::kInvalidValue, std::string("launchd does not hand its sockets over: ") + std::strerror(number));
  for (std::size_t index = 0; index < count; ++index) descriptors.emplace_back(given[index]);
  std::free(given);
  return descriptors;
}

} // namespace berth::api
