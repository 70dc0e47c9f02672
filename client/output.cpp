// Tables, documents and last words.
#include "client/output.hpp"

#include "client/error_text.hpp"
#include "client/format.hpp"
#include "client/table.hpp"

namespace berth::cli {

namespace {

std::string name_of(const Json& item, const Kind& kind) {
  const std::string name = text(item, kind.name_member);
  return name.empty() ? text(item, kind.id_member) : name;
}

void print_table(const Session& session, const Kind& kind, const std::vector<Json>& items) {
  const bool is_wide = session.options.format == OutputFormat::kWide;
  std::vector<std::string> header;
  for (const auto& each : kind.columns) {
    if (is_wide || !each.is_wide) header.push_back(each.header);
  }
  Table table{std::move(header)};
  for (const Json& item : items) {
    std::vector<std::string> row;
    for (const auto& each : kind.columns) {
      if (is_wide || !each.is_wide) row.push_back(each.value(item, session));
    }
    table.add(std::move(row));
  }
  table.print(session.out);
}

void print_json_items(const Session& session, const std::vector<Json>& items) {
  Json page = Json::object();
  page["items"] = Json::array();
  for (const Json& each : items) page["items"].push_back(each);
  page["next_cursor"] = nullptr;
  session.out << (session.options.format == OutputFormat::kYaml ? to_yaml_text(page) : to_json_text(page)) << '\n';
}

std::string subject_line(std::string_view words, std::string_view subject) {
  // "{} is already running" has a place for the name, "started" has it at the end.
  const auto place = words.find("{}");
  if (place == std::string_view::npos) return std::string{words}.append(" ").append(subject);
  return std::string{words.substr(0, place)}.append(subject).append(words.substr(place + 2));
}

} // namespace

Column plain(std::string header, std::string path, bool is_wide) {
  return {std::move(header), [path = std::move(path)](const Json& item, const Session&) { return text(item, path); }, is_wide};
}

Column size_column(std::string header, std::string path, bool is_wide) {
  return {std::move(header),
          [path = std::move(path)](const Json& item, const Session&) { return format_size(number(item, path)); }, is_wide};
}

Column age_column(std::string header, std::string path, bool is_wide) {
  return {
      std::move(header),
      [path = std::move(path)](const Json& item, const Session& session) { return format_age(text(item, path), session.now); },
      is_wide};
}

void print_items(const Session& session, const Kind& kind, const std::vector<std::string>& texts) {
  std::vector<Json> items;
  for (const auto& each : texts) items.push_back(parse_document(each));
  if (session.options.is_quiet) {
    for (const Json& each : items) session.out << text(each, kind.id_member) << '\n';
    return;
  }
  switch (session.options.format) {
    case OutputFormat::kTable:
    case OutputFormat::kWide: return print_table(session, kind, items);
    case OutputFormat::kJson:
    case OutputFormat::kYaml: return print_json_items(session, items);
    case OutputFormat::kName:
      for (const Json& each : items) session.out << printable(name_of(each, kind)) << '\n';
      return;
  }
}

void print_item(const Session& session, const Kind& kind, const std::string& document) {
  if (!session.options.is_quiet && print_document(session, document)) return;
  print_items(session, kind, {document});
}

bool print_document(const Session& session, const std::string& document) {
  if (session.options.format == OutputFormat::kJson)
    session.out << to_json_text(parse_document(document)) << '\n';
  else if (session.options.format == OutputFormat::kYaml)
    session.out << to_yaml_text(parse_document(document)) << '\n';
  else
    return false;
  return true;
}

ExitCode fail(const Session& session, const client::ClientError& error) {
  session.err << error_text(error) << std::flush;
  return exit_code_of(error);
}

ExitCode report(const Session& session, const Kind& kind, std::string_view subject, const client::Result<client::Change>& change,
                const Words& words) {
  if (!change) return fail(session, change.error());
  const std::string& document = change->operation ? change->operation->document : change->document;
  if (session.options.is_quiet || session.options.format == OutputFormat::kName) {
    const Json json = parse_document(document);
    const bool wants_name = session.options.format == OutputFormat::kName && !change->operation;
    const std::string id = change->operation ? change->operation->id : text(json, kind.id_member);
    const std::string shown = wants_name ? name_of(json, kind) : id;
    session.out << (shown.empty() ? std::string{subject} : shown) << '\n';
    return ExitCode::kOk;
  }
  if (!document.empty() && print_document(session, document)) return ExitCode::kOk;
  if (document.empty() && session.options.format != OutputFormat::kTable && session.options.format != OutputFormat::kWide)
    return ExitCode::kOk;
  if (change->operation) {
    session.out << subject_line(words.under_way, subject) << ": operation " << change->operation->id << '\n';
  } else {
    session.out << subject_line(change->changed ? words.done : words.already, subject) << '\n';
  }
  return ExitCode::kOk;
}

ExitCode list(const Session& session, const Kind& kind, std::string_view target) {
  const auto items = session.daemon.list(target);
  if (!items) return fail(session, items.error());
  print_items(session, kind, *items);
  return ExitCode::kOk;
}

ExitCode for_each_name(const std::vector<std::string>& names, const std::function<ExitCode(const std::string&)>& action) {
  ExitCode first = ExitCode::kOk;
  for (const auto& each : names) {
    const ExitCode code = action(each);
    if (first == ExitCode::kOk) first = code;
  }
  return first;
}

} // namespace berth::cli
