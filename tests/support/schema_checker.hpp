// JSON values against the schemas of one OpenAPI document. The only place that knows valijson.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace berth::test {

class SchemaChecker {
public:
  // `document` must outlive the checker and stay as it is: compiled schemas are kept by the address of their node.
  explicit SchemaChecker(const nlohmann::json& document);
  ~SchemaChecker();
  SchemaChecker(const SchemaChecker&) = delete;
  SchemaChecker& operator=(const SchemaChecker&) = delete;

  // The node itself, or what its "$ref" leads to. Throws std::exception for a reference that leads nowhere.
  const nlohmann::json& resolve(const nlohmann::json& node) const;
  // Throws std::exception for a schema that cannot be compiled.
  void compile(const nlohmann::json& schema) const;

  // Adds one sentence per violation, beginning with `what`. `schema` is a node of the document.
  void check(const nlohmann::json& schema, const nlohmann::json& value, std::string_view what,
             std::vector<std::string>& violations) const;
  // The same for the text of a parameter or header: read as the schema's type first. `values` is one text, or for an array
  // any number of them.
  void check_text(const nlohmann::json& schema, const std::vector<std::string>& values, std::string_view what,
                  std::vector<std::string>& violations) const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
