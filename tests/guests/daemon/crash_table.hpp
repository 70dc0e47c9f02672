// Every point of the source at which a test can kill the daemon, with an action that comes by it and what must be found by
// the next daemon.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace berth::test {

enum class Before { kNothing, kOneRuns };

enum class CrashAction {
  kCreate,
  kCreateThatFails, // of a disk image whose file is away
  kClone,
  kStart,
  kRestart,
  kStop,
  kForceStop,
  kSuspend,
  kDelete,
  kSnapshot,
  kRevert,
  kImportImage,
  kDownloadImage,
};

struct CrashCase {
  std::string step;
  CrashAction action;
  Before before;
  std::string outcome;          // state of the operation
  std::set<std::string> states; // of the VM "one", or of "new" where the action makes one; empty: it is not there
  // A step at which the second daemon dies too, while it mends what the first left.
  std::string dies_again{};
};

inline std::vector<CrashCase> crash_table() {
  using enum CrashAction;
  constexpr auto kNothing = Before::kNothing, kOneRuns = Before::kOneRuns;
  return {
      {"create.1_committed", kCreate, kNothing, "interrupted", {}},
      {"create.2_before_staging", kCreate, kNothing, "interrupted", {}},
      {"create.3_staged", kCreate, kNothing, "interrupted", {}},
      {"create.3_staged", kCreate, kNothing, "interrupted", {}, "operation.before_end"},
      {"create.4_renamed", kCreate, kNothing, "interrupted", {}},
      {"create.4_renamed", kCreate, kNothing, "interrupted", {}, "operation.after_end"},
      {"create.5_rolling_back", kCreateThatFails, kNothing, "interrupted", {}},
      {"operation.before_end", kCreate, kNothing, "interrupted", {}},
      {"operation.after_end", kCreate, kNothing, "succeeded", {"stopped"}},

      {"create.1_committed", kClone, kNothing, "interrupted", {}},
      {"create.2_before_staging", kClone, kNothing, "interrupted", {}},
      {"create.3_staged", kClone, kNothing, "interrupted", {}},
      {"create.4_renamed", kClone, kNothing, "interrupted", {}},
      {"operation.before_end", kClone, kNothing, "interrupted", {}},
      {"operation.after_end", kClone, kNothing, "succeeded", {"stopped"}},
      {"create.1_committed", kClone, kOneRuns, "interrupted", {}},
      {"create.3_staged", kClone, kOneRuns, "interrupted", {}},
      {"operation.before_end", kClone, kOneRuns, "interrupted", {}},

      {"start.1_committed", kStart, kNothing, "interrupted", {"stopped"}},
      {"start.1_committed", kStart, kNothing, "interrupted", {"stopped"}, "operation.before_end"},
      {"start.2_before_process", kStart, kNothing, "interrupted", {"stopped"}},
      {"start.3_process_runs", kStart, kNothing, "succeeded", {"running"}},
      {"start.3_process_runs", kStart, kNothing, "succeeded", {"running"}, "operation.before_end"},
      {"start.4_before_running", kStart, kNothing, "succeeded", {"running"}},
      {"operation.before_end", kStart, kNothing, "succeeded", {"running"}},
      {"operation.after_end", kStart, kNothing, "succeeded", {"running"}},
      // A guest that still boots does not hear the button: the restart waits for its deadline, then forces.
      {"start.2_before_process", kRestart, kOneRuns, "interrupted", {"stopped"}},
      {"start.3_process_runs", kRestart, kOneRuns, "succeeded", {"running"}},

      {"stop.1_committed", kStop, kOneRuns, "interrupted", {"running"}},
      {"stop.2_requested", kStop, kOneRuns, "interrupted", {"running"}},
      {"stop.1_committed", kForceStop, kOneRuns, "interrupted", {"running"}},
      {"stop.3_process_gone", kForceStop, kOneRuns, "succeeded", {"stopped"}},
      {"operation.before_end", kForceStop, kOneRuns, "succeeded", {"stopped"}},
      {"operation.after_end", kForceStop, kOneRuns, "succeeded", {"stopped"}},

      {"suspend.1_committed", kSuspend, kOneRuns, "interrupted", {"running"}},
      {"operation.before_end", kSuspend, kOneRuns, "succeeded", {"suspended"}},
      {"operation.after_end", kSuspend, kOneRuns, "succeeded", {"suspended"}},

      {"delete.1_committed", kDelete, kNothing, "succeeded", {}},
      {"delete.1_committed", kDelete, kNothing, "succeeded", {}, "delete.2_renamed"},
      {"delete.2_renamed", kDelete, kNothing, "succeeded", {}},
      {"delete.3_forgotten", kDelete, kNothing, "succeeded", {}},
      {"operation.before_end", kDelete, kNothing, "succeeded", {}},
      {"operation.after_end", kDelete, kNothing, "succeeded", {}},

      {"snapshot.1_committed", kSnapshot, kNothing, "interrupted", {"stopped"}},
      {"snapshot.2_copied", kSnapshot, kNothing, "interrupted", {"stopped"}},
      {"snapshot.1_committed", kSnapshot, kOneRuns, "interrupted", {"running"}},
      {"snapshot.2_copied", kSnapshot, kOneRuns, "interrupted", {"running"}},
      {"operation.after_end", kSnapshot, kNothing, "succeeded", {"stopped"}},

      {"revert.1_committed", kRevert, kNothing, "succeeded", {"stopped"}},
      {"revert.2_in_the_middle", kRevert, kNothing, "succeeded", {"stopped"}},
      {"revert.2_in_the_middle", kRevert, kNothing, "succeeded", {"stopped"}, "revert.2_in_the_middle"},

      {"image.1_committed", kImportImage, kNothing, "interrupted", {"stopped"}},
      {"image.2_copied", kImportImage, kNothing, "interrupted", {"stopped"}},
      {"image.3_renamed", kImportImage, kNothing, "interrupted", {"stopped"}},
      // A download is gone on with, wherever the daemon died.
      {"image.1_committed", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"image.4_part_fetched", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"image.4_part_fetched", kDownloadImage, kNothing, "succeeded", {"stopped"}, "image.5_fetched"},
      {"image.5_fetched", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"image.2_copied", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"image.3_renamed", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"operation.before_end", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"operation.after_end", kDownloadImage, kNothing, "succeeded", {"stopped"}},
      {"operation.before_end", kImportImage, kNothing, "interrupted", {"stopped"}},
      {"operation.after_end", kImportImage, kNothing, "succeeded", {"stopped"}},
  };
}

// The steps of an installation, which needs the simulated Mac: macos_fault_test dies at each.
inline std::vector<std::string> install_points() {
  return {"create.1_committed", "install.1_before_staging", "install.2_prepared", "install.3_installed", "install.4_renamed"};
}

} // namespace berth::test
