// Every record through the store and back, once with all it may have and once with nothing optional.
#include "daemon/store/codec.hpp"

#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

VmRecord full_vm() {
  VmRecord vm = plain_vm(1);
  vm.name = "full";
  vm.guest = Guest::kMacos;
  vm.is_simulated = true;
  vm.cpu_count = 8;
  vm.memory_bytes = UINT64_MAX;
  vm.memory_target_bytes = 1;
  vm.disk_bytes = std::uint64_t{1} << 60;
  vm.display = DisplaySpec{3840, 2160};
  vm.disk_mode = {DiskCaching::kUncached, DiskSynchronization::kNone};
  vm.network = NetworkMode::kBridged;
  vm.bridge_interface = "en0";
  vm.shares = {{"src", "/srv/\"src\"", true}, {"ü", "/", false}};
  vm.rosetta_tag = "rosetta";
  vm.has_sound = true;
  vm.mac_address = *MacAddress::parse("2:0:0:0:0:ff");
  vm.machine_id = MachineIdKey{Ecid{0x9cde470a5dcf5a35}};
  vm.is_identity_verified = false;
  vm.boot = {BootKind::kKernel, std::string(64, 'a'), std::string(64, 'b'), "a \"b\" \\ \n ü"};
  vm.labels = {{"role", "build"}, {"", "empty key"}, {"empty", ""}, {"quote\"", "ü"}};
  vm.autostart = true;
  vm.autostart_priority = -7;
  vm.revision = UINT64_MAX;
  vm.created_at = moment(-1);
  vm.cloned_from = test::vm_number(5);
  vm.current_snapshot = SnapshotId{test::uuid_number(6)};
  vm.status = {VmState::kUnreachable,
               moment(3),
               "silent",
               "a sentence",
               test::operation_number(7),
               ProcessIdentity{4711, UINT64_MAX, "boot"}};
  return vm;
}

void check_same(const VmRecord& left, const VmRecord& right) {
  EXPECT_EQ(left.id, right.id);
  EXPECT_EQ(left.name, right.name);
  EXPECT_EQ(left.guest, right.guest);
  EXPECT_EQ(left.driver, right.driver);
  EXPECT_EQ(left.is_simulated, right.is_simulated);
  EXPECT_EQ(left.cpu_count, right.cpu_count);
  EXPECT_EQ(left.memory_bytes, right.memory_bytes);
  EXPECT_EQ(left.memory_target_bytes, right.memory_target_bytes);
  EXPECT_EQ(left.disk_bytes, right.disk_bytes);
  EXPECT_EQ(left.display, right.display);
  EXPECT_EQ(left.disk_mode, right.disk_mode);
  EXPECT_EQ(left.network, right.network);
  EXPECT_EQ(left.bridge_interface, right.bridge_interface);
  EXPECT_EQ(left.shares, right.shares);
  EXPECT_EQ(left.rosetta_tag, right.rosetta_tag);
  EXPECT_EQ(left.has_sound, right.has_sound);
  EXPECT_EQ(left.mac_address, right.mac_address);
  EXPECT_EQ(left.machine_id, right.machine_id);
  EXPECT_EQ(left.is_identity_verified, right.is_identity_verified);
  EXPECT_EQ(left.boot, right.boot);
  EXPECT_EQ(left.labels, right.labels);
  EXPECT_EQ(left.autostart, right.autostart);
  EXPECT_EQ(left.autostart_priority, right.autostart_priority);
  EXPECT_EQ(left.revision, right.revision);
  EXPECT_EQ(left.created_at, right.created_at);
  EXPECT_EQ(left.cloned_from, right.cloned_from);
  EXPECT_EQ(left.current_snapshot, right.current_snapshot);
  EXPECT_EQ(left.status.state, right.status.state);
  EXPECT_EQ(left.status.since, right.status.since);
  EXPECT_EQ(left.status.reason, right.status.reason);
  EXPECT_EQ(left.status.detail, right.status.detail);
  EXPECT_EQ(left.status.operation, right.status.operation);
  EXPECT_EQ(left.status.process, right.status.process);
}

