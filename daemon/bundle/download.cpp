// One easy handle an attempt. What the server answers is judged at the end of its headers, before a byte is taken.
#include "daemon/bundle/download.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>

#include <curl/curl.h>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/late_library.hpp"
#include "daemon/bundle/partial_file.hpp"

namespace berth {

namespace {

constexpr long kMostRedirects = 5;
constexpr auto kReportEvery = std::chrono::milliseconds(500);
constexpr std::size_t kLongestHeader = 4096; // of those that are kept

struct Answer {
  int status = 0;
  std::optional<std::uint64_t> length;
  std::string etag, last_modified, range, encoding;
};

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return low;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

void take_header(Answer& answer, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (value.size() > kLongestHeader) return;
  if (name == "content-length") answer.length = number(value);
  if (name == "etag") answer.etag = value;
  if (name == "last-modified") answer.last_modified = value;
  if (name == "content-range") answer.range = value;
  if (name == "content-encoding") answer.encoding = lower(value);
}

// True for "bytes FIRST-LAST/TOTAL" that goes from `first` to the end of `total`.
bool is_rest(std::string_view range, std::uint64_t first, std::uint64_t total) {
  return lower(range) == "bytes " + std::to_string(first) + "-" + std::to_string(total - 1) + "/" + std::to_string(total);
}

bool is_passing(int status) { return status == 408 || status == 429 || status >= 500; }

bool is_passing(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_AGAIN:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
  }
}

// Once in a process, and for its whole life: curl_global_cleanup would need every thread to be gone.
bool is_curl_ready() {
  static const bool is_ready = late_curl().load() && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return is_ready;
}

using SetOption = decltype(&curl_easy_setopt);

SetOption option_setter() {
  static const auto real = reinterpret_cast<SetOption>(late_curl().find("curl_easy_setopt"));
  return real;
}

std::unexpected<Error> network(std::string detail) { return fail(ErrorCode::kNetworkUnavailable, std::move(detail)); }

} // namespace

struct Download::Impl {
  Impl(std::string address, std::filesystem::path path, DownloadLimits bounds)
      : url(std::move(address)), file(path, bounds.sync_every), limits(bounds) {}

  Result<void> attempt(const DownloadWatch& watch);
  Result<void> configure(CURL* handle, const DownloadWatch& watch);
  Result<void> judge();
  bool take_line(std::string_view line);
  bool take_bytes(std::span<const std::uint8_t> bytes);
  void report(const DownloadWatch& watch);
  // False, so that libcurl ends the transfer.
  bool refuse(Error error, bool is_passing_error = false) {
    refusal = std::move(error);
    is_retry_useful = is_passing_error;
    return false;
  }

  std::string url;
  PartialFile file;
  DownloadLimits limits;

  // Of one attempt.
  const DownloadWatch* watched = nullptr;
  Answer answer;
  std::uint64_t asked_from = 0;
  bool is_judged = false, is_retry_useful = false;
  std::optional<Error> refusal;
  std::array<char, CURL_ERROR_SIZE> message{};
  std::chrono::steady_clock::time_point reported;
  std::uint64_t reported_size = 0, speed = 0;
  std::uint64_t gained = 0;
};

// Decides what the body is for. Only for the last answer of a chain of redirects.
Result<void> Download::Impl::judge() {
  is_judged = true;
  if (asked_from > 0 &&
      (answer.status == 416 || (answer.status == 206 && !is_rest(answer.range, asked_from, file.remote().size)) ||
       (answer.status == 206 && !answer.etag.empty() && answer.etag != file.remote().etag))) {
    // The server has another file now, or cannot count: from the beginning, by the next attempt.
    if (auto forgotten = file.forget(); !forgotten) return forgotten;
    is_retry_useful = true;
    return network("the server could not go on where the download had ended");
  }
  if (asked_from > 0 && answer.status == 206) return {};
  if (answer.status != 200) {
    is_retry_useful = is_passing(answer.status);
    return network("the server answered with status " + std::to_string(answer.status));
  }
  if (!answer.encoding.empty() && answer.encoding != "identity")
    return network("the server sends the file in the coding " + answer.encoding + ", which was not asked for");
  if (!answer.length) return network("the server does not say how long the file is");
  return file.begin({*answer.length, answer.etag, answer.last_modified});
}

bool Download::Impl::take_line(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    answer = {};
    const auto space = line.find(' ');
    const auto status = space == std::string_view::npos ? std::nullopt : number(line.substr(space + 1, 3));
    answer.status = static_cast<int>(status.value_or(0));
    return true;
  }
  if (!trimmed(line).empty()) {
    if (!is_judged) take_header(answer, line);
    return true;
  }
  // The end of headers; interim answers and redirects come before the one that counts, and trailers after it.
  if (is_judged || answer.status < 200 || (answer.status >= 300 && answer.status < 400)) return true;
  if (auto judged = judge(); !judged) return refuse(judged.error(), is_retry_useful);
  return true;
}

bool Download::Impl::take_bytes(std::span<const std::uint8_t> bytes) {
  if (!is_judged) return true; // of a redirect
  if (bytes.size() > file.remote().size - file.size())
    return refuse({ErrorCode::kNetworkUnavailable, "the server sends more than it said"});
  if (auto appended = file.append(bytes); !appended) return refuse(appended.error());
  return true;
}

