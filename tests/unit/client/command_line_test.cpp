// berth as a user types it, against a socket that says what the test wrote down.
#include "client/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/client/fake_daemon.hpp"

namespace berth::cli {
namespace {

using test::FakeDaemon;
using test::json_answer;
using test::problem_answer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string out, err;
};

Outcome run(const std::string& socket_path, std::vector<std::string> words) {
  words.insert(words.begin(), "berth");
  words.insert(words.end(), {"--socket", socket_path});
  std::vector<const char*> arguments;
  for (const auto& each : words) arguments.push_back(each.c_str());
  std::ostringstream out, err;
  CommandLine command_line;
  const int code = command_line.run(static_cast<int>(arguments.size()), arguments.data(), out, err);
  return {code, out.str(), err.str()};
}

std::string vm_text(const std::string& name, const std::string& state) {
  return R"({"id":"id-of-)" + name + R"(","name":")" + name +
         R"(","guest":"linux","simulated":false,"cpu_count":2,"memory_bytes":1073741824,)" +
         R"("disk_bytes":0,"labels":{"tier":"test"},"revision":7,"status":{"state":")" + state +
         R"(","since":"2020-01-01T00:00:00.000Z","addresses":["192.168.64.12"]}})";
}

std::string changed(const std::string& name) { return R"({"changed":true,"vm":)" + vm_text(name, "running") + "}"; }

TEST(CommandLine, ListsVms) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[)" + vm_text("web", "running") + R"(],"next_cursor":null})")}};
  const auto outcome = run(daemon.socket_path(), {"ls", "-l", "tier=test"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("NAME  STATE    GUEST  CPUS  MEMORY  DISK  ADDRESSES      SINCE\n"
                                      "web   running  linux  2     1 GiB   -     192.168.64.12  "));
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms?label=tier%3Dtest&limit=1000 "));
}

TEST(CommandLine, JsonIsTheApisOwnAndExact) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[)" + vm_text("web", "running") + R"(],"next_cursor":null})")}};
  const auto outcome = run(daemon.socket_path(), {"-o", "json", "ls"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("{\n  \"items\": [\n    {\n      \"id\": \"id-of-web\","));
  EXPECT_THAT(outcome.out, HasSubstr("\"memory_bytes\": 1073741824"));
  EXPECT_THAT(outcome.out, HasSubstr("\"next_cursor\": null"));
}

TEST(CommandLine, QuietPrintsIds) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[)" + vm_text("web", "running") + R"(],"next_cursor":null})")}};
  EXPECT_EQ(run(daemon.socket_path(), {"ls", "-q"}).out, "id-of-web\n");
}

