// Progress on terminals and in logs.
#include "client/progress.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace berth::cli {
namespace {

client::Operation operation(std::string step, double progress) {
  client::Operation result;
  result.kind = "clone";
  result.subject = "web";
  result.state = "running";
  result.step = std::move(step);
  result.progress = progress;
  return result;
}

TEST(Progress, IsOneLineAStepInALog) {
  std::ostringstream err;
  {
    Progress progress{err, Progress::Style::kLines};
    progress.show(operation("copying the disk", 0.1));
    progress.show(operation("copying the disk", 0.6));
    progress.show(operation("renaming", 0.9));
  }
  EXPECT_EQ(err.str(), "clone web: copying the disk\nclone web: renaming\n");
}

TEST(Progress, IsOneDrawnLineOnATerminalThatIsWipedAtTheEnd) {
  std::ostringstream err;
  {
    Progress progress{err, Progress::Style::kBar};
    progress.show(operation("copying the disk", 0.5));
  }
  EXPECT_EQ(err.str(), "\rclone web: copying the disk [############............]  50%\x1b[K\r\x1b[K");
}

TEST(Progress, IsSilentWhenAskedToBe) {
  std::ostringstream err;
  {
    Progress progress{err, Progress::Style::kSilent};
    progress.show(operation("copying", 0.5));
  }
  EXPECT_EQ(err.str(), "");
}

TEST(Progress, AQueuedStartSaysWhatItWaitsFor) {
  auto queued = operation("waiting", 0);
  queued.state = "queued";
  queued.position = 2;
  queued.blocked_by = {{"machine_id", {{"1", "alpha"}, {"2", "beta"}}}};
  EXPECT_EQ(step_text(queued), "waiting for machine_id of alpha, beta, place 2");
}

} // namespace
} // namespace berth::cli
