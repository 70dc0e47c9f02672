// One line of JSON on standard output, whatever the answer is.
#include "daemon/machine/vz/vz_questions.hpp"

#include <algorithm>

#include <nettle/base64.h>
#include <nlohmann/json.hpp>

#include "daemon/host/child_process.hpp"
#include "daemon/machine/process/json_rpc_codec.hpp"

namespace berth {

namespace {

using nlohmann::json;

constexpr Duration kLongest{120'000}; // loading a restore image reads its whole directory from disk

std::string text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::uint64_t number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

bool flag(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::vector<std::uint8_t> decode_base64(const std::string& coded) {
  base64_decode_ctx context{};
  ::nettle_base64_decode_init(&context);
  std::vector<std::uint8_t> bytes(BASE64_DECODE_LENGTH(coded.size()));
  std::size_t size = bytes.size();
  if (!::nettle_base64_decode_update(&context, &size, bytes.data(), coded.size(), coded.data()) ||
      !::nettle_base64_decode_final(&context))
    return {};
  bytes.resize(size);
  return bytes;
}

Result<json> ask(const VzProgram& program, std::vector<std::string> question) {
  std::vector<std::string> line{"/usr/bin/env"};
  line.insert(line.end(), program.environment.begin(), program.environment.end());
  line.push_back(program.binary.string());
  line.insert(line.end(), question.begin(), question.end());
  const auto finished = run_to_end(line, {}, kLongest);
  if (!finished) return std::unexpected(finished.error());
  // What the framework itself prints on standard error stands before the answer.
  const std::string& output = finished->output;
  const std::size_t end = output.find_last_not_of('\n');
  const std::size_t begin = end == std::string::npos ? 0 : output.rfind('\n', end);
  auto answer = json::parse(begin == std::string::npos ? output : output.substr(begin), nullptr, false);
  if (!answer.is_object())
    return fail(ErrorCode::kMachineFailed, "berth-machine " + question[0] + " " + finished->exit.to_string() + ": " + output);
  if (const auto error = answer.find("error"); error != answer.end() && error->is_object())
    return fail(error_code_of(text(*error, "code")), text(*error, "detail"));
  return answer;
}

std::vector<std::string> interfaces(const json& answer) {
  std::vector<std::string> all;
  const auto found = answer.find("bridged_interfaces");
  if (found == answer.end() || !found->is_array()) return all;
  for (const json& each : *found)
    if (each.is_object())
      if (std::string identifier = text(each, "identifier"); !identifier.empty()) all.push_back(std::move(identifier));
  return all;
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

} // namespace

Result<void> judge_host(const VzHost& host, const VmRecord& vm) {
  if (vm.network == NetworkMode::kBridged &&
      std::ranges::find(host.bridged_interfaces, vm.bridge_interface) == host.bridged_interfaces.end())
    return fail(ErrorCode::kNetworkUnavailable,
                "this host has no interface " + vm.bridge_interface + " to bridge to; it has " + listed(host.bridged_interfaces),
                "network.interface");
  if (!vm.rosetta_tag || host.rosetta == "installed") return {};
  if (host.rosetta == "not_installed")
    return fail(ErrorCode::kUnsupported, "Rosetta is not installed on this host: run softwareupdate --install-rosetta",
                "rosetta");
  return fail(ErrorCode::kUnsupported, "this host has no Rosetta for linux guests", "rosetta");
}

Result<VzHost> ask_host(const VzProgram& program) {
  const auto answer = ask(program, {"host"});
  if (!answer) return std::unexpected(answer.error());
  VzHost host;
  host.framework = text(*answer, "framework");
  host.os_version = text(*answer, "os_version");
  host.is_simulated = flag(*answer, "simulated");
  host.is_supported = flag(*answer, "supported");
  host.is_entitled = flag(*answer, "entitled");
  host.minimum_cpu_count = static_cast<std::uint32_t>(number(*answer, "minimum_cpu_count"));
  host.maximum_cpu_count = static_cast<std::uint32_t>(number(*answer, "maximum_cpu_count"));
  host.minimum_memory_bytes = number(*answer, "minimum_memory_bytes");
  host.maximum_memory_bytes = number(*answer, "maximum_memory_bytes");
  host.rosetta = text(*answer, "rosetta");
  host.bridged_interfaces = interfaces(*answer);
  return host;
}

Result<RestoreImageFacts> ask_image(const VzProgram& program, const std::filesystem::path& image) {
  const auto answer = ask(program, {"image", image.string()});
  if (!answer) return std::unexpected(answer.error());
  RestoreImageFacts facts;
  facts.version = text(*answer, "version");
  facts.build = text(*answer, "build");
  facts.is_supported = flag(*answer, "supported");
  facts.hardware_model = decode_base64(text(*answer, "hardware_model"));
  facts.minimum_cpu_count = static_cast<std::uint32_t>(number(*answer, "minimum_cpu_count"));
  facts.minimum_memory_bytes = number(*answer, "minimum_memory_bytes");
  return facts;
}

Result<LatestImage> ask_latest(const VzProgram& program) {
  const auto answer = ask(program, {"latest"});
  if (!answer) return std::unexpected(answer.error());
  return LatestImage{text(*answer, "url"), text(*answer, "version"), text(*answer, "build")};
}

Result<void> make_auxiliary_storage(const VzProgram& program, const std::filesystem::path& bundle) {
  const auto answer =
      ask(program, {"prepare", "--hardware-model", (bundle / "HardwareModel").string(), "--machine-identifier",
                    (bundle / "MachineIdentifier").string(), "--auxiliary-storage", (bundle / "AuxiliaryStorage").string()});
  if (!answer) return std::unexpected(answer.error());
  return {};
}

} // namespace berth
