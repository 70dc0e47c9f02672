// launchd and systemd for tests: they know which service is loaded, remember what they were asked, and run nothing.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "client/service/manager.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::cli::test {

class StandIn {
public:
  Outcome<ToolResult> run(const Words& words);
  // Since the last call: commands that change something, questions left out.
  std::vector<std::string> take_calls();

  bool is_loaded = false;
  int pid = 0;
  int looks_until_gone = 0; // a bootout or a kill is obeyed after so many questions
  std::string refuses;      // the first word of the verb that fails

private:
  ToolResult launchctl(const Words& words);
  ToolResult systemctl(const Words& words);
  ToolResult told_state(bool is_systemd);

  std::vector<std::string> calls_;
  int next_pid_ = 100;
  enum class Leaving { kNothing, kProcess, kService } leaving_ = Leaving::kNothing;
};

// A home directory, a stand-in, and hands that write down what they say.
struct Bench {
  explicit Bench(bool is_dry_run = false);
  ServicePlace place(ServiceScope scope = ServiceScope::kUser) const;
  ServiceSpec spec(ServiceScope scope = ServiceScope::kUser) const;

  berth::test::TempDir directory;
  StandIn stand_in;
  std::ostringstream said;
  Hands hands;
};

std::string read(const std::filesystem::path& file);

} // namespace berth::cli::test
