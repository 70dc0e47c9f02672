// A tree of path segments.
#include "api/router.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "api/target.hpp"

namespace berth::api {

namespace {

constexpr std::size_t kMostSegments = 16;

struct Segments {
  std::array<std::string_view, kMostSegments> at;
  std::size_t count = 0;
  bool is_too_long = false;
};

// "/a/b" is two segments, "/" none; a slash at the end makes an empty last one, which no route has.
Segments split(std::string_view path) {
  Segments segments;
  path.remove_prefix(1);
  if (path.empty()) return segments;
  while (true) {
    if (segments.count == kMostSegments) {
      segments.is_too_long = true;
      return segments;
    }
    const std::size_t slash = path.find('/');
    segments.at[segments.count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

} // namespace

struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> children; // sorted by text
  std::unique_ptr<Node> parameter;
  std::vector<const Route*> routes; // one a method

  Node* child(std::string_view text) const {
    const auto found =
        std::ranges::lower_bound(children, text, {}, [](const auto& each) { return std::string_view{each.first}; });
    return found != children.end() && found->first == text ? found->second.get() : nullptr;
  }

  // The deepest match that has routes; text before parameters. `taken` collects what stood for the parameters.
  const Node* find(const Segments& segments, std::size_t depth, std::vector<std::string_view>& taken) const {
    if (depth == segments.count) return routes.empty() ? nullptr : this;
    if (const Node* next = child(segments.at[depth]))
      if (const Node* found = next->find(segments, depth + 1, taken)) return found;
    if (!parameter || segments.at[depth].empty()) return nullptr;
    taken.push_back(segments.at[depth]);
    if (const Node* found = parameter->find(segments, depth + 1, taken)) return found;
    taken.pop_back();
    return nullptr;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::insert(Route route) {
  assert(route.info.pattern.starts_with('/'));
  Node* node = root_.get();
  const Segments segments = split(route.info.pattern);
  for (std::size_t index = 0; index < segments.count; ++index) {
    const std::string_view text = segments.at[index];
    if (text.starts_with('{')) {
      route.parameter_names.emplace_back(text.substr(1, text.size() - 2));
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
      continue;
    }
    const auto place =
        std::ranges::lower_bound(node->children, text, {}, [](const auto& each) { return std::string_view{each.first}; });
    if (place != node->children.end() && place->first == text)
      node = place->second.get();
    else
      node = node->children.emplace(place, std::string{text}, std::make_unique<Node>())->second.get();
  }
  assert(std::ranges::none_of(node->routes, [&](const Route* each) { return each->info.method == route.info.method; }));
  routes_.push_back(std::make_unique<Route>(std::move(route)));
  node->routes.push_back(routes_.back().get());
}

void Router::add(Method method, std::string pattern, Access access, SyncHandler handler) {
  insert({{method, std::move(pattern), access, RouteKind::kSync}, nullptr, std::move(handler), {}});
}

void Router::add_with_query(Method method, std::string pattern, Access access, SyncHandler plain, AsyncHandler with_query) {
  insert({{method, std::move(pattern), access, RouteKind::kSync}, nullptr, std::move(plain), {}, std::move(with_query)});
}

void Router::add_async(Method method, std::string pattern, Access access, AsyncHandler handler) {
  insert({{method, std::move(pattern), access, RouteKind::kAsync}, nullptr, std::move(handler), {}});
}

void Router::add_stream(std::string pattern, Access access, StreamCheck check, StreamHandler handler) {
  insert({{Method::kGet, std::move(pattern), access, RouteKind::kStream}, std::move(check), std::move(handler), {}});
}

void Router::add_websocket(std::string pattern, Access access, StreamCheck check, WebSocketHandler handler) {
  insert({{Method::kGet, std::move(pattern), access, RouteKind::kWebSocket}, std::move(check), std::move(handler), {}});
}

std::vector<RouteInfo> Router::routes() const {
  std::vector<RouteInfo> all;
  for (const auto& route : routes_) all.push_back(route->info);
  return all;
}

Result<Router::Match> Router::match(Method method, std::string_view path, std::vector<NamedValue>& parameters) const {
  parameters.clear();
  Segments segments = split(path);
  if (segments.is_too_long) return Match{};
  // Decoding comes before the comparison, so that one path has one meaning.
  std::array<std::string, kMostSegments> decoded;
  for (std::size_t index = 0; index < segments.count; ++index) {
    std::string_view& segment = segments.at[index];
    if (segment.find('%') == std::string_view::npos && segment != "." && segment != "..") continue;
    auto text = decode_segment(segment);
    if (!text) return std::unexpected(std::move(text.error()));
    decoded[index] = std::move(*text);
    segment = decoded[index];
  }
  std::vector<std::string_view> taken;
  const Node* node = root_->find(segments, 0, taken);
  if (node == nullptr) return Match{};
  Match match;
  for (const Route* route : node->routes) {
    if (route->info.method == method) match.route = route;
  }
  if (match.route == nullptr) {
    for (const Route* route : node->routes) {
      if (!match.allow.empty()) match.allow += ", ";
      match.allow += to_string(route->info.method);
      if (route->info.method == Method::kGet && (route->info.kind == RouteKind::kSync || route->info.kind == RouteKind::kAsync))
        match.allow += ", HEAD";
    }
    return match;
  }
  for (std::size_t index = 0; index < taken.size(); ++index)
    parameters.push_back({match.route->parameter_names[index], std::string{taken[index]}});
  return match;
}

} // namespace berth::api
