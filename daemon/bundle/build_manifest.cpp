// libplist behind a look at the text: it builds trees without a bound and takes them down by recursion.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>

#include <plist/plist.h>

#include "daemon/bundle/restore_image.hpp"

namespace berth {

namespace {

constexpr int kDeepest = 32;               // a real one has six levels
constexpr std::size_t kMostTags = 400'000; // a real one has less than 100,000
constexpr unsigned kOldestVersion = 12;    // the first macOS that runs in Apple's virtual machines
constexpr std::size_t kLongestWord = 64, kMostModels = 1024;

std::unexpected<Error> invalid(std::string detail) { return fail(ErrorCode::kImageInvalid, std::move(detail)); }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// How far a tag, without its brackets, goes down: 1, -1 or 0.
int step_of(std::string_view tag) {
  const bool is_end = tag.starts_with('/');
  if (is_end) tag.remove_prefix(1);
  const std::string_view name = tag.substr(0, std::min(tag.find_first_of(" \t\r\n/"), tag.size()));
  if (name != "dict" && name != "array" && name != "plist") return 0;
  return is_end ? -1 : tag.ends_with('/') ? 0 : 1;
}

// The text as a build manifest is written: one declaration, one document type, then tags and characters. Comments, CDATA and
// the like are refused, so that what is counted here is what libplist sees.
Result<void> judge_text(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!text.starts_with("<?xml") && !text.starts_with("<plist") && !text.starts_with("<!DOCTYPE"))
    return invalid("the build manifest is no XML property list");
  if (text.find('\0') != std::string_view::npos) return invalid("the build manifest is no text");
  int depth = 0;
  std::size_t tags = 0;
  for (auto begin = text.find('<'); begin != std::string_view::npos; begin = text.find('<', begin + 1)) {
    const auto end = text.find_first_of("<>", begin + 1);
    if (end == std::string_view::npos || text[end] == '<') return invalid("the build manifest is no well-formed XML");
    const std::string_view tag = text.substr(begin + 1, end - begin - 1);
    if (++tags > kMostTags) return invalid("the build manifest has more than " + std::to_string(kMostTags) + " tags");
    if (tag.starts_with('?') || tag.starts_with('!')) {
      const bool is_known = depth == 0 && ((tag.starts_with("?xml") && tag.ends_with('?')) || tag.starts_with("!DOCTYPE plist"));
      if (!is_known || tag.find('[') != std::string_view::npos)
        return invalid("the build manifest has XML that no build manifest has");
      continue;
    }
    depth += step_of(tag);
    if (depth < 0 || depth > kDeepest) return invalid("the build manifest is nested deeper than any build manifest");
  }
  return {};
}

using Plist = std::unique_ptr<void, decltype(&plist_free)>;

plist_t member(plist_t dictionary, const char* key, plist_type type) {
  if (!dictionary || plist_get_node_type(dictionary) != PLIST_DICT) return nullptr;
  plist_t node = plist_dict_get_item(dictionary, key);
  return node && plist_get_node_type(node) == type ? node : nullptr;
}

// A string of letters, digits, '.', ',', '-' and '_'.
std::optional<std::string> word(plist_t node) {
  if (!node || plist_get_node_type(node) != PLIST_STRING) return std::nullopt;
  char* value = nullptr;
  plist_get_string_val(node, &value);
  const std::unique_ptr<char, void (*)(void*)> owner(value, std::free);
  const std::string_view text = value ? value : "";
  const bool is_word = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '-' ||
           c == '_';
  });
  if (text.empty() || text.size() > kLongestWord || !is_word) return std::nullopt;
  return std::string(text);
}

// The first number of "15.1"; empty for a text that is no version.
std::optional<unsigned> major_of(const std::string& version) {
  if (version.find_first_not_of("0123456789.") != std::string::npos) return std::nullopt;
  unsigned major = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), major);
  return error == std::errc{} ? std::optional{major} : std::nullopt;
}

bool is_for_virtual_macs(plist_t identity) {
  auto board = word(member(member(identity, "Info", PLIST_DICT), "DeviceClass", PLIST_STRING));
  if (board) std::ranges::transform(*board, board->begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return board == "vma2macosap" || word(member(identity, "Ap,ProductType", PLIST_STRING)) == "VirtualMac2,1";
}

bool has_virtual_mac(plist_t identities) {
  const auto count = identities ? plist_array_get_size(identities) : 0;
  for (std::uint32_t index = 0; index < count; ++index)
    if (is_for_virtual_macs(plist_array_get_item(identities, index))) return true;
  return false;
}

Result<std::vector<std::string>> models_of(plist_t list) {
  std::vector<std::string> models;
  const auto count = list ? plist_array_get_size(list) : 0;
  if (count > kMostModels) return invalid("the build manifest names " + std::to_string(count) + " models");
  for (std::uint32_t index = 0; index < count; ++index) {
    auto model = word(plist_array_get_item(list, index));
    if (!model) return invalid("the build manifest has a model that is no name of one");
    models.push_back(std::move(*model));
  }
  return models;
}

} // namespace

Result<RestoreImage> parse_build_manifest(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  if (text.size() > kLargestManifest) return invalid("the build manifest is too large");
  if (auto judged = judge_text(text); !judged) return std::unexpected(judged.error());
  plist_t tree = nullptr;
  plist_from_xml(text.data(), static_cast<std::uint32_t>(text.size()), &tree);
  const Plist root(tree, &plist_free);
  if (!root || plist_get_node_type(root.get()) != PLIST_DICT) return invalid("the build manifest is no dictionary");
  const auto version = word(member(root.get(), "ProductVersion", PLIST_STRING));
  const auto build = word(member(root.get(), "ProductBuildVersion", PLIST_STRING));
  if (!version || !build) return invalid("the build manifest names no version and build");
  const auto major = major_of(*version);
  if (!major) return invalid("the build manifest has the version " + *version + ", which is none");
  auto models = models_of(member(root.get(), "SupportedProductTypes", PLIST_ARRAY));
  if (!models) return std::unexpected(models.error());
  if (!has_virtual_mac(member(root.get(), "BuildIdentities", PLIST_ARRAY)))
    return invalid("the restore image of version " + *version + " (" + *build + ") is not for virtual Macs");
  if (*major < kOldestVersion)
    return invalid("macOS " + *version + " is older than " + std::to_string(kOldestVersion) + ", the first that runs in a VM");
  return RestoreImage{*version, *build, std::move(*models)};
}

} // namespace berth
