// Two bundles with one machine identifier. berthd never lets them run together; what the framework does then is known here.
#include "tests/machine/process/machine_process.hpp"

namespace berth::vz {
namespace {

using test::Json;
using test::MachineProcess;
using test::SimulatedHost;

const Json kCold{{"recovery", false}};

TEST(Twins, KeepASavedStateFromComingBack) {
  SimulatedHost host;
  const Json spec = host.macos_guest("mac", 9), twin = host.macos_guest("twin", 9);
  const std::string file = host / "state";
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    ASSERT_EQ(machine.code_of("start", kCold), "");
    ASSERT_EQ(machine.code_of("pause"), "");
    ASSERT_EQ(machine.code_of("save", {{"file", file}}), "");
    ASSERT_EQ(machine.code_of("stop"), "");
    machine.wait();
  }
  MachineProcess other{host, twin};
  ASSERT_TRUE(other.connect());
  ASSERT_EQ(other.code_of("start", kCold), "");
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("restore", {{"file", file}}), "restore_failed");
    EXPECT_EQ(machine.wait(), 0);
  }
  ASSERT_EQ(other.code_of("stop"), "");
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("restore", {{"file", file}}), "") << "alone it does";
  EXPECT_EQ(machine.code_of("resume"), "");
}

TEST(Twins, NeedTheirOwnStates) {
  SimulatedHost host;
  const Json spec = host.macos_guest("mac", 9), stranger = host.macos_guest("stranger", 10);
  const std::string file = host / "state";
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_EQ(machine.code_of("pause"), "");
  ASSERT_EQ(machine.code_of("save", {{"file", file}}), "");
  MachineProcess other{host, stranger};
  ASSERT_TRUE(other.connect());
  EXPECT_EQ(other.code_of("restore", {{"file", file}}), "restore_failed") << "another identifier";
}

} // namespace
} // namespace berth::vz
