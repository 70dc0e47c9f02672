// The real berth-machine as a child of the test, and a client of its socket.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/runtime/unique_fd.hpp"
#include "tests/machine/process/simulated_host.hpp"

namespace berth::vz::test {

struct Finished {
  int status = -1; // the exit status, or 128 + the signal
  std::string output;
  Json json() const { return Json::parse(output, nullptr, false); }
};
// Runs a command that answers one question.
Finished run_berth_machine(const SimulatedHost& host, std::vector<std::string> arguments);

class MachineProcess {
public:
  // Writes machine.json and starts `run`. With `options` behind the runtime directory.
  MachineProcess(const SimulatedHost& host, const Json& spec, std::vector<std::string> options = {});
  ~MachineProcess(); // ends the process
  MachineProcess(const MachineProcess&) = delete;
  MachineProcess& operator=(const MachineProcess&) = delete;

  const std::filesystem::path& runtime_dir() const { return runtime_dir_; }
  pid_t pid() const { return pid_; }

  // Waits for the socket; false when the process ended without it.
  bool connect();
  void disconnect() { socket_.reset(); }
  void send_line(const std::string& line);
  int send(const std::string& method, const Json& params = Json::object());
  // Reads until the answer to `id`; null when the connection ends. What is told meanwhile goes to `told`.
  Json answer(int id);
  Json call(const std::string& method, const Json& params = Json::object()) { return answer(send(method, params)); }
  // Berth's code of a failed answer, "" of a good one.
  static std::string code(const Json& answer);
  std::string code_of(const std::string& method, const Json& params = Json::object()) { return code(call(method, params)); }
  // Reads until such a notification has come; its params, null when the connection ends.
  Json wait_for(const std::string& method, const std::function<bool(const Json&)>& matches = [](const Json&) { return true; });
  Json read_message(); // null at the end

  // Waits for the end of the process.
  int wait();
  void kill(int signal) const;
  Json exit_report() const;
  std::string console() const { return read_file(runtime_dir_ / "console.log"); }
  bool console_says(const std::string& text) const;
  void type(const std::string& text) const;

  std::vector<Json> told;

private:
  const std::filesystem::path runtime_dir_;
  pid_t pid_ = -1;
  int status_ = -1;
  UniqueFd socket_;
  std::string input_;
  int last_id_ = 0;
};

// Waits until the condition holds, for twenty seconds at most; whoever can wait for an event does so instead.
bool eventually(const std::function<bool()>& condition);

} // namespace berth::vz::test
