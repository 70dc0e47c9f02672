// The network nat of the real daemon, in a network namespace of the test's own: bridge, DHCP, addresses, and their end.
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guests/daemon/law.hpp"

namespace berth::test {
namespace {

bool bring_loopback_up() {
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return socket && ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

// A process that keeps the namespace while daemons come and go.
class NetworkNamespace {
public:
  NetworkNamespace() {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::unshare(CLONE_NEWNET) != 0 || !bring_loopback_up()) ::_exit(1);
      if (::write(ready[1], "r", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    const bool is_ready = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    if (is_ready) fd_ = UniqueFd{::open(("/proc/" + std::to_string(pid_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC)};
  }
  ~NetworkNamespace() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  bool exists() const { return static_cast<bool>(fd_); }
  bool join() const { return ::setns(fd_.get(), CLONE_NEWNET) == 0; }
  bool has_interface(const std::string& name) const {
    return read_text("/proc/" + std::to_string(pid_) + "/net/dev").find(name + ":") != std::string::npos;
  }

private:
  pid_t pid_ = -1;
  UniqueFd fd_;
};

class Nat : public testing::Test {
protected:
  void SetUp() override {
    BERTH_NEEDS_GUEST();
    if (::geteuid() != 0) GTEST_SKIP() << "a network namespace needs root";
    if (::access("/usr/sbin/dnsmasq", X_OK) != 0) GTEST_SKIP() << "dnsmasq is not installed";
    if (!network_.exists()) GTEST_SKIP() << "this host allows no network namespace";
    harbour_.settings.options = {"--accelerator", "tcg"};
    harbour_.settings.prepare = [this] { return network_.join(); };
    ASSERT_TRUE(harbour_.start());
  }

  std::vector<pid_t> dnsmasqs() const { return processes_of(harbour_.settings.state_dir, "dnsmasq"); }

  static std::string address_of(ApiClient& api, const std::string& vm, int seconds = 30) {
    const auto answer = api.get("/v1/vms/" + vm + "/addresses?wait=" + std::to_string(seconds));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto items = answer.json()["items"];
    return items.empty() ? answer.body : items[0]["ip"].get<std::string>();
  }

  NetworkNamespace network_;
  TestHarbour harbour_;
};

TEST_F(Nat, GivesAddressesAndGoesAway) {
  auto api = harbour_.client();
  EXPECT_FALSE(network_.has_interface("berth0")) << "brought up with the first guest";
  const auto vm = make_vm(api, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200) << harbour_.log();
  EXPECT_TRUE(network_.has_interface("berth0")) << harbour_.log();
  ASSERT_EQ(dnsmasqs().size(), 1U);
  const auto dnsmasq = dnsmasqs()[0];

  api.set_timeout(Duration{60'000});
  const std::string address = address_of(api, "one");
  wait_for_console(api, "one", "berth-guest: address=" + address);
  bool has_lease = false;
  for (const auto& lease : list_all(api, "/v1/leases"))
    has_lease = has_lease || (lease["vm"] == vm["id"] && lease["ip"] == address);
  EXPECT_TRUE(has_lease) << list_all(api, "/v1/leases");
  EXPECT_TRUE(eventually([&] { return api.get("/v1/vms/one").json()["status"]["addresses"] == Json::array({address}); }));

  harbour_.kill_and_start();
  auto later = harbour_.client();
  expect_law(harbour_, later);
  EXPECT_EQ(address_of(later, "one"), address);
  EXPECT_EQ(dnsmasqs(), std::vector{dnsmasq}) << "adopted, not started again";
  EXPECT_TRUE(network_.has_interface("berth0"));

  harbour_.restart(); // a guest is there: the network stays for it
  auto again = harbour_.client();
  EXPECT_EQ(address_of(again, "one"), address);
  EXPECT_EQ(dnsmasqs(), std::vector{dnsmasq});

  EXPECT_TRUE(eventually([&] { return again.post("/v1/vms/one/stop", kForce, kWait).status == 200; }));
  const auto stopped = again.get("/v1/vms/one/addresses").json();
  EXPECT_TRUE(stopped["items"].empty()) << stopped;
  EXPECT_FALSE(stopped["reason"].is_null());
  EXPECT_EQ(again.get("/v1/vms/one").json()["status"]["addresses"], Json::array());
  for (const auto& lease : list_all(again, "/v1/leases")) EXPECT_NE(lease["vm"], vm["id"]) << lease;

  EXPECT_EQ(harbour_.daemon().terminate().exit_status(), 0);
  EXPECT_FALSE(network_.has_interface("berth0"));
  EXPECT_TRUE(eventually([&] { return dnsmasqs().empty(); }));
}

} // namespace
} // namespace berth::test
