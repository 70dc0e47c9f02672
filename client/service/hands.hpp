// Does what a service manager wants done, and says each step; in a dry run it says them and does nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "client/service/service_spec.hpp"

namespace berth::cli {

struct ToolResult {
  int exit_code = 0; // 128 + number when a signal ended it, as a shell says it
  std::string output;
};

using Words = std::vector<std::string>;

class Hands {
public:
  struct Options {
    bool is_dry_run = false;
    // Runs a program and gives its exit code and all that it says; tests have their own.
    std::function<Outcome<ToolResult>(const Words&)> run_tool;
    std::function<void()> pause; // between two looks at something that takes its time
  };
  Hands(std::ostream& out, Options options) : out_(out), options_(std::move(options)) {}

  bool is_dry_run() const { return options_.is_dry_run; }
  void say(const std::string& line);

  // True when something was changed: a file that is so already is not written again.
  Outcome<bool> write_file(const std::filesystem::path& path, const std::string& text);
  Outcome<bool> remove_file(const std::filesystem::path& path);
  // With all above it. A new one is of this mode and, when a uid is given, of that user; one that exists is left as it is.
  Outcome<void> make_directory(const std::filesystem::path& path, std::uint32_t mode, std::optional<std::uint32_t> uid = {});
  // A new file in the place of `to`, with the old one's mode; the old one is kept as `<to>.previous`. Never writes into the
  // old file: a program that runs from it would change, and macOS kills programs whose signed file does.
  Outcome<void> replace_program(const std::filesystem::path& from, const std::filesystem::path& to);
  Outcome<void> put_back(const std::filesystem::path& to); // `<to>.previous`

  // Fails with what the tool says unless it ends with 0.
  Outcome<void> run(const Words& words);
  // A question to a tool: not shown, and empty in a dry run, when nobody may be asked.
  std::optional<ToolResult> ask(const Words& words);
  // Asks again and again until `holds`; by default longer than an end of berthd takes, which is 80 s. Holds at once in a dry run.
  bool wait_until(const std::function<bool()>& holds, std::chrono::seconds at_most = std::chrono::seconds{100});

private:
  std::ostream& out_;
  Options options_;
};

// The real run_tool: waits for the program's end. Looks in PATH.
Outcome<ToolResult> run_program(const Words& words);
// Lets the program write to this one's output, for as long as it likes.
Outcome<int> run_in_foreground(const Words& words);

std::string shell_line(const Words& words);

} // namespace berth::cli
