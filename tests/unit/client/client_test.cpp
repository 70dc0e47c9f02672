// Requests and answers of the library, against a socket that says what the test wrote down.
#include <berth/client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/fake_daemon.hpp"

namespace berth::client {
namespace {

using test::FakeDaemon;
using test::json_answer;
using test::problem_answer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kVm = R"({"id":"5f3a9c1e-7b2d-4e8f-9a0b-1c2d3e4f5061","name":"alpha","guest":"linux","driver":"qemu",
  "simulated":false,"cpu_count":2,"memory_bytes":536870912,"disk_bytes":0,"network":{"mode":"nat"},"mac_address":"52:54:00:2a:12:b6",
  "machine_id":"uuid:0b1c0e9e-6f0f-4f0e-8d6a-3a1b5c7d9e01","labels":{"tier":"test"},"revision":7,"created_at":"2026-11-20T17:56:15.004Z",
  "status":{"state":"running","since":"2026-11-20T18:00:01.250Z","reason":"started","detail":"","addresses":["192.168.64.12"],
  "operation":null,"pid":4711,"allowed_actions":["request_stop","pause"]}})";

std::string operation_text(std::string_view state, std::string_view more = {}) {
  return R"({"id":"op-1","kind":"start","state":")" + std::string{state} +
         R"(","vm":"5f3a","subject":"alpha","progress":0.5,"step":"booting")" + std::string{more} + "}";
}

Client client_of(const FakeDaemon& daemon) {
  return Client{ClientOptions{
      .socket_path = daemon.socket_path(), .connect_timeout = Milliseconds{5000}, .request_timeout = Milliseconds{5000}}};
}

TEST(Client, ReadsAVm) {
  FakeDaemon daemon{{json_answer(200, kVm, "ETag: \"7\"\r\n")}};
  auto vm = client_of(daemon).vm("alpha");
  ASSERT_TRUE(vm) << vm.error().message;
  EXPECT_EQ(vm->name, "alpha");
  EXPECT_EQ(vm->memory_bytes, 536870912U);
  EXPECT_EQ(vm->state, "running");
  EXPECT_EQ(vm->addresses, std::vector<std::string>{"192.168.64.12"});
  EXPECT_EQ(vm->labels.at("tier"), "test");
  EXPECT_FALSE(vm->operation);
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms/alpha HTTP/1.1\r\n"));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("Host: berth\r\n"));
}

TEST(Client, EncodesWhateverAUserCallsAVm) {
  FakeDaemon daemon{{json_answer(200, kVm)}};
  ASSERT_TRUE(client_of(daemon).vm("a?b c#%"));
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms/a%3Fb%20c%23%25 HTTP/1.1\r\n"));
}

TEST(Client, NamesThatNoPathCanCarryAreNotSent) {
  FakeDaemon daemon{{json_answer(200, kVm)}};
  for (const char* name : {"", ".", "..", "a/b", "../host", "/"}) {
    const auto vm = client_of(daemon).vm(name);
    ASSERT_FALSE(vm) << name;
    EXPECT_EQ(vm.error().kind, ErrorKind::kProblem) << name;
    EXPECT_EQ(vm.error().code, "not_found") << name;
  }
  ASSERT_FALSE(client_of(daemon).start("", {}));
  EXPECT_TRUE(daemon.requests().empty());
}

TEST(Client, GivesHeadersByAnyCase) {
  FakeDaemon daemon{{json_answer(200, "{}", "Berth-Next-Offset: 42\r\n")}};
  auto reply = client_of(daemon).request("GET", "/v1/vms/a/console/log");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header("berth-next-offset"), "42");
  EXPECT_EQ(reply->header("absent"), "");
}

