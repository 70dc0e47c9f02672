// Operations: each is a block on the VM's queue that calls the framework once.
#import "machine/vz_machine.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/runtime/unique_fd.hpp"
#import "machine/vz_configuration.hpp"
#import "machine/vz_core.hpp"
#import "machine/vz_error.hpp"

namespace berth::vz {

namespace {

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

// Gives a complete state its name. Mode 0600: it holds the guest's memory.
Outcome<void> publish_state(const std::filesystem::path& temporary, const std::filesystem::path& file) {
  const UniqueFd fd{::open(temporary.c_str(), O_RDONLY | O_CLOEXEC)};
  if (fd && ::fchmod(fd.get(), 0600) == 0 && ::fsync(fd.get()) == 0 && ::rename(temporary.c_str(), file.c_str()) == 0) return {};
  const std::string why = std::strerror(errno);
  ::unlink(temporary.c_str());
  return failure("save_failed", "cannot keep the saved state " + file.string() + ": " + why);
}

} // namespace

Outcome<std::unique_ptr<VzMachine>> VzMachine::create(Plan plan, Post post) {
  @autoreleasepool {
    const auto built = build_configuration(plan.spec, {plan.guest_reader, plan.guest_writer});
    if (!built) return std::unexpected(built.error());
    Facts facts{is_simulated(), built->cannot_save, [VZVirtualMachineConfiguration minimumAllowedMemorySize]};
    const auto core = std::make_shared<VzCore>(std::move(plan.spec), std::move(post));
    core->make(built->configuration.get());
    return std::unique_ptr<VzMachine>{new VzMachine{core, std::move(facts)}};
  }
}

VzMachine::VzMachine(std::shared_ptr<VzCore> core, Facts facts) : core_(std::move(core)), facts_(std::move(facts)) {}

// Whoever forgets to drop() it: the objects still go on their queue, and nobody hears of them.
VzMachine::~VzMachine() {
  *core_->tell = {};
  if (!is_dropped_) drop([] {});
}

void VzMachine::observe(VirtualMachineObserver observer) { *core_->tell = std::move(observer); }

void VzMachine::start(bool into_recovery, Done done) {
  core_->on_queue(std::move(done), [into_recovery](VzCore& core, Done finish) -> Outcome<void> {
    const auto owner = core.shared_from_this();
    const auto handler = ^(NSError* error) {
      @autoreleasepool {
        owner->finish(error, finish);
      }
    };
    if (!into_recovery) {
      [core.machine() startWithCompletionHandler:handler];
      return {};
    }
    if (core.spec().guest != Guest::kMacos) return failure("unsupported", "only macos guests have a recovery system");
    VZMacOSVirtualMachineStartOptions* options = [[[VZMacOSVirtualMachineStartOptions alloc] init] autorelease];
    [options setStartUpFromMacOSRecovery:YES];
    [core.machine() startWithOptions:options completionHandler:handler];
    return {};
  });
}

void VzMachine::restore(const std::filesystem::path& file, Done done) {
  core_->on_queue(std::move(done), [file](VzCore& core, Done finish) -> Outcome<void> {
    BERTH_IF_MACOS(14) {
      if (!is_there(file)) return failure("restore_failed", "the saved state " + file.string() + " is not there");
      const auto owner = core.shared_from_this();
      [core.machine() restoreMachineStateFromURL:to_url(file)
                               completionHandler:^(NSError* error) {
                                 @autoreleasepool {
                                   owner->finish(error, finish);
                                 }
                               }];
      return {};
    }
    return failure("unsupported", "restoring a saved state needs macOS 14, and this host has " + os_version());
  });
}

void VzMachine::install(const std::filesystem::path& image, Done done) {
  core_->on_queue(std::move(done), [image](VzCore& core, Done finish) -> Outcome<void> {
    if (core.spec().guest != Guest::kMacos) return failure("unsupported", "only macos guests are installed from a restore image");
    std::error_code error;
    const auto resolved = std::filesystem::canonical(image, error); // the framework follows no links
    if (error) return failure("image_invalid", "the restore image " + image.string() + " is not there");
    VZMacOSInstaller* installer = [[[VZMacOSInstaller alloc] initWithVirtualMachine:core.machine()
                                                                    restoreImageURL:to_url(resolved)] autorelease];
    core.watch_installer(installer);
    const auto owner = core.shared_from_this();
    [installer installWithCompletionHandler:^(NSError* failed) {
      @autoreleasepool {
        owner->finish(failed, finish);
      }
    }];
    return {};
  });
}

void VzMachine::cancel_install() {
  core_->on_queue([](Outcome<void>) {},
                  [](VzCore& core, Done) -> Outcome<void> {
                    [[core.installer() progress] cancel];
                    return {};
                  });
}

void VzMachine::pause(Done done) {
  core_->on_queue(std::move(done), [](VzCore& core, Done finish) -> Outcome<void> {
    const auto owner = core.shared_from_this();
    [core.machine() pauseWithCompletionHandler:^(NSError* error) {
      @autoreleasepool {
        owner->finish(error, finish);
      }
    }];
    return {};
  });
}

void VzMachine::resume(Done done) {
  core_->on_queue(std::move(done), [](VzCore& core, Done finish) -> Outcome<void> {
    const auto owner = core.shared_from_this();
    [core.machine() resumeWithCompletionHandler:^(NSError* error) {
      @autoreleasepool {
        owner->finish(error, finish);
      }
    }];
    return {};
  });
}

void VzMachine::save(const std::filesystem::path& file, Done done) {
  core_->on_queue(std::move(done), [file](VzCore& core, Done finish) -> Outcome<void> {
    BERTH_IF_MACOS(14) {
      if (is_there(file)) return failure("invalid_value", "the file " + file.string() + " is there already");
      // What the framework does with a file that exists is not documented: it gets a name that nothing has.
      const std::filesystem::path temporary = file.string() + ".partial";
      const std::filesystem::path target = file; // a block in a lambda would keep the parameter's reference
      ::unlink(temporary.c_str());
      const auto owner = core.shared_from_this();
      [core.machine() saveMachineStateToURL:to_url(temporary)
                          completionHandler:^(NSError* error) {
                            @autoreleasepool {
                              if (error) ::unlink(temporary.c_str());
                              const auto kept = error ? Outcome<void>{} : publish_state(temporary, target);
                              if (kept) return owner->finish(error, finish);
                              finish(kept);
                            }
                          }];
      return {};
    }
    return failure("unsupported", "saving needs macOS 14, and this host has " + os_version());
  });
}

void VzMachine::request_stop(Done done) {
  core_->on_queue(std::move(done), [](VzCore& core, Done finish) -> Outcome<void> {
    NSError* error = nil;
    if (![core.machine() requestStopWithError:&error]) return std::unexpected(explain_error(error));
    finish({});
    return {};
  });
}

void VzMachine::stop(Done done) {
  core_->on_queue(std::move(done), [](VzCore& core, Done finish) -> Outcome<void> {
    const auto owner = core.shared_from_this();
    [core.machine() stopWithCompletionHandler:^(NSError* error) {
      @autoreleasepool {
        owner->finish(error, finish);
      }
    }];
    return {};
  });
}

void VzMachine::set_memory_target(std::uint64_t bytes, Done done) {
  core_->on_queue(std::move(done), [bytes](VzCore& core, Done finish) -> Outcome<void> {
    for (VZMemoryBalloonDevice* device in [core.machine() memoryBalloonDevices]) {
      if (![device isKindOfClass:[VZVirtioTraditionalMemoryBalloonDevice class]]) continue;
      VZVirtioTraditionalMemoryBalloonDevice* balloon = static_cast<VZVirtioTraditionalMemoryBalloonDevice*>(device);
      [balloon setTargetVirtualMachineMemorySize:bytes];
      finish({});
      return {};
    }
    return failure("unsupported", "this machine has no memory balloon");
  });
}

void VzMachine::reconnect_network(Done done) {
  core_->on_queue(std::move(done), [](VzCore& core, Done finish) -> Outcome<void> {
    for (VZNetworkDevice* device in [core.machine() networkDevices]) {
      const auto attachment = make_attachment(core.spec().network);
      if (!attachment) return std::unexpected(attachment.error());
      [device setAttachment:attachment->get()];
      if (![device attachment]) return failure("network_unavailable", "the framework does not attach the network card");
      finish({});
      return {};
    }
    return failure("unsupported", "this machine has no network card");
  });
}

void VzMachine::drop(std::function<void()> done) {
  is_dropped_ = true;
  core_->drop_later(std::move(done));
}

} // namespace berth::vz
