// Prints berth(1) and berthd(8), made from what --help is made from. Runs at build time; is installed nowhere.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "daemon/options.hpp"

namespace {

// roff takes a period or a quote at the beginning of a line, and a backslash anywhere, for its own.
std::string roff(std::string_view text) {
  std::string escaped;
  bool is_at_begin = true;
  for (const char each : text) {
    if (is_at_begin && (each == '.' || each == '\'')) escaped += "\\&";
    if (each == '\\')
      escaped += "\\e";
    else if (each == '-')
      escaped += "\\-";
    else
      escaped += each;
    is_at_begin = each == '\n';
  }
  return escaped;
}

std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  std::string name = option.get_type_name();
  if (const auto colon = name.find(':'); colon != std::string::npos) name.erase(0, colon + 1); // "TEXT:{a,b}"
  return name;
}

bool is_shown(const CLI::App* app) { return !app->get_group().empty() && !app->get_name().empty(); }

void print_options(std::ostream& out, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    const bool is_positional = option->get_positional();
    out << ".TP\n\\fB" << roff(is_positional ? option->get_name(true) : option->get_name(false, true)) << "\\fR";
    if (const auto value = value_of(*option); !value.empty() && !is_positional) out << " \\fI" << roff(value) << "\\fR";
    out << '\n' << roff(option->get_description());
    if (!option->get_default_str().empty()) out << " (default: " << roff(option->get_default_str()) << ")";
    out << '\n';
  }
}

void print_synopsis(std::ostream& out, const CLI::App& app, const std::string& path) {
  out << "\\fB" << roff(path) << "\\fR [\\fIoptions\\fR]";
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional() && !option->get_group().empty()) {
      const std::string name = roff(option->get_name(true)) + (option->get_items_expected_max() > 1 ? "..." : "");
      out << (option->get_required() ? " \\fI" + name + "\\fR" : " [\\fI" + name + "\\fR]");
    }
  if (!app.get_subcommands(is_shown).empty()) out << " \\fIcommand\\fR ...";
  out << '\n';
}

void print_footer(std::ostream& out, const CLI::App& app) {
  if (app.get_footer().empty()) return;
  out << ".PP\n.nf\n" << roff(app.get_footer()) << "\n.fi\n";
}

void print_commands(std::ostream& out, const CLI::App& app, const std::string& path) {
  for (const CLI::App* each : app.get_subcommands(is_shown)) {
    const std::string here = path + " " + each->get_name();
    out << ".SS ";
    print_synopsis(out, *each, here);
    out << roff(each->get_description()) << ".\n";
    print_options(out, *each);
    print_footer(out, *each);
    print_commands(out, *each, here);
  }
}

void print_head(std::ostream& out, const std::string& title, const char* section, const char* brief) {
  out << ".\\\" Made by packaging/man_pages.cpp from what --help is made from.\n.TH " << title << ' ' << section
      << " \"\" \"berth " BERTH_VERSION "\"\n.SH NAME\n"
      << brief << "\n.SH SYNOPSIS\n";
}

void print_berth(std::ostream& out) {
  const berth::cli::CommandLine command_line;
  const CLI::App& app = command_line.app();
  print_head(out, "BERTH", "1", "berth \\- the virtual machines of this host");
  print_synopsis(out, app, "berth");
  out << ".SH DESCRIPTION\nEvery command is a call or two of the API of \\fBberthd\\fR(8), on its Unix socket.\n.SH OPTIONS\n";
  print_options(out, app);
  out << ".SH COMMANDS\n";
  print_commands(out, app, "berth");
  out << ".SH EXIT STATUS\n";
  print_footer(out, app);
  out << ".SH ENVIRONMENT\n.TP\n\\fBBERTH_SOCKET\\fR\nSocket of the daemon.\n.SH SEE ALSO\n\\fBberthd\\fR(8)\n";
}

void print_berthd(std::ostream& out) {
  CLI::App app;
  berth::DaemonOptions options;
  berth::describe_options(app, options);
  print_head(out, "BERTHD", "8", "berthd \\- the VM daemon of one host");
  print_synopsis(out, app, "berthd");
  out << ".SH DESCRIPTION\n"
      << roff(app.get_description()) << "\n.PP\nIt runs in the foreground and logs to standard error.\n"
      << ".SH OPTIONS\n";
  print_options(out, app);
  out << ".SH SIGNALS\n"
         ".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nNo new requests, work under way gets its time, then the end. Guests run on "
         "unless "
         "\\fB\\-\\-guests\\fR says otherwise. A second signal ends at once.\n"
         ".TP\n\\fBSIGUSR1\\fR\nThe same, and guests run on whatever \\fB\\-\\-guests\\fR says: for an upgrade.\n"
         ".SH EXIT STATUS\n0 after an end that was asked for, 1 when it cannot start or go on, 2 when an option is wrong.\n"
         ".SH SEE ALSO\n\\fBberth\\fR(1), \\fBsystemd.socket\\fR(5)\n";
}

} // namespace

int main(int argument_count, char** arguments) {
  const std::string_view page = argument_count == 2 ? arguments[1] : "";
  if (page == "berth")
    print_berth(std::cout);
  else if (page == "berthd")
    print_berthd(std::cout);
  else
    return std::cerr << "man_pages berth|berthd\n", 2;
  return std::cout.flush() ? 0 : 1;
}
