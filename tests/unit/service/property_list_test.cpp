// The property lists as libplist reads them: every key is one of launchd.plist(5), of its type, and says what it should.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <plist/plist.h>

#include "tests/unit/service/stand_in.hpp"

namespace berth::cli::test {
namespace {

struct Value {
  std::string type, text;
};
using Values = std::map<std::string, Value>; // by path: "Sockets.Listeners.SockPathMode"

void collect(plist_t node, const std::string& path, Values& values) {
  switch (plist_get_node_type(node)) {
    case PLIST_BOOLEAN: {
      std::uint8_t is_true = 0;
      plist_get_bool_val(node, &is_true);
      values[path] = {"boolean", is_true != 0 ? "true" : "false"};
      return;
    }
    case PLIST_UINT: {
      std::uint64_t number = 0;
      plist_get_uint_val(node, &number);
      values[path] = {"integer", std::to_string(number)};
      return;
    }
    case PLIST_STRING: {
      char* text = nullptr;
      plist_get_string_val(node, &text);
      values[path] = {"string", text};
      std::free(text);
      return;
    }
    case PLIST_ARRAY:
      values[path] = {"array", std::to_string(plist_array_get_size(node))};
      for (std::uint32_t index = 0; index < plist_array_get_size(node); ++index)
        collect(plist_array_get_item(node, index), path + "." + std::to_string(index), values);
      return;
    case PLIST_DICT: {
      if (!path.empty()) values[path] = {"dictionary", ""};
      plist_dict_iter at = nullptr;
      plist_dict_new_iter(node, &at);
      for (;;) {
        char* key = nullptr;
        plist_t child = nullptr;
        plist_dict_next_item(node, at, &key, &child);
        if (child == nullptr) break;
        collect(child, path.empty() ? key : path + "." + key, values);
        std::free(key);
      }
      std::free(at);
      return;
    }
    default: ADD_FAILURE() << path << " is of a type that launchd does not take";
  }
}

Values parse(const std::string& text) {
  plist_t root = nullptr;
  plist_from_xml(text.data(), static_cast<std::uint32_t>(text.size()), &root);
  Values values;
  if (root == nullptr)
    ADD_FAILURE() << "libplist does not take it:\n" << text;
  else
    collect(root, "", values);
  plist_free(root);
  return values;
}

std::map<std::string, std::string> known_keys() {
  std::ifstream stream(BERTH_SOURCE_DIR "/tests/unit/service/launchd_keys.txt");
  std::map<std::string, std::string> keys;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string key, type;
    if (words >> key >> type && !key.starts_with('#')) keys[key] = type;
  }
  return keys;
}

// Names of an own choice become "*".
std::string general(const std::string& path) {
  for (const std::string prefix : {"Sockets.", "ProgramArguments.", "EnvironmentVariables."})
    if (path.starts_with(prefix)) {
      const auto end = path.find('.', prefix.size());
      return prefix + "*" + (end == std::string::npos ? "" : path.substr(end));
    }
  return path;
}

class PropertyList : public testing::TestWithParam<ServiceScope> {};
INSTANTIATE_TEST_SUITE_P(EachScope, PropertyList, testing::Values(ServiceScope::kUser, ServiceScope::kSystem));

TEST_P(PropertyList, HasKeysOfLaunchdOnly) {
  const auto known = known_keys();
  ASSERT_GT(known.size(), 30U);
  const Bench bench;
  const Values values = parse(launchd_property_list(bench.spec(GetParam())));
  ASSERT_GT(values.size(), 15U);
  for (const auto& [path, value] : values) {
    const auto found = known.find(general(path));
    ASSERT_NE(found, known.end()) << path << " is no key of launchd.plist(5)";
    EXPECT_EQ(value.type, found->second) << path;
  }
}

// XML forbids it, libplist does not mind, launchd does.
TEST_P(PropertyList, HasNoDashesInComments) {
  const Bench bench;
  const std::string text = launchd_property_list(bench.spec(GetParam()));
  for (auto at = text.find("<!--"); at != std::string::npos; at = text.find("<!--", at + 1)) {
    const auto end = text.find("-->", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(text.substr(at + 4, end - at - 4).find("--"), std::string::npos) << text.substr(at, end - at);
  }
}

TEST_P(PropertyList, SaysWhatItShould) {
  const Bench bench;
  ServiceSpec spec = bench.spec(GetParam());
  spec.options = {"--guests", "suspend"};
  spec.ends_guests = true;
  const Values values = parse(launchd_property_list(spec));
  const auto check = [&](const std::string& path, const std::string& text) {
    ASSERT_TRUE(values.contains(path)) << path;
    EXPECT_EQ(values.at(path).text, text) << path;
  };
  check("Label", "berth.berthd");
  check("ProgramArguments.0", "/opt/berth & co/berthd");
  check("ProgramArguments.1", "--state-dir");
  check("ProgramArguments.2", spec.state_dir.string());
  check("ProgramArguments.6", "suspend");
  check("Sockets.Listeners.SockPathName", spec.socket.string());
  check("Sockets.Listeners.SockPathMode", std::to_string(0600));
  check("AbandonProcessGroup", "true");
  check("ExitTimeOut", "90");
  check("KeepAlive.SuccessfulExit", "false");
  check("KeepAlive.Crashed", "true");
  check("RunAtLoad", "true");
  check("Umask", std::to_string(0077));
  check("StandardErrorPath", launchd_log(spec).string());
  for (const auto& [path, value] : values) {
    EXPECT_EQ(path.find("SockServiceName"), std::string::npos) << "no TCP";
    EXPECT_EQ(value.text.find('@'), std::string::npos) << path << " has a gap: " << value.text;
  }
  const bool is_system = GetParam() == ServiceScope::kSystem;
  EXPECT_EQ(values.contains("UserName"), is_system);
  EXPECT_EQ(values.contains("Sockets.Listeners.SockPathOwner"), is_system);
  if (is_system) check("UserName", "harbour");
  EXPECT_EQ(program_of_property_list(launchd_property_list(spec)), spec.berthd);
}

TEST(PropertyListOf, AnotherMakingHasNoProgramOfOurs) {
  EXPECT_EQ(program_of_property_list("<plist/>"), "");
  EXPECT_EQ(program_of_property_list("<key>ProgramArguments</key><array><string>cut off"), "");
}

} // namespace
} // namespace berth::cli::test
