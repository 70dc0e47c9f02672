// Columns of every resource, and shared requests.
#include "client/commands/kinds.hpp"

#include <filesystem>
#include <system_error>

namespace berth::cli {

namespace {

Column labels_column() {
  return {"LABELS",
          [](const Json& item, const Session&) {
            std::string all;
            const Json& labels = member(item, "labels");
            if (!labels.is_object()) return all;
            for (const auto& [key, value] : labels.items()) all += (all.empty() ? "" : ",") + key + "=" + text_of(value);
            return all;
          },
          true};
}

Column list_column(std::string header, std::string path, std::string element_member, bool is_wide = false) {
  return {std::move(header),
          [path = std::move(path), element_member = std::move(element_member)](const Json& item, const Session&) {
            return joined(item, path, element_member);
          },
          is_wide};
}

std::string percent(const Json& item, const Session&) {
  const Json& progress = member(item, "progress");
  return progress.is_number() ? std::to_string(static_cast<int>(progress.get<double>() * 100)) + "%" : std::string{};
}

std::string short_id(const Json& item, const Session&) { return text(item, "id").substr(0, 12); }

std::string guest_of(const Json& item, const Session&) {
  return text(item, "guest") + (is_true(item, "simulated") ? " (simulated)" : "");
}

std::string yes_no(const Json& item, std::string_view path) { return is_true(item, path) ? "yes" : "no"; }

} // namespace

Kind vm_kind() {
  return {"id",
          "name",
          {plain("NAME", "name"),
           plain("STATE", "status.state"),
           {"GUEST", guest_of},
           plain("CPUS", "cpu_count"),
           size_column("MEMORY", "memory_bytes"),
           size_column("DISK", "disk_bytes"),
           list_column("ADDRESSES", "status.addresses", ""),
           age_column("SINCE", "status.since"),
           plain("ID", "id", true),
           plain("MACHINE ID", "machine_id", true),
           plain("MAC ADDRESS", "mac_address", true),
           plain("REASON", "status.reason", true),
           labels_column()}};
}

Kind image_kind() {
  return {"id",
          "id",
          {{"ID", short_id},
           plain("KIND", "kind"),
           size_column("SIZE", "size_bytes"),
           plain("NAME", "name"),
           age_column("AGE", "created_at"),
           plain("VERSION", "version", true),
           list_column("USED BY", "used_by", "name", true),
           plain("ORIGIN", "origin", true),
           plain("FULL ID", "id", true)}};
}

Kind machine_id_kind() {
  return {"key",
          "key",
          {plain("KEY", "key"),
           plain("NAME", "name"),
           plain("ORIGIN", "origin"),
           {"KEPT", [](const Json& item, const Session&) { return yes_no(item, "kept"); }},
           plain("HELD BY", "held_by.name"),
           list_column("CARRIED BY", "carried_by", "name"),
           plain("SERIAL NUMBER", "serial_number", true),
           plain("HARDWARE UUID", "hardware_uuid", true),
           plain("PROVISIONING UUID", "provisioning_uuid", true)}};
}

Kind operation_kind() {
  return {"id",
          "id",
          {plain("ID", "id"),
           plain("KIND", "kind"),
           plain("SUBJECT", "subject"),
           plain("STATE", "state"),
           {"DONE", percent},
           plain("STEP", "step"),
           age_column("AGE", "created_at"),
           plain("ERROR", "error.code"),
           plain("DETAIL", "error.detail", true),
           plain("PLACE", "position", true),
           plain("UID", "requestor.uid", true)}};
}

Kind snapshot_kind() {
  return {"id",
          "name",
          {plain("NAME", "name"),
           plain("ID", "id"),
           size_column("DISK", "disk_bytes"),
           {"SAVED STATE", [](const Json& item, const Session&) { return yes_no(item, "saved_state"); }},
           age_column("AGE", "created_at"),
           plain("PARENT", "parent", true),
           plain("MACHINE ID", "machine_id", true)}};
}

Kind lease_kind() {
  return {"ip",
          "ip",
          {plain("IP", "ip"), plain("MAC ADDRESS", "mac_address"), plain("HOST NAME", "hostname"), plain("VM", "vm"),
           plain("SOURCE", "source"), plain("EXPIRES", "expires_at"), plain("INTERFACE", "interface", true),
           age_column("FIRST SEEN", "first_seen", true), list_column("CONFLICT", "conflict", "reason", true)}};
}

Kind address_kind() {
  return {"ip",
          "ip",
          {plain("IP", "ip"), plain("MAC ADDRESS", "mac_address"), plain("SOURCE", "source"), plain("INTERFACE", "interface"),
           age_column("SEEN", "seen_at"), plain("EXPIRES", "expires_at"), list_column("CONFLICTS", "conflicts", "reason")}};
}

std::string vm_path(std::string_view vm, std::string_view action) {
  std::string path = "/v1/vms/" + client::percent_encode(vm);
  if (!action.empty()) path.append("/").append(action);
  return path;
}

client::Result<Json> fetch(const Session& session, const std::string& target) {
  const auto reply = session.daemon.request("GET", target);
  if (!reply) return std::unexpected(reply.error());
  return client::Result<Json>{std::in_place, parse_document(reply->body)};
}

client::Result<client::Change> patch(const Session& session, const std::string& target, const Json& current, const Json& changes,
                                     const client::Wait& wait) {
  const std::string revision = "\"" + std::to_string(number(current, "revision")) + "\"";
  return session.daemon.change("PATCH", target, to_json_line(changes), wait, {{"If-Match", revision}});
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  return error ? path : resolved.string();
}

} // namespace berth::cli
