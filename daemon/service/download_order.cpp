// Lines "key value"; the name comes last, for it may hold anything.
#include "daemon/service/download_order.hpp"

#include <string_view>

#include "daemon/bundle/sha256.hpp"

namespace berth {

namespace {

constexpr std::string_view kBegin = "download\n";

std::optional<std::string> take(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key)) return std::nullopt;
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string value(text.substr(key.size(), end - key.size()));
  text.remove_prefix(end + 1);
  return value;
}

} // namespace

std::string DownloadOrder::encode() const {
  return std::string(kBegin) + "url " + url + "\nkind " + std::string(to_string(kind)) + "\nsha256 " + sha256 + "\nname " + name;
}

std::optional<DownloadOrder> DownloadOrder::decode(const std::string& text) {
  std::string_view rest = text;
  if (!rest.starts_with(kBegin)) return std::nullopt;
  rest.remove_prefix(kBegin.size());
  const auto url = take(rest, "url "), kind = take(rest, "kind "), sha256 = take(rest, "sha256 ");
  const auto parsed = kind ? parse_image_kind(*kind) : std::nullopt;
  if (!url || !parsed || !sha256 || !rest.starts_with("name ")) return std::nullopt;
  return DownloadOrder{*url, *parsed, *sha256, std::string(rest.substr(5))};
}

std::string DownloadOrder::file_name() const { return url.empty() ? std::string{} : "download-" + berth::sha256(url); }

} // namespace berth
