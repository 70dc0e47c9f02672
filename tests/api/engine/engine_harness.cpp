// Sockets and threads of the engine's tests.
#include "tests/api/engine/engine_harness.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/problem.hpp"

namespace berth::api::test {

namespace {

constexpr int kPatience = 10'000; // milliseconds

std::string lowered(std::string_view text) {
  std::string lower{text};
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

Task<Response> echo_later(Request request) {
  co_return Response::json(200, JsonWriter{}.begin_object().field("body", request.body).end_object().take());
}

Task<Response> throw_later(Request) {
  throw std::runtime_error("as tests want");
  co_return Response::no_content();
}

} // namespace

std::string Answer::field(std::string_view name) const {
  const std::string wanted = "\r\n" + lowered(name) + ": ";
  const std::string low = lowered(head);
  const std::size_t at = low.find(wanted);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + wanted.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::string Answer::code() const {
  const auto value = parse_json(body);
  const JsonValue* code = value ? value->find("code") : nullptr;
  return code != nullptr && std::holds_alternative<std::string>(code->value) ? std::get<std::string>(code->value) : "";
}

Client::Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd_.reset();
}

Client::Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd_.reset();
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool Client::receive() {
  pollfd poll{fd_.get(), POLLIN, 0};
  if (::poll(&poll, 1, kPatience) != 1) {
    ADD_FAILURE() << "nothing came for ten seconds";
    return false;
  }
  char bytes[65'536];
  const ssize_t count = ::recv(fd_.get(), bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

std::string Client::read_until(std::string_view end) {
  std::size_t at;
  while ((at = buffer_.find(end)) == std::string::npos)
    if (!receive()) return std::exchange(buffer_, {});
  std::string text = buffer_.substr(0, at + end.size());
  buffer_.erase(0, at + end.size());
  return text;
}

std::string Client::read_bytes(std::size_t size) {
  while (buffer_.size() < size && receive()) {
  }
  std::string text = buffer_.substr(0, size);
  buffer_.erase(0, text.size());
  return text;
}

Answer Client::read_answer(bool has_body) {
  Answer answer;
  answer.head = read_until("\r\n\r\n");
  if (!answer.head.ends_with("\r\n\r\n") || !answer.head.starts_with("HTTP/1.1 ")) return answer;
  answer.status = std::atoi(answer.head.c_str() + 9);
  const std::string length = answer.field("Content-Length");
  if (has_body && !length.empty()) answer.body = read_bytes(static_cast<std::size_t>(std::atoll(length.c_str())));
  return answer;
}

std::string Client::read_to_end() {
  while (receive()) {
  }
  return std::exchange(buffer_, {});
}

bool Client::is_ended() { return buffer_.empty() && !receive(); }

void Client::finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }

std::string make_folder() {
  char name[] = "/tmp/berth-engine-XXXXXX";
  EXPECT_NE(::mkdtemp(name), nullptr);
  return name;
}

Harness::Harness(Router router, ServerOptions options, bool as_operator)
    : folder_(make_folder()), path_(folder_ + "/run/api.sock"), loop_(1) {
  if (as_operator) options.roles.operator_uids.push_back(::geteuid());
  server_ = std::make_unique<Server>(loop_, std::move(router), std::move(options));
  const auto listening = server_->listen_unix(path_);
  EXPECT_TRUE(listening.has_value()) << (listening ? "" : listening.error().detail);
  tasks_ = std::make_unique<TaskGroup>([](const std::string& name, std::exception_ptr) { ADD_FAILURE() << name << " threw"; });
  thread_ = std::thread([this] { loop_.run(); });
}

Harness::~Harness() {
  on_loop([this] {
    tasks_.reset();
    server_.reset();
  });
  loop_.stop();
  thread_.join();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Harness::on_loop(std::function<void()> work) {
  std::promise<void> done;
  loop_.post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

ServerStats Harness::stats() {
  ServerStats stats;
  on_loop([&] { stats = server_->stats(); });
  return stats;
}

bool Harness::wait_until(const std::function<bool(const ServerStats&)>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
  while (std::chrono::steady_clock::now() < end) {
    bool is_now = false;
    // On the loop's thread: what handlers have noted belongs to it.
    on_loop([&] { is_now = is_so(server_->stats()); });
    if (is_now) return true;
    std::this_thread::yield();
  }
  return false;
}

namespace {
Task<void> stop_and_tell(Server& server, Duration grace, std::shared_ptr<std::promise<void>> done) {
  co_await server.stop(grace);
  done->set_value();
}
} // namespace

std::future<void> Harness::stop(Duration grace) {
  auto done = std::make_shared<std::promise<void>>();
  loop_.post([this, grace, done] { tasks_->spawn("stop", stop_and_tell(*server_, grace, done)); });
  return done->get_future();
}

std::string get(std::string_view target, std::string_view fields) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{fields} + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view fields) {
  return "POST " + std::string{target} + " HTTP/1.1\r\nHost: localhost\r\n" + std::string{fields} +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

Router sample_router(AsioEventLoop*) {
  Router router;
  const auto plain = prepare(200, "application/json", R"({"plain":true})", "\"7\"");
  router.add(Method::kGet, "/plain", Access::kReader, [plain](const Request&) { return Response::from(plain); });
  router.add(Method::kGet, "/echo/{name}", Access::kReader, [](const Request& request) {
    return Response::json(200, JsonWriter{}
                                   .begin_object()
                                   .field("name", request.parameter("name"))
                                   .field("request_id", request.request_id)
                                   .end_object()
                                   .take());
  });
  router.add(Method::kPost, "/echo", Access::kOperator, [](const Request& request) {
    return Response::json(200, JsonWriter{}.begin_object().field("body", request.body).end_object().take());
  });
  router.add_async(Method::kPost, "/later", Access::kOperator, [](Request request) { return echo_later(std::move(request)); });
  router.add_async(Method::kGet, "/throw-later", Access::kReader,
                   [](Request request) { return throw_later(std::move(request)); });
  router.add(Method::kGet, "/throw", Access::kReader,
             [](const Request&) -> Response { throw std::runtime_error("as tests want"); });
  router.add(Method::kGet, "/reader", Access::kReader, [](const Request&) { return Response::no_content(); });
  router.add(Method::kPost, "/operator", Access::kOperator, [](const Request&) { return Response::no_content(); });
  router.add(Method::kGet, "/anyone", Access::kAnyone, [](const Request&) { return Response::no_content(); });
  router.add(Method::kDelete, "/anyone", Access::kAnyone, [](const Request&) { return Response::no_content(); });
  const auto big = prepare(200, "application/octet-stream", std::string(16 * 1024 * 1024, 'b'));
  router.add(Method::kGet, "/big", Access::kReader, [big](const Request&) { return Response::from(big); });
  return router;
}

} // namespace berth::api::test
