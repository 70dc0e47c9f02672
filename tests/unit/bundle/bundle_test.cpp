// Bundles: built whole or not at all, cloned, judged and repaired.
#include "daemon/bundle/bundle.hpp"

#include <gtest/gtest.h>

#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/bundle/bundle_fixture.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;

class Bundles : public testing::Test {
protected:
  std::string text_of(const fs::path& file) {
    const auto bytes = files::read(file, 1 << 20);
    return bytes ? std::string(bytes->begin(), bytes->end()) : "(" + bytes.error().detail + ")";
  }
  void write(const fs::path& file, std::string_view text) {
    ASSERT_TRUE(files::write_new(file, files::as_bytes(text), files::Sync::kNo));
  }
  void build() { ASSERT_TRUE(build_bundle(paths.root, {vm, identity_of(vm), {}})); }

  test::TempDir directory;
  VmRecord vm = sample_vm();
  BundlePaths paths{directory / "one.bundle"};
};

TEST_F(Bundles, HoldDiskIdentityAndDescription) {
  build();
  EXPECT_EQ(*disk::size(paths.disk()), vm.disk_bytes);
  EXPECT_EQ(*files::read(paths.machine_identifier(), 1024), identity_of(vm));
  const auto found = read_description(text_of(paths.description()));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->vm.name, "builder");
  EXPECT_EQ(check_identity(paths, identity_of(vm)), IdentityState::kIntact);
  EXPECT_EQ(find_damage(paths, vm), std::nullopt);
}

TEST_F(Bundles, HaveNoDiskWhenTheRecordHasNone) {
  vm.disk_bytes = 0;
  build();
  EXPECT_FALSE(fs::exists(paths.disk()));
  EXPECT_EQ(find_damage(paths, vm), std::nullopt);
}

TEST_F(Bundles, GrowTheirDiskFromAnImage) {
  write(directory / "image", "system");
  ASSERT_TRUE(build_bundle(paths.root, {vm, identity_of(vm), directory / "image"}));
  EXPECT_EQ(*disk::size(paths.disk()), vm.disk_bytes);
  EXPECT_TRUE(text_of(paths.disk()).starts_with("system"));
}

TEST_F(Bundles, LeaveNothingWhenTheyCannotBeBuilt) {
  vm.disk_bytes = 513;
  EXPECT_EQ(build_bundle(paths.root, {vm, identity_of(vm), {}}).error().code, ErrorCode::kInvalidValue);
  EXPECT_FALSE(fs::exists(paths.root));
  vm.disk_bytes = 512;
  EXPECT_EQ(build_bundle(paths.root, {vm, identity_of(vm), directory / "absent"}).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(paths.root));
  write(directory / "image", std::string(1024, 'x'));
  EXPECT_EQ(build_bundle(paths.root, {vm, identity_of(vm), directory / "image"}).error().code, ErrorCode::kInvalidValue)
      << "the image is larger than the disk";
  EXPECT_FALSE(fs::exists(paths.root));
}

TEST_F(Bundles, AreNeverBuiltOverAnother) {
  build();
  EXPECT_FALSE(build_bundle(paths.root, {vm, identity_of(vm), {}}));
  EXPECT_EQ(find_damage(paths, vm), std::nullopt) << "the one that was there is whole";
  EXPECT_FALSE(clone_bundle(paths, paths.root, {vm, identity_of(vm), {}}, {}));
  EXPECT_EQ(find_damage(paths, vm), std::nullopt);
}

TEST_F(Bundles, AreClonedWithTheCloneSIdentity) {
  build();
  write(paths.nvram(), "firmware variables");
  write(paths.auxiliary_storage(), "auxiliary");
  write(paths.hardware_model(), "model");
  write(paths.saved_state(), "memory");
  VmRecord clone = vm;
  clone.name = "clone";
  clone.machine_id = MachineIdKey{test::uuid_number(9)};
  const BundlePaths copy{directory / "two.bundle"};
  ASSERT_TRUE(clone_bundle(paths, copy.root, {clone, identity_of(clone), {}}, {}));
  EXPECT_EQ(*disk::size(copy.disk()), vm.disk_bytes);
  EXPECT_EQ(text_of(copy.nvram()), "firmware variables");
  EXPECT_EQ(text_of(copy.auxiliary_storage()), "auxiliary");
  EXPECT_EQ(text_of(copy.hardware_model()), "model");
  EXPECT_FALSE(fs::exists(copy.saved_state())) << "only when asked for";
  EXPECT_EQ(check_identity(copy, identity_of(clone)), IdentityState::kIntact);
  EXPECT_EQ(read_description(text_of(copy.description()))->vm.name, "clone");
}

