// create: files named on the command line become images first, then the VM is made of them.
#include <memory>
#include <optional>
#include <tuple>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/device_options.hpp"
#include "client/commands/images.hpp"
#include "client/commands/kinds.hpp"
#include "client/progress.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

struct CreateOptions {
  std::string name, guest = "linux", memory = "1G", disk;
  std::uint32_t cpu_count = 1;
  std::string kernel, initramfs, command_line, disk_image, restore_image, display;
  std::string mac_address, machine_id;
  DeviceOptions devices;
  std::vector<std::string> labels;
  bool is_efi = false, autostarts = false, starts = false;
};

// Replaces a path or a name by the id of the image; leaves an empty one alone.
client::Result<void> resolve(const Session& session, std::string& id, const std::string& reference, std::string_view kind,
                             Progress& progress) {
  if (reference.empty()) return {};
  auto found = image_id(session, reference, kind, progress);
  if (!found) return std::unexpected(found.error());
  id = std::move(*found);
  return {};
}

std::string boot_kind(const CreateOptions& options) {
  if (!options.kernel.empty()) return "kernel";
  // A disk without a kernel can only be booted by firmware.
  if (options.is_efi || !options.disk_image.empty()) return options.guest == "macos" ? "macos" : "efi";
  return {};
}

client::Result<client::VmSpec> spec_of(const Session& session, const CreateOptions& options, Progress& progress) {
  client::VmSpec spec;
  spec.name = options.name;
  spec.guest = options.guest;
  spec.cpu_count = options.cpu_count;
  spec.memory_bytes = parse_size(options.memory).value_or(0);
  if (!options.disk.empty()) spec.disk_bytes = parse_size(options.disk).value_or(0);
  spec.boot_kind = boot_kind(options);
  spec.command_line = options.command_line;
  if (const auto display = parse_display(options.display)) std::tie(spec.display_width, spec.display_height) = *display;
  const DeviceOptions& devices = options.devices;
  const auto [mode, interface] = parse_network(devices.network);
  spec.network_mode = mode;
  spec.network_interface = interface;
  spec.disk_caching = devices.disk_caching;
  spec.disk_synchronization = devices.disk_synchronization;
  for (const std::string& each : devices.shares) spec.shares.push_back(parse_share(each));
  spec.rosetta_tag = devices.rosetta_tag;
  spec.has_sound = devices.has_sound;
  spec.mac_address = options.mac_address;
  spec.machine_id = options.machine_id;
  for (const auto& each : options.labels) spec.labels[each.substr(0, each.find('='))] = each.substr(each.find('=') + 1);
  if (options.autostarts) spec.autostart = true;
  if (auto done = resolve(session, spec.kernel, options.kernel, "kernel", progress); !done) return std::unexpected(done.error());
  if (auto done = resolve(session, spec.initramfs, options.initramfs, "initramfs", progress); !done)
    return std::unexpected(done.error());
  if (auto done = resolve(session, spec.disk_image, options.disk_image, "disk", progress); !done)
    return std::unexpected(done.error());
  if (auto done = resolve(session, spec.restore_image, options.restore_image, "restore", progress); !done)
    return std::unexpected(done.error());
  return spec;
}

ExitCode create(Session& session, const CreateOptions& options) {
  Progress progress{session};
  const auto spec = spec_of(session, options, progress);
  if (!spec) return fail(session, spec.error());
  auto wait = wait_of(session, progress);
  if (options.starts) wait.at_most = session.options.timeout; // there is nothing to start before
  const auto created = session.daemon.create_vm(*spec, wait);
  progress.clear();
  if (!created || !options.starts)
    return report(session, vm_kind(), options.name, created, {"created", "{} is there already", "creating"});
  const auto started = session.daemon.start(options.name, {}, wait_of(session, progress));
  progress.clear();
  return report(session, vm_kind(), options.name, started, {"created and started", "{} is running already", "starting"});
}

void add_options(CLI::App& command, CreateOptions& options) {
  command.add_option("name", options.name, "Letters, digits, '.', '_' and '-'")->required();
  command.add_option("--guest", options.guest, "Kind of guest")
      ->check(CLI::IsMember(std::vector<std::string>{"linux", "macos"}))
      ->capture_default_str();
  command.add_option("--cpus", options.cpu_count, "Number of processors")->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--memory", options.memory, "Memory: 512M, 4G")->check(is_size)->capture_default_str();
  command.add_option("--disk", options.disk, "Size of the disk (default: none, or that of --disk-image)")->check(is_size);
  command.add_option("--disk-image", options.disk_image, "What the disk begins as: a file, or an image");
  command.add_option("--restore-image", options.restore_image,
                     "Install this macOS: a file, or an image (berth images pull latest)");
  command
      .add_option("--display", options.display,
                  "Size of the display in pixels: 1920x1080 (default: of macOS guests the driver's)")
      ->check(is_display);
  CLI::Option* kernel = command.add_option("--kernel", options.kernel, "Boot this kernel: a file, or an image");
  command.add_option("--initramfs", options.initramfs, "With --kernel: a file, or an image")->needs(kernel);
  command.add_option("--cmdline,--command-line", options.command_line, "With --kernel: its command line")->needs(kernel);
  command.add_flag("--efi", options.is_efi, "Boot the disk by firmware (the default with --disk-image)")->excludes(kernel);
  add_device_options(command, options.devices);
  command.add_flag_function(
      "--sound", [&options](std::int64_t) { options.devices.has_sound = true; },
      "A sound device; what it plays is not heard on the host");
  command.add_option("--mac", options.mac_address, "MAC address (default: a fresh one)");
  command.add_option("--machine-id", options.machine_id, "new (default), or the key of a known one: berth mid ls");
  command.add_option("-l,--label", options.labels, "KEY=VALUE, may be given several times")
      ->allow_extra_args(false)
      ->check(is_label);
  command.add_flag("--autostart", options.autostarts, "Start it whenever the daemon starts");
  command.add_flag("--start", options.starts, "Start it now");
}

} // namespace

void add_create_command(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<CreateOptions>();
  CLI::App* command = app.add_subcommand("create", "Make a VM; files are imported as images first");
  add_options(*command, *options);
  chosen.on(command, [options](Session& session) { return create(session, *options); });
}

} // namespace berth::cli
