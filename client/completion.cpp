// Walks the tree of commands and writes one script per shell.
#include "client/completion.hpp"

#include <algorithm>
#include <vector>

#include <CLI/CLI.hpp>

namespace berth::cli {

namespace {

struct OptionWords {
  std::vector<std::string> names; // with their dashes
  std::string description;
  std::vector<std::string> values; // when only these are possible
  bool takes_value = false;
};

// One command: where it stands, and what may follow there.
struct Node {
  std::string path; // "berth mid ls"
  std::string description;
  std::vector<std::string> commands;
  std::vector<OptionWords> options;
  std::vector<std::string> names_kinds; // of its positional arguments
};

// CLI11 describes CLI::IsMember as "…{a,b,c}" in the type.
std::vector<std::string> values_of(const std::string& type_name) {
  const auto open = type_name.find('{');
  const auto close = type_name.find('}', open == std::string::npos ? 0 : open);
  std::vector<std::string> values;
  if (open == std::string::npos || close == std::string::npos) return values;
  std::string value;
  for (const char each : type_name.substr(open + 1, close - open - 1) + ",") {
    if (each != ',') {
      value.push_back(each);
    } else if (!value.empty()) {
      values.push_back(value);
      value.clear();
    }
  }
  return values;
}

OptionWords words_of(const CLI::Option& option) {
  OptionWords words;
  for (const auto& each : option.get_snames()) words.names.push_back("-" + each);
  for (const auto& each : option.get_lnames()) words.names.push_back("--" + each);
  words.description = option.get_description();
  words.values = values_of(option.get_type_name());
  words.takes_value = option.get_items_expected_max() > 0;
  return words;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, app.get_description(), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (!option->get_positional()) {
      node.options.push_back(words_of(*option));
    } else if (const auto kind = names_kind(option->get_name(true)); !kind.empty()) {
      node.names_kinds.emplace_back(kind);
    }
  }
  const auto shown = [](const CLI::App* each) { return !each->get_group().empty() && !each->get_name().empty(); };
  const auto subcommands = app.get_subcommands(shown);
  for (const CLI::App* each : subcommands) node.commands.push_back(each->get_name());
  nodes.push_back(std::move(node));
  for (const CLI::App* each : subcommands) collect(*each, path + " " + each->get_name(), nodes);
}

// Inside single quotes of a POSIX shell and of fish alike.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char each : text) {
    if (each == '\'')
      result += "'\\''";
    else
      result.push_back(each);
  }
  return result + "'";
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string joined;
  for (const auto& each : words) {
    if (!joined.empty()) joined += separator;
    joined += each;
  }
  return joined;
}

std::string option_names(const Node& node) {
  std::vector<std::string> names;
  for (const auto& each : node.options) names.insert(names.end(), each.names.begin(), each.names.end());
  return join(names, " ");
}

// `case` patterns of every command below the root: "'berth ls'|'berth mid ls'".
std::string path_patterns(const std::vector<Node>& nodes) {
  std::vector<std::string> patterns;
  for (std::size_t index = 1; index < nodes.size(); ++index) patterns.push_back(in_quotes(nodes[index].path));
  return join(patterns, "|");
}

// The body that bash and zsh share: finds the command that is being written, then sets `choices` (what may stand
// here), `flags`, `kinds` (for berth __names) and `values` (when the word before is an option that takes a value). Names that are
// special to zsh (words, options, path) must not be assigned here.
std::string shell_body(const std::vector<Node>& nodes) {
  std::string body = "  for word in \"${before[@]}\"; do\n"
                     "    case \"$here $word\" in " +
                     path_patterns(nodes) +
                     ") here=\"$here $word\" ;; esac\n"
                     "  done\n"
                     "  case \"$here\" in\n";
  for (const auto& node : nodes) {
    body += "    " + in_quotes(node.path) + ") choices=" + in_quotes(join(node.commands, " ")) +
            " flags=" + in_quotes(option_names(node)) + " kinds=" + in_quotes(join(node.names_kinds, " ")) + " ;;\n";
  }
  body += "  esac\n  case \"$here $last\" in\n";
  for (const auto& node : nodes) {
    for (const auto& option : node.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      // The root's options may stand after any command.
      for (const auto& name : option.names)
        patterns.push_back(&node == &nodes.front() ? "*" + in_quotes(" " + name) : in_quotes(node.path + " " + name));
      body += "    " + join(patterns, "|") + ") takes_value=1 values=" + in_quotes(join(option.values, " ")) + " ;;\n";
    }
  }
  return body + "  esac\n";
}

