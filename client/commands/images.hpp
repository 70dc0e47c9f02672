// Images by whatever a user calls them.
#pragma once

#include <string>
#include <string_view>

#include <berth/client.hpp>

#include "client/progress.hpp"
#include "client/session.hpp"

namespace berth::cli {

// The id of an image from a local path (which is imported first), an id, the beginning of one (six digits or more), or
// a name that only one image has.
client::Result<std::string> image_id(const Session& session, const std::string& reference, std::string_view kind,
                                     Progress& progress);

// POST /v1/images for a file of this host; an empty name is left to the daemon.
client::Result<client::Change> import_image(const Session& session, const std::string& path, std::string_view kind,
                                            const std::string& name, const client::Wait& wait);

} // namespace berth::cli