OperationRecord full_operation() {
  OperationRecord record;
  record.id = test::operation_number(1);
  record.kind = OperationKind::kDeleteSnapshot;
  record.state = OperationState::kFailed;
  record.vm = test::vm_number(2);
  record.subject = "box";
  record.progress = 0.375;
  record.step = "copying";
  record.error = Error{ErrorCode::kMachineIdInUse, "held", "box"}.with("holders", {"a", "b"}).with("none", {});
  record.requestor_uid = UINT32_MAX;
  record.result = "result";
  record.parameters = "{\"deadline\":1}";
  record.revision = 9;
  record.created_at = moment(1);
  record.started_at = moment(2);
  record.finished_at = moment(3);
  return record;
}

void check_same(const OperationRecord& left, const OperationRecord& right) {
  EXPECT_EQ(left.id, right.id);
  EXPECT_EQ(left.kind, right.kind);
  EXPECT_EQ(left.state, right.state);
  EXPECT_EQ(left.vm, right.vm);
  EXPECT_EQ(left.subject, right.subject);
  EXPECT_EQ(left.progress, right.progress);
  EXPECT_EQ(left.step, right.step);
  EXPECT_EQ(left.requestor_uid, right.requestor_uid);
  EXPECT_EQ(left.result, right.result);
  EXPECT_EQ(left.parameters, right.parameters);
  EXPECT_EQ(left.revision, right.revision);
  EXPECT_EQ(left.created_at, right.created_at);
  EXPECT_EQ(left.started_at, right.started_at);
  EXPECT_EQ(left.finished_at, right.finished_at);
  ASSERT_EQ(left.error.has_value(), right.error.has_value());
  if (!left.error) return;
  EXPECT_EQ(left.error->code, right.error->code);
  EXPECT_EQ(left.error->detail, right.error->detail);
  EXPECT_EQ(left.error->subject, right.error->subject);
  ASSERT_EQ(left.error->context.size(), right.error->context.size());
  for (std::size_t i = 0; i < left.error->context.size(); ++i) {
    EXPECT_EQ(left.error->context[i].key, right.error->context[i].key);
    EXPECT_EQ(left.error->context[i].values, right.error->context[i].values);
  }
}

using StoreRoundTrip = StoreTest;

TEST_F(StoreRoundTrip, KeepsVms) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit({{full_vm(), plain_vm(2)}, {}}));
  const auto state = open();
  ASSERT_TRUE(state) << state.error().detail;
  ASSERT_EQ(state->vms.size(), 2U);
  check_same(state->vms[0], full_vm());
  check_same(state->vms[1], plain_vm(2));
}

// A record of before there were devices.
TEST(VmCodec, GivesOldRecordsWhatTheyHad) {
  for (const auto& [guest, caching] : {std::pair{"linux", DiskCaching::kCached}, std::pair{"macos", DiskCaching::kAutomatic}}) {
    const std::string old = std::string(R"({"id":"00000000-0000-4000-8000-000000000001","name":"old","guest":")") + guest +
                            R"(","driver":"vz","cpu_count":1,"memory_bytes":1,"disk_bytes":0,"network":"nat",)"
                            R"("mac_address":"02:00:00:00:00:01","machine_id":"ecid:0x1","boot":{"kind":"none"},"revision":1,)"
                            R"("created_at":0,"status":{"state":"stopped","since":0}})";
    const auto vm = codec::decode_vm(old);
    ASSERT_TRUE(vm) << vm.error().detail;
    EXPECT_EQ(vm->disk_mode, (DiskMode{caching, DiskSynchronization::kFull})) << guest;
    EXPECT_TRUE(vm->shares.empty());
    EXPECT_FALSE(vm->rosetta_tag);
    EXPECT_FALSE(vm->has_sound);
    EXPECT_EQ(vm->bridge_interface, "");
  }
}

TEST_F(StoreRoundTrip, KeepsOperations) {
  OperationRecord plain;
  plain.id = test::operation_number(2);
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit({{full_operation(), plain}, {}}));
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->operations.size(), 2U);
  check_same(state->operations[0], full_operation());
  check_same(state->operations[1], plain);
}

