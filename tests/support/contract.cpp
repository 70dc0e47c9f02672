// Finds the operation of a request in the document and holds each part against it.
#include "tests/support/contract.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "tests/support/schema_checker.hpp"
#include "tests/support/yaml_json.hpp"

namespace berth::test {

namespace {

using nlohmann::json;
using Violations = std::vector<std::string>;

constexpr std::array<std::string_view, 7> kMethods{"get", "put", "post", "delete", "patch", "head", "options"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = lower(c);
  return result;
}

bool is_same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  if (small >= 'a' && small <= 'f') return small - 'a' + 10;
  return std::nullopt;
}

// A bad escape stays as it is: whoever sends one does so on purpose, and the schema or the server will say so.
std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (!low) {
      result += text[i];
      continue;
    }
    result += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return result;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

// "application/json" of "application/json; charset=utf-8".
std::string media_type(const Headers& headers) {
  std::string type = lower(header_value(headers, "Content-Type"));
  type.resize(std::min(type.find(';'), type.size()));
  while (type.ends_with(' ')) type.pop_back();
  return type;
}

bool is_json(std::string_view type) { return type == "application/json" || type.ends_with("+json"); }

std::vector<std::string> values_of(const Headers& headers, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers)
    if (is_same_name(key, name)) values.push_back(value);
  return values;
}

std::string text_member(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string{};
}

int status_member(const json& problem) {
  const auto member = problem.find("status");
  return member != problem.end() && member->is_number_integer() ? member->get<int>() : 0;
}

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

} // namespace

std::string header_value(const Headers& headers, std::string_view name) {
  const auto values = values_of(headers, name);
  return values.empty() ? std::string{} : values.front();
}

bool has_header(const Headers& headers, std::string_view name) { return !values_of(headers, name).empty(); }

struct Contract::Impl {
  struct Template {
    std::string path;
    std::vector<std::string> segments;
    const json* item = nullptr;
  };
  // A target held against the templates. `operation` is null when the path or the method is not in the contract.
  struct Matched {
    const Template* path = nullptr;
    const json* operation = nullptr;
    std::map<std::string, std::string> path_values;
    std::vector<std::pair<std::string, std::string>> query;
  };

  explicit Impl(json root) : document(std::move(root)), checker(document) {
    for (const auto& [path, item] : document.at("paths").items()) templates.push_back({path, split(path, '/'), &item});
  }

  json document;
  SchemaChecker checker;
  std::vector<Template> templates;

  const json& schemas() const { return document.at("components").at("schemas"); }

  void check_references(const json& node) const {
    if (node.is_object()) checker.resolve(node);
    if (node.is_structured())
      for (const auto& child : node) check_references(child);
  }

  // Text goes before {name} where both fit, as in the server.
  const Template* find_template(const std::vector<std::string>& segments) const {
    const Template* best = nullptr;
    std::ptrdiff_t fewest = 0;
    for (const auto& each : templates) {
      if (each.segments.size() != segments.size()) continue;
      bool fits = true;
      for (std::size_t i = 0; fits && i < segments.size(); ++i)
        fits = is_parameter(each.segments[i]) ? !segments[i].empty() : each.segments[i] == segments[i];
      const auto parameters = std::ranges::count_if(each.segments, is_parameter);
      if (!fits || (best != nullptr && parameters >= fewest)) continue;
      best = &each;
      fewest = parameters;
    }
    return best;
  }

