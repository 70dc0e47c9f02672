// images ls, add, pull, rm.
#include "client/commands/images.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t kShortestPrefix = 6;

bool is_hexadecimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_a(const Json& image, const std::string& reference) {
  const std::string id = text(image, "id");
  const bool is_prefix = reference.size() >= kShortestPrefix && is_hexadecimal(reference) && id.starts_with(reference);
  return is_prefix || text(image, "name") == reference;
}

client::ClientError no_image(const std::string& reference, std::string why) {
  client::ClientError error;
  error.kind = client::ErrorKind::kProblem;
  error.message = "'" + reference + "' is " + std::move(why);
  return error;
}

client::Result<std::string> known_image(const Session& session, const std::string& reference) {
  if (reference.size() == 64 && is_hexadecimal(reference)) return reference;
  const auto items = session.daemon.list("/v1/images");
  if (!items) return std::unexpected(items.error());
  std::vector<std::string> found;
  for (const auto& each : *items) {
    const Json image = parse_document(each);
    if (is_a(image, reference)) found.push_back(text(image, "id"));
  }
  if (found.empty()) return std::unexpected(no_image(reference, "neither a file nor an image (berth images ls lists them)"));
  if (found.size() > 1) return std::unexpected(no_image(reference, "the name of several images; use the id"));
  return found.front();
}

ExitCode add_image(Session& session, const std::string& path, const std::string& kind, const std::string& name) {
  Progress progress{session};
  const auto change = import_image(session, path, kind, name, wait_of(session, progress));
  progress.clear();
  if (!change || change->operation)
    return report(session, image_kind(), path, change, {"imported", "{} is imported already", "importing"});
  const std::string id = text(parse_document(change->document), "id");
  return report(session, image_kind(), path + " as " + id.substr(0, 12), change, {"imported", "imported", "importing"});
}

struct Source {
  std::string from, kind, name, sha256; // `from` is a URL, or "latest"
};

ExitCode pull_image(Session& session, const Source& source) {
  Json body;
  if (source.from == "latest")
    body["latest"] = true;
  else
    body["url"] = source.from;
  body["kind"] = source.kind;
  if (!source.name.empty()) body["name"] = source.name;
  if (!source.sha256.empty()) body["sha256"] = source.sha256;
  Progress progress{session};
  const auto change = session.daemon.change("POST", "/v1/images", to_json_line(body), wait_of(session, progress));
  progress.clear();
  if (!change || change->operation)
    return report(session, image_kind(), source.from, change, {"pulled", "{} is here already", "pulling"});
  const Json image = parse_document(change->document);
  return report(session, image_kind(), text(image, "name") + " as " + text(image, "id").substr(0, 12), change,
                {"pulled", "pulled", "pulling"});
}

// A sign that is no letter of a hash stays for the daemon to refuse.
std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return text;
}

ExitCode remove_image(Session& session, const std::string& reference) {
  const auto id = known_image(session, reference);
  if (!id) return fail(session, id.error());
  const auto change = session.daemon.change("DELETE", "/v1/images/" + client::percent_encode(*id));
  return report(session, image_kind(), reference, change, {"deleted", "{} is gone already", "deleting"});
}

void add_add(CLI::App& parent, Chosen& chosen) {
  struct Options {
    std::string path, kind, name;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = parent.add_subcommand("add", "Copy a file of this host into the store of images");
  command->add_option("path", options->path, "The file")->required()->check(CLI::ExistingFile);
  command->add_option("--kind", options->kind, "What it is")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"kernel", "initramfs", "disk", "restore"}));
  command->add_option("--name", options->name, "Name (default: the file's)");
  chosen.on(command, [options](Session& session) { return add_image(session, options->path, options->kind, options->name); });
}

void add_pull(CLI::App& parent, Chosen& chosen) {
  const auto source = std::make_shared<Source>();
  source->kind = "restore";
  CLI::App* command = parent.add_subcommand("pull", "Fetch an image into the store of images");
  command->add_option("source", source->from, "An http or https URL, or 'latest': the newest macOS for this host")
      ->required()
      ->check([](const std::string& given) {
        const bool is_known = given == "latest" || given.starts_with("https://") || given.starts_with("http://");
        return is_known ? std::string{} : "'" + given + "' is neither 'latest' nor an http or https URL";
      });
  command->add_option("--kind", source->kind, "What it is")
      ->check(CLI::IsMember(std::vector<std::string>{"kernel", "initramfs", "disk", "restore"}))
      ->capture_default_str();
  command->add_option("--name", source->name, "Name (default: the file's)");
  command->add_option("--sha256", source->sha256, "SHA-256 that it must have, 64 hexadecimal digits");
  chosen.on(command, [source](Session& session) {
    source->sha256 = lower_case(source->sha256);
    return pull_image(session, *source);
  });
}

} // namespace

client::Result<client::Change> import_image(const Session& session, const std::string& path, std::string_view kind,
                                            const std::string& name, const client::Wait& wait) {
  Json body;
  body["path"] = absolute_path(path);
  body["kind"] = std::string{kind};
  if (!name.empty()) body["name"] = name;
  return session.daemon.change("POST", "/v1/images", to_json_line(body), wait);
}

client::Result<std::string> image_id(const Session& session, const std::string& reference, std::string_view kind,
                                     Progress& progress) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(reference, error);
  if (!is_file && reference.find('/') != std::string::npos) return std::unexpected(no_image(reference, "no file of this host"));
  if (!is_file) return known_image(session, reference);
  // Waited for even with --no-wait: its id is needed now.
  const client::Wait wait{.at_most = session.options.timeout,
                          .on_progress = [&progress](const client::Operation& operation) { progress.show(operation); }};
  const auto change = import_image(session, reference, kind, {}, wait);
  progress.clear();
  if (!change) return std::unexpected(change.error());
  return text(parse_document(change->document), "id");
}

void add_image_commands(CLI::App& app, Chosen& chosen) {
  CLI::App* parent = app.add_subcommand("images", "Kernels, initial RAM file systems, disks and restore images");
  parent->require_subcommand(0, 1);
  const Action list_all = [](Session& session) { return list(session, image_kind(), "/v1/images"); };
  chosen.on_alone(parent, list_all);
  chosen.on(parent->add_subcommand("ls", "List images"), list_all);
  add_add(*parent, chosen);
  add_pull(*parent, chosen);
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* remove = parent->add_subcommand("rm", "Delete images that no VM boots from");
  remove->add_option("images", *names, "Ids, beginnings of ids, or names")->required();
  chosen.on(remove, [names](Session& session) {
    return for_each_name(*names, [&](const std::string& name) { return remove_image(session, name); });
  });
}

} // namespace berth::cli
