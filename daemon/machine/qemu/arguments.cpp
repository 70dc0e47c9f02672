// One helper a device, in the order in which the guest numbers them.
#include "daemon/machine/qemu/arguments.hpp"

namespace berth {

namespace {

class Line {
public:
  void add(std::string name) { arguments_.push_back(std::move(name)); }
  void add(std::string name, std::string value) {
    arguments_.push_back(std::move(name));
    arguments_.push_back(std::move(value));
  }
  std::vector<std::string> take() { return std::move(arguments_); }

private:
  std::vector<std::string> arguments_;
};

std::string path(const std::filesystem::path& value) { return escape_commas(value.string()); }

void add_machine(Line& line, const MachineSpec& spec, const QemuHost& host) {
  line.add("-name", "guest=" + escape_commas(spec.name) + ",debug-threads=on");
  line.add("-uuid", spec.machine_id.hardware_uuid().to_string());
  line.add("-machine", "q35,accel=" + host.accelerator);
  line.add("-cpu", "max");
  line.add("-smp", std::to_string(spec.cpu_count));
  line.add("-m", "size=" + std::to_string(spec.memory_bytes) + "B");
  line.add("-nodefaults");
  line.add("-no-user-config");
  line.add("-display", "none");
  // After its guest's end QEMU stays until the daemon has read the reason, even a daemon of later.
  line.add("-action", "shutdown=pause,panic=pause,reboot=reset");
  if (host.has_sandbox) line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

void add_control(Line& line, const MachineSpec& spec, const QemuDescriptors& descriptors) {
  line.add("-chardev", "socket,id=qmp,fd=" + std::to_string(descriptors.qmp) + ",server=on,wait=off");
  line.add("-mon", "chardev=qmp,mode=control");
  line.add("-chardev", "socket,id=console,fd=" + std::to_string(descriptors.console) +
                           ",server=on,wait=off,logappend=on,logfile=" + path(spec.runtime_dir / "console.log"));
  line.add("-device", "isa-serial,chardev=console");
  line.add("-device", "pvpanic");
}

void add_boot(Line& line, const MachineSpec& spec, const QemuHost& host) {
  if (spec.boot.kind == BootKind::kKernel) {
    line.add("-kernel", spec.kernel.string());
    if (!spec.initramfs.empty()) line.add("-initrd", spec.initramfs.string());
    line.add("-append", kernel_command_line(spec.boot.command_line));
  } else if (spec.boot.kind == BootKind::kEfi) {
    line.add("-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + path(host.firmware_code));
    line.add("-drive", "if=pflash,format=raw,unit=1,file=" + path(spec.bundle / "NVRAM"));
  }
}

// The file below takes the cache's options over from the node that names them. A flush of QEMU's on Linux is
// fdatasync(2), which reaches the medium: it has nothing weaker between that and none.
std::string cache(const DiskMode& mode) {
  std::string options;
  if (mode.caching == DiskCaching::kUncached) options += "cache.direct=on,";
  if (mode.synchronization == DiskSynchronization::kNone) options += "cache.no-flush=on,";
  return options;
}

void add_disk(Line& line, const MachineSpec& spec) {
  if (!spec.has_disk) return;
  line.add("-blockdev", "driver=raw,node-name=disk," + cache(spec.disk_mode) +
                            "discard=unmap,detect-zeroes=unmap,file.driver=file,file.locking=on,"
                            "file.discard=unmap,file.filename=" +
                            path(spec.bundle / "Disk.img"));
  line.add("-device", "virtio-blk-pci,drive=disk,bootindex=1");
}

void add_network(Line& line, const MachineSpec& spec) {
  switch (spec.network.mode) {
    case NetworkMode::kNone: return;
    case NetworkMode::kBridged: return; // validate() lets none through
    case NetworkMode::kUser: line.add("-netdev", "user,id=net"); break;
    case NetworkMode::kNat:
      line.add("-netdev", "tap,id=net,script=no,downscript=no,ifname=" + escape_commas(spec.network.tap));
      break;
  }
  line.add("-device", "virtio-net-pci,netdev=net,romfile=,mac=" + spec.network.mac_address.to_string());
}

} // namespace

std::string escape_commas(std::string_view text) {
  std::string escaped;
  for (const char each : text) escaped.append(each == ',' ? 2 : 1, each);
  return escaped;
}

std::string kernel_command_line(std::string_view text) {
  const bool has_console = text.starts_with("console=") || text.find(" console=") != std::string_view::npos;
  if (has_console) return std::string{text};
  return text.empty() ? "console=ttyS0" : std::string{text} + " console=ttyS0";
}

std::vector<std::string> qemu_arguments(const MachineSpec& spec, const QemuHost& host, const QemuDescriptors& descriptors) {
  Line line;
  line.add(host.binary.string());
  add_machine(line, spec, host);
  add_control(line, spec, descriptors);
  add_boot(line, spec, host);
  add_disk(line, spec);
  add_network(line, spec);
  line.add("-device", "virtio-rng-pci");
  line.add("-device", "virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=off");
  line.add("-device", "virtio-serial-pci");
  if (spec.display)
    line.add("-device", "VGA,xres=" + std::to_string(spec.display->width) + ",yres=" + std::to_string(spec.display->height));
  if (spec.restore_from) {
    line.add("-S");
    line.add("-incoming", "defer");
  }
  return line.take();
}

} // namespace berth
