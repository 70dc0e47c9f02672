// What the daemon alone can know, such as which interfaces it has, is left to it.
#include "client/commands/device_options.hpp"

#include <CLI/CLI.hpp>

#include "client/commands/kinds.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kReadOnly = ":ro";
constexpr std::string_view kBridged = "bridged:";
constexpr std::size_t kLongestTag = 35;

} // namespace

std::string is_share(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return "'" + text + "' is no share; write TAG=PATH or TAG=PATH:ro";
  if (equals > kLongestTag) return "the tag of '" + text + "' has more than 35 bytes";
  const std::string path = text.substr(equals + 1);
  return path.empty() || path == kReadOnly ? "'" + text + "' names no directory" : std::string{};
}

std::string is_network(const std::string& text) {
  if (text == "nat" || text == "user" || text == "none") return {};
  if (text.starts_with(kBridged) && text.size() > kBridged.size()) return {};
  return "'" + text + "' is no network; write nat, user, none or bridged:INTERFACE";
}

client::Share parse_share(const std::string& text) {
  const auto equals = text.find('=');
  client::Share share;
  share.tag = text.substr(0, equals);
  std::string path = text.substr(equals + 1);
  share.is_read_only = path.ends_with(kReadOnly);
  if (share.is_read_only) path.resize(path.size() - kReadOnly.size());
  share.path = absolute_path(path);
  return share;
}

NetworkChoice parse_network(const std::string& text) {
  if (text.starts_with(kBridged)) return {"bridged", text.substr(kBridged.size())};
  return {text, {}};
}

void put_network(Json& body, const std::string& text) {
  const auto [mode, interface] = parse_network(text);
  body["network"]["mode"] = mode;
  if (!interface.empty()) body["network"]["interface"] = interface;
}

Json share_json(const client::Share& share) {
  Json json;
  json["tag"] = share.tag;
  json["path"] = share.path;
  json["read_only"] = share.is_read_only;
  return json;
}

void add_device_options(CLI::App& command, DeviceOptions& options, const std::string& note) {
  command
      .add_option("--share", options.shares,
                  "Directory of the host in the guest: TAG=PATH, or TAG=PATH:ro to read only; may be given several times" + note)
      ->allow_extra_args(false)
      ->check(is_share);
  command.add_flag("--rosetta{rosetta}", options.rosetta_tag,
                   "Linux guests on a Mac: share Rosetta; --rosetta=TAG for another tag" + note);
  command.add_option("--network", options.network, "Network: nat, user, none, or bridged:INTERFACE of the host" + note)
      ->check(is_network);
  command.add_option("--disk-caching", options.disk_caching, "May the host keep the disk in its memory" + note)
      ->check(CLI::IsMember(std::vector<std::string>{"automatic", "cached", "uncached"}));
  command.add_option("--disk-sync", options.disk_synchronization, "How far a flush by the guest goes" + note)
      ->check(CLI::IsMember(std::vector<std::string>{"full", "fsync", "none"}));
}

} // namespace berth::cli