TEST_F(Bundles, AreClonedWithTheirSavedStateWhenAsked) {
  build();
  write(paths.saved_state(), "memory");
  const BundlePaths copy{directory / "two.bundle"};
  ASSERT_TRUE(clone_bundle(paths, copy.root, {vm, identity_of(vm), {}}, {.with_saved_state = true}));
  EXPECT_EQ(text_of(copy.saved_state()), "memory");
}

TEST_F(Bundles, LeaveNothingOfACloneThatFailed) {
  build();
  fs::remove(paths.disk());
  fs::create_symlink("/etc/hostname", paths.disk());
  const BundlePaths copy{directory / "two.bundle"};
  const auto cloned = clone_bundle(paths, copy.root, {vm, identity_of(vm), {}}, {});
  ASSERT_FALSE(cloned) << "a link in the disk's place must not be left out in silence";
  EXPECT_FALSE(fs::exists(copy.root));
}

TEST_F(Bundles, GiveTheirPartsToASnapshotAndBack) {
  build();
  write(paths.nvram(), "variables");
  const BundlePaths snapshot{directory / "snapshot"};
  ASSERT_TRUE(files::make_directory(snapshot.root));
  ASSERT_TRUE(copy_parts(paths, snapshot, {}));
  EXPECT_EQ(text_of(snapshot.nvram()), "variables");
  EXPECT_EQ(check_identity(snapshot, identity_of(vm)), IdentityState::kIntact);
  EXPECT_FALSE(fs::exists(snapshot.description()));
  EXPECT_FALSE(copy_parts(paths, snapshot, {})) << "never over what is there";
}

TEST_F(Bundles, TellAnAlteredIdentityAndTakeTheOldOneBack) {
  build();
  const Bytes expected = identity_of(vm);
  ASSERT_TRUE(files::replace(paths.machine_identifier(), encode_machine_identifier(MachineIdKey{Ecid{5}})));
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kAltered);
  ASSERT_TRUE(repair_identity(paths, expected));
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kIntact);
  fs::remove(paths.machine_identifier());
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kMissing);
  ASSERT_TRUE(repair_identity(paths, expected));
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kIntact);
  // A link to the right bytes is not the bundle's own file.
  fs::rename(paths.machine_identifier(), directory / "elsewhere");
  fs::create_symlink(directory / "elsewhere", paths.machine_identifier());
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kAltered);
  ASSERT_TRUE(repair_identity(paths, expected));
  EXPECT_FALSE(fs::is_symlink(paths.machine_identifier()));
  ASSERT_TRUE(files::replace(paths.machine_identifier(), Bytes(100'000, 0)));
  EXPECT_EQ(check_identity(paths, expected), IdentityState::kAltered);
}

TEST_F(Bundles, SayWhatIsBroken) {
  EXPECT_TRUE(find_damage(paths, vm)->contains("is missing"));
  build();
  vm.disk_bytes += 512;
  EXPECT_TRUE(find_damage(paths, vm)->contains("the record says"));
  vm.disk_bytes -= 1024;
  EXPECT_EQ(find_damage(paths, vm), std::nullopt) << "a disk may be larger than the record: a growth that was cut short";
  fs::remove(paths.disk());
  EXPECT_TRUE(find_damage(paths, vm)->contains("does not exist"));
  fs::create_symlink("/dev/zero", paths.disk());
  EXPECT_TRUE(find_damage(paths, vm));
  fs::remove_all(paths.root);
  fs::create_symlink(directory.path(), paths.root);
  EXPECT_TRUE(find_damage(paths, vm)) << "nor may the bundle be a link";
}

} // namespace
} // namespace berth