TEST(CommandLine, StartsSeveralAndGoesOnAfterARefusal) {
  FakeDaemon daemon{
      {problem_answer(404, R"({"code":"not_found","detail":"there is no VM a","status":404})"), json_answer(200, changed("b"))}};
  const auto outcome = run(daemon.socket_path(), {"start", "a", "b"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "started b\n");
  EXPECT_THAT(outcome.err, StartsWith("berth: there is no VM a [not_found]\n"));
  ASSERT_EQ(daemon.requests().size(), 2U);
  EXPECT_THAT(daemon.requests().at(1), StartsWith("POST /v1/vms/b/start "));
}

TEST(CommandLine, AVmMayBeNamedAsACommandIs) {
  FakeDaemon daemon{{json_answer(200, changed("events"))}};
  const auto outcome = run(daemon.socket_path(), {"start", "events"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(daemon.requests().at(0), StartsWith("POST /v1/vms/events/start "));
}

TEST(CommandLine, WithoutWaitingPrintsTheOperation) {
  FakeDaemon daemon{
      {json_answer(202, R"({"id":"op-1","kind":"stop","state":"running","vm":"x","subject":"web","progress":0,"step":""})")}};
  const auto outcome = run(daemon.socket_path(), {"stop", "web", "--no-wait", "--deadline", "2m"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "stopping web: operation op-1\n");
  EXPECT_THAT(daemon.requests().at(0), HasSubstr(R"({"mode":"request","deadline_ms":120000})"));
}

TEST(CommandLine, ChangesOnTheRevisionThatItHasSeen) {
  FakeDaemon daemon{{json_answer(200, vm_text("web", "stopped")), json_answer(200, changed("web"))}};
  const auto outcome = run(daemon.socket_path(), {"set", "web", "--memory", "2G", "--label", "a=b", "--remove-label", "tier"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(daemon.requests().at(1), StartsWith("PATCH /v1/vms/web "));
  EXPECT_THAT(daemon.requests().at(1), HasSubstr("If-Match: \"7\"\r\n"));
  EXPECT_THAT(daemon.requests().at(1), HasSubstr(R"({"memory_bytes":2147483648,"labels":{"a":"b"}})"));
}

TEST(CommandLine, CreateSendsExactSizes) {
  FakeDaemon daemon{{json_answer(201, vm_text("web", "stopped"))}};
  const auto outcome =
      run(daemon.socket_path(), {"create", "web", "--cpus", "2", "--memory", "1.5G", "--disk", "10G", "--label", "a=b", "--efi"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "created web\n");
  EXPECT_THAT(
      daemon.requests().at(0),
      HasSubstr(R"("cpu_count":2,"memory_bytes":1610612736,"disk_bytes":10737418240,"boot":{"kind":"efi"},"labels":{"a":"b"}})"));
}

TEST(CommandLine, CreateGivesDevices) {
  FakeDaemon daemon{{json_answer(201, vm_text("web", "stopped")), json_answer(201, vm_text("web", "stopped"))}};
  auto outcome = run(daemon.socket_path(), {"create", "--rosetta", "web", "--share", "src=/", "--share", "etc=/etc:ro", "--sound",
                                            "--network", "bridged:en0", "--disk-caching", "uncached", "--disk-sync", "fsync"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(
      daemon.requests().at(0),
      HasSubstr(R"("network":{"mode":"bridged","interface":"en0"},"disk":{"caching":"uncached","synchronization":"fsync"},)"
                R"("shares":[{"tag":"src","path":"/","read_only":false},{"tag":"etc","path":"/etc","read_only":true}],)"
                R"("rosetta":{"tag":"rosetta"},"sound":true)"));
  outcome = run(daemon.socket_path(), {"create", "web", "--rosetta=intel"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(daemon.requests().at(1), HasSubstr(R"("rosetta":{"tag":"intel"})"));
}

TEST(CommandLine, CreateInstallsMacos) {
  const std::string id(64, 'a');
  FakeDaemon daemon{
      {json_answer(200, R"({"items":[{"id":")" + id + R"(","kind":"restore","name":"macOS 15"}],"next_cursor":null})"),
       json_answer(201, vm_text("mac", "stopped"))}};
  const auto outcome =
      run(daemon.socket_path(), {"create", "mac", "--guest", "macos", "--restore-image", "macOS 15", "--display", "1920x1080"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(daemon.requests().at(1), HasSubstr(R"("restore_image":")" + id + R"(","display":{"width":1920,"height":1080})"));
  for (const char* wrong : {"1920", "1920x", "x1080", "0x1080", "1920x1080x", "a x b"})
    EXPECT_EQ(run(daemon.socket_path(), {"create", "mac", "--display", wrong}).code, 2) << wrong;
}

TEST(CommandLine, WrongDevicesAreRefusedHere) {
  FakeDaemon daemon{{}};
  for (const auto& words : {std::vector<std::string>{"--share", "/srv"},
                            {"--share", "=/srv"},
                            {"--share", "t="},
                            {"--share", "t=:ro"},
                            {"--share", std::string(36, 't') + "=/srv"},
                            {"--network", "bridged:"},
                            {"--network", "bridge"},
                            {"--disk-caching", "often"},
                            {"--disk-sync", "later"}}) {
    std::vector<std::string> all{"create", "web"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(run(daemon.socket_path(), all).code, 2) << words.at(1);
  }
  EXPECT_TRUE(daemon.requests().empty());
}

TEST(CommandLine, SetChangesDevicesAndLeavesTheOthers) {
  std::string vm = vm_text("web", "stopped");
  vm.insert(vm.size() - 1, R"(,"shares":[{"tag":"a","path":"/a","read_only":true},{"tag":"b","path":"/b","read_only":true},)"
                           R"({"tag":"c","path":"/c","read_only":false}])");
  FakeDaemon daemon{{json_answer(200, vm), json_answer(200, changed("web"))}};
  const auto outcome = run(daemon.socket_path(), {"set", "web", "--share", "b=/etc", "--remove-share", "a", "--no-sound",
                                                  "--no-rosetta", "--network", "nat", "--disk-sync", "full"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(daemon.requests().at(1),
              HasSubstr(R"({"network":{"mode":"nat"},"disk":{"synchronization":"full"},)"
                        R"("shares":[{"tag":"c","path":"/c","read_only":false},{"tag":"b","path":"/etc","read_only":false}],)"
                        R"("rosetta":null,"sound":false})"));
}

TEST(CommandLine, HelpTellsHowDevicesAreGiven) {
  FakeDaemon daemon{{}};
  for (const char* command : {"create", "set"}) {
    const auto outcome = run(daemon.socket_path(), {command, "--help"});
    EXPECT_EQ(outcome.code, 0);
    for (const char* words :
         {"--share", "TAG=PATH:ro", "--rosetta", "--sound", "bridged:INTERFACE", "--disk-caching", "--disk-sync"})
      EXPECT_THAT(outcome.out, HasSubstr(words)) << command;
  }
}

TEST(CommandLine, AnImportSaysWhatStaysBehind) {
  std::string vm = vm_text("old", "stopped");
  vm.replace(vm.find("\"since\""), 0, R"("detail":"its snapshots are not taken over",)");
  FakeDaemon daemon{{json_answer(201, vm), json_answer(201, vm)}};
  const auto outcome = run(daemon.socket_path(), {"import", "/", "--name", "old", "--mid-policy", "keep_shared"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "imported old\n");
  EXPECT_EQ(outcome.err, "note: its snapshots are not taken over\n") << "beside what scripts read";
  EXPECT_THAT(daemon.requests().at(0), HasSubstr(R"({"path":"/","name":"old","mid_policy":"keep_shared"})"));
  EXPECT_EQ(run(daemon.socket_path(), {"import", "/", "-q"}).err, "");
}

TEST(CommandLine, RemovingByForceStopsFirst) {
  FakeDaemon daemon{{json_answer(200, changed("web")), json_answer(204, "")}};
  const auto outcome = run(daemon.socket_path(), {"rm", "-f", "web"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "deleted web\n");
  EXPECT_THAT(daemon.requests().at(0), HasSubstr(R"({"mode":"force"})"));
  EXPECT_THAT(daemon.requests().at(1), StartsWith("DELETE /v1/vms/web "));
}

TEST(CommandLine, IpPrintsNothingButAddresses) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[{"ip":"192.168.64.12"},{"ip":"fe80::1"}],"reason":null,"visible":true})")}};
  const auto outcome = run(daemon.socket_path(), {"ip", "web", "--wait", "30"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "192.168.64.12\nfe80::1\n");
  EXPECT_THAT(daemon.requests().at(0), StartsWith("GET /v1/vms/web/addresses?wait=30 "));
}

TEST(CommandLine, IpWithoutAnAddressSaysWhyAndFails) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[],"reason":"no lease yet","visible":true})")}};
  const auto outcome = run(daemon.socket_path(), {"ip", "web", "--wait", "1"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("no lease yet"));
}

TEST(CommandLine, LogsAreReadPieceByPieceAndTheirTailIsCut) {
  FakeDaemon daemon{{json_answer(200, "one\ntwo\nthr", "Berth-Offset: 0\r\nBerth-Next-Offset: 11\r\n"),
                     json_answer(200, "ee\nfour\n", "Berth-Offset: 11\r\nBerth-Next-Offset: 19\r\n"),
                     json_answer(200, "", "Berth-Offset: 19\r\nBerth-Next-Offset: 19\r\n")}};
  const auto outcome = run(daemon.socket_path(), {"logs", "web", "--tail", "2"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "three\nfour\n");
  EXPECT_THAT(daemon.requests().at(1), StartsWith("GET /v1/vms/web/console/log?offset=11&limit=1048576 "));
}

TEST(CommandLine, ImagesWithoutASubcommandAreListed) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[],"next_cursor":null})")}};
  const auto outcome = run(daemon.socket_path(), {"images"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "ID  KIND  SIZE  NAME  AGE\n");
}

TEST(CommandLine, PullAsksForAUrlOrTheLatestImageAndShowsItsProgress) {
  const std::string running = R"({"id":"o1","kind":"import_image","state":"running","vm":null,"subject":"a.ipsw","progress":0.5,)"
                              R"("step":"downloading: 1.0 GB of 2.0 GB, 50.0 MB/s","position":null,"blocked_by":[],"error":null,)"
                              R"("requestor":{"uid":0},"result":null,"revision":1,"created_at":"2026-01-01T00:00:00.000Z",)"
                              R"("started_at":null,"finished_at":null})";
  std::string done = running;
  done.replace(done.find("running"), 7, "succeeded");
  done.replace(done.find("\"result\":null"), 13, "\"result\":\"abc\"");
  const std::string image = R"({"id":"0123456789abcdef","name":"a.ipsw","kind":"restore"})";
  FakeDaemon daemon{{json_answer(202, running), json_answer(200, running), json_answer(200, done), json_answer(200, image),
                     json_answer(201, image)}};
  const auto pulled =
      run(daemon.socket_path(), {"images", "pull", "https://host/a.ipsw", "--sha256", std::string(64, 'A'), "--name", "mine"});
  EXPECT_EQ(pulled.code, 0) << pulled.err;
  EXPECT_THAT(pulled.err, HasSubstr("downloading: 1.0 GB of 2.0 GB, 50.0 MB/s"));
  EXPECT_THAT(pulled.out + pulled.err, HasSubstr("a.ipsw as 0123456789ab"));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr(R"({"url":"https://host/a.ipsw","kind":"restore","name":"mine","sha256":")" +
                                                 std::string(64, 'a') + "\"}"));
  EXPECT_EQ(run(daemon.socket_path(), {"images", "pull", "latest"}).code, 0);
  EXPECT_THAT(daemon.requests().at(4), HasSubstr(R"({"latest":true,"kind":"restore"})"));
}

TEST(CommandLine, AWrongCommandLineIsTwo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"nonsense"},
                                             {"start"},
                                             {"create", "web", "--memory", "lots"},
                                             {"ls", "-o", "xml"},
                                             {"create", "web", "--label", "x"},
                                             {"snapshot"},
                                             {"images", "pull"},
                                             {"images", "pull", "/a/file"},
                                             {"images", "pull", "file:///a/file"},
                                             {"stop", "web", "--force", "--deadline", "3"},
                                             {"console", "web", "--escape", "?"},
                                             {"set", "web", "--timeout", "soon"}}) {
    const auto outcome = run("/nonexistent/berthd.sock", words);
    EXPECT_EQ(outcome.code, 2) << words.front();
    EXPECT_FALSE(outcome.err.empty());
  }
}

TEST(CommandLine, AWrongWordIsNamed) {
  const auto error_of = [](std::vector<std::string> words) { return run("/nonexistent/berthd.sock", std::move(words)).err; };
  EXPECT_EQ(error_of({"frob"}), "berth: there is no command 'frob'\n  hint: berth --help\n");
  EXPECT_EQ(error_of({"--frob"}), "berth: there is no option --frob\n  hint: berth --help\n");
  EXPECT_EQ(error_of({"create", "x", "--frob", "12"}), "berth: there is no option --frob\n  hint: berth create --help\n");
  EXPECT_EQ(error_of({"mid", "frob"}), "berth: 'frob' is too much here\n  hint: berth mid --help\n");
  EXPECT_EQ(error_of({}), "berth: a subcommand is required\n  hint: berth --help\n");
  EXPECT_EQ(error_of({"start"}), "berth: vms is required\n  hint: berth start --help\n");
}

TEST(CommandLine, AnAddressThatNobodySeesIsNotWaitedFor) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[],"reason":"user networking is not visible","visible":false})")}};
  const auto outcome = run(daemon.socket_path(), {"ip", "web", "--wait", "5"});
  EXPECT_EQ(outcome.code, 1) << "waiting longer would not help";
  EXPECT_EQ(outcome.err, "berth: no address of web is known: user networking is not visible\n");
}

TEST(CommandLine, HelpMayBeAskedForAsACommand) {
  const auto all = run("/nonexistent/berthd.sock", {"help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("Exit codes:"));
  const auto one = run("/nonexistent/berthd.sock", {"help", "mid", "new"});
  EXPECT_EQ(one.code, 0);
  EXPECT_THAT(one.out, HasSubstr("Usage: berth mid new"));
}

TEST(CommandLine, OutputThatIsLostIsNoSuccess) {
  FakeDaemon daemon{{json_answer(200, R"({"items":[],"next_cursor":null})")}};
  const std::string socket_path = daemon.socket_path();
  std::ofstream out{"/dev/full"};
  if (!out) GTEST_SKIP() << "this host has no /dev/full";
  std::ostringstream err;
  const std::vector<const char*> arguments{"berth", "--socket", socket_path.c_str(), "ls"};
  CommandLine command_line;
  EXPECT_EQ(command_line.run(static_cast<int>(arguments.size()), arguments.data(), out, err), 7);
  EXPECT_EQ(err.str(), "berth: the output could not be written\n");
}

TEST(CommandLine, ARunningVmIsNotDeletedAndTheWaysAreNamed) {
  FakeDaemon daemon{{problem_answer(
      409, R"({"code":"state_conflict","detail":"web is running","status":409,"state":"running","allowed_actions":["pause"]})")}};
  const auto outcome = run(daemon.socket_path(), {"rm", "web"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "berth: web is running [state_conflict]\n"
                         "  hint: shut it down first: berth stop web\n"
                         "  hint: or end it as if the plug were pulled, and delete it: berth rm -f web\n");
}

TEST(CommandLine, LeasesNameTheirVms) {
  const std::string lease = R"({"vm":"id-of-web","mac_address":"02:00:00:00:00:01","ip":"192.168.64.12","hostname":null,)"
                            R"("source":"dnsmasq_lease","expires_at":null})";
  const std::string page = R"({"items":[)" + lease + R"(],"next_cursor":null})";
  FakeDaemon daemon{
      {json_answer(200, page), json_answer(200, R"({"items":[)" + vm_text("web", "running") + R"(],"next_cursor":null})")}};
  const auto outcome = run(daemon.socket_path(), {"leases"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("  web  "));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("id-of-web")));
  FakeDaemon again{{json_answer(200, page)}};
  EXPECT_THAT(run(again.socket_path(), {"leases", "-o", "json"}).out, HasSubstr("\"vm\": \"id-of-web\""))
      << "JSON is the API's own";
}

TEST(CommandLine, NoDaemonIsThree) {
  const auto outcome = run("/nonexistent/berthd.sock", {"ls"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("there is no socket at /nonexistent/berthd.sock"));
}

TEST(CommandLine, VersionNeedsNoDaemon) {
  const auto outcome = run("/nonexistent/berthd.sock", {"version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("not reachable"));
}

TEST(CommandLine, HelpNamesTheExitCodes) {
  const auto outcome = run("/nonexistent/berthd.sock", {"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("Exit codes:"));
}

TEST(CommandLine, NamesForCompletionNeverComplain) {
  const auto outcome = run("/nonexistent/berthd.sock", {"__names", "vms"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

} // namespace
} // namespace berth::cli
