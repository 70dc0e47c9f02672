// The JSON of each resource, built from its record. The shapes are those of openapi.yaml.
#pragma once

#include <memory>
#include <string>

#include "api/json_writer.hpp"
#include "api/response.hpp"
#include "daemon/service/harbour.hpp"

namespace berth::api {

// Built once a revision and kept with the entry.
std::shared_ptr<const Prepared> vm_document(VmEntry& vm);
// Kept as well, unless the operation waits in the queue: its place changes with others.
std::shared_ptr<const Prepared> operation_document(const World& world, OperationEntry& operation);

std::string machine_id_json(const World& world, const MachineIdRecord& record);
std::string image_json(const World& world, const ImageRecord& record);
std::string snapshot_json(const SnapshotRecord& record);
std::string event_json(const Event& event);
std::string host_json(Harbour& harbour, std::string_view listeners_json, const std::vector<ForeignGuest>& foreign);

void write_addresses(JsonWriter& json, const AddressLookup& lookup, bool are_visible, Timestamp now);
void write_lease(JsonWriter& json, const LeaseRow& lease);

} // namespace berth::api
