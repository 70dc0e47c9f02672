// Each format found by looking, read whole, and copied.
#include <sys/file.h>

#include <fstream>

#include "daemon/bundle/description.hpp"
#include "tests/unit/bundle/bundle_fixture.hpp"
#include "tests/unit/foreign/foreign_fixture.hpp"

namespace berth::test {
namespace {

using foreign::Format;

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST_F(ForeignBundles, AreFoundByLookingAndReadWhole) {
  for (const Format format : foreign::kAllFormats) {
    SCOPED_TRACE(to_string(format));
    const auto vm = recognise(lay_out(format));
    ASSERT_TRUE(vm) << vm.error().detail;
    EXPECT_EQ(vm->format, format);
    EXPECT_EQ(vm->guest, Guest::kMacos);
    EXPECT_EQ(vm->machine_id, MachineIdKey{Ecid{kEcid}});
    EXPECT_EQ(vm->machine_identifier, parts_.machine_identifier);
    EXPECT_EQ(vm->hardware_model, parts_.hardware_model);
    EXPECT_EQ(vm->disk_bytes, 64U * 1024);
    ASSERT_TRUE(vm->auxiliary_storage);
    const auto mac = keeps_mac_address(format) ? MacAddress::parse("7e:00:5e:00:0a:01") : std::nullopt;
    EXPECT_EQ(vm->mac_address, mac);
    EXPECT_EQ(has_note(*vm, "MAC address is not known"), !mac);
    EXPECT_EQ(vm->cpu_count, keeps_hardware(format) ? 6U : foreign::kDefaultCpuCount);
    EXPECT_EQ(vm->memory_bytes, keeps_hardware(format) ? std::uint64_t{8} << 30 : foreign::kDefaultMemoryBytes);
    EXPECT_EQ(has_note(*vm, "processors"), format == Format::kAppleSample || format == Format::kParallels);
    EXPECT_TRUE(is_valid_vm_name(vm->name)) << vm->name;
  }
}

TEST_F(ForeignBundles, AreCopiedIntoBundlesAndStayAsTheyAre) {
  for (const Format format : foreign::kAllFormats) {
    SCOPED_TRACE(to_string(format));
    const auto vm = recognise(lay_out(format));
    ASSERT_TRUE(vm) << vm.error().detail;
    const auto disk_before = content(vm->disk.path()), storage_before = content(vm->auxiliary_storage->path());
    VmRecord record = sample_vm();
    record.guest = Guest::kMacos;
    record.boot = {BootKind::kMacos, {}, {}, {}};
    record.disk_bytes = vm->disk_bytes;
    record.machine_id = *vm->machine_id;
    const auto staging = directory_ / ("made-" + std::string(to_string(format)));
    const auto built = foreign::build_from(*vm, staging, {record, vm->machine_identifier, std::nullopt, {}}, true);
    ASSERT_TRUE(built) << built.error().detail;
    const BundlePaths made{staging};
    EXPECT_EQ(content(made.disk()), std::string(64 * 1024, 'd'));
    EXPECT_EQ(content(made.auxiliary_storage()), auxiliary_storage_of(kEcid));
    EXPECT_EQ(files::read(made.hardware_model(), 4096), parts_.hardware_model);
    EXPECT_EQ(files::read(made.machine_identifier(), 4096), parts_.machine_identifier);
    const auto description = read_description(content(made.description()));
    ASSERT_TRUE(description) << description.error().detail;
    EXPECT_EQ(description->vm.machine_id, MachineIdKey{Ecid{kEcid}});
    EXPECT_EQ(content(vm->disk.path()), disk_before);
    EXPECT_EQ(content(vm->auxiliary_storage->path()), storage_before);
  }
}

TEST_F(ForeignBundles, LeaveNothingOfACopyThatIsCancelled) {
  const auto vm = recognise(lay_out(Format::kTart));
  ASSERT_TRUE(vm);
  VmRecord record = sample_vm();
  record.disk_bytes = vm->disk_bytes;
  const std::atomic<bool> is_cancelled = true;
  const auto built = foreign::build_from(*vm, directory_ / "made", {record, vm->machine_identifier, std::nullopt, {}}, false,
                                         {.is_cancelled = &is_cancelled});
  if (!built) // a file system that shares blocks is done before it can be cancelled
    EXPECT_EQ(built.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(std::filesystem::exists(directory_ / "made"), built.has_value());
}

TEST_F(ForeignBundles, AreRefusedWhileSomebodyHoldsThem) {
  lay_out(Format::kTart);
  for (const char* name : {"disk.img", "nvram.bin"}) {
    const UniqueFd holder{::open((folder() / name).c_str(), O_RDWR | O_CLOEXEC)};
    ASSERT_EQ(::flock(holder.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(code(), "bundle_in_use") << name;
    EXPECT_NE(last_detail_.find(name), std::string::npos) << last_detail_;
  }
  EXPECT_EQ(code(), "");
}

TEST_F(ForeignBundles, AreHeldWhileTheyAreCopied) {
  lay_out(Format::kLume);
  auto vm = recognise(folder());
  ASSERT_TRUE(vm);
  const UniqueFd other{::open((folder() / "disk.img").c_str(), O_RDWR | O_CLOEXEC)};
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0) << "a tool that starts the VM now would write in the middle of the copy";
  vm = fail(ErrorCode::kInternal, "");
  EXPECT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(ForeignBundles, OfAnotherIdentityThanTheirStorageAreRefused) {
  for (const Format format : foreign::kAllFormats) {
    SCOPED_TRACE(to_string(format));
    write_file(parts_.auxiliary_storage, auxiliary_storage_of(kEcid + 1));
    EXPECT_EQ(code_of(lay_out(format)), "machine_id_altered");
    write_file(parts_.auxiliary_storage, std::string(0x80000, '\0'));
    const auto blank = recognise(lay_out(format));
    ASSERT_TRUE(blank) << blank.error().detail;
    EXPECT_TRUE(has_note(*blank, "no ECID was found"));
  }
}

TEST_F(ForeignBundles, CompareIdentitiesByValueInEitherEncoding) {
  const std::uint64_t large = 0x9cde470a5dcf5a35;
  parts_.machine_identifier = encode_machine_identifier(MachineIdKey{Ecid{large}});
  write_file(parts_.auxiliary_storage, auxiliary_storage_of(large)); // DER: a ninth byte for the sign
  const auto vm = recognise(lay_out(Format::kAppleSample));
  ASSERT_TRUE(vm) << vm.error().detail;
  EXPECT_EQ(vm->machine_id, MachineIdKey{Ecid{large}});
  EXPECT_FALSE(has_note(*vm, "no ECID was found"));
}

TEST_F(ForeignBundles, TakeALostIdentityFromTheStorage) {
  lay_out(Format::kParallels);
  std::filesystem::remove(folder() / "macid.bin");
  const auto vm = recognise(folder());
  ASSERT_TRUE(vm) << vm.error().detail;
  EXPECT_EQ(vm->machine_id, MachineIdKey{Ecid{kEcid}});
  EXPECT_TRUE(has_note(*vm, "taken from the auxiliary storage"));
  write_file(folder() / "aux.bin", std::string(4096, '\0'));
  EXPECT_EQ(code(), "bundle_invalid");
}

TEST_F(ForeignBundles, OfLinuxGuestsBringTheirVariables) {
  write_file(folder() / "Disk.img", std::string(64 * 1024, 'd'));
  write_file(folder() / "NVRAM", std::string(4096, 'n'));
  const MachineIdKey key{Uuid{{1, 2, 3}}};
  const Bytes identifier = encode_machine_identifier(key);
  write_file(folder() / "MachineIdentifier", {reinterpret_cast<const char*>(identifier.data()), identifier.size()});
  const auto vm = recognise(folder());
  ASSERT_TRUE(vm) << vm.error().detail;
  EXPECT_EQ(vm->guest, Guest::kLinux);
  EXPECT_EQ(vm->machine_id, key);
  ASSERT_TRUE(vm->nvram);
  EXPECT_EQ(vm->nvram->bytes, 4096U);
  EXPECT_FALSE(vm->auxiliary_storage);
}

TEST_F(ForeignBundles, OfLinuxGuestsMayHaveNoIdentity) {
  write_file(folder() / "disk.img", std::string(64 * 1024, 'd'));
  write_file(folder() / "config.json",
             R"({"version":1,"os":"linux","arch":"arm64","cpuCountMin":1,"cpuCount":2,"memorySize":1073741824})");
  const auto vm = recognise(folder());
  ASSERT_TRUE(vm) << vm.error().detail;
  EXPECT_EQ(vm->guest, Guest::kLinux);
  EXPECT_FALSE(vm->machine_id);
  EXPECT_TRUE(has_note(*vm, "gets a new one"));
  EXPECT_TRUE(has_note(*vm, "EFI variables"));
}

TEST_F(ForeignBundles, SayWhatIsNotTakenOver) {
  lay_out(Format::kTart);
  write_file(folder() / "state.vzvmsave", "state");
  auto vm = recognise(folder());
  ASSERT_TRUE(vm);
  EXPECT_TRUE(has_note(*vm, "state.vzvmsave"));
  lay_out(Format::kGhostVm);
  std::filesystem::create_directory(folder() / "Snapshots");
  vm = recognise(folder());
  ASSERT_TRUE(vm);
  EXPECT_TRUE(has_note(*vm, "snapshots"));
  lay_out(Format::kUtm);
  vm = recognise(folder());
  ASSERT_TRUE(vm);
  EXPECT_EQ(vm->name, "Caf-the-2nd");
  EXPECT_TRUE(has_note(*vm, "tools.iso"));
}

TEST_F(ForeignBundles, OfMacosvmAreNamedByTheirFileWhenThereAreSeveral) {
  const auto file = lay_out(Format::kMacosvm);
  auto vm = recognise(folder());
  ASSERT_TRUE(vm) << "one configuration in a folder needs no name";
  std::filesystem::copy_file(file, folder() / "other.json");
  EXPECT_EQ(code(), "invalid_value");
  vm = recognise(file);
  ASSERT_TRUE(vm) << vm.error().detail;
  EXPECT_EQ(vm->name, "vm");
  write_file(folder() / "plain.json", "{}");
  EXPECT_EQ(code_of(folder() / "plain.json"), "bundle_invalid");
}

} // namespace
} // namespace berth::test
