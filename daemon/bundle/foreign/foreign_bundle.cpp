// The look at a folder: which format, which files, whose identity.
#include "daemon/bundle/foreign/foreign_bundle.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/foreign/settings.hpp"
#include "daemon/bundle/identity.hpp"

namespace berth::foreign {

namespace {

constexpr std::size_t kLargestIdentity = 64 * 1024;
constexpr std::uint64_t kMiB = 1024 * 1024;
// Of an auxiliary storage: Apple's have 33 MiB.
constexpr std::uint64_t kLargestStorage = 1024 * kMiB;

struct Configuration {
  Format format;
  std::string file; // empty for Apple's sample
  Bytes text;
};

std::unexpected<Error> invalid(const SourceFolder& folder, const std::string& why) {
  return fail(ErrorCode::kBundleInvalid, folder.shown() + ": " + why, folder.shown());
}

Result<Configuration> read_as(const SourceFolder& folder, Format format, std::string file) {
  auto text = folder.read(file, kLargestConfiguration);
  if (!text) return std::unexpected(text.error());
  return Configuration{format, std::move(file), std::move(*text)};
}

// macosvm's configuration has any name; a folder with several of them does not say which is meant.
Result<Configuration> look_for_macosvm(const SourceFolder& folder) {
  std::vector<Configuration> found;
  for (const std::string& name : folder.names_ending(".json", 64)) {
    auto configuration = read_as(folder, Format::kMacosvm, name);
    if (configuration && is_macosvm(configuration->text)) found.push_back(std::move(*configuration));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty())
    return invalid(folder, "neither a bundle of berth nor a VM of tart, lume, UTM, VirtualBuddy, macosvm, Apple's samples, "
                           "Parallels, lima, GhostVM or MacVM");
  return fail(ErrorCode::kInvalidValue, folder.shown() + " has several configurations of macosvm: name the file that is meant",
              "path");
}

Result<Configuration> look(const SourceFolder& folder, const std::string& configuration_file) {
  if (!configuration_file.empty()) {
    auto named = read_as(folder, Format::kMacosvm, configuration_file);
    if (named && !is_macosvm(named->text)) return invalid(folder, configuration_file + " is not a configuration of macosvm");
    return named;
  }
  for (const Format format : {Format::kUtm, Format::kParallels, Format::kLima, Format::kVirtualBuddy})
    if (const std::string name{configuration_name(format)}; folder.has(name)) return read_as(folder, format, name);
  if (folder.has("metadata") && folder.has("aux.img")) return read_as(folder, Format::kMacVm, "metadata");
  if (folder.has("config.json")) {
    auto configuration = read_as(folder, Format::kTart, "config.json");
    if (!configuration) return configuration;
    if (const auto format = format_of_config_json(configuration->text)) {
      configuration->format = *format;
      return configuration;
    }
  }
  if (folder.has("MachineIdentifier") && (folder.has("AuxiliaryStorage") || folder.has("NVRAM")))
    return Configuration{folder.has(".vbdata") ? Format::kVirtualBuddy : Format::kAppleSample, {}, {}};
  return look_for_macosvm(folder);
}

// Disks that are more than one file, by their names.
Result<void> refuse_stacks(const SourceFolder& folder, Format format, const FileNames& names) {
  if (folder.has("overlay.asif"))
    return fail(ErrorCode::kUnsupported,
                folder.shown() + " has a stacked disk (overlay.asif), which berth cannot take: flatten it first", folder.shown());
  if (folder.has(names.disk)) return {};
  for (const char* name : {"Disk.asif", "disk.asif"})
    if (folder.has(name))
      return fail(ErrorCode::kUnsupported,
                  folder.shown() + " has a disk in the ASIF format, which berth cannot take: convert it to raw first",
                  folder.shown());
  if (format == Format::kLima && !folder.has("diffdisk")) return invalid(folder, "it has no disk");
  return {};
}

// The one disk of a .macvm: a raw file, or a folder with a descriptor that names one plain image.
Result<std::string> parallels_disk(const SourceFolder& folder) {
  std::vector<std::string> names = folder.names_ending(".hdd", 16);
  if (names.empty() && folder.has("disk0.img")) names.push_back("disk0.img"); // as MacMulator exports it
  if (names.empty()) return invalid(folder, "it has no disk (*.hdd)");
  if (names.size() > 1) return fail(ErrorCode::kUnsupported, folder.shown() + " has more than one disk", folder.shown());
  const std::string descriptor = names.front() + "/DiskDescriptor.xml";
  if (!folder.has(descriptor)) return names.front();
  const auto bytes = folder.read(descriptor, kLargestConfiguration);
  if (!bytes) return std::unexpected(bytes.error());
  const std::string_view xml{reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  const auto count = [&](std::string_view tag) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = xml.find(tag, at)) != std::string_view::npos; ++at) ++n;
    return n;
  };
  const auto begin = xml.find("<File>"), end = xml.find("</File>");
  if (count("<Image>") != 1 || count("<Type>Plain</Type>") != 1 || begin == std::string_view::npos ||
      end == std::string_view::npos || end < begin)
    return fail(ErrorCode::kUnsupported,
                "the disk " + names.front() + " of " + folder.shown() +
                    " is expanding or has snapshots, which berth cannot take: make it a plain disk in Parallels first",
                folder.shown());
  return names.front() + "/" + std::string(xml.substr(begin + 6, end - begin - 6));
}