void Download::Impl::report(const DownloadWatch& watch) {
  const auto now = std::chrono::steady_clock::now();
  if (!watch.progress || now - reported < kReportEvery) return;
  const auto elapsed = std::chrono::duration<double>(now - reported).count();
  const auto rate = static_cast<double>(file.size() - std::min(reported_size, file.size())) / elapsed;
  speed =
      speed == 0 ? static_cast<std::uint64_t>(rate) : static_cast<std::uint64_t>(0.7 * static_cast<double>(speed) + 0.3 * rate);
  reported = now;
  reported_size = file.size();
  watch.progress({file.size(), file.remote().size, speed});
}

namespace {

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Download::Impl*>(self)->take_line({data, size * count}) ? size * count : 0;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(data), size * count);
  // libcurl takes a write of nothing for a success.
  return static_cast<Download::Impl*>(self)->take_bytes(bytes) ? size * count : CURL_WRITEFUNC_ERROR;
}

int on_time(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& download = *static_cast<Download::Impl*>(self);
  if (download.watched->is_stopped && download.watched->is_stopped()) {
    download.refuse({ErrorCode::kCancelled, "the download was stopped"});
    return 1;
  }
  download.report(*download.watched);
  return 0;
}

} // namespace

Result<void> Download::Impl::configure(CURL* handle, const DownloadWatch& watch) {
  watched = &watch;
  const auto set = [handle](CURLoption option, auto value) { return option_setter()(handle, option, value) == CURLE_OK; };
  const bool is_set =
      set(CURLOPT_URL, url.c_str()) && set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_PROTOCOLS_STR, "http,https") &&
      // What begins encrypted stays so.
      set(CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https") ? "https" : "http,https") && set(CURLOPT_FOLLOWLOCATION, 1L) &&
      set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && set(CURLOPT_MAXREDIRS, kMostRedirects) &&
      set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
      set(CURLOPT_USERAGENT, "berth") && set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count())) &&
      set(CURLOPT_LOW_SPEED_LIMIT, 1L) &&
      set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(limits.stall.count() / 1000))) &&
      set(CURLOPT_ERRORBUFFER, message.data()) && set(CURLOPT_HEADERFUNCTION, on_header) && set(CURLOPT_HEADERDATA, this) &&
      set(CURLOPT_WRITEFUNCTION, on_body) && set(CURLOPT_WRITEDATA, this) && set(CURLOPT_NOPROGRESS, 0L) &&
      set(CURLOPT_XFERINFOFUNCTION, on_time) && set(CURLOPT_XFERINFODATA, this) && set(CURLOPT_BUFFERSIZE, 512L * 1024);
  if (!is_set) return fail(ErrorCode::kInternal, "libcurl does not take the options of a download");
  return {};
}

Result<void> Download::Impl::attempt(const DownloadWatch& watch) {
  if (!is_curl_ready()) return fail(ErrorCode::kInternal, "libcurl cannot be loaded");
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) return fail(ErrorCode::kInternal, "libcurl has no handle for a download");
  if (auto configured = configure(handle.get(), watch); !configured) return configured;
  asked_from = file.can_go_on() ? file.size() : 0;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, curl_slist_free_all);
  const std::string range = std::to_string(asked_from) + "-";
  if (asked_from > 0) {
    headers.reset(curl_slist_append(nullptr, ("If-Range: " + file.remote().mark()).c_str()));
    option_setter()(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    option_setter()(handle.get(), CURLOPT_RANGE, range.c_str());
  }
  reported = std::chrono::steady_clock::now();
  reported_size = file.size();
  const CURLcode code = curl_easy_perform(handle.get());
  if (refusal) return std::unexpected(*refusal);
  if (code != CURLE_OK) {
    is_retry_useful = is_passing(code);
    return network(message[0] ? std::string(message.data()) : std::string(curl_easy_strerror(code)));
  }
  if (!is_judged) return network("the server redirects to nowhere");
  if (!file.is_whole()) {
    is_retry_useful = true;
    return network("the server sent less than it said");
  }
  return {};
}

Download::Download(std::string url, std::filesystem::path file, DownloadLimits limits)
    : impl_(std::make_unique<Impl>(std::move(url), std::move(file), limits)) {}
Download::~Download() = default;

Result<void> Download::fetch(const DownloadWatch& watch) {
  Impl& self = *impl_;
  self.answer = {};
  self.is_judged = self.is_retry_useful = false;
  self.refusal.reset();
  self.message[0] = '\0';
  self.gained = 0;
  if (!self.file.is_open())
    if (auto opened = self.file.open(watch.is_stopped); !opened) return opened;
  if (!self.file.is_whole()) {
    const auto done = self.attempt(watch);
    self.gained = self.file.size() - std::min(self.file.size(), self.asked_from);
    // What came is kept for the next attempt, or for the next daemon.
    const auto synced = self.file.sync();
    if (!done) return done;
    if (!synced) return synced;
  }
  if (watch.progress) watch.progress({self.file.size(), self.file.size(), 0});
  return self.file.sync();
}

bool Download::is_worth_a_retry() const { return impl_->is_retry_useful; }
std::uint64_t Download::gained() const { return impl_->gained; }
std::uint64_t Download::size() const { return impl_->file.size(); }
std::string Download::sha256() { return impl_->file.finish_hash(); }

bool Download::can_go_on(const std::filesystem::path& file) { return PartialFile(file, 1).is_worth_keeping(); }

void Download::remove(const std::filesystem::path& file) {
  (void)files::remove_all(file);
  (void)files::remove_all(PartialFile::record_of(file));
}

} // namespace berth
