// berth-machine: hosts one virtual machine for berthd, or answers one question. protocol.hpp says what it reads and prints.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "machine/loop.hpp"
#include "machine/main_queue.hpp"
#include "machine/query_json.hpp"
#include "machine/run_command.hpp"
#include "machine/vz_queries.hpp"

namespace {

using namespace berth::vz;

constexpr int kUsageError = 2;

int usage() {
  std::fputs("usage: berth-machine run RUNTIME_DIR [--first-command SECONDS] [--listener FD] [--console-listener FD]\n"
             "       berth-machine host\n"
             "       berth-machine image FILE\n"
             "       berth-machine latest\n"
             "       berth-machine prepare --hardware-model FILE --machine-identifier FILE --auxiliary-storage FILE\n",
             stderr);
  return kUsageError;
}

int print(const std::string& json, int status) {
  std::printf("%s\n", json.c_str());
  return std::fflush(stdout) == 0 ? status : 1;
}

template <class T>
int print(const Outcome<T>& outcome) {
  return outcome ? print(to_json(*outcome), 0) : print(to_json(outcome.error()), 1);
}

// Runs a loop until the question is answered.
template <class T, class Ask>
int ask(Ask begin) {
  auto loop = Loop::create();
  if (!loop) return print(to_json(Failure{loop.error()}), 1);
  std::optional<Outcome<T>> answer;
  begin(
      [weak = std::weak_ptr{*loop}](std::function<void()> work) {
        if (const auto target = weak.lock()) target->post(std::move(work));
      },
      [&](Outcome<T> outcome) {
        answer = std::move(outcome);
        (*loop)->quit();
      });
  (*loop)->run();
  return print(*answer);
}

std::filesystem::path absolute(const std::string& name) {
  std::error_code error;
  const auto path = std::filesystem::absolute(name, error);
  return error ? std::filesystem::path{name} : path;
}

std::optional<unsigned> number_of(const std::string& text, unsigned largest) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end && value <= largest ? std::optional{value} : std::nullopt;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() % 2 == 0 || arguments[0].empty()) return usage();
  RunOptions options;
  options.runtime_dir = absolute(arguments[0]);
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const auto value = number_of(arguments[i + 1], 86'400);
    if (!value) return usage();
    if (arguments[i] == "--first-command")
      options.first_command = std::chrono::seconds{*value};
    else if (arguments[i] == "--listener" && *value > 2)
      options.listener = static_cast<int>(*value);
    else if (arguments[i] == "--console-listener" && *value > 2)
      options.console_listener = static_cast<int>(*value);
    else
      return usage();
  }
  return run_machine(options);
}

int prepare(const std::vector<std::string>& arguments) {
  AuxiliaryPlan plan;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    std::filesystem::path* target = arguments[i] == "--hardware-model"       ? &plan.hardware_model
                                    : arguments[i] == "--machine-identifier" ? &plan.machine_identifier
                                    : arguments[i] == "--auxiliary-storage"  ? &plan.auxiliary_storage
                                                                             : nullptr;
    if (!target || !target->empty() || arguments[i + 1].empty()) return usage();
    *target = absolute(arguments[i + 1]);
  }
  if (arguments.size() != 6) return usage();
  const auto made = make_auxiliary_storage(plan);
  return made ? print("{}", 0) : print(to_json(made.error()), 1);
}

int dispatch(const std::string& command, const std::vector<std::string>& arguments) {
  if (command == "run") return run(arguments);
  if (command == "host" && arguments.empty()) return print(to_json(ask_host()), 0);
  if (command == "image" && arguments.size() == 1 && !arguments[0].empty())
    return ask<ImageAnswer>([&](Post post, auto done) { ask_image(absolute(arguments[0]), std::move(post), done); });
  if (command == "latest" && arguments.empty())
    return ask<LatestAnswer>([](Post post, auto done) { ask_latest(std::move(post), done); });
  if (command == "prepare") return prepare(arguments);
  return usage();
}

} // namespace

int main(int argc, char** argv) {
  ::umask(0077);
  if (argc < 2) return usage();
  const std::string command = argv[1];
  const std::vector<std::string> arguments(argv + 2, argv + argc);
  return run_beside_main_queue([&] { return dispatch(command, arguments); });
}