// The configuration's own bytes, else those of the format's file.
Result<Bytes> identity_part(const SourceFolder& folder, Bytes own, const std::string& file) {
  if (!own.empty() || file.empty() || !folder.has(file)) return own;
  return folder.read(file, kLargestIdentity);
}

std::string name_of(const std::string& told, const SourceFolder& folder, const std::string& configuration_file) {
  std::string name = told;
  if (name.empty())
    name = configuration_file.empty() ? std::filesystem::path(folder.shown()).stem().string()
                                      : std::filesystem::path(configuration_file).stem().string();
  if (is_valid_vm_name(name)) return name;
  std::string valid;
  for (const unsigned char c : name)
    if (c < 128 && (std::isalnum(c) || c == '.' || c == '_' || c == '-'))
      valid += static_cast<char>(c);
    else if (!valid.empty() && valid.back() != '-')
      valid += '-';
  while (!valid.empty() && !std::isalnum(static_cast<unsigned char>(valid.front()))) valid.erase(0, 1);
  valid.resize(std::min<std::size_t>(valid.size(), 63));
  while (valid.ends_with('-')) valid.pop_back();
  return is_valid_vm_name(valid) ? valid : "imported";
}

// A macOS guest is its disk, its auxiliary storage, its hardware model and its identifier, together.
Result<void> judge_macos(const SourceFolder& folder, ForeignVm& vm, const std::string& auxiliary_storage) {
  if (vm.hardware_model.empty()) return invalid(folder, "the hardware model of the macOS guest is missing");
  if (!decode_hardware_model(vm.hardware_model))
    return invalid(folder, "the hardware model is not one of Virtualization.framework");
  if (auxiliary_storage.empty()) return invalid(folder, "it names no auxiliary storage");
  auto storage = folder.hold(auxiliary_storage);
  if (!storage) return std::unexpected(storage.error());
  if (storage->bytes == 0 || storage->bytes > kLargestStorage)
    return invalid(folder, "the auxiliary storage has an impossible size");
  vm.auxiliary_storage = std::move(*storage);
  const auto installed = find_auxiliary_ecid(vm.auxiliary_storage->path());
  if (!vm.machine_id) {
    if (!installed) return invalid(folder, "the machine identifier of the macOS guest is missing");
    vm.machine_id = MachineIdKey{*installed};
    vm.machine_identifier = encode_machine_identifier(*vm.machine_id);
    vm.notes.push_back("its machine identifier was missing: it is taken from the auxiliary storage");
  }
  if (!vm.machine_id->ecid()) return invalid(folder, "a macOS guest has an ECID as machine identifier, this one has a UUID");
  if (installed && *installed != *vm.machine_id->ecid())
    return fail(ErrorCode::kMachineIdAltered,
                "the machine identifier of " + folder.shown() + " is " + vm.machine_id->to_string() +
                    ", but its auxiliary storage was installed as " + MachineIdKey{*installed}.to_string() +
                    ": the guest would hang in boot",
                folder.shown());
  if (!installed)
    vm.notes.push_back("no ECID was found in the auxiliary storage: whether it belongs to the machine identifier is not known");
  return {};
}

