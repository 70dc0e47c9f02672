// libplist behind values; what is written goes through our own writer.
#include "daemon/bundle/property_list.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

#include <plist/plist.h>

#include "daemon/bundle/binary_property_list.hpp"
#include "daemon/bundle/property_list_writer.hpp"

namespace berth {

namespace {

using Plist = std::unique_ptr<void, decltype(&plist_free)>;

// A bundle's property lists are below 200 bytes; libplist builds a node for each byte that says so.
constexpr std::size_t kLargestPropertyList = 64 * 1024;
constexpr std::size_t kMostContainers = 64;

Plist parse(std::span<const std::uint8_t> data) {
  plist_t root = nullptr;
  // Binary only: libplist's XML reader would accept text that the framework never writes.
  if (data.size() >= 8 && data.size() <= kLargestPropertyList && std::memcmp(data.data(), "bplist00", 8) == 0 &&
      is_sound_binary_property_list(data, kMostContainers))
    plist_from_bin(reinterpret_cast<const char*>(data.data()), static_cast<std::uint32_t>(data.size()), &root);
  return {root, &plist_free};
}

std::optional<std::uint64_t> unsigned_at(plist_t dictionary, const char* key) {
  plist_t node = plist_dict_get_item(dictionary, key);
  if (!node || plist_get_node_type(node) != PLIST_UINT) return std::nullopt;
  std::uint64_t value = 0;
  plist_get_uint_val(node, &value);
  return value;
}

} // namespace

Bytes encode_machine_identifier(const MachineIdKey& key) {
  if (const Ecid* ecid = key.ecid()) return write_property_list({{"ECID", ecid->value}});
  const auto& bytes = key.uuid()->bytes;
  return write_property_list({{"UUID", PropertyListData{{bytes.begin(), bytes.end()}}}});
}

Result<MachineIdKey> decode_machine_identifier(std::span<const std::uint8_t> data) {
  const Plist root = parse(data);
  if (!root || plist_get_node_type(root.get()) != PLIST_DICT)
    return fail(ErrorCode::kInvalidValue, "the data is not a binary property list of a machine identifier");
  if (const auto ecid = unsigned_at(root.get(), "ECID")) return MachineIdKey{Ecid{*ecid}};
  plist_t node = plist_dict_get_item(root.get(), "UUID");
  if (node && plist_get_node_type(node) == PLIST_DATA) {
    char* bytes = nullptr;
    std::uint64_t size = 0;
    plist_get_data_val(node, &bytes, &size);
    Uuid uuid;
    const bool fits = size == uuid.bytes.size();
    if (fits) std::memcpy(uuid.bytes.data(), bytes, uuid.bytes.size());
    std::free(bytes);
    if (fits) return MachineIdKey{uuid};
  }
  return fail(ErrorCode::kInvalidValue, "the property list holds neither an ECID nor a UUID of 16 bytes");
}

Bytes encode_hardware_model(const HardwareModel& model) {
  const auto& version = model.minimum_supported_os;
  return write_property_list({{"DataRepresentationVersion", model.representation_version},
                              {"PlatformVersion", model.platform_version},
                              {"MinimumSupportedOS", PropertyListNumbers{version.begin(), version.end()}}});
}

Result<HardwareModel> decode_hardware_model(std::span<const std::uint8_t> data) {
  const Plist root = parse(data);
  if (!root || plist_get_node_type(root.get()) != PLIST_DICT)
    return fail(ErrorCode::kInvalidValue, "the data is not a binary property list of a hardware model");
  const auto representation = unsigned_at(root.get(), "DataRepresentationVersion");
  const auto platform = unsigned_at(root.get(), "PlatformVersion");
  plist_t versions = plist_dict_get_item(root.get(), "MinimumSupportedOS");
  if (!representation || !platform || !versions || plist_get_node_type(versions) != PLIST_ARRAY ||
      plist_array_get_size(versions) != 3)
    return fail(ErrorCode::kInvalidValue, "the hardware model lacks one of its three fields");
  HardwareModel model{*representation, *platform, {}};
  for (std::uint32_t i = 0; i < 3; ++i) {
    plist_t part = plist_array_get_item(versions, i);
    if (plist_get_node_type(part) != PLIST_UINT)
      return fail(ErrorCode::kInvalidValue, "the hardware model's version is not of numbers");
    plist_get_uint_val(part, &model.minimum_supported_os[i]);
  }
  return model;
}

} // namespace berth
