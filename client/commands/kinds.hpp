// How each kind of resource is shown, and what several commands ask of the daemon in the same way.
#pragma once

#include <string>
#include <string_view>

#include <berth/client.hpp>

#include "client/documents.hpp"
#include "client/output.hpp"

namespace berth::cli {

Kind vm_kind();
Kind image_kind();
Kind machine_id_kind();
Kind operation_kind();
Kind snapshot_kind();
Kind lease_kind();
Kind address_kind();

// "/v1/vms/web" and "/v1/vms/web/start", encoded.
std::string vm_path(std::string_view vm, std::string_view action = {});

// GET of one document.
client::Result<Json> fetch(const Session& session, const std::string& target);

// PATCH on the revision that `current` has: whoever was faster makes it fail.
client::Result<client::Change> patch(const Session& session, const std::string& target, const Json& current, const Json& changes,
                                     const client::Wait& wait);

// Absolute, with links resolved as far as it exists: what a user may name, where the daemon follows no links.
std::string absolute_path(const std::string& path);

} // namespace berth::cli