TEST_F(StoreRoundTrip, KeepsMachineIds) {
  MachineIdRecord full{MachineIdKey{Ecid{5}},
                       {0, 255, 128, 7},
                       MachineIdOrigin::kImported,
                       true,
                       "fleet 1",
                       "serial",
                       "hardware",
                       "provisioning",
                       4,
                       moment(9)};
  MachineIdRecord plain;
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit({{full, plain}, {}}));
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->machine_ids.size(), 2U);
  const auto& found = state->machine_ids[0].is_kept ? state->machine_ids[0] : state->machine_ids[1];
  const auto& other = state->machine_ids[0].is_kept ? state->machine_ids[1] : state->machine_ids[0];
  EXPECT_EQ(found.key, full.key);
  EXPECT_EQ(found.data, full.data);
  EXPECT_EQ(found.origin, full.origin);
  EXPECT_EQ(found.name + found.serial_number + found.hardware_uuid + found.provisioning_uuid,
            "fleet 1serialhardwareprovisioning");
  EXPECT_EQ(found.revision, 4U);
  EXPECT_EQ(found.created_at, moment(9));
  EXPECT_EQ(other.key, plain.key);
  EXPECT_TRUE(other.data.empty());
}

TEST_F(StoreRoundTrip, KeepsImagesSnapshotsAndIdempotencyKeys) {
  const ImageRecord image{std::string(64, 'e'),
                          ImageKind::kRestore,
                          UINT64_MAX,
                          "name",
                          "/a path",
                          "15.1",
                          "24B83",
                          {"VirtualMac2,1", "Mac14,2"},
                          moment(1)};
  const SnapshotRecord child{SnapshotId{test::uuid_number(2)},
                             test::vm_number(1),
                             "child",
                             SnapshotId{test::uuid_number(1)},
                             512,
                             true,
                             MachineIdKey{Ecid{5}},
                             moment(2)};
  const SnapshotRecord root{SnapshotId{test::uuid_number(1)},   test::vm_number(1), "", std::nullopt, 0, false,
                            MachineIdKey{test::uuid_number(3)}, moment(1)};
  const IdempotencyRecord key{1000, "key", "fingerprint", 202, "{\"body\":1}", "/v1/x", "application/json", moment(4)};
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit({{image, child, root, key}, {}}));
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->images.size(), 1U);
  EXPECT_EQ(state->images[0].id, image.id);
  EXPECT_EQ(state->images[0].kind, image.kind);
  EXPECT_EQ(state->images[0].size_bytes, image.size_bytes);
  EXPECT_EQ(state->images[0].name + state->images[0].origin, "name/a path");
  EXPECT_EQ(state->images[0].version + " " + state->images[0].build, "15.1 24B83");
  EXPECT_EQ(state->images[0].supported_models, image.supported_models);
  ASSERT_EQ(state->snapshots.size(), 2U);
  EXPECT_EQ(state->snapshots[0].parent, std::nullopt);
  EXPECT_EQ(state->snapshots[1].parent, root.id);
  EXPECT_TRUE(state->snapshots[1].has_saved_state);
  EXPECT_EQ(state->snapshots[1].machine_id, child.machine_id);
  EXPECT_EQ(state->snapshots[1].vm, child.vm);
  EXPECT_EQ(state->snapshots[1].disk_bytes, 512U);
  ASSERT_EQ(state->idempotency.size(), 1U);
  EXPECT_EQ(state->idempotency[0].uid, 1000U);
  EXPECT_EQ(state->idempotency[0].status, 202);
  EXPECT_EQ(state->idempotency[0].body, key.body);
  EXPECT_EQ(state->idempotency[0].fingerprint + state->idempotency[0].location + state->idempotency[0].content_type,
            "fingerprint/v1/xapplication/json");
}

