// fcntl(2) with F_PUNCHHOLE: begin and length must be whole blocks of the file system, which are 4 KiB on APFS.
#include "daemon/machine/punch_hole.hpp"

#include <fcntl.h>

namespace berth {

bool punch_hole(int file, std::uint64_t length) {
  fpunchhole_t hole{};
  hole.fp_offset = 0;
  hole.fp_length = static_cast<off_t>(length);
  return ::fcntl(file, F_PUNCHHOLE, &hole) == 0;
}

} // namespace berth
