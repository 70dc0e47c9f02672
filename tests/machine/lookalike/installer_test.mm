// Restore images and installations.
#include <algorithm>

#include "machine/lookalike/disk.hpp"
#include "tests/machine/lookalike/harness.hpp"
#include "tests/machine/lookalike/sample_image.hpp"

namespace berth::test {
namespace {

constexpr State kStopped = VZVirtualMachineStateStopped, kRunning = VZVirtualMachineStateRunning,
                kStarting = VZVirtualMachineStateStarting;

struct LoadedImage {
  Outcome outcome;
  bool is_supported = false;
  std::string version, build, url;
  long model_bytes = 0;
};

class LookalikeInstaller : public LookalikeTest {
protected:
  LookalikeInstaller() { write_sample_image(image_, "15.1", "24B83"); }
  std::filesystem::path image_ = directory_ / "image.ipsw";
  Bundle bundle_ = Bundle::make_macos(directory_ / "vm", "");

  static LoadedImage load(const std::function<void(void (^)(VZMacOSRestoreImage*, NSError*))>& call) {
    struct Answer {
      std::mutex mutex;
      std::condition_variable changed;
      LoadedImage image;
    };
    const auto answer = std::make_shared<Answer>();
    call(^(VZMacOSRestoreImage* image, NSError* error) {
      const std::lock_guard lock(answer->mutex);
      answer->image.outcome = outcome_of(error);
      if (image) {
        const NSOperatingSystemVersion version = [image operatingSystemVersion];
        answer->image.version = std::to_string(version.majorVersion) + "." + std::to_string(version.minorVersion);
        answer->image.build = [[image buildVersion] UTF8String];
        answer->image.url = [[[image URL] absoluteString] UTF8String];
        answer->image.is_supported = [image isSupported];
        auto* requirements = [image mostFeaturefulSupportedConfiguration];
        EXPECT_EQ(requirements != nil, answer->image.is_supported);
        answer->image.model_bytes = static_cast<long>([[[requirements hardwareModel] dataRepresentation] length]);
      }
      answer->changed.notify_all();
    });
    std::unique_lock lock(answer->mutex);
    EXPECT_TRUE(answer->changed.wait_for(lock, std::chrono::seconds(20), [&] { return answer->image.outcome.is_called; }));
    return answer->image;
  }
  static LoadedImage load(const std::filesystem::path& path) {
    return load([&](auto handler) { [VZMacOSRestoreImage loadFileURL:url(path) completionHandler:handler]; });
  }
};

TEST_F(LookalikeInstaller, ImageSaysWhatItIs) {
  const LoadedImage image = load(image_);
  EXPECT_TRUE(image.outcome.is_ok && image.is_supported);
  EXPECT_EQ(image.version + " " + image.build, "15.1 24B83");
  EXPECT_EQ(image.model_bytes, 132);
  write_sample_image(image_, "14.5", "23F79");
  EXPECT_EQ(load(image_).model_bytes, 135);
  write_sample_image(image_, "12.6", "21G115");
  EXPECT_EQ(load(image_).model_bytes, 150);
}

TEST_F(LookalikeInstaller, ImageThatCannotRunIsLoadedButNotSupported) {
  write(host_ / "host_os_version", "14.7\n");
  EXPECT_FALSE(load(image_).is_supported);
  write(host_ / "host_os_version", "15.0\n");
  EXPECT_TRUE(load(image_).is_supported);
  write_sample_image(image_, "15.1", "24B83", ImageFor::kOtherMacs);
  const LoadedImage other = load(image_);
  EXPECT_TRUE(other.outcome.is_ok);
  EXPECT_FALSE(other.is_supported);
}

TEST_F(LookalikeInstaller, BadImagesAreRefused) {
  EXPECT_EQ(load(directory_ / "missing").outcome.code, VZErrorRestoreImageLoadFailed);
  write(directory_ / "text", "this is not an archive");
  EXPECT_EQ(load(directory_ / "text").outcome.code, VZErrorInvalidRestoreImage);
  set("no_entitlement");
  const Outcome outcome = load(image_).outcome;
  EXPECT_EQ(outcome.code, VZErrorRestoreImageLoadFailed);
  EXPECT_EQ(outcome.reason, "Unable to connect to installation service.");
}

TEST_F(LookalikeInstaller, LatestIsWhatTheHostSays) {
  const auto latest = [] {
    return load([](auto handler) { [VZMacOSRestoreImage fetchLatestSupportedWithCompletionHandler:handler]; });
  };
  EXPECT_EQ(latest().outcome.code, VZErrorRestoreImageCatalogLoadFailed);
  write(host_ / "latest_image", "https://example.org/a.ipsw\n15.2\n24C101\n");
  const LoadedImage image = latest();
  EXPECT_EQ(image.url + " " + image.version + " " + image.build, "https://example.org/a.ipsw 15.2 24C101");
}

TEST_F(LookalikeInstaller, InstallationMakesABootableGuest) {
  Machine machine(bundle_);
  EXPECT_TRUE(machine.install(image_).is_ok);
  EXPECT_EQ(machine.states(), (std::vector<State>{kStarting, kRunning, kStopped}));
  const std::vector<double> progress = machine.progress();
  EXPECT_GE(progress.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(progress));
  EXPECT_DOUBLE_EQ(progress.back(), 1.0);
  const auto system = lookalike::read_system(bundle_.disk());
  ASSERT_TRUE(system);
  EXPECT_EQ(system->version + " " + system->build, "15.1 24B83");
  EXPECT_EQ(system->ecid, bundle_.ecid());
  EXPECT_EQ(lookalike::auxiliary_ecid(bundle_.path / "AuxiliaryStorage"), bundle_.ecid());
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_TRUE(machine.prints("login:")) << machine.console();
}

TEST_F(LookalikeInstaller, CancelledInstallationLeavesNothing) {
  Machine machine(bundle_);
  EXPECT_EQ(machine.install(image_, 0.3).code, VZErrorOperationCancelled);
  EXPECT_EQ(machine.state(), kStopped);
  EXPECT_FALSE(lookalike::read_system(bundle_.disk()));
  EXPECT_TRUE(machine.install(image_).is_ok) << "the files and the slot are free again";
}

TEST_F(LookalikeInstaller, FaultsHaveTheirCodes) {
  Machine machine(bundle_);
  set("install_too_new");
  EXPECT_EQ(machine.install(image_).code, VZErrorInstallationRequiresUpdate);
  clear("install_too_new");
  set("install_fails");
  const Outcome failed = machine.install(image_);
  EXPECT_EQ(failed.code, VZErrorInstallationFailed);
  EXPECT_EQ(failed.underlying_domain, "com.apple.MobileDevice.MobileRestore");
  EXPECT_EQ(failed.underlying, 3004);
  clear("install_fails");
  EXPECT_EQ(machine.state(), kStopped);
  set("helper_crash");
  EXPECT_EQ(machine.install(image_).code, VZErrorInstallationFailed);
  EXPECT_EQ(machine.state(), VZVirtualMachineStateError);
}

TEST_F(LookalikeInstaller, InstallationTakesASlotAndTheFiles) {
  write(host_ / "quota_limit", "1");
  const Bundle other = Bundle::make_macos(directory_ / "other");
  Machine running(other), machine(bundle_);
  ASSERT_TRUE(running.start().is_ok);
  EXPECT_EQ(machine.install(image_).code, VZErrorVirtualMachineLimitExceeded);
  ASSERT_TRUE(running.stop().is_ok);
  set("install_slow", "100000");
  machine.on_queue([&] {
    auto* installer = [[[VZMacOSInstaller alloc] initWithVirtualMachine:machine.object()
                                                        restoreImageURL:url(image_)] autorelease];
    [installer installWithCompletionHandler:^(NSError*){
    }];
  });
  ASSERT_TRUE(machine.reaches(kRunning));
  EXPECT_EQ(running.start().code, VZErrorVirtualMachineLimitExceeded);
  EXPECT_TRUE(machine.stop().is_ok);
}

TEST_F(LookalikeInstaller, CompletionMayComeBeforeStopped) {
  set("install_early_completion", "100");
  Machine machine(bundle_), second(bundle_);
  EXPECT_TRUE(machine.install(image_).is_ok);
  EXPECT_EQ(machine.state(), kRunning);
  const Outcome early = second.start();
  EXPECT_EQ(early.reason, "Failed to lock auxiliary storage.");
  EXPECT_TRUE(machine.reaches(kStopped));
  EXPECT_TRUE(second.start().is_ok);
}

} // namespace
} // namespace berth::test
