// openapi.yaml as a judge: checks requests and answers against the contract, and lists what the contract has. Knows no
// socket. May be used by several threads at once.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/core/error.hpp"

namespace berth::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Value of the first header of this name in any case; empty when there is none.
std::string header_value(const Headers& headers, std::string_view name);
bool has_header(const Headers& headers, std::string_view name);

struct ContractOperation {
  std::string method; // "GET"
  std::string path;   // "/v1/vms/{vm}"
  std::string operation_id;
  std::string role; // "anyone", "reader" or "operator"

  bool operator==(const ContractOperation&) const = default;
};

class Contract {
public:
  // Reads the file, resolves every reference and compiles every named schema, so that a broken contract is one clear
  // error here and not a surprise in some test. kInvalidValue with the place.
  static Result<Contract> load(const std::filesystem::path& file);
  ~Contract();
  Contract(Contract&&) noexcept;
  Contract& operator=(Contract&&) noexcept;

  // Each returns one sentence per violation, empty when all is as promised. `target` is path and query as sent.
  // Violations of a request: no such route or method, unknown, missing, repeated or wrong parameters, a wrong body.
  std::vector<std::string> check_request(std::string_view method, std::string_view target, const Headers& headers,
                                         std::string_view body) const;
  // Violations of an answer: a status that is not documented, required headers missing, a wrong header, content type or
  // body, a problem whose members disagree with each other. For a target that the contract does not have, any problem is
  // a good answer. `body` is empty for HEAD and for streams, whose messages check_schema() judges.
  std::vector<std::string> check_response(std::string_view method, std::string_view target, int status, const Headers& headers,
                                          std::string_view body) const;
  // A document against components/schemas/<name>.
  std::vector<std::string> check_schema(std::string_view name, const nlohmann::json& document) const;

  // What is in the contract, for the tests that hold it and the daemon together both ways.
  std::vector<ContractOperation> operations() const;
  std::vector<std::string> problem_codes() const;
  std::map<std::string, int> status_of_codes() const;
  // Names of the members of each named schema; those of objects written inside it with a dot: "requestor.uid".
  std::map<std::string, std::set<std::string>> property_names() const;

private:
  struct Impl;
  explicit Contract(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