TEST(Client, TurnsAProblemIntoAnErrorWithItsMembers) {
  FakeDaemon daemon{{problem_answer(409, R"({"type":"urn:berth:problem:machine_id_in_use","title":"In use","status":409,
    "code":"machine_id_in_use","detail":"held by alpha","subject":"beta","holders":[{"id":"5f3a","name":"alpha"}],"request_id":"r1"})")}};
  auto change = client_of(daemon).start("beta");
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().kind, ErrorKind::kProblem);
  EXPECT_EQ(change.error().status, 409);
  EXPECT_EQ(change.error().code, "machine_id_in_use");
  EXPECT_EQ(change.error().message, "held by alpha");
  ASSERT_EQ(change.error().holders.size(), 1U);
  EXPECT_EQ(change.error().holders[0].name, "alpha");
  EXPECT_EQ(change.error().socket_path, daemon.socket_path());
}

TEST(Client, AnErrorThatIsNoProblemDocumentIsAProtocolError) {
  FakeDaemon daemon{{json_answer(502, "<html>proxy</html>")}};
  auto reply = client_of(daemon).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kProtocol);
  EXPECT_EQ(reply.error().status, 502);
}

TEST(Client, AnAnswerCutOffIsAProtocolError) {
  FakeDaemon daemon{{{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":", .closes = true}}};
  auto reply = client_of(daemon).request("GET", "/v1/host");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, ErrorKind::kProtocol);
  EXPECT_THAT(reply.error().message, HasSubstr("cut"));
}

TEST(Client, KeepsItsConnection) {
  FakeDaemon daemon{{json_answer(200, kVm), json_answer(200, kVm)}};
  auto client = client_of(daemon);
  ASSERT_TRUE(client.vm("alpha"));
  ASSERT_TRUE(client.vm("alpha"));
  EXPECT_EQ(daemon.requests().size(), 2U);
}

TEST(Client, OpensAFreshConnectionWhenTheDaemonClosedTheOldOne) {
  auto first = json_answer(200, kVm);
  first.closes = true; // without saying "Connection: close"
  FakeDaemon daemon{{first, json_answer(200, kVm)}};
  auto client = client_of(daemon);
  ASSERT_TRUE(client.vm("alpha"));
  const auto again = client.vm("alpha");
  ASSERT_TRUE(again) << again.error().message;
}

TEST(Client, GathersAllPages) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[{"name":"a"},{"name":"b"}],"next_cursor":"x/1"})"),
                     json_answer(200, R"({"items":[{"name":"c"}],"next_cursor":null})")}};
  auto vms = client_of(daemon).list_vms("state=running");
  ASSERT_TRUE(vms) << vms.error().message;
  ASSERT_EQ(vms->size(), 3U);
  EXPECT_EQ(vms->at(2).name, "c");
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms?state=running&limit=1000 "));
  EXPECT_THAT(daemon.requests().at(1), StartsWith("GET /v1/vms?state=running&limit=1000&cursor=x%2F1 "));
}

TEST(Client, AChangeWithoutWaitGivesTheOperation) {
  FakeDaemon daemon{{json_answer(202, operation_text("running"))}};
  auto change = client_of(daemon).start("alpha");
  ASSERT_TRUE(change) << change.error().message;
  ASSERT_TRUE(change->operation);
  EXPECT_EQ(change->operation->id, "op-1");
  EXPECT_THAT(daemon.requests().at(0), Not(HasSubstr("Prefer:")));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("Idempotency-Key: berth-"));
}