TEST_F(StoreRoundTrip, KeepsEvents) {
  Event full = plain_event(1);
  full.name = "box";
  full.operation = test::operation_number(3);
  full.uid = 0;
  full.details = {{"to", "running"}, {"from", "stopped"}, {"to", "twice"}};
  ASSERT_TRUE(open());
  EXPECT_EQ(*commit({{}, {full, plain_event(2)}}), 1U);
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->recent_events.size(), 2U);
  const Event& found = state->recent_events[0];
  EXPECT_EQ(found.sequence, 1U);
  EXPECT_EQ(found.time, full.time);
  EXPECT_EQ(found.type + found.subject + found.name, full.type + full.subject + full.name);
  EXPECT_EQ(found.operation, full.operation);
  EXPECT_EQ(found.uid, 0U) << "root is somebody";
  EXPECT_EQ(found.details, full.details);
  EXPECT_EQ(state->recent_events[1].uid, std::nullopt);
  EXPECT_EQ(state->last_sequence, 2U);
}

TEST_F(StoreRoundTrip, ReplacesAndDeletes) {
  ASSERT_TRUE(open());
  VmRecord vm = plain_vm(1);
  ASSERT_TRUE(commit({{vm, plain_vm(2), ImageRecord{.id = "i"}, SnapshotRecord{}, OperationRecord{}, MachineIdRecord{},
                       IdempotencyRecord{.uid = 1, .key = "k"}},
                      {}}));
  vm.name = "renamed";
  ASSERT_TRUE(commit({{vm, DeleteVm{test::vm_number(2)}, DeleteImage{"i"}, DeleteSnapshot{}, DeleteOperation{}, DeleteMachineId{},
                       DeleteIdempotency{1, "k"}},
                      {}}));
  ASSERT_TRUE(commit({{DeleteVm{test::vm_number(77)}}, {}})) << "gone is gone";
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->vms.size(), 1U);
  EXPECT_EQ(state->vms[0].name, "renamed");
  EXPECT_TRUE(state->images.empty() && state->snapshots.empty() && state->operations.empty() && state->machine_ids.empty() &&
              state->idempotency.empty());
}

void check_unreadable(const Result<VmRecord>& read) {
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kStorageFailed);
}

TEST(Codec, RefusesWhatItDidNotWrite) {
  const std::string text = codec::encode(plain_vm(1));
  ASSERT_TRUE(codec::decode_vm(text));
  for (std::size_t size = 0; size < text.size(); ++size) check_unreadable(codec::decode_vm(text.substr(0, size)));
  for (const std::string_view other : {"null", "[]", "{}", "7", "\"x\""}) check_unreadable(codec::decode_vm(other));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    return changed.replace(changed.find(from), from.size(), to);
  };
  check_unreadable(codec::decode_vm(with("\"linux\"", "\"plan9\"")));
  check_unreadable(codec::decode_vm(with("\"linux\"", "7")));
  check_unreadable(codec::decode_vm(with("\"creating\"", "\"dreaming\"")));
  EXPECT_FALSE(codec::decode_operation("{}"));
  EXPECT_FALSE(codec::decode_machine_id("{}"));
  EXPECT_FALSE(codec::decode_image("{}"));
  EXPECT_FALSE(codec::decode_snapshot("{}"));
  EXPECT_FALSE(codec::decode_idempotency("{}"));
  EXPECT_FALSE(codec::decode_event("{}"));
}

// A name from a file system may be any bytes; the store keeps what it can and stays readable.
TEST(Codec, KeepsTextThatIsNotUtf8Readable) {
  VmRecord vm = plain_vm(1);
  vm.status.detail = "bad \xff byte";
  const auto found = codec::decode_vm(codec::encode(vm));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->status.detail.starts_with("bad "));
}

// As berth wrote them before it looked into restore images.
TEST(Codec, ReadsImagesWithoutAVersion) {
  const auto image = codec::decode_image(R"({"id":"e","kind":"restore","size_bytes":1,"name":"n","origin":"/o","created_at":1})");
  ASSERT_TRUE(image) << image.error().detail;
  EXPECT_EQ(image->version + image->build, "");
  EXPECT_TRUE(image->supported_models.empty());
}

} // namespace
} // namespace berth
