// What a VM is given beside processors and memory, judged when it is made or changed, before anything is written.
#include <filesystem>

#include "daemon/host/path_policy.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

namespace {

// The directories as they will stand in the record: opened beneath the roots once, without following any link.
Result<std::vector<SharedDirectory>> open_all(std::vector<SharedDirectory> shares,
                                              const std::vector<std::filesystem::path>& roots) {
  for (std::size_t index = 0; index < shares.size(); ++index) {
    std::string& path = shares[index].path;
    const std::string field = "shares[" + std::to_string(index) + "].path";
    const auto opened = open_allowed(path, roots);
    if (!opened && opened.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidValue, "the directory to share " + path + " does not exist", field);
    if (!opened) return std::unexpected(opened.error());
    std::error_code error;
    if (!std::filesystem::is_directory(path_of(*opened), error))
      return fail(ErrorCode::kInvalidValue, "what is to be shared is not a directory: " + path, field);
    path = std::filesystem::path(path).lexically_normal().string();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  }
  return shares;
}

} // namespace

Task<Result<std::vector<SharedDirectory>>> VmService::open_shares(std::vector<SharedDirectory> shares, Caller caller) const {
  if (shares.empty()) co_return shares;
  const auto roots = roots_for(context_, caller, shares.front().path);
  if (!roots) co_return std::unexpected(roots.error());
  co_return co_await blocking(context_.loop, [shares, roots = *roots] { return open_all(shares, roots); });
}

Task<Result<void>> VmService::judge_devices(VmRecord vm) const {
  if (auto judged = judge_shares(vm.shares, vm.rosetta_tag, vm.guest); !judged) co_return judged;
  if ((vm.network == NetworkMode::kBridged) != !vm.bridge_interface.empty())
    co_return fail(ErrorCode::kInvalidValue, "a bridged network, and no other, names an interface of the host",
                   "network.interface");
  MachineDriver* driver = context_.driver(vm.driver);
  if (!driver) co_return Result<void>{};
  if (auto valid = driver->validate(vm); !valid) co_return valid;
  // It costs a process, and most VMs want nothing that comes and goes.
  if (vm.network == NetworkMode::kBridged || vm.rosetta_tag) co_return co_await driver->validate_on_host(std::move(vm));
  co_return Result<void>{};
}

} // namespace berth
