// Holds the sources to the arrows of the design: who may include whom, which headers stay clean, how a file begins.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;
  std::string folder; // the longest layer it lies in, empty when in none
  std::string first_line;
  std::size_t lines = 0;
  bool has_pragma_once = false;
  std::vector<std::string> quoted; // "…": the project's own
  std::vector<std::string> bracketed;
};

// Which layers a layer may use besides itself. The longest prefix of a path decides.
const std::map<std::string, std::set<std::string>>& arrows() {
  const std::set<std::string> below_service{"daemon/core",    "daemon/runtime", "daemon/store",  "daemon/bundle",
                                            "daemon/address", "daemon/host",    "daemon/machine"};
  static const std::map<std::string, std::set<std::string>> allowed = [&] {
    std::set<std::string> service = below_service, api = below_service;
    api.insert("daemon/service");
    return std::map<std::string, std::set<std::string>>{
        {"daemon/core", {}},
        {"daemon/runtime", {"daemon/core"}},
        {"daemon/store", {"daemon/core", "daemon/runtime"}},
        {"daemon/bundle", {"daemon/core", "daemon/runtime"}},
        {"daemon/host", {"daemon/core", "daemon/runtime"}},
        // dnsmasq is a child process of the daemon, and starting one is a matter of the host.
        {"daemon/address", {"daemon/core", "daemon/runtime", "daemon/host"}},
        {"daemon/machine", {"daemon/core", "daemon/runtime"}},
        {"daemon/machine/process", {"daemon/core", "daemon/runtime", "daemon/machine", "daemon/host"}},
        {"daemon/machine/qemu", {"daemon/core", "daemon/runtime", "daemon/machine", "daemon/machine/process", "daemon/host"}},
        {"daemon/machine/vz", {"daemon/core", "daemon/runtime", "daemon/machine", "daemon/machine/process", "daemon/host"}},
        {"daemon/service", service},
        // berth-machine is a program of its own; with the daemon it shares the names of their protocol, and core's types.
        {"machine", {"daemon/core", "daemon/runtime", "daemon/host"}},
        {"machine/lookalike", {}},
        {"api", api},
        {"client", {"include"}},
        {"include", {}},
    };
  }();
  return allowed;
}

// A path's layer. daemon/main.cpp and tests are in none: they may know everybody.
std::string layer_of(const std::string& path) {
  std::string found;
  for (const auto& [folder, allowed] : arrows())
    if (path.starts_with(folder + "/") && folder.size() > found.size()) found = folder;
  return found;
}

// The name between the quotes or brackets of an #include line.
std::optional<std::pair<char, std::string>> include_of(const std::string& line) {
  const auto hash = line.find_first_not_of(" \t");
  if (hash == std::string::npos || line[hash] != '#') return std::nullopt;
  const auto word = line.find_first_not_of(" \t", hash + 1);
  if (word == std::string::npos || !(line.substr(word).starts_with("include") || line.substr(word).starts_with("import")))
    return std::nullopt;
  const auto begin = line.find_first_of("\"<", word);
  if (begin == std::string::npos) return std::nullopt;
  const auto end = line.find_first_of("\">", begin + 1);
  if (end == std::string::npos) return std::nullopt;
  return std::pair{line[begin], line.substr(begin + 1, end - begin - 1)};
}

Source read(const fs::path& root, const fs::path& file) {
  Source source;
  source.path = fs::relative(file, root).generic_string();
  source.folder = layer_of(source.path);
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line); ++source.lines) {
    if (source.lines == 0) source.first_line = line;
    if (line == "#pragma once") source.has_pragma_once = true;
    if (const auto included = include_of(line))
      (included->first == '"' ? source.quoted : source.bracketed).push_back(included->second);
  }
  return source;
}

bool is_header(const std::string& path) { return path.ends_with(".hpp") || path.ends_with(".h"); }
bool is_source(const fs::path& path) {
  static const std::set<std::string> kinds{".hpp", ".h", ".cpp", ".mm", ".m"};
  return kinds.contains(path.extension().string());
}

const std::map<std::string, Source>& sources() {
  static const std::map<std::string, Source> all = [] {
    std::map<std::string, Source> found;
    const fs::path root = BERTH_SOURCE_DIR;
    for (const char* top : {"api", "client", "daemon", "include", "launchd", "machine", "tests"}) {
      if (!fs::is_directory(root / top)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root / top))
        if (entry.is_regular_file() && is_source(entry.path())) {
          Source source = read(root, entry.path());
          found.emplace(source.path, source);
        }
    }
    return found;
  }();
  return all;
}

// The project file that a quoted include names: from the root, or for the public headers from include/.
std::string resolved(const std::string& name) {
  if (sources().contains(name)) return name;
  if (sources().contains("include/" + name)) return "include/" + name;
  return {};
}

TEST(Layering, FindsTheSources) {
  EXPECT_GT(sources().size(), 100U);
  for (const char* folder : {"daemon/core", "daemon/runtime", "daemon/store", "daemon/bundle"})
    EXPECT_TRUE(std::ranges::any_of(sources(), [&](const auto& each) { return each.second.folder == folder; })) << folder;
  EXPECT_EQ(layer_of("daemon/machine/qemu/arguments.cpp"), "daemon/machine/qemu");
  EXPECT_EQ(layer_of("daemon/machine/machine.hpp"), "daemon/machine");
  EXPECT_EQ(layer_of("daemon/main.cpp"), "");
  EXPECT_EQ(include_of("  #  include <vector>")->second, "vector");
  EXPECT_EQ(include_of("#include \"a/b.hpp\" // why")->second, "a/b.hpp");
  EXPECT_FALSE(include_of("// #include <vector>"));
}

