// fallocate(2).
#include "daemon/machine/punch_hole.hpp"

#include <fcntl.h>
#include <linux/falloc.h>

namespace berth {

bool punch_hole(int file, std::uint64_t length) {
  return ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(length)) == 0;
}

} // namespace berth
