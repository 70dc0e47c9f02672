// The command line and the configuration file of berthd: the same names in both.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace berth {

struct DaemonOptions {
  std::string state_dir, socket; // defaults filled in
  std::string log_level = "info";
  std::optional<std::uint32_t> quota;
  std::string lock_dir;
  std::vector<std::string> allowed_roots;
  std::string guests = "leave"; // what SIGTERM does to them

  std::string socket_group;
  std::vector<std::string> operator_groups, reader_groups;

  std::string network = "nat", bridge = "berth0", dnsmasq = "dnsmasq";
  bool is_probing = false; // macOS: send silent guests a datagram, so that the kernel learns their addresses
  std::string qemu, accelerator = "auto", firmware_code, firmware_variables;
  std::string machine, lookalike_dir; // berth-machine; where its look-alike of the framework keeps its host
  std::uint64_t console_log_bytes = 8ULL << 20;

  std::optional<std::uint16_t> tcp_port;
  std::string tcp_address = "127.0.0.1", tcp_token_file;
  std::vector<std::string> tcp_origins;

  std::size_t max_connections = 256, max_connections_per_user = 32, max_streams_per_user = 8;
  std::uint64_t keep_events = 100'000;
};

struct OptionsEnd {
  int exit_code; // 0 after --help and --version
};

// All that parse_options() knows, for what else is made from it: the man page.
void describe_options(CLI::App& app, DaemonOptions& options);

// Prints help and errors itself.
std::expected<DaemonOptions, OptionsEnd> parse_options(int argc, char** argv);

} // namespace berth
