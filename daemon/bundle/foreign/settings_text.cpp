// Configurations of which a few lines are read, and the rest is said to be unread: Parallels' config.pvs and lima.yaml.
#include <charconv>
#include <string_view>

#include "daemon/bundle/foreign/readers.hpp"

namespace berth::foreign {

namespace {

std::string_view as_text(Text text) { return {reinterpret_cast<const char*>(text.data()), text.size()}; }

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

// What stands between the first <tag …> behind `from` and its end tag; empty when there is none. Of text without markup.
std::string_view element(std::string_view xml, std::string_view tag, std::size_t from = 0) {
  const std::string opening = "<" + std::string(tag), closing = "</" + std::string(tag) + ">";
  for (std::size_t at = from; (at = xml.find(opening, at)) != std::string_view::npos; at += opening.size()) {
    const char next = at + opening.size() < xml.size() ? xml[at + opening.size()] : '\0';
    if (next != '>' && next != ' ') continue;
    const auto begin = xml.find('>', at);
    const auto end = xml.find(closing, at);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
    return trimmed(xml.substr(begin + 1, end - begin - 1));
  }
  return {};
}

// Twelve digits without colons, as Parallels writes it.
std::optional<MacAddress> packed_mac(std::string_view digits) {
  if (digits.size() != 12) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < 12; i += 2) text += (i ? ":" : "") + std::string(digits.substr(i, 2));
  return MacAddress::parse(text);
}

// The scalar of a top-level key of a YAML block mapping, without its quotes and its comment. Nothing when it is null.
std::string_view scalar(std::string_view yaml, std::string_view key) {
  for (std::size_t begin = 0; begin < yaml.size();) {
    const auto end = std::min(yaml.find('\n', begin), yaml.size());
    std::string_view line = yaml.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    line = trimmed(line.substr(key.size() + 1));
    if (line.starts_with('"') || line.starts_with('\'')) {
      const auto closing = line.find(line.front(), 1);
      return closing == std::string_view::npos ? std::string_view{} : line.substr(1, closing - 1);
    }
    line = trimmed(line.substr(0, line.find(" #")));
    return line == "null" || line == "~" || line.starts_with('#') ? std::string_view{} : line;
  }
  return {};
}

// "4GiB", "4096MiB", "4G", "4294967296": lima reads them with docker/go-units, where G and GiB are the same.
std::optional<std::uint64_t> size_of(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  const std::string_view unit = trimmed(text.substr(digits));
  int shift = 0;
  if (unit == "GiB" || unit == "G" || unit == "GB" || unit == "g")
    shift = 30;
  else if (unit == "MiB" || unit == "M" || unit == "MB" || unit == "m")
    shift = 20;
  else if (unit == "KiB" || unit == "K" || unit == "KB" || unit == "k")
    shift = 10;
  else if (!unit.empty() && unit != "B")
    return std::nullopt;
  return *number < (std::uint64_t{1} << 63 >> shift) ? std::optional{*number << shift} : std::nullopt;
}

} // namespace

Result<Settings> read_parallels(Text text, Settings settings) {
  const std::string_view xml = as_text(text);
  if (xml.find("<ParallelsVirtualMachine") == std::string_view::npos)
    return fail(ErrorCode::kBundleInvalid, "config.pvs is not a configuration of Parallels");
  settings.guest = Guest::kMacos;
  settings.name = std::string(element(xml, "VmName"));
  if (const auto cpu = xml.find("<Cpu"); cpu != std::string_view::npos)
    settings.cpu_count = whole_number(element(xml, "Number", cpu));
  if (const auto memory = xml.find("<Memory"); memory != std::string_view::npos)
    if (const auto mebibytes = whole_number(element(xml, "RAM", memory)); mebibytes && *mebibytes < (std::uint64_t{1} << 40))
      settings.memory_bytes = *mebibytes << 20;
  if (const auto card = xml.find("<NetworkAdapter"); card != std::string_view::npos)
    settings.mac_address = packed_mac(element(xml, "MAC", card));
  settings.notes.push_back(
      "of config.pvs only name, processors, memory and the first MAC address are read, where they stand as in "
      "a .pvm; the names for a .macvm are not published");
  return settings;
}

Result<Settings> read_lima(Text text, Settings settings) {
  const std::string_view yaml = as_text(text);
  if (const auto type = scalar(yaml, "vmType"); !type.empty() && type != "vz")
    return fail(ErrorCode::kUnsupported,
                "lima runs this VM with " + std::string(type.substr(0, 32)) + "; berth takes those of vmType vz");
  if (const auto system = scalar(yaml, "os"); system == "Darwin")
    settings.guest = Guest::kMacos;
  else if (system == "Linux")
    settings.guest = Guest::kLinux;
  settings.cpu_count = whole_number(scalar(yaml, "cpus"));
  settings.memory_bytes = size_of(scalar(yaml, "memory"));
  settings.notes.push_back(
      "of lima.yaml only os, cpus and memory are read; mounts, port forwards and provisioning stay with lima");
  settings.notes.push_back("lima derives the MAC address from the instance's folder");
  return settings;
}

} // namespace berth::foreign
