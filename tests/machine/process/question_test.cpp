// The commands that answer one question, and specs that cannot be built here.
#include "tests/machine/process/machine_process.hpp"

namespace berth::vz {
namespace {

using test::Json;
using test::MachineProcess;
using test::run_berth_machine;
using test::SimulatedHost;

TEST(Questions, DescribeTheHost) {
  SimulatedHost host;
  host.set("host_os_version", "15.1");
  host.set("host_cpu_count", "6");
  host.set("rosetta", "2");
  const auto answer = run_berth_machine(host, {"host"});
  EXPECT_EQ(answer.status, 0);
  const Json json = answer.json();
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["simulated"], true);
  EXPECT_EQ(json["supported"], true);
  EXPECT_EQ(json["entitled"], true);
  EXPECT_EQ(json["os_version"], "15.1.0");
  EXPECT_EQ(json["maximum_cpu_count"], 6);
  EXPECT_EQ(json["rosetta"], "installed");
  EXPECT_GT(json["maximum_memory_bytes"], json["minimum_memory_bytes"]);
  EXPECT_TRUE(json["bridged_interfaces"].is_array());
  host.fault("no_entitlement");
  EXPECT_EQ(run_berth_machine(host, {"host"}).json()["entitled"], false);
  host.heal("no_entitlement");
  host.fault("unsupported_hardware");
  EXPECT_EQ(run_berth_machine(host, {"host"}).json()["supported"], false);
}

TEST(Questions, DescribeAnImage) {
  SimulatedHost host;
  const auto good = run_berth_machine(host, {"image", host.restore_image("14.6", "23G80")});
  EXPECT_EQ(good.status, 0) << good.output;
  EXPECT_EQ(good.json()["version"], "14.6.0");
  EXPECT_EQ(good.json()["build"], "23G80");
  EXPECT_EQ(good.json()["supported"], true);
  EXPECT_TRUE(good.json()["hardware_model"].get<std::string>().starts_with("YnBsaXN0MDD"));
  EXPECT_EQ(good.json()["minimum_cpu_count"], 2);
  EXPECT_EQ(good.json()["minimum_memory_bytes"], std::uint64_t{4} << 30);
  const auto missing = run_berth_machine(host, {"image", "/nothing.ipsw"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(missing.json()["error"]["code"], "image_invalid");
  test::write_file(host / "broken.ipsw", "not an archive");
  EXPECT_EQ(run_berth_machine(host, {"image", host / "broken.ipsw"}).json()["error"]["code"], "image_invalid");
}

TEST(Questions, AskForTheLatestImage) {
  SimulatedHost host;
  EXPECT_EQ(run_berth_machine(host, {"latest"}).json()["error"]["code"], "network_unavailable");
  host.set("latest_image", "https://updates.example/mac.ipsw\n15.1\n24B83");
  EXPECT_EQ(run_berth_machine(host, {"latest"}).json(),
            Json::parse(R"({"url":"https://updates.example/mac.ipsw","version":"15.1.0","build":"24B83"})"));
}

TEST(Questions, PrepareAnAuxiliaryStorage) {
  SimulatedHost host;
  const std::string bundle = host.macos_guest("mac", 1)["bundle"]; // prepared there
  const auto permissions = std::filesystem::status(bundle + "/AuxiliaryStorage").permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto again = [&](const std::string& model, const std::string& identifier, const std::string& storage) {
    const auto finished = run_berth_machine(
        host, {"prepare", "--hardware-model", model, "--machine-identifier", identifier, "--auxiliary-storage", storage});
    EXPECT_EQ(finished.status, 1);
    return finished.json()["error"]["code"].get<std::string>();
  };
  const std::string model = bundle + "/HardwareModel", identifier = bundle + "/MachineIdentifier";
  EXPECT_EQ(again(model, identifier, bundle + "/AuxiliaryStorage"), "invalid_value") << "it exists";
  EXPECT_EQ(again(bundle + "/nothing", identifier, bundle + "/New"), "bundle_invalid");
  EXPECT_EQ(again(identifier, identifier, bundle + "/New"), "bundle_invalid");
  EXPECT_EQ(again(model, model, bundle + "/New"), "machine_id_altered");
  EXPECT_EQ(again(model, bundle + "/nothing", bundle + "/New"), "bundle_invalid");
  EXPECT_FALSE(std::filesystem::exists(bundle + "/New"));
}

TEST(Questions, RefuseWrongUsage) {
  SimulatedHost host;
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{},
                                                                                         {"explode"},
                                                                                         {"run"},
                                                                                         {"run", "/r", "--x"},
                                                                                         {"run", "/r", "--first-command", "x"},
                                                                                         {"run", "/r", "/s"},
                                                                                         {"host", "x"},
                                                                                         {"image"},
                                                                                         {"image", "a", "b"},
                                                                                         {"latest", "x"},
                                                                                         {"prepare"},
                                                                                         {"prepare", "--hardware-model", "a"}})
    EXPECT_EQ(run_berth_machine(host, arguments).status, 2) << (arguments.empty() ? "" : arguments[0]);
}

struct Unfit {
  const char* pointer;
  Json value;
  const char* code;
  const char* words; // that the detail must hold
};

void expect_refused(SimulatedHost& host, const Json& spec, const char* code, const char* words) {
  MachineProcess machine{host, spec};
  EXPECT_FALSE(machine.connect()) << words;
  EXPECT_EQ(machine.wait(), 1);
  EXPECT_EQ(machine.exit_report()["code"], code) << machine.exit_report();
  EXPECT_NE(machine.exit_report()["detail"].get<std::string>().find(words), std::string::npos) << machine.exit_report();
}

TEST(Specs, AreRefusedByName) {
  SimulatedHost host;
  host.set("host_cpu_count", "8");
  const Json good = host.linux_guest("one");
  const Json efi{{"kind", "efi"}, {"kernel", ""}, {"initramfs", ""}, {"command_line", ""}};
  const std::vector<Unfit> unfit{
      {"/cpu_count", 9, "invalid_value", "with 1 to 8 processors"},
      {"/memory_bytes", 1 << 20, "invalid_value", "4194304"},
      {"/memory_bytes", std::uint64_t{1} << 45, "invalid_value", "not 35184372088832"},
      {"/memory_bytes", (512 << 20) + 1, "invalid_value", "whole MiB"},
      {"/bundle", "/nothing", "bundle_invalid", "/nothing"},
      {"/disks/0/path", "/nothing.img", "bundle_invalid", "/nothing.img"},
      {"/boot/kernel", "/nothing-kernel", "image_invalid", "/nothing-kernel"},
      {"/boot/initramfs", "/nothing-initramfs", "image_invalid", "/nothing-initramfs"},
      {"/network/mode", "sideways", "invalid_value", "network.mode"},
      {"/rosetta_tag", "rosetta", "unsupported", "Rosetta"},
      {"/nested_virtualization", true, "unsupported", "M3"},
      {"/shares/0", Json{{"tag", "t"}, {"path", "/nothing"}, {"read_only", true}}, "invalid_value", "/nothing"},
      {"/extra", 1, "unknown_field", "extra"},
  };
  for (const Unfit& each : unfit) {
    Json spec = good;
    spec[Json::json_pointer{each.pointer}] = each.value;
    expect_refused(host, spec, each.code, each.words);
  }
  Json bridged = good;
  bridged["network"]["mode"] = "bridged";
  bridged["network"]["interface"] = "en99";
  expect_refused(host, bridged, "network_unavailable", "en99");
  expect_refused(host, Json("{"), "malformed_json", "machine.json");
  host.set("rosetta", "1");
  Json rosetta = good;
  rosetta["rosetta_tag"] = "rosetta";
  expect_refused(host, rosetta, "unsupported", "softwareupdate --install-rosetta");
  // Nothing is written for a host that cannot: not even the store that EFI needs.
  host.set("host_os_version", "14.5");
  Json nested = good;
  nested["boot"] = efi;
  nested["nested_virtualization"] = true;
  expect_refused(host, nested, "unsupported", "needs macOS 15");
  host.set("host_os_version", "12.6");
  Json old = good;
  old["boot"] = efi;
  expect_refused(host, old, "unsupported", "needs macOS 13");
  EXPECT_FALSE(std::filesystem::exists(good["bundle"].get<std::string>() + "/NVRAM"));
}

TEST(Specs, AreRefusedForABrokenIdentity) {
  SimulatedHost host;
  const Json mac = host.macos_guest("mac", 1);
  const std::string bundle = mac["bundle"];
  const auto with = [&](const std::string& name, const std::string& bytes, const char* code) {
    const std::string kept = test::read_file(bundle + "/" + name);
    test::write_file(bundle + "/" + name, bytes);
    expect_refused(host, mac, code, name.c_str());
    test::write_file(bundle + "/" + name, kept);
  };
  with("MachineIdentifier", "nonsense", "machine_id_altered");
  with("HardwareModel", "nonsense", "bundle_invalid");
  std::filesystem::rename(bundle + "/AuxiliaryStorage", bundle + "/gone");
  expect_refused(host, mac, "bundle_invalid", "AuxiliaryStorage");
  std::filesystem::rename(bundle + "/gone", bundle + "/AuxiliaryStorage");
  const Json linux_guest = host.linux_guest("one");
  test::write_file(linux_guest["bundle"].get<std::string>() + "/MachineIdentifier", "nonsense");
  expect_refused(host, linux_guest, "machine_id_altered", "MachineIdentifier");
}

TEST(Specs, BuildEveryDeviceThatThereIs) {
  SimulatedHost host;
  host.set("rosetta", "2");
  host.set("nested_virtualization", "1");
  Json spec = host.linux_guest("one");
  test::write_file(host / "tools.img", std::string(512, '\0'));
  spec["disks"].push_back(
      {{"path", host / "tools.img"}, {"read_only", true}, {"caching", "cached"}, {"synchronization", "fsync"}});
  spec["display"] = {{"width", 1280}, {"height", 800}, {"pixels_per_inch", 80}};
  spec["sound"] = true;
  spec["shares"] = {{{"tag", "work"}, {"path", host.directory().string()}, {"read_only", true}}};
  spec["rosetta_tag"] = "rosetta";
  spec["nested_virtualization"] = true;
  spec["boot"]["kind"] = "efi";
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect()) << machine.exit_report();
  EXPECT_EQ(machine.call("hello")["result"]["can_save"], false) << "a USB keyboard is the only one of a Linux guest";
  EXPECT_EQ(machine.code_of("start", {{"recovery", false}}), "");
  EXPECT_EQ(machine.code_of("stop"), "");
  Json mac = host.macos_guest("mac", 1);
  mac["display"] = spec["display"];
  mac["sound"] = true;
  mac["serial"] = false;
  mac["disks"][0]["caching"] = "uncached";
  mac["disks"][0]["synchronization"] = "none";
  MachineProcess second{host, mac};
  ASSERT_TRUE(second.connect()) << second.exit_report();
  EXPECT_EQ(second.code_of("start", {{"recovery", false}}), "");
  EXPECT_FALSE(std::filesystem::exists(second.runtime_dir() / "console.log"));
}

TEST(Specs, BridgeToAnInterfaceOfTheHost) {
  SimulatedHost host;
  const Json interfaces = run_berth_machine(host, {"host"}).json()["bridged_interfaces"];
  if (interfaces.empty()) GTEST_SKIP() << "this host has no interface to bridge to";
  Json spec = host.linux_guest("one");
  spec["network"]["mode"] = "bridged";
  spec["network"]["interface"] = interfaces[0]["identifier"];
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("quit"), "");
    machine.wait();
  }
  host.fault("no_networking_entitlement");
  expect_refused(host, spec, "network_unavailable", "com.apple.vm.networking");
}

} // namespace
} // namespace berth::vz
