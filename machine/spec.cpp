// A reader that takes each member by name and type, and at the end refuses what nobody took.
#include "machine/spec.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace berth::vz {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxTag = 35;              // bytes of UTF-8; the framework refuses 36
constexpr std::uint64_t kMaxNumber = 1ULL << 53; // what every JSON reader keeps exact

// One object. The first error stands; later reads then give defaults.
class Reader {
public:
  Reader(const Json& object, std::string path, std::optional<Error>& error)
      : object_(object), path_(std::move(path)), error_(error) {
    if (!object_.is_object()) complain(ErrorCode::kInvalidValue, path_.empty() ? "machine.json" : path_, "is not an object");
  }

  // Not optional: berthd writes every member.
  const Json* member(const char* name) {
    taken_.insert(name);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    complain(ErrorCode::kInvalidValue, where(name), "is missing");
    return nullptr;
  }

  std::string text(const char* name) {
    const Json* value = member(name);
    if (!value) return {};
    if (!value->is_string()) return complain(ErrorCode::kInvalidValue, where(name), "is not a text"), std::string{};
    std::string found = value->get<std::string>();
    if (found.find('\0') != std::string::npos) complain(ErrorCode::kInvalidValue, where(name), "contains a NUL");
    return found;
  }

  bool boolean(const char* name) {
    const Json* value = member(name);
    if (!value) return false;
    if (!value->is_boolean()) return complain(ErrorCode::kInvalidValue, where(name), "is neither true nor false"), false;
    return value->get<bool>();
  }

  std::uint64_t number(const char* name, std::uint64_t smallest, std::uint64_t largest) {
    const Json* value = member(name);
    if (!value) return 0;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() < smallest || value->get<std::uint64_t>() > largest) {
      complain(ErrorCode::kInvalidValue, where(name),
               "is not a whole number from " + std::to_string(smallest) + " to " + std::to_string(largest));
      return 0;
    }
    return value->get<std::uint64_t>();
  }

  std::filesystem::path path(const char* name, bool may_be_empty = false) {
    std::string found = text(name);
    if (!(found.empty() && may_be_empty) && !found.starts_with('/'))
      complain(ErrorCode::kInvalidValue, where(name), "is not an absolute path");
    return found;
  }

  template <class Enum, std::size_t N>
  Enum one_of(const char* name, const std::array<std::pair<const char*, Enum>, N>& choices) {
    const std::string found = text(name);
    std::string allowed;
    for (const auto& [word, value] : choices) {
      if (found == word) return value;
      allowed += (allowed.empty() ? "" : ", ") + std::string{word};
    }
    complain(ErrorCode::kInvalidValue, where(name), "is not one of: " + allowed);
    return choices.front().second;
  }

  Reader object(const char* name) {
    static const Json kEmpty = Json::object();
    const Json* value = member(name);
    return Reader{value ? *value : kEmpty, where(name), error_};
  }

  // Calls `each` with a reader of every element.
  template <class Each>
  void list(const char* name, std::size_t largest, Each each) {
    const Json* value = member(name);
    if (!value) return;
    if (!value->is_array()) return complain(ErrorCode::kInvalidValue, where(name), "is not a list");
    if (value->size() > largest)
      return complain(ErrorCode::kInvalidValue, where(name), "has more than " + std::to_string(largest) + " elements");
    for (std::size_t i = 0; i < value->size(); ++i) {
      Reader element{(*value)[i], where(name) + "[" + std::to_string(i) + "]", error_};
      each(element);
      element.finish();
    }
  }

  void finish() {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items())
      if (!taken_.contains(name)) complain(ErrorCode::kUnknownField, where(name), "is not known");
  }

  void complain(ErrorCode code, const std::string& subject, const std::string& what) {
    if (!error_) error_ = Error{code, subject + " " + what, subject};
  }
  std::string where(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }

private:
  const Json& object_;
  std::string path_;
  std::optional<Error>& error_;
  std::set<std::string> taken_;
};

MachineBoot read_boot(Reader reader) {
  MachineBoot boot;
  boot.kind =
      reader.one_of<BootKind, 3>("kind", {{{"macos", BootKind::kMacos}, {"kernel", BootKind::kKernel}, {"efi", BootKind::kEfi}}});
  boot.kernel = reader.path("kernel", boot.kind != BootKind::kKernel);
  boot.initramfs = reader.path("initramfs", true);
  boot.command_line = reader.text("command_line");
  reader.finish();
  return boot;
}

DiskSpec read_disk(Reader& reader) {
  DiskSpec disk;
  disk.path = reader.path("path");
  disk.read_only = reader.boolean("read_only");
  disk.caching = reader.one_of<Caching, 3>(
      "caching", {{{"automatic", Caching::kAutomatic}, {"cached", Caching::kCached}, {"uncached", Caching::kUncached}}});
  disk.synchronization = reader.one_of<Synchronization, 3>(
      "synchronization",
      {{{"full", Synchronization::kFull}, {"fsync", Synchronization::kFsync}, {"none", Synchronization::kNone}}});
  return disk;
}

