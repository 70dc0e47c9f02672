// libcurl's own reader, so that what is judged is what is asked.
#include "daemon/bundle/download_url.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include <curl/curl.h>

#include "daemon/bundle/late_library.hpp"

namespace berth {

namespace {

constexpr std::size_t kLongestUrl = 8192;

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::optional<std::string> part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return std::nullopt;
  const std::unique_ptr<char, void (*)(void*)> owner(text, curl_free);
  return std::string(text);
}

std::unexpected<Error> refuse(std::string why) { return fail(ErrorCode::kInvalidValue, std::move(why), "url"); }

} // namespace

Result<DownloadUrl> parse_download_url(const std::string& text) {
  if (text.empty() || text.size() > kLongestUrl) return refuse("a URL has 1 to " + std::to_string(kLongestUrl) + " characters");
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; }))
    return refuse("a URL has no spaces, no control characters and only ASCII");
  if (!late_curl().load()) return fail(ErrorCode::kInternal, "libcurl cannot be loaded");
  const Url url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return refuse("the URL cannot be read; it begins with https:// or http://");
  const auto scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return refuse("only https and http URLs are fetched");
  if (part(url, CURLUPART_USER) || part(url, CURLUPART_PASSWORD)) return refuse("a URL must not carry a name or a password");
  const auto host = part(url, CURLUPART_HOST);
  if (!host || host->empty()) return refuse("the URL names no host");
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  DownloadUrl parsed;
  parsed.url = part(url, CURLUPART_URL).value_or(text);
  std::string path = part(url, CURLUPART_PATH, CURLU_URLDECODE).value_or("");
  path.erase(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  parsed.file_name = path.empty() || path.size() > 255 ? *host : path;
  curl_url_set(url.get(), CURLUPART_QUERY, nullptr, 0);
  parsed.origin = part(url, CURLUPART_URL).value_or("");
  return parsed;
}

} // namespace berth
