// Every wait has a deadline; a process that the test forgets is killed by its number.
#include "tests/machine/process/machine_process.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>

extern char** environ;

namespace berth::vz::test {

namespace {

constexpr auto kPatience = std::chrono::seconds{20};

// `output` -1: the test's own.
pid_t spawn(const SimulatedHost& host, std::vector<std::string> arguments, int output) {
  arguments.insert(arguments.begin(), BERTH_MACHINE);
  std::vector<std::string> variables{"BERTH_LOOKALIKE_DIR=" + host.directory().string()};
  for (char** each = environ; *each; ++each)
    if (!std::string_view{*each}.starts_with("BERTH_LOOKALIKE_DIR=")) variables.emplace_back(*each);
  std::vector<char*> argv, envp;
  for (auto& each : arguments) argv.push_back(each.data());
  for (auto& each : variables) envp.push_back(each.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawn(&pid, BERTH_MACHINE, &actions, nullptr, argv.data(), envp.data()), 0) << BERTH_MACHINE;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

UniqueFd connected(const std::filesystem::path& path) {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

} // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

Finished run_berth_machine(const SimulatedHost& host, std::vector<std::string> arguments) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader{ends[0]};
  UniqueFd writer{ends[1]};
  const pid_t pid = spawn(host, std::move(arguments), writer.get());
  writer.reset();
  Finished finished;
  char bytes[4096];
  for (ssize_t count; (count = ::read(reader.get(), bytes, sizeof bytes)) > 0;)
    finished.output.append(bytes, static_cast<std::size_t>(count));
  int raw = 0;
  EXPECT_EQ(::waitpid(pid, &raw, 0), pid);
  finished.status = status_of(raw);
  return finished;
}

MachineProcess::MachineProcess(const SimulatedHost& host, const Json& spec, std::vector<std::string> options)
    : runtime_dir_([&] {
        std::string name = host / "run-XXXXXX";
        EXPECT_TRUE(::mkdtemp(name.data()));
        return name;
      }()) {
  write_file(runtime_dir_ / "machine.json", spec.is_string() ? spec.get<std::string>() : spec.dump());
  options.insert(options.begin(), {"run", runtime_dir_});
  pid_ = spawn(host, std::move(options), -1);
}

MachineProcess::~MachineProcess() {
  if (status_ >= 0) return;
  kill(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void MachineProcess::kill(int signal) const {
  if (pid_ > 0 && status_ < 0) ::kill(pid_, signal);
}

int MachineProcess::wait() {
  if (status_ >= 0) return status_;
  int raw = 0;
  const bool has_ended = eventually([&] { return ::waitpid(pid_, &raw, WNOHANG) == pid_; });
  EXPECT_TRUE(has_ended) << "the process does not end";
  if (has_ended) status_ = status_of(raw);
  return status_;
}

bool MachineProcess::connect() {
  input_.clear();
  eventually([&] {
    socket_ = connected(runtime_dir_ / "machine.sock");
    int raw = 0;
    if (!socket_ && status_ < 0 && ::waitpid(pid_, &raw, WNOHANG) == pid_) status_ = status_of(raw);
    return bool{socket_} || status_ >= 0;
  });
  return bool{socket_};
}

void MachineProcess::send_line(const std::string& line) {
  EXPECT_EQ(::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
}

int MachineProcess::send(const std::string& method, const Json& params) {
  send_line(Json{{"jsonrpc", "2.0"}, {"id", ++last_id_}, {"method", method}, {"params", params}}.dump() + "\n");
  return last_id_;
}

Json MachineProcess::read_message() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    if (const auto end = input_.find('\n'); end != std::string::npos) {
      const Json message = Json::parse(input_.substr(0, end), nullptr, false);
      input_.erase(0, end + 1);
      return message;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
      ADD_FAILURE() << "nothing is said";
      return nullptr;
    }
    char bytes[64 << 10];
    const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (count <= 0) return nullptr;
    input_.append(bytes, static_cast<std::size_t>(count));
  }
}

Json MachineProcess::answer(int id) {
  for (;;) {
    Json message = read_message();
    if (!message.is_object() || (message.contains("id") && message["id"] == id)) return message;
    told.push_back(std::move(message));
  }
}

std::string MachineProcess::code(const Json& answer) {
  if (!answer.is_object()) return "no answer";
  if (!answer.contains("error")) return "";
  return answer["error"].contains("data") ? answer["error"]["data"]["code"].get<std::string>() : answer["error"].dump();
}

Json MachineProcess::wait_for(const std::string& method, const std::function<bool(const Json&)>& matches) {
  for (;;) {
    Json message = read_message();
    if (!message.is_object()) return nullptr;
    told.push_back(message);
    if (message.contains("method") && message["method"] == method && matches(message["params"])) return message["params"];
  }
}

Json MachineProcess::exit_report() const { return Json::parse(read_file(runtime_dir_ / "exit.json"), nullptr, false); }

bool MachineProcess::console_says(const std::string& text) const {
  return eventually([&] { return console().find(text) != std::string::npos; });
}

void MachineProcess::type(const std::string& text) const {
  const UniqueFd fd = connected(runtime_dir_ / "console.sock");
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

} // namespace berth::vz::test