TEST(Layering, HoldsTheArrows) {
  for (const auto& [path, source] : sources()) {
    if (source.folder.empty()) continue;
    const auto& allowed = arrows().at(source.folder);
    std::vector<std::string> names = source.quoted;
    names.insert(names.end(), source.bracketed.begin(), source.bracketed.end());
    for (const std::string& name : names) {
      const std::string target = resolved(name);
      if (target.empty()) continue; // a system header
      const std::string layer = layer_of(target);
      if (target == "machine/protocol.hpp") continue; // what the driver and berth-machine say to each other: names only
      EXPECT_TRUE(layer == source.folder || allowed.contains(layer))
          << path << " includes " << name << ", which " << source.folder << " may not use";
    }
  }
}

TEST(Layering, FindsEveryIncludedFile) {
  for (const auto& [path, source] : sources())
    for (const std::string& name : source.quoted)
      EXPECT_FALSE(resolved(name).empty()) << path << " includes \"" << name << "\", which is no file from the root";
}

// No Asio, no JSON, no SQL, no clock, no files, no POSIX: what is left is the standard library and core itself.
TEST(Layering, KeepsCoreToTheStandardLibrary) {
  static const std::set<std::string> forbidden{"filesystem",         "fstream", "iostream", "thread",   "mutex",
                                               "condition_variable", "random",  "future",   "coroutine"};
  for (const auto& [path, source] : sources()) {
    if (source.folder != "daemon/core") continue;
    for (const std::string& name : source.bracketed) {
      EXPECT_TRUE(std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }))
          << path << " includes <" << name << ">";
      EXPECT_FALSE(forbidden.contains(name)) << path << " includes <" << name << ">";
    }
  }
}

bool is_vendor(const std::string& name) {
  for (const std::string_view prefix :
       {"boost/", "nlohmann/", "spdlog/", "plist/", "nettle/", "libmnl/", "CLI/", "yaml-cpp/", "curl/", "prometheus/", "objc/",
        "Foundation/", "Virtualization/", "dispatch/", "AppKit/"})
    if (name.starts_with(prefix)) return true;
  return name == "sqlite3.h" || name == "CLI11.hpp" || name == "zip.h";
}

// Headers that a file of another layer includes, and those that they include in turn.
std::set<std::string> shared_headers() {
  std::set<std::string> shared;
  std::vector<std::string> todo;
  const auto add = [&](const std::string& path) {
    if (!path.empty() && is_header(path) && shared.insert(path).second) todo.push_back(path);
  };
  for (const auto& [path, source] : sources()) {
    if (path.starts_with("tests/")) continue; // a test may look inside
    for (const std::string& name : source.quoted) {
      const std::string target = resolved(name);
      if (!target.empty() && layer_of(target) != source.folder) add(target);
    }
  }
  while (!todo.empty()) {
    const std::string path = todo.back();
    todo.pop_back();
    for (const std::string& name : sources().at(path).quoted) add(resolved(name));
  }
  return shared;
}

TEST(Layering, KeepsLibrariesOutOfSharedHeaders) {
  const auto shared = shared_headers();
  EXPECT_TRUE(shared.contains("daemon/core/error.hpp"));
  for (const std::string& path : shared)
    for (const auto& names : {sources().at(path).quoted, sources().at(path).bracketed})
      for (const std::string& name : names)
        EXPECT_FALSE(is_vendor(name)) << path << " includes " << name << ", and other layers include it";
}

// Boost belongs to runtime, to the HTTP engine and to the client's connection. SQL belongs to the store.
TEST(Layering, KeepsLibrariesInTheirFolders) {
  const std::map<std::string, std::set<std::string>> homes{{"boost/", {"daemon/runtime", "api", "client"}},
                                                           {"sqlite3.h", {"daemon/store"}},
                                                           {"plist/", {"daemon/bundle"}},
                                                           {"curl/", {"daemon/bundle"}},
                                                           {"zip.h", {"daemon/bundle", "machine/lookalike"}},
                                                           {"libmnl/", {"daemon/address"}}};
  for (const auto& [path, source] : sources()) {
    if (source.folder.empty()) continue;
    for (const std::string& name : source.bracketed)
      for (const auto& [prefix, folders] : homes)
        if (name.starts_with(prefix)) EXPECT_TRUE(folders.contains(source.folder)) << path << " includes <" << name << ">";
  }
}

TEST(Files, BeginWithASentence) {
  for (const auto& [path, source] : sources())
    EXPECT_TRUE(source.first_line.starts_with("// ") || source.first_line.starts_with("#!"))
        << path << " begins with: " << source.first_line;
}

TEST(Files, GuardTheirHeaders) {
  for (const auto& [path, source] : sources())
    if (is_header(path)) EXPECT_TRUE(source.has_pragma_once) << path;
}

TEST(Files, HaveAtMostFiveHundredLines) {
  for (const auto& [path, source] : sources()) EXPECT_LE(source.lines, 500U) << path << ": split by noun";
}

} // namespace
