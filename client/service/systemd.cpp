// systemctl(1): a service and its socket, of the user's manager or of the system's.
#include <charconv>
#include <fstream>
#include <sstream>

#include "client/service/manager.hpp"
#include "client/service/templates.hpp"

namespace berth::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kService = "berthd.service";
constexpr const char* kSocket = "berthd.socket";

// systemd.syntax(7) and the section "Command lines" of systemd.service(5): quotes, C escapes, % and $ doubled.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "\"";
  for (const char each : word) {
    if (each == '"' || each == '\\') text += '\\';
    if (each == '%' || each == '$') text += each;
    text += each;
  }
  return text + "\"";
}

std::string percent_doubled(const std::string& text) {
  std::string doubled;
  for (const char each : text) doubled.append(each == '%' ? 2 : 1, each);
  return doubled;
}

std::string property(std::string_view text, const std::string& name) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  return {};
}

class Systemd : public ServiceManager {
public:
  Systemd(Hands& hands, ServicePlace place, ServiceTools tools)
      : hands_(hands), place_(std::move(place)), tools_(std::move(tools)) {
    directory_ = place_.scope == ServiceScope::kUser ? place_.config / "systemd/user" : place_.root / "etc/systemd/system";
  }

  Outcome<void> install(const ServiceSpec& spec) override {
    // 107: sun_path of Linux, less the end of the string.
    if (spec.socket.string().size() > 107)
      return std::unexpected("the socket's path is longer than 107 bytes: " + spec.socket.string());
    if (auto made = hands_.make_directory(directory_, 0755); !made) return made;
    bool is_changed = false;
    for (const auto& [name, text] :
         {std::pair{kService, systemd_service_unit(spec)}, std::pair{kSocket, systemd_socket_unit(spec)}}) {
      const auto written = hands_.write_file(directory_ / name, text);
      if (!written) return std::unexpected(written.error());
      is_changed = is_changed || *written;
    }
    if (is_changed) {
      if (auto read = control({"daemon-reload"}); !read) return read;
      // A socket unit is not started anew beneath a service that runs.
      if (!hands_.is_dry_run() && is_active(kSocket))
        if (auto stopped = control({"stop", kSocket, kService}); !stopped) return stopped;
    } else if (is_active(kSocket) && is_active(kService)) {
      hands_.say(std::string("already running: ") + kService);
      return {};
    }
    if (auto enabled = control({"enable", "--now", kSocket, kService}); !enabled) return enabled;
    if (place_.scope == ServiceScope::kUser)
      hands_.say("It runs while you are logged in; from boot on after: loginctl enable-linger");
    return {};
  }

  Outcome<void> uninstall() override {
    std::error_code error;
    if (!hands_.is_dry_run() && !fs::exists(directory_ / kService, error) && !fs::exists(directory_ / kSocket, error)) {
      hands_.say("not installed: " + (directory_ / kService).string());
      return {};
    }
    if (auto disabled = control({"disable", "--now", kSocket, kService}); !disabled) return disabled;
    for (const char* name : {kService, kSocket})
      if (auto removed = hands_.remove_file(directory_ / name); !removed) return std::unexpected(removed.error());
    return control({"daemon-reload"});
  }

  Outcome<void> start() override {
    if (!hands_.is_dry_run() && is_active(kSocket) && is_active(kService)) {
      hands_.say(std::string("already running: ") + kService);
      return {};
    }
    return control({"start", kSocket, kService});
  }

  Outcome<void> stop() override {
    if (!hands_.is_dry_run() && !is_active(kSocket) && !is_active(kService)) {
      hands_.say(std::string("not running: ") + kService);
      return {};
    }
    return control({"stop", kSocket, kService});
  }

  Outcome<void> restart() override {
    const int before = pid();
    if (before != 0 || hands_.is_dry_run()) {
      if (auto told = control({"kill", "--kill-who=main", "--signal=SIGUSR1", kService}); !told) return told;
      if (!hands_.wait_until([&] { return pid() != before; }))
        return std::unexpected("berthd with pid " + std::to_string(before) + " does not end");
    }
    return control({"start", kSocket, kService});
  }

