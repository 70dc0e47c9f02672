// Records as the text that stands in the store. The store's own form, apart from the API's: the API may change its
// shape without touching a user's file.
#pragma once

#include <string>
#include <string_view>

#include "daemon/store/store.hpp"

namespace berth::codec {

std::string encode(const VmRecord& record);
std::string encode(const MachineIdRecord& record);
std::string encode(const ImageRecord& record);
std::string encode(const SnapshotRecord& record);
std::string encode(const OperationRecord& record);
std::string encode(const IdempotencyRecord& record);
std::string encode(const Event& event); // without its sequence, which is the row's key

// kStorageFailed when the text is not what encode writes.
Result<VmRecord> decode_vm(std::string_view text);
Result<MachineIdRecord> decode_machine_id(std::string_view text);
Result<ImageRecord> decode_image(std::string_view text);
Result<SnapshotRecord> decode_snapshot(std::string_view text);
Result<OperationRecord> decode_operation(std::string_view text);
Result<IdempotencyRecord> decode_idempotency(std::string_view text);
Result<Event> decode_event(std::string_view text);

} // namespace berth::codec