std::string bash_script(const std::vector<Node>& nodes) {
  return "# bash completion for berth: eval \"$(berth completion bash)\"\n"
         "_berth() {\n"
         "  local here=berth word choices= flags= kinds= values= takes_value= kind\n"
         "  local line=\"${COMP_LINE:0:COMP_POINT}\" current= last= before\n"
         // Not COMP_WORDS: readline breaks words at the ':' of keys and the '=' of options, too.
         "  read -ra before <<<\"$line\"\n"
         "  case \"$line\" in *[[:space:]]) ;; *) current=\"${before[-1]}\"; unset 'before[-1]' ;; esac\n"
         "  last=\"${before[-1]}\"; before=(\"${before[@]:1}\")\n"
         "  case \"$current\" in -*=*) last=\"${current%%=*}\" current=\"${current#*=}\" ;; esac\n" +
         shell_body(nodes) +
         "  if [ -n \"$takes_value\" ]; then\n"
         "    if [ -n \"$values\" ]; then COMPREPLY=($(compgen -W \"$values\" -- \"$current\")); else compopt -o default; fi\n"
         "    return\n"
         "  fi\n"
         "  case \"$current\" in -*) choices=\"$flags " +
         option_names(nodes.front()) +
         "\" kinds= ;; esac\n"
         "  for kind in $kinds; do choices=\"$choices $(berth __names \"$kind\" 2>/dev/null)\"; done\n"
         "  if [ -z \"$choices$kinds\" ]; then compopt -o default; return; fi\n"
         "  COMPREPLY=($(compgen -W \"$choices\" -- \"$current\"))\n"
         // Readline replaces only what stands after the last ':'.
         "  local stays=\"${current%\"${current##*:}\"}\"\n"
         "  case \"$COMP_WORDBREAKS\" in *:*) COMPREPLY=(\"${COMPREPLY[@]#\"$stays\"}\") ;; esac\n"
         "}\n"
         "complete -F _berth berth\n";
}

std::string zsh_script(const std::vector<Node>& nodes) {
  return "#compdef berth\n"
         "# zsh completion for berth: berth completion zsh > a directory of $fpath, as _berth\n"
         "_berth() {\n"
         "  local here=berth word choices= flags= kinds= values= takes_value= kind\n"
         "  local current=\"${words[CURRENT]}\" last=\"${words[CURRENT-1]}\"\n"
         "  local -a before; before=(\"${(@)words[2,CURRENT-1]}\")\n" +
         shell_body(nodes) +
         "  if [[ -n \"$takes_value\" ]]; then\n"
         "    if [[ -n \"$values\" ]]; then compadd -- ${=values}; else _files; fi\n"
         "    return\n"
         "  fi\n"
         "  if [[ \"$current\" == -* ]]; then compadd -- ${=flags} " +
         option_names(nodes.front()) +
         "; return; fi\n"
         "  compadd -- ${=choices}\n"
         "  for kind in ${=kinds}; do compadd -- ${(f)\"$(berth __names \"$kind\" 2>/dev/null)\"}; done\n"
         "}\n"
         "if [[ \"$funcstack[1]\" == _berth ]]; then _berth \"$@\"; else compdef _berth berth; fi\n";
}

std::string fish_option(const std::string& condition, const OptionWords& option) {
  std::string line = "complete -c berth" + condition;
  for (const auto& each : option.names) line += each.starts_with("--") ? " -l " + each.substr(2) : " -s " + each.substr(1);
  if (option.takes_value) line += option.values.empty() ? " -r -F" : " -x -a " + in_quotes(join(option.values, " "));
  return line + " -d " + in_quotes(option.description) + "\n";
}

std::string fish_script(const std::vector<Node>& nodes) {
  std::vector<std::string> paths;
  for (std::size_t index = 1; index < nodes.size(); ++index) paths.push_back(in_quotes(nodes[index].path));
  std::string script = "# fish completion for berth: berth completion fish | source\n"
                       "function __berth_here\n"
                       "  set -l here berth\n"
                       "  for word in (commandline -opc)[2..-1]\n"
                       "    if contains -- \"$here $word\" " +
                       join(paths, " ") +
                       "\n"
                       "      set here \"$here $word\"\n"
                       "    end\n"
                       "  end\n"
                       "  test \"$here\" = \"$argv\"\n"
                       "end\n"
                       "complete -c berth -f\n";
  for (const auto& node : nodes) {
    const bool is_root = &node == &nodes.front();
    const std::string here = " -n " + in_quotes("__berth_here " + node.path);
    for (const auto& each : nodes) {
      const bool is_child =
          each.path.starts_with(node.path + " ") && each.path.find(' ', node.path.size() + 1) == std::string::npos;
      if (is_child)
        script += "complete -c berth" + here + " -a " + in_quotes(each.path.substr(node.path.size() + 1)) + " -d " +
                  in_quotes(each.description) + "\n";
    }
    for (const auto& each : node.options) script += fish_option(is_root ? "" : here, each);
    for (const auto& each : node.names_kinds)
      script += "complete -c berth" + here + " -a " + in_quotes("(berth __names " + each + " 2>/dev/null)") + "\n";
  }
  return script;
}

} // namespace

std::string_view names_kind(std::string_view positional) {
  if (positional == "vm" || positional == "vms") return "vms";
  if (positional == "image" || positional == "images") return "images";
  if (positional == "key" || positional == "keys") return "mids";
  if (positional == "operation") return "ops";
  return {};
}

std::string completion_script(const CLI::App& app, Shell shell) {
  std::vector<Node> nodes;
  collect(app, "berth", nodes);
  switch (shell) {
    case Shell::kBash: return bash_script(nodes);
    case Shell::kZsh: return zsh_script(nodes);
    case Shell::kFish: return fish_script(nodes);
  }
  return {};
}

} // namespace berth::cli