NetworkSpec read_network(Reader reader) {
  NetworkSpec network;
  network.mode = reader.one_of<Attachment, 3>(
      "mode", {{{"none", Attachment::kNone}, {"nat", Attachment::kNat}, {"bridged", Attachment::kBridged}}});
  network.interface = reader.text("interface");
  if (network.mode == Attachment::kBridged && network.interface.empty())
    reader.complain(ErrorCode::kInvalidValue, reader.where("interface"), "is empty, and a bridge needs one of the host's");
  const std::string mac = reader.text("mac_address");
  const auto parsed = MacAddress::parse(mac);
  const bool is_absent = mac.empty() && network.mode == Attachment::kNone;
  if (parsed && (parsed->is_multicast() || parsed->is_zero()))
    reader.complain(ErrorCode::kInvalidValue, reader.where("mac_address"), "is not the address of one card");
  if (!parsed && !is_absent)
    reader.complain(ErrorCode::kInvalidValue, reader.where("mac_address"), "is not six bytes in hexadecimal");
  network.mac_address = parsed.value_or(MacAddress{});
  reader.finish();
  return network;
}

std::optional<ScreenSpec> read_display(Reader& parent) {
  const Json* value = parent.member("display");
  if (!value || value->is_null()) return std::nullopt;
  Reader reader = parent.object("display");
  ScreenSpec screen;
  screen.width = static_cast<std::uint32_t>(reader.number("width", 1, 32768));
  screen.height = static_cast<std::uint32_t>(reader.number("height", 1, 32768));
  screen.pixels_per_inch = static_cast<std::uint32_t>(reader.number("pixels_per_inch", 1, 1000));
  reader.finish();
  return screen;
}

// Rules between members.
void check(const Spec& spec, Reader& reader) {
  const auto wrong = [&](const char* member, const char* what) { reader.complain(ErrorCode::kInvalidValue, member, what); };
  if ((spec.guest == Guest::kMacos) != (spec.boot.kind == BootKind::kMacos))
    wrong("boot.kind", "does not fit the guest: macos boots macos, linux boots kernel or efi");
  if (spec.guest == Guest::kMacos && !spec.rosetta_tag.empty()) wrong("rosetta_tag", "is for linux guests");
  if (spec.guest == Guest::kMacos && spec.nested_virtualization) wrong("nested_virtualization", "is for linux guests");
  if (spec.guest == Guest::kMacos && spec.disks.empty()) wrong("disks", "is empty, and a macos guest boots from one");
  std::set<std::string> tags;
  const auto check_tag = [&](const std::string& tag, const char* member) {
    if (tag.empty() || tag.size() > kMaxTag) wrong(member, "holds a tag that is empty or longer than 35 bytes");
    if (!tags.insert(tag).second) wrong(member, "names a tag twice");
  };
  for (const ShareSpec& share : spec.shares) check_tag(share.tag, "shares");
  if (!spec.rosetta_tag.empty()) check_tag(spec.rosetta_tag, "rosetta_tag");
}

Spec read_spec(Reader& reader) {
  Spec spec;
  (void)reader.number("version", 1, 1);
  const auto id = VmId::parse(reader.text("vm"));
  if (!id) reader.complain(ErrorCode::kInvalidValue, "vm", "is not a UUID");
  spec.vm = id.value_or(VmId{});
  spec.name = reader.text("name");
  spec.guest = reader.one_of<Guest, 2>("guest", {{{"macos", Guest::kMacos}, {"linux", Guest::kLinux}}});
  spec.bundle = reader.path("bundle");
  spec.cpu_count = static_cast<std::uint32_t>(reader.number("cpu_count", 1, std::numeric_limits<std::uint32_t>::max()));
  spec.memory_bytes = reader.number("memory_bytes", 1, kMaxNumber);
  spec.boot = read_boot(reader.object("boot"));
  reader.list("disks", 64, [&](Reader& element) { spec.disks.push_back(read_disk(element)); });
  spec.network = read_network(reader.object("network"));
  spec.display = read_display(reader);
  spec.sound = reader.boolean("sound");
  spec.entropy = reader.boolean("entropy");
  spec.balloon = reader.boolean("balloon");
  spec.vsock = reader.boolean("vsock");
  spec.serial = reader.boolean("serial");
  reader.list("shares", 64, [&](Reader& element) {
    spec.shares.push_back({element.text("tag"), element.path("path"), element.boolean("read_only")});
  });
  spec.rosetta_tag = reader.text("rosetta_tag");
  spec.nested_virtualization = reader.boolean("nested_virtualization");
  reader.finish();
  check(spec, reader);
  return spec;
}

} // namespace

std::vector<std::filesystem::path> Spec::locked_files() const {
  std::vector<std::filesystem::path> files;
  for (const DiskSpec& disk : disks)
    if (!disk.read_only) files.push_back(disk.path);
  if (boot.kind == BootKind::kMacos) files.push_back(auxiliary_storage());
  if (boot.kind == BootKind::kEfi) files.push_back(variable_store());
  return files;
}

Result<Spec> parse_spec(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::kMalformedJson, "machine.json is not JSON");
  std::optional<Error> error;
  Reader reader{json, "", error};
  Spec spec = read_spec(reader);
  if (error) return std::unexpected(std::move(*error));
  return spec;
}

} // namespace berth::vz
