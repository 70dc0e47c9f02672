// How answers are printed in each format, and how the end of a command is told.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <berth/client.hpp>

#include "client/documents.hpp"
#include "client/exit_code.hpp"
#include "client/session.hpp"

namespace berth::cli {

struct Column {
  std::string header;
  std::function<std::string(const Json& item, const Session& session)> value;
  bool is_wide = false; // only with -o wide
};

// How one kind of resource is shown.
struct Kind {
  std::string id_member, name_member; // for -q and -o name
  std::vector<Column> columns;
};

// A column that shows the member at a path as it is.
Column plain(std::string header, std::string path, bool is_wide = false);
// Bytes, roughly; a time as the age that it is.
Column size_column(std::string header, std::string path, bool is_wide = false);
Column age_column(std::string header, std::string path, bool is_wide = false);

// A list, in the format that the user asked for. JSON is the API's own {"items": […], "next_cursor": null}.
void print_items(const Session& session, const Kind& kind, const std::vector<std::string>& items);
// One resource; as a table it is a list of one.
void print_item(const Session& session, const Kind& kind, const std::string& document);
// JSON or YAML of a document, true when the user asked for one of them.
bool print_document(const Session& session, const std::string& document);

// Prints the error, gives its exit code.
ExitCode fail(const Session& session, const client::ClientError& error);

// What to say about a change: "started web", "web is already running", "starting web: operation 3f…".
struct Words {
  std::string_view done, already, under_way;
};
ExitCode report(const Session& session, const Kind& kind, std::string_view subject, const client::Result<client::Change>& change,
                const Words& words);

// Prints the collection at `target`, or the error.
ExitCode list(const Session& session, const Kind& kind, std::string_view target);

// Runs `action` for each name, all of them whatever happens, and gives the first exit code that is not kOk.
ExitCode for_each_name(const std::vector<std::string>& names, const std::function<ExitCode(const std::string&)>& action);

} // namespace berth::cli
