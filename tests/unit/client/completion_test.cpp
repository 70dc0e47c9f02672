// Completion scripts know every command and option.
#include "client/completion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

bool is_shown(const CLI::App* app) { return !app->get_group().empty(); }

// Every command below `app`, with the path to it.
void collect(const CLI::App& app, const std::string& path, std::vector<std::pair<std::string, const CLI::App*>>& found) {
  for (const CLI::App* each : app.get_subcommands(is_shown)) {
    found.emplace_back(path + " " + each->get_name(), each);
    collect(*each, path + " " + each->get_name(), found);
  }
}

TEST(Completion, ContainsEveryCommandAndOption) {
  const CommandLine command_line;
  std::vector<std::pair<std::string, const CLI::App*>> commands;
  collect(command_line.app(), "berth", commands);
  ASSERT_GT(commands.size(), 30U);
  for (const auto shell : {Shell::kBash, Shell::kZsh, Shell::kFish}) {
    const std::string script = completion_script(command_line.app(), shell);
    for (const auto& [path, command] : commands) {
      EXPECT_THAT(script, HasSubstr(path));
      for (const CLI::Option* option : command->get_options()) {
        for (const auto& name : option->get_lnames())
          EXPECT_THAT(script, HasSubstr((shell == Shell::kFish ? " -l " : "--") + name)) << path;
      }
    }
    EXPECT_THAT(script, HasSubstr("berth __names "));
    EXPECT_THAT(script, HasSubstr("pull"));
    EXPECT_THAT(script, HasSubstr("sha256"));
    EXPECT_THAT(script, HasSubstr("table wide json yaml name"));
    EXPECT_THAT(script, Not(HasSubstr("'berth __names'"))) << "hidden commands are not offered";
  }
}

TEST(Completion, TheCommandsOfTheContractAreThere) {
  const CommandLine command_line;
  for (const char* name : {"ls",     "create", "start",    "stop",    "pause",      "resume",  "suspend", "restart", "rm",
                           "clone",  "import", "ip",       "console", "logs",       "events",  "ops",     "host",    "mid",
                           "images", "leases", "snapshot", "set",     "completion", "version", "repair"}) {
    EXPECT_NO_THROW((void)command_line.app().get_subcommand(name)) << name;
  }
  for (const char* name : {"ls", "add", "pull", "rm"})
    EXPECT_NO_THROW((void)command_line.app().get_subcommand("images")->get_subcommand(name)) << name;
}

TEST(Completion, NamesAreAskedForByTheKindOfTheArgument) {
  EXPECT_EQ(names_kind("vms"), "vms");
  EXPECT_EQ(names_kind("vm"), "vms");
  EXPECT_EQ(names_kind("keys"), "mids");
  EXPECT_EQ(names_kind("images"), "images");
  EXPECT_EQ(names_kind("operation"), "ops");
  EXPECT_EQ(names_kind("path"), "");
}

} // namespace
} // namespace berth::cli
