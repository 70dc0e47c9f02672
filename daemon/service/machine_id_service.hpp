// The ledger of machine identifiers: made, loaded, named, kept, forgotten.
#pragma once

#include <optional>
#include <string>

#include "daemon/bundle/property_list.hpp"
#include "daemon/service/context.hpp"

namespace berth {

struct NewMachineId {
  std::optional<Guest> generate; // exactly one of these three
  std::optional<Bytes> data;
  std::optional<std::string> path; // a MachineIdentifier file, or a VM of any format that can be imported
  std::string name;
  bool is_kept = true;
};

struct PatchMachineId {
  std::optional<bool> is_kept;
  std::optional<std::string> name, serial_number, hardware_uuid, provisioning_uuid;
};

class MachineIdService {
public:
  explicit MachineIdService(Context& context) : context_(context) {}

  // The key; `is_new` false when the ledger had it.
  struct Added {
    MachineIdKey key;
    bool is_new = true;
  };
  Task<Result<Added>> add(NewMachineId request, Caller caller);
  Task<Result<void>> patch(MachineIdKey key, PatchMachineId request, std::optional<std::uint64_t> revision, Caller caller);
  // kMachineIdCarried while a VM has it.
  Task<Result<void>> remove(MachineIdKey key, Caller caller);

private:
  Task<Result<Bytes>> load(std::string path, Caller caller) const;
  Context& context_;
};

} // namespace berth
