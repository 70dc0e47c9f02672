// Questions about the host and about restore images, and the making of an auxiliary storage. No Objective-C in this header.
#pragma once

#include <filesystem>
#include <functional>

#include "machine/query_json.hpp"
#include "machine/vz_machine.hpp"

namespace berth::vz {

HostAnswer ask_host();

// Both call back once, through `post`.
void ask_image(const std::filesystem::path& image, Post post, std::function<void(Outcome<ImageAnswer>)> done);
void ask_latest(Post post, std::function<void(Outcome<LatestAnswer>)> done);

struct AuxiliaryPlan {
  std::filesystem::path hardware_model, machine_identifier, auxiliary_storage;
};
// Makes the storage, 0600, which must not exist. Blocks.
Outcome<void> make_auxiliary_storage(const AuxiliaryPlan& plan);

} // namespace berth::vz