  Matched match(std::string_view method, std::string_view target) const {
    Matched matched;
    const std::size_t mark = std::min(target.find('?'), target.size());
    const auto segments = split(target.substr(0, mark), '/');
    if (mark < target.size())
      for (const auto& pair : split(target.substr(mark + 1), '&')) {
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const std::string_view value = std::string_view{pair}.substr(std::min(equals + 1, pair.size()));
        matched.query.emplace_back(percent_decoded(std::string_view{pair}.substr(0, equals)), percent_decoded(value));
      }
    matched.path = find_template(segments);
    if (matched.path == nullptr) return matched;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::string& name = matched.path->segments[i];
      if (is_parameter(name)) matched.path_values[name.substr(1, name.size() - 2)] = percent_decoded(segments[i]);
    }
    const auto operation = matched.path->item->find(method == "HEAD" ? "get" : lower(method));
    if (operation != matched.path->item->end()) matched.operation = &*operation;
    return matched;
  }

  std::vector<const json*> parameters(const Matched& matched) const {
    std::vector<const json*> all;
    for (const json* place : {matched.path->item, matched.operation})
      if (const auto list = place->find("parameters"); list != place->end())
        for (const auto& parameter : *list) all.push_back(&checker.resolve(parameter));
    return all;
  }

  static std::vector<std::string> given(const json& parameter, const Matched& matched, const Headers& headers) {
    const std::string name = text_member(parameter, "name"), where = text_member(parameter, "in");
    if (where == "header") return values_of(headers, name);
    if (where == "path") return {matched.path_values.at(name)};
    std::vector<std::string> values;
    for (const auto& [key, value] : matched.query)
      if (key == name) values.push_back(value);
    return values;
  }

  void check_parameters(const Matched& matched, const Headers& headers, Violations& violations) const {
    const auto documented = parameters(matched);
    for (const json* parameter : documented) {
      const std::string what = "parameter " + text_member(*parameter, "name");
      const auto values = given(*parameter, matched, headers);
      if (!values.empty())
        checker.check_text(parameter->at("schema"), values, what, violations);
      else if (parameter->value("required", false))
        violations.push_back(what + ": missing");
    }
    for (const auto& [name, value] : matched.query) {
      const auto is_it = [&name](const json* each) {
        return text_member(*each, "in") == "query" && text_member(*each, "name") == name;
      };
      if (std::ranges::none_of(documented, is_it)) violations.push_back("parameter " + name + ": not in the contract");
    }
  }

  // `content` maps media types to schemas. A body that is not JSON is not looked into.
  void check_content(const json& content, const Headers& headers, std::string_view body, std::string_view what,
                     Violations& violations) const {
    const std::string type = media_type(headers);
    const auto entry = content.find(type);
    if (entry == content.end())
      return violations.push_back(std::string(what) + ": content type " + in_quotes(type) + " is not documented");
    if (!is_json(type)) return;
    const json document_of_body = json::parse(body, nullptr, false);
    if (document_of_body.is_discarded())
      return violations.push_back(std::string(what) + ": not JSON: " + std::string(body.substr(0, 200)));
    checker.check(entry->at("schema"), document_of_body, what, violations);
    if (type == "application/problem+json") check_problem(document_of_body, violations);
  }

  void check_request_body(const json& operation, const Headers& headers, std::string_view body, Violations& violations) const {
    const auto place = operation.find("requestBody");
    if (place == operation.end()) {
      if (!body.empty()) violations.push_back("request body: none is documented");
      return;
    }
    const json& documented = checker.resolve(*place);
    if (!body.empty()) return check_content(documented.at("content"), headers, body, "request body", violations);
    if (documented.value("required", false)) violations.push_back("request body: missing");
  }

  // What schemas cannot say: type, status and code tell the same.
  void check_problem(const json& problem, Violations& violations) const {
    if (!problem.is_object()) return;
    const std::string code = text_member(problem, "code");
    if (text_member(problem, "type") != "urn:berth:problem:" + code)
      violations.push_back("problem: type and code " + code + " differ");
    const auto& statuses = schemas().at("ProblemCode").at("x-status");
    const auto expected = statuses.find(code);
    const int status = status_member(problem);
    // A console without a handshake is the one route with a status of its own.
    if (expected == statuses.end() || expected->get<int>() == status || status == 426) return;
    violations.push_back("problem: code " + code + " goes with status " + expected->dump() + ", not " + std::to_string(status));
  }

  void check_problem_status(int status, std::string_view body, Violations& violations) const {
    const json problem = json::parse(body, nullptr, false);
    if (problem.is_object() && status_member(problem) != status)
      violations.push_back("problem: its status is not that of the answer, " + std::to_string(status));
  }

  // An answer to something that is not in the contract can only be a problem.
  void check_undocumented(int status, const Headers& headers, std::string_view body, Violations& violations) const {
    if (status < 400) return violations.push_back("status " + std::to_string(status) + " of a route that is not in the contract");
    if (body.empty()) return;
    const json& problem = checker.resolve(document.at("components").at("responses").at("Problem"));
    check_content(problem.at("content"), headers, body, "answer", violations);
    check_problem_status(status, body, violations);
  }

  void check_headers(const json& response, const Headers& headers, Violations& violations) const {
    const auto documented = response.find("headers");
    if (documented == response.end()) return;
    for (const auto& [name, node] : documented->items()) {
      const json& header = checker.resolve(node);
      const auto values = values_of(headers, name);
      if (!values.empty())
        checker.check_text(header.at("schema"), values, "header " + name, violations);
      else if (header.value("required", false))
        violations.push_back("header " + name + ": missing");
    }
  }

  void check_answer(const json& operation, int status, const Headers& headers, std::string_view body, bool has_no_body,
                    Violations& violations) const {
    const auto& responses = operation.at("responses");
    auto entry = responses.find(std::to_string(status));
    if (entry == responses.end() && status >= 400) entry = responses.find("default");
    if (entry == responses.end()) return violations.push_back("status " + std::to_string(status) + " is not documented");
    const json& response = checker.resolve(*entry);
    check_headers(response, headers, violations);
    const auto content = response.find("content");
    if (content == response.end()) {
      if (!body.empty()) violations.push_back("answer: a body where none is documented");
      return;
    }
    if (has_no_body) return;
    check_content(*content, headers, body, "answer", violations);
    if (status >= 400) check_problem_status(status, body, violations);
  }
};

