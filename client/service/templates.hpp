// The texts of launchd/ and packaging/systemd/, as they stand there, and how their gaps are filled.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace berth::cli {

std::string_view agent_property_list();
std::string_view daemon_property_list();
std::string_view systemd_service();
std::string_view systemd_socket();

// Puts values where a template says @NAME@. A line whose whole text is one gap goes when its value is empty. A gap without
// a value stays: that is a bug of ours, and a test looks for it.
std::string fill(std::string_view text, const std::map<std::string, std::string>& values);

} // namespace berth::cli