Result<void> judge_linux(const SourceFolder& folder, ForeignVm& vm, const std::string& nvram) {
  if (vm.machine_id && !vm.machine_id->uuid())
    return invalid(folder, "a Linux guest has a UUID as machine identifier, this one has an ECID");
  if (!vm.machine_id) vm.notes.push_back("it has no machine identifier: it gets a new one");
  if (nvram.empty() || !folder.has(nvram)) {
    vm.notes.push_back("it has no EFI variables: they are made anew");
    return {};
  }
  auto store = folder.hold(nvram);
  if (!store) return std::unexpected(store.error());
  if (store->bytes > kLargestStorage) return invalid(folder, "the EFI variable store has an impossible size");
  vm.nvram = std::move(*store);
  return {};
}

void note_what_stays(const SourceFolder& folder, ForeignVm& vm) {
  for (const char* name : {"state.vzvmsave", "SaveFile.vzvmsave", "suspend.vzvmsave", "Data/vmstate"})
    if (folder.has(name))
      vm.notes.push_back("its saved state (" + std::string(name) + ") is bound to its host and its tool: it starts cold here");
  for (const char* name : {"Snapshots", "Snapshots.xml"})
    if (folder.has(name)) vm.notes.push_back("its snapshots are not taken over");
}

// Notes name files and devices as the configuration does; they are kept in the ledger, and so must be plain and short.
void tidy(std::vector<std::string>& notes) {
  constexpr std::size_t kMostNotes = 24, kLongestNote = 240;
  if (notes.size() > kMostNotes) {
    notes.resize(kMostNotes);
    notes.push_back("there is more that is not taken over");
  }
  for (std::string& note : notes) {
    if (note.size() > kLongestNote) note.resize(kLongestNote);
    for (char& c : note)
      if (c < 0x20 || c > 0x7e) c = '?';
  }
}

void fill_hardware(const Settings& settings, ForeignVm& vm) {
  vm.cpu_count = settings.cpu_count.value_or(kDefaultCpuCount);
  if (!settings.cpu_count) vm.notes.push_back("the number of processors is not known: it became " + std::to_string(vm.cpu_count));
  vm.memory_bytes = settings.memory_bytes.value_or(kDefaultMemoryBytes) / kMiB * kMiB;
  if (!settings.memory_bytes) vm.notes.push_back("the size of the memory is not known: it became 4 GiB");
  if (!settings.mac_address && settings.network != NetworkMode::kNone)
    vm.notes.push_back("the MAC address is not known: it gets a new one");
  vm.mac_address = settings.mac_address;
  vm.display = settings.display;
  vm.network = settings.network;
}

Result<Settings> settings_of(const SourceFolder& folder, const Configuration& configuration) {
  const bool is_without = configuration.file.empty(); // VirtualBuddy writes its one at the first change
  auto settings = read_settings(is_without ? Format::kAppleSample : configuration.format, configuration.text);
  if (settings) return settings;
  Error error = settings.error();
  error.detail = folder.shown() + ": " + error.detail;
  error.subject = folder.shown();
  return std::unexpected(std::move(error));
}

} // namespace