  Outcome<ServiceStatus> status() override {
    ServiceStatus status;
    status.file = directory_ / kService;
    if (const auto told = show()) {
      if (const auto fragment = property(told->output, "FragmentPath"); !fragment.empty()) status.file = fragment;
      status.is_loaded = property(told->output, "LoadState") == "loaded";
      status.detail = property(told->output, "ActiveState");
      status.pid = number(property(told->output, "MainPID"));
      status.is_running = status.pid != 0;
    }
    if (const std::ifstream stream{status.file}) {
      std::ostringstream text;
      text << stream.rdbuf();
      status.is_installed = true;
      status.program = program_of_unit(text.str());
      std::ostringstream socket;
      if (const std::ifstream beside{status.file.parent_path() / kSocket}) socket << beside.rdbuf();
      status.socket = socket_of_unit(socket.str());
    }
    return status;
  }

  Words log_command(int lines, bool does_follow) override {
    const bool is_user = place_.scope == ServiceScope::kUser;
    Words words{tools_.journalctl, is_user ? "--user-unit" : "--unit", kService, "-n", std::to_string(lines)};
    words.push_back(does_follow ? "-f" : "--no-pager");
    return words;
  }

private:
  Words words(Words rest) const {
    Words all{tools_.systemctl};
    if (place_.scope == ServiceScope::kUser) all.push_back("--user");
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  }
  Outcome<void> control(Words rest) { return hands_.run(words(std::move(rest))); }

  bool is_active(const char* unit) {
    const auto told = hands_.ask(words({"is-active", "--quiet", unit}));
    return told && told->exit_code == 0;
  }

  std::optional<ToolResult> show() {
    return hands_.ask(words({"show", "--property=LoadState,ActiveState,MainPID,FragmentPath", kService}));
  }

  int pid() {
    const auto told = show();
    return told ? number(property(told->output, "MainPID")) : 0;
  }

  static int number(const std::string& text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  Hands& hands_;
  ServicePlace place_;
  ServiceTools tools_;
  fs::path directory_;
};

} // namespace

std::string systemd_service_unit(const ServiceSpec& spec) {
  std::string arguments;
  for (const auto& word : berthd_words(spec)) arguments += (arguments.empty() ? "" : " ") + quoted(word);
  const bool is_user = spec.scope == ServiceScope::kUser;
  return fill(systemd_service(), {{"ARGUMENTS", arguments},
                                  {"USER", is_user || spec.user.empty() ? std::string() : "User=" + spec.user},
                                  {"EXIT_TIME_OUT", std::to_string(exit_time_out(spec))},
                                  {"TARGET", is_user ? "default.target" : "multi-user.target"}});
}

std::string systemd_socket_unit(const ServiceSpec& spec) {
  const bool is_given = spec.scope == ServiceScope::kSystem && !spec.user.empty();
  return fill(systemd_socket(), {{"SOCKET", percent_doubled(spec.socket.string())},
                                 {"SOCKET_MODE", "0600"},
                                 {"DIRECTORY_MODE", spec.scope == ServiceScope::kUser ? "0700" : "0755"},
                                 {"GROUP", is_given ? "SocketUser=" + spec.user : std::string()}});
}

std::string program_of_unit(std::string_view text) {
  const auto key = text.find("\nExecStart=");
  if (key == std::string_view::npos) return {};
  text.remove_prefix(key + 11);
  text = text.substr(0, text.find('\n'));
  if (!text.starts_with('"')) return std::string{text.substr(0, text.find(' '))};
  std::string program;
  for (std::size_t at = 1; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' || text[at] == '%' || text[at] == '$') ++at; // all three stand for the next
    if (at < text.size()) program += text[at];
  }
  return program;
}

std::string socket_of_unit(std::string_view text) {
  const auto key = text.find("\nListenStream=");
  if (key == std::string_view::npos) return {};
  text.remove_prefix(key + 14);
  text = text.substr(0, text.find('\n'));
  std::string path;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') ++at; // doubled
    if (at < text.size()) path += text[at];
  }
  return path;
}

std::unique_ptr<ServiceManager> make_systemd(Hands& hands, ServicePlace place, ServiceTools tools) {
  return std::make_unique<Systemd>(hands, std::move(place), std::move(tools));
}

} // namespace berth::cli