Contract::Contract(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Contract::~Contract() = default;
Contract::Contract(Contract&&) noexcept = default;
Contract& Contract::operator=(Contract&&) noexcept = default;

Result<Contract> Contract::load(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return fail(ErrorCode::kNotFound, "the contract cannot be opened", file.string());
  std::ostringstream text;
  text << stream.rdbuf();
  auto document = json_of_yaml(text.str());
  if (!document) return std::unexpected(document.error());
  try {
    auto impl = std::make_unique<Impl>(std::move(*document));
    impl->check_references(impl->document);
    for (const auto& schema : impl->schemas()) impl->checker.compile(schema);
    return Contract(std::move(impl));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidValue, std::string("the contract is broken: ") + error.what(), file.string());
  }
}

std::vector<std::string> Contract::check_request(std::string_view method, std::string_view target, const Headers& headers,
                                                 std::string_view body) const {
  const auto matched = impl_->match(method, target);
  if (matched.path == nullptr) return {"path of " + in_quotes(target) + " is not in the contract"};
  if (matched.operation == nullptr)
    return {"method " + std::string(method) + " of " + matched.path->path + " is not in the contract"};
  Violations violations;
  impl_->check_parameters(matched, headers, violations);
  impl_->check_request_body(*matched.operation, headers, body, violations);
  return violations;
}

std::vector<std::string> Contract::check_response(std::string_view method, std::string_view target, int status,
                                                  const Headers& headers, std::string_view body) const {
  const auto matched = impl_->match(method, target);
  Violations violations;
  if (matched.operation == nullptr) {
    impl_->check_undocumented(status, headers, body, violations);
    return violations;
  }
  const bool is_stream = media_type(headers) == "text/event-stream";
  impl_->check_answer(*matched.operation, status, headers, body, method == "HEAD" || is_stream, violations);
  return violations;
}

std::vector<std::string> Contract::check_schema(std::string_view name, const json& document) const {
  const auto schema = impl_->schemas().find(std::string(name));
  if (schema == impl_->schemas().end()) return {"schema " + std::string(name) + " is not in the contract"};
  Violations violations;
  impl_->checker.check(*schema, document, name, violations);
  return violations;
}

std::vector<ContractOperation> Contract::operations() const {
  std::vector<ContractOperation> all;
  for (const auto& each : impl_->templates)
    for (const auto method : kMethods) {
      const auto operation = each.item->find(std::string(method));
      if (operation == each.item->end()) continue;
      std::string name{method};
      for (char& c : name) c = static_cast<char>(c - 'a' + 'A');
      all.push_back({name, each.path, text_member(*operation, "operationId"), text_member(*operation, "x-role")});
    }
  return all;
}

std::vector<std::string> Contract::problem_codes() const {
  return impl_->schemas().at("ProblemCode").at("enum").get<std::vector<std::string>>();
}

std::map<std::string, int> Contract::status_of_codes() const {
  return impl_->schemas().at("ProblemCode").at("x-status").get<std::map<std::string, int>>();
}

namespace {

// References are not followed: what they lead to has a name of its own.
void collect_names(const json& schema, const std::string& prefix, std::set<std::string>& names) {
  if (const auto properties = schema.find("properties"); properties != schema.end())
    for (const auto& [name, property] : properties->items()) {
      names.insert(prefix + name);
      collect_names(property, prefix + name + ".", names);
    }
  if (const auto items = schema.find("items"); items != schema.end()) collect_names(*items, prefix, names);
  for (const auto* key : {"oneOf", "anyOf", "allOf"})
    if (const auto variants = schema.find(key); variants != schema.end())
      for (const auto& variant : *variants) collect_names(variant, prefix, names);
}

} // namespace

std::map<std::string, std::set<std::string>> Contract::property_names() const {
  std::map<std::string, std::set<std::string>> all;
  for (const auto& [name, schema] : impl_->schemas().items()) collect_names(schema, "", all[name]);
  return all;
}

} // namespace berth::test