Result<Bytes> find_machine_identifier(const SourceFolder& folder, const std::string& configuration_file) {
  const auto configuration = look(folder, configuration_file);
  if (!configuration) return std::unexpected(configuration.error());
  auto settings = settings_of(folder, *configuration);
  if (!settings) return std::unexpected(settings.error());
  auto identifier = identity_part(folder, std::move(settings->machine_identifier), settings->files.machine_identifier);
  if (!identifier || !identifier->empty()) return identifier;
  if (const std::string& name = settings->files.auxiliary_storage; !name.empty() && folder.has(name)) {
    const auto storage = folder.hold(name);
    if (!storage) return std::unexpected(storage.error());
    if (const auto installed = find_auxiliary_ecid(storage->path())) return encode_machine_identifier(MachineIdKey{*installed});
  }
  return invalid(folder, "it has no machine identifier");
}

Result<ForeignVm> recognise(const SourceFolder& folder, const std::string& configuration_file) {
  const auto configuration = look(folder, configuration_file);
  if (!configuration) return std::unexpected(configuration.error());
  const Format format = configuration->format;
  auto settings = settings_of(folder, *configuration);
  if (!settings) return std::unexpected(settings.error());
  FileNames& names = settings->files;
  if (auto single = refuse_stacks(folder, format, names); !single) return std::unexpected(single.error());
  if (format == Format::kLima && !folder.has(names.disk)) names.disk = "diffdisk"; // before lima 2
  if (format == Format::kParallels) {
    auto disk = parallels_disk(folder);
    if (!disk) return std::unexpected(disk.error());
    names.disk = std::move(*disk);
  }
  ForeignVm vm;
  vm.format = format;
  vm.path = folder.shown();
  vm.notes = std::move(settings->notes);
  vm.name = name_of(settings->name, folder, format == Format::kMacosvm ? configuration->file : std::string{});
  fill_hardware(*settings, vm);

  auto identifier = identity_part(folder, std::move(settings->machine_identifier), names.machine_identifier);
  if (!identifier) return std::unexpected(identifier.error());
  if (!identifier->empty()) {
    const auto key = decode_machine_identifier(*identifier);
    if (!key) return invalid(folder, "the machine identifier cannot be read: " + key.error().detail);
    vm.machine_id = *key;
    vm.machine_identifier = std::move(*identifier);
  }
  auto model = identity_part(folder, std::move(settings->hardware_model), names.hardware_model);
  if (!model) return std::unexpected(model.error());
  vm.hardware_model = std::move(*model);
  const bool is_like_macos = vm.machine_id ? vm.machine_id->ecid() != nullptr : !vm.hardware_model.empty();
  vm.guest = settings->guest.value_or(is_like_macos ? Guest::kMacos : Guest::kLinux);

  if (names.disk.empty()) return invalid(folder, "it names no disk that can be written");
  auto disk = folder.hold(names.disk);
  if (!disk) return std::unexpected(disk.error());
  if (auto raw = folder.judge_raw(*disk); !raw) return std::unexpected(raw.error());
  vm.disk_bytes = disk->bytes;
  vm.disk = std::move(*disk);
  auto judged =
      vm.guest == Guest::kMacos ? judge_macos(folder, vm, names.auxiliary_storage) : judge_linux(folder, vm, names.nvram);
  if (!judged) return std::unexpected(judged.error());
  if (vm.guest == Guest::kLinux) vm.hardware_model.clear();
  note_what_stays(folder, vm);
  tidy(vm.notes);
  return vm;
}

Result<void> build_from(const ForeignVm& source, const std::filesystem::path& staging, NewBundle bundle, bool with_nvram,
                        const disk::CloneControl& control) {
  bundle.disk_image = source.disk.path();
  bundle.hardware_model = source.hardware_model;
  if (auto built = build_bundle(staging, bundle, control); !built) return built;
  const BundlePaths paths{staging};
  Result<void> done;
  for (const auto& [file, target] : {std::pair{source.auxiliary_storage, paths.auxiliary_storage()},
                                     std::pair{with_nvram ? source.nvram : std::nullopt, paths.nvram()}}) {
    if (!file || !done) continue;
    if (auto cloned = disk::clone(file->path(), target, control); !cloned) done = std::unexpected(cloned.error());
  }
  if (!done) (void)files::remove_all(staging);
  return done;
}

} // namespace berth::foreign