TEST(Client, AChangeThatIsSoAlreadySaysSo) {
  FakeDaemon daemon{{json_answer(200, R"({"changed":false,"vm":)" + std::string{kVm} + "}")}};
  auto change = client_of(daemon).start("alpha", {}, {.at_most = kForever, .on_progress = {}});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_FALSE(change->changed);
  EXPECT_THAT(change->document, StartsWith(R"({"id":"5f3a9c1e)"));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("Prefer: wait=30\r\n"));
}

TEST(Client, AChangeIsWaitedForWithProgress) {
  FakeDaemon daemon{{json_answer(202, operation_text("running")), json_answer(200, operation_text("running")),
                     json_answer(200, operation_text("succeeded")), json_answer(200, kVm)}};
  std::vector<std::string> states;
  auto change = client_of(daemon).start(
      "alpha", {}, {.at_most = kForever, .on_progress = [&](const Operation& operation) { states.push_back(operation.state); }});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_FALSE(change->operation);
  EXPECT_THAT(change->document, HasSubstr("\"alpha\""));
  EXPECT_EQ(states, (std::vector<std::string>{"running", "succeeded"}));
  EXPECT_THAT(daemon.requests().at(1), StartsWith("GET /v1/operations/op-1?wait=1 "));
  EXPECT_THAT(daemon.requests().at(3), StartsWith("GET /v1/vms/5f3a "));
}

TEST(Client, AnOperationThatFailsIsItsProblem) {
  FakeDaemon daemon{
      {json_answer(202, operation_text("failed", R"(,"error":{"code":"machine_failed","detail":"qemu ended","status":502})"))}};
  auto change = client_of(daemon).start("alpha", {}, {.at_most = kForever, .on_progress = {}});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().kind, ErrorKind::kProblem);
  EXPECT_EQ(change.error().code, "machine_failed");
  EXPECT_EQ(change.error().operation, "op-1");
}

TEST(Client, AnInterruptedOperationIsAnErrorWithoutAProblemOfItsOwn) {
  FakeDaemon daemon{{json_answer(202, operation_text("interrupted"))}};
  auto change = client_of(daemon).start("alpha", {}, {.at_most = kForever, .on_progress = {}});
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, "interrupted");
}

TEST(Client, AWaitThatEndsTooEarlyNamesTheOperation) {
  FakeDaemon daemon{{json_answer(202, operation_text("running")), json_answer(200, operation_text("running"))}};
  auto client = client_of(daemon);
  // The first answer comes at once, and the limit is over before the second: no clock decides this test.
  auto change = client.start("alpha", {}, {.at_most = Milliseconds{1}, .on_progress = [](const Operation&) {}});
  ASSERT_FALSE(change);
  EXPECT_TRUE(change.error().kind == ErrorKind::kTimeout || change.error().kind == ErrorKind::kProtocol);
  EXPECT_EQ(change.error().operation, "op-1");
}

TEST(Client, ADeletionHasNoDocument) {
  FakeDaemon daemon{{json_answer(204, "")}};
  auto change = client_of(daemon).delete_vm("alpha", {.at_most = kForever, .on_progress = {}});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_TRUE(change->changed);
  EXPECT_EQ(change->document, "");
  EXPECT_THAT(daemon.requests().at(0), StartsWith("DELETE /v1/vms/alpha "));
}

TEST(Client, ASpecBecomesTheBodyOfTheContract) {
  FakeDaemon daemon{{json_answer(201, kVm)}};
  VmSpec spec;
  spec.name = "alpha";
  spec.cpu_count = 2;
  spec.memory_bytes = 536870912;
  spec.boot_kind = "kernel";
  spec.kernel = "k";
  spec.network_mode = "nat";
  spec.labels = {{"tier", "test"}};
  ASSERT_TRUE(client_of(daemon).create_vm(spec, {.at_most = kForever, .on_progress = {}}));
  EXPECT_THAT(
      daemon.requests().at(0),
      HasSubstr(R"({"name":"alpha","guest":"linux","cpu_count":2,"memory_bytes":536870912,"boot":{"kind":"kernel","kernel":"k"},)"
                R"("network":{"mode":"nat"},"labels":{"tier":"test"}})"));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("Content-Type: application/json\r\n"));
}

TEST(Client, AddressesComeWithTheReasonForNone) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[],"reason":"the VM is not running","visible":true})")}};
  auto report = client_of(daemon).addresses("alpha", std::chrono::seconds{1000});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->items.empty());
  EXPECT_EQ(report->reason, "the VM is not running");
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms/alpha/addresses?wait=300 "));
}

} // namespace
} // namespace berth::client
