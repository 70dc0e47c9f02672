// Decisions that several services share.
#include "daemon/service/context.hpp"

namespace berth {

Result<std::vector<std::filesystem::path>> roots_for(const Context& context, const Caller& caller, const std::string& path) {
  if (caller.uid == context.own_uid || caller.uid == 0) return std::vector<std::filesystem::path>{};
  if (context.allowed_roots.empty())
    return fail(ErrorCode::kPathNotAllowed, "no roots are allowed for paths of other users", path);
  return context.allowed_roots;
}

Result<void> check_vm_name(std::string_view name) {
  if (is_valid_vm_name(name)) return {};
  return fail(ErrorCode::kInvalidValue,
              "a name has 1 to 63 letters, digits, '.', '_' or '-', begins with a letter or digit, and is no UUID", "name");
}

} // namespace berth
