// Paths to routes.
#include "api/router.hpp"

#include <gtest/gtest.h>

namespace berth::api {
namespace {

Response nothing(const Request&) { return Response::no_content(); }

Router sample() {
  Router router;
  router.add(Method::kGet, "/v1/vms", Access::kReader, nothing);
  router.add(Method::kPost, "/v1/vms", Access::kOperator, nothing);
  router.add(Method::kPost, "/v1/vms/import", Access::kOperator, nothing);
  router.add(Method::kGet, "/v1/vms/{vm}", Access::kReader, nothing);
  router.add(Method::kPost, "/v1/vms/{vm}/start", Access::kOperator, nothing);
  router.add(Method::kDelete, "/v1/vms/{vm}/snapshots/{snapshot}", Access::kOperator, nothing);
  router.add(Method::kGet, "/", Access::kAnyone, nothing);
  return router;
}

std::string found(Method method, std::string_view path) {
  static const Router router = sample();
  std::vector<NamedValue> parameters;
  const auto match = router.match(method, path, parameters);
  if (!match) return std::string{to_string(match.error().code)};
  if (match->route == nullptr) return match->allow.empty() ? "none" : "allow " + match->allow;
  std::string text = match->route->info.pattern;
  for (const NamedValue& each : parameters) text += " " + each.name + "=" + each.value;
  return text;
}

TEST(Router, FindsRoutesAndTheirParameters) {
  EXPECT_EQ(found(Method::kGet, "/"), "/");
  EXPECT_EQ(found(Method::kGet, "/v1/vms"), "/v1/vms");
  EXPECT_EQ(found(Method::kGet, "/v1/vms/a%20b"), "/v1/vms/{vm} vm=a b");
  EXPECT_EQ(found(Method::kGet, "/v1/%76ms/a"), "/v1/vms/{vm} vm=a");
  EXPECT_EQ(found(Method::kGet, "/v1/vms/%2561"), "/v1/vms/{vm} vm=%61");
  EXPECT_EQ(found(Method::kDelete, "/v1/vms/x/snapshots/y"), "/v1/vms/{vm}/snapshots/{snapshot} vm=x snapshot=y");
}

TEST(Router, TextGoesBeforeParametersButDoesNotHideThem) {
  EXPECT_EQ(found(Method::kPost, "/v1/vms/import"), "/v1/vms/import");
  EXPECT_EQ(found(Method::kPost, "/v1/vms/import/start"), "/v1/vms/{vm}/start vm=import");
}

TEST(Router, SaysWhichMethodsThereAre) {
  EXPECT_EQ(found(Method::kDelete, "/v1/vms"), "allow GET, HEAD, POST");
  EXPECT_EQ(found(Method::kOptions, "/v1/vms/x/start"), "allow POST");
}

TEST(Router, OtherPathsHaveNoRoute) {
  for (const char* path :
       {"/v2", "/v1/vms/", "/v1//vms", "/v1/vms/a/b", "//", "/v1/VMS", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18"})
    EXPECT_EQ(found(Method::kGet, path), "none") << path;
}

TEST(Router, RefusesPathsWithTwoMeanings) {
  for (const char* path :
       {"/v1/vms/..", "/v1/./vms", "/v1/vms/%2e%2e", "/v1/vms/%2E", "/v1/vms/a%2fb", "/v1/vms/a%2Fb", "/v1/vms/%00",
        "/v1/vms/a%0ab", "/v1/vms/%", "/v1/vms/%4", "/v1/vms/%zz", "/v1/vms/%ff", "/v1/vms/%c0%af", "/v1/vms/%7f"})
    EXPECT_EQ(found(Method::kGet, path), "malformed_request") << path;
}

TEST(Router, ListsItsRoutes) {
  const auto routes = sample().routes();
  ASSERT_EQ(routes.size(), 7u);
  EXPECT_EQ(routes[2].pattern, "/v1/vms/import");
  EXPECT_EQ(routes[2].method, Method::kPost);
  EXPECT_EQ(routes[2].access, Access::kOperator);
}

} // namespace
} // namespace berth::api
