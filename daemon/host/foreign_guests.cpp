// Foreign guests, for people.
#include "daemon/host/foreign_guests.hpp"

namespace berth {

std::string describe(const std::vector<ForeignGuest>& foreign) {
  if (foreign.empty())
    return "no guest of another program was found: the host's kernel may have kept the berth of one that ended, and gives it "
           "back at a restart of the host";
  std::string text = foreign.size() == 1 ? "a guest of another program runs here: "
                                         : std::to_string(foreign.size()) + " guests of other programs run here: ";
  for (std::size_t i = 0; i < foreign.size(); ++i)
    text += (i == 0 ? "" : ", ") + foreign[i].program + " (pid " + std::to_string(foreign[i].pid) + ", of user " +
            std::to_string(foreign[i].uid) + ")";
  return text;
}

} // namespace berth
