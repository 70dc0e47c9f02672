// protocol.hpp fixes these objects.
#include "machine/query_json.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace berth::vz {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

} // namespace

std::string to_json(const HostAnswer& answer) {
  Json interfaces = Json::array();
  for (const auto& each : answer.bridged_interfaces) interfaces.push_back({{"identifier", each.identifier}, {"name", each.name}});
  return text_of(Json{{"version", 1},
                      {"framework", answer.framework},
                      {"simulated", answer.simulated},
                      {"supported", answer.supported},
                      {"entitled", answer.entitled},
                      {"os_version", answer.os_version},
                      {"minimum_cpu_count", answer.minimum_cpu_count},
                      {"maximum_cpu_count", answer.maximum_cpu_count},
                      {"minimum_memory_bytes", answer.minimum_memory_bytes},
                      {"maximum_memory_bytes", answer.maximum_memory_bytes},
                      {"nested_virtualization", answer.nested_virtualization},
                      {"rosetta", answer.rosetta},
                      {"bridged_interfaces", interfaces}});
}

std::string to_json(const ImageAnswer& answer) {
  return text_of(Json{{"version", answer.version},
                      {"build", answer.build},
                      {"supported", answer.supported},
                      {"hardware_model", answer.hardware_model ? Json(base64(*answer.hardware_model)) : Json(nullptr)},
                      {"minimum_cpu_count", answer.minimum_cpu_count},
                      {"minimum_memory_bytes", answer.minimum_memory_bytes}});
}

std::string to_json(const LatestAnswer& answer) {
  return text_of(Json{{"url", answer.url}, {"version", answer.version}, {"build", answer.build}});
}

std::string to_json(const Failure& failure) {
  return text_of(Json{
      {"error", {{"code", failure.code}, {"detail", failure.detail}, {"domain", failure.domain}, {"number", failure.number}}}});
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

} // namespace berth::vz
