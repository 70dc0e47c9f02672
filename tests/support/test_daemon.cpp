// The composition of main.cpp with the fake driver in it.
#include "tests/support/test_daemon.hpp"

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "api/api.hpp"
#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/service/farewell.hpp"
#include "daemon/service/harbour.hpp"
#include "tests/support/fake_driver.hpp"

namespace berth::test {

namespace {

std::array<std::uint8_t, 16> random_bytes() {
  std::array<std::uint8_t, 16> bytes{};
  if (::getentropy(bytes.data(), bytes.size()) != 0) throw std::runtime_error{"getentropy"};
  return bytes;
}

} // namespace

struct TestDaemon::Running {
  AsioEventLoop loop{2};
  std::unique_ptr<Harbour> harbour;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<api::Server> server;
  std::unique_ptr<TaskGroup> shutdown;
  std::thread thread;
};

TestDaemon::TestDaemon(TestDaemonOptions options) : options_(std::move(options)), socket_(directory_ / "s/berth.sock") {
  start();
}

TestDaemon::~TestDaemon() {
  if (running_) end(true);
  for (const auto& violation : host_->violations()) ADD_FAILURE() << "the law was broken: " << violation;
}

const Contract& TestDaemon::contract() const {
  static const Contract contract = [] {
    auto loaded = Contract::load(BERTH_SOURCE_DIR "/openapi.yaml");
    if (!loaded) throw std::runtime_error{loaded.error().detail};
    return std::move(*loaded);
  }();
  return contract;
}

ApiClient TestDaemon::client() const { return ApiClient{socket_, contract()}; }

void TestDaemon::start() {
  running_ = std::make_unique<Running>();
  HarbourOptions options;
  options.state_dir = state_dir();
  options.lock_dir = directory_ / "locks";
  options.quota_limit = options_.quota;
  options.network.is_nat_wanted = false;
  options.store.vfs = options_.vfs;
  // Short, so that a test sees the end of patience.
  options.downloads = {.limits = {.connect = Duration{5000}, .stall = Duration{1000}, .sync_every = 100'000},
                       .at_once = 2,
                       .most_retries = 3,
                       .first_pause = Duration{10}};
  options.store.keep_events = options_.keep_events;
  options.store.load_events = options_.events_in_memory;
  options.events_in_memory = options_.events_in_memory;
  std::vector<std::unique_ptr<MachineDriver>> drivers;
  drivers.push_back(std::make_unique<FakeDriver>(running_->loop, host_));
  const Log log = [](LogLevel level, const std::string& line) {
    if (level == LogLevel::kError) ADD_FAILURE() << "the daemon logged an error: " << line;
  };
  auto harbour = Harbour::open(running_->loop, std::move(options), std::move(drivers), random_bytes, log);
  if (!harbour) throw std::runtime_error{harbour.error().detail};
  running_->harbour = std::move(*harbour);
  running_->api = std::make_unique<api::Api>(*running_->harbour);
  api::ServerOptions server;
  (options_.caller_is_reader ? server.roles.reader_uids : server.roles.operator_uids) = {static_cast<std::uint32_t>(::geteuid())};
  server.limits.connections = options_.connections;
  server.limits.connections_per_uid = options_.connections;
  server.limits.streams_per_uid = options_.streams;
  running_->server = std::make_unique<api::Server>(running_->loop, api::make_router(*running_->api), std::move(server));
  running_->api->server = running_->server.get();
  if (auto listening = running_->server->listen_unix(socket_.string()); !listening)
    throw std::runtime_error{listening.error().detail};
  running_->shutdown =
      std::make_unique<TaskGroup>([](const std::string& name, std::exception_ptr) { ADD_FAILURE() << "bug in " << name; });
  running_->harbour->start();
  running_->thread = std::thread([loop = &running_->loop] { loop->run(); });
}

namespace {

Task<void> stop_politely(AsioEventLoop& loop, Harbour& harbour, api::Server& server, GuestsAtEnd guests) {
  harbour.context().is_stopping = true;
  co_await server.stop(Duration{2000});
  co_await part_with_guests(harbour, guests, Duration{4000});
  co_await harbour.stop(Duration{5000});
  loop.stop();
}

} // namespace

void TestDaemon::end(bool is_polite) {
  Running& running = *running_;
  if (is_polite)
    running.loop.post([&running, guests = options_.guests] {
      running.shutdown->spawn("shutdown", stop_politely(running.loop, *running.harbour, *running.server, guests));
    });
  else
    running.loop.stop();
  running.thread.join();
  host_->daemon_dies();
  running.server.reset();
  running.api.reset();
  running.harbour.reset();
  running_.reset();
}

void TestDaemon::restart() {
  end(true);
  start();
}

void TestDaemon::kill() { end(false); }

void TestDaemon::on_core(std::function<void(Harbour&)> work) {
  std::promise<void> done;
  running_->loop.post([&] {
    work(*running_->harbour);
    done.set_value();
  });
  done.get_future().wait();
}

std::vector<std::string> TestDaemon::routes() {
  std::vector<std::string> routes;
  for (const auto& route : running_->server->routes())
    routes.push_back(std::string(api::to_string(route.method)) + " " + route.pattern);
  return routes;
}

std::string import_kernel(ApiClient& client, TestDaemon& daemon) {
  const auto file = daemon.scratch() / "kernel";
  std::ofstream(file) << "not really a kernel";
  const auto imported = client.post("/v1/images", {{"path", std::filesystem::canonical(file).string()}, {"kind", "kernel"}},
                                    {{"Prefer", "wait=10"}});
  EXPECT_EQ(imported.status, 201) << imported.body;
  return imported.json().value("id", "");
}

nlohmann::json make_vm(ApiClient& client, TestDaemon& daemon, const std::string& name) {
  const auto made = client.post("/v1/vms",
                                {{"name", name},
                                 {"guest", "linux"},
                                 {"cpu_count", 1},
                                 {"memory_bytes", 64 << 20},
                                 {"disk_bytes", 1 << 20},
                                 {"boot", {{"kind", "kernel"}, {"kernel", import_kernel(client, daemon)}}}},
                                {{"Prefer", "wait=10"}});
  EXPECT_EQ(made.status, 201) << made.body;
  return made.json();
}

nlohmann::json make_macos_vm(ApiClient& client, const std::string& name) {
  const auto made = client.post(
      "/v1/vms",
      {{"name", name}, {"guest", "macos"}, {"cpu_count", 2}, {"memory_bytes", 64 << 20}, {"boot", {{"kind", "macos"}}}},
      {{"Prefer", "wait=10"}});
  EXPECT_EQ(made.status, 201) << made.body;
  return made.json();
}

nlohmann::json wait_for_state(ApiClient& client, const std::string& vm, const std::string& state) {
  auto events = client.events("/v1/events?type=vm.");
  if (!events) {
    ADD_FAILURE() << events.error().detail;
    return {};
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    auto document = client.get("/v1/vms/" + vm).json();
    if (document["status"]["state"] == state) return document;
    const auto left = std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
    if (left <= Duration{0} || !events->next(left)) {
      ADD_FAILURE() << vm << " is " << document["status"] << ", not " << state;
      return document;
    }
  }
}

} // namespace berth::test
