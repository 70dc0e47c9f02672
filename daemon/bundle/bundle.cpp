// Building, copying and checking bundles.
#include "daemon/bundle/bundle.hpp"

#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"

namespace berth {

namespace {

namespace fs = std::filesystem;

// A link or a directory in a file's place is there too: it must be refused by who opens it, never be left out in silence.
bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(fs::symlink_status(file, error));
}

Result<void> write_identity_and_description(const BundlePaths& paths, const NewBundle& bundle) {
  if (!bundle.hardware_model.empty())
    if (auto written = files::write_new(paths.hardware_model(), bundle.hardware_model, files::Sync::kYes); !written)
      return written;
  if (auto written = files::write_new(paths.machine_identifier(), bundle.machine_identifier, files::Sync::kYes); !written)
    return written;
  return files::write_new(paths.description(), files::as_bytes(describe(bundle.vm, bundle.machine_identifier)), files::Sync::kNo);
}

Result<void> make_disk(const BundlePaths& paths, const NewBundle& bundle, const disk::CloneControl& control) {
  if (!bundle.disk_image) return bundle.vm.disk_bytes == 0 ? Result<void>{} : disk::create(paths.disk(), bundle.vm.disk_bytes);
  if (auto cloned = disk::clone(*bundle.disk_image, paths.disk(), control); !cloned) return std::unexpected(cloned.error());
  return disk::grow(paths.disk(), bundle.vm.disk_bytes);
}

// Runs `fill` on the new directory and takes the directory away when it fails.
template <class Fill>
auto in_new_directory(const fs::path& directory, Fill fill) -> decltype(fill()) {
  std::error_code error;
  if (fs::exists(directory, error)) return fail(ErrorCode::kStorageFailed, directory.string() + " exists already");
  if (auto made = files::make_directory(directory); !made) return std::unexpected(made.error());
  auto filled = fill();
  if (!filled) (void)files::remove_all(directory);
  return filled;
}

} // namespace

Result<void> build_bundle(const fs::path& staging, const NewBundle& bundle, const disk::CloneControl& control) {
  return in_new_directory(staging, [&]() -> Result<void> {
    const BundlePaths paths{staging};
    if (auto made = make_disk(paths, bundle, control); !made) return made;
    return write_identity_and_description(paths, bundle);
  });
}

Result<disk::CloneMethod> copy_parts(const BundlePaths& from, const BundlePaths& to, CopyParts parts,
                                     const disk::CloneControl& control) {
  auto method = disk::CloneMethod::kCopyOnWrite;
  std::vector<std::pair<fs::path, fs::path>> pairs{{from.disk(), to.disk()},
                                                   {from.nvram(), to.nvram()},
                                                   {from.auxiliary_storage(), to.auxiliary_storage()},
                                                   {from.hardware_model(), to.hardware_model()}};
  if (parts.with_identity) pairs.emplace_back(from.machine_identifier(), to.machine_identifier());
  if (parts.with_saved_state) pairs.emplace_back(from.saved_state(), to.saved_state());
  for (const auto& [source, target] : pairs) {
    if (!is_there(source)) continue;
    const auto cloned = disk::clone(source, target, control);
    if (!cloned) return cloned;
    if (*cloned == disk::CloneMethod::kSparseCopy) method = *cloned;
  }
  return method;
}

Result<disk::CloneMethod> clone_bundle(const BundlePaths& from, const fs::path& staging, const NewBundle& clone, CopyParts parts,
                                       const disk::CloneControl& control) {
  return in_new_directory(staging, [&]() -> Result<disk::CloneMethod> {
    parts.with_identity = false;
    const BundlePaths paths{staging};
    auto method = copy_parts(from, paths, parts, control);
    if (!method) return method;
    if (auto written = write_identity_and_description(paths, clone); !written) return std::unexpected(written.error());
    return method;
  });
}

IdentityState check_identity(const BundlePaths& bundle, const Bytes& expected) {
  const auto found = files::read(bundle.machine_identifier(), 64 * 1024);
  if (!found) return found.error().code == ErrorCode::kNotFound ? IdentityState::kMissing : IdentityState::kAltered;
  return *found == expected ? IdentityState::kIntact : IdentityState::kAltered;
}

Result<void> repair_identity(const BundlePaths& bundle, const Bytes& expected) {
  return files::replace(bundle.machine_identifier(), expected);
}

std::optional<std::string> find_damage(const BundlePaths& bundle, const VmRecord& vm) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(bundle.root, error))) return "the bundle " + bundle.root.string() + " is missing";
  if (vm.disk_bytes == 0) return std::nullopt;
  const auto size = disk::size(bundle.disk());
  if (!size) return size.error().detail;
  if (*size < vm.disk_bytes)
    return bundle.disk().string() + " has " + std::to_string(*size) + " bytes, the record says " + std::to_string(vm.disk_bytes);
  return std::nullopt;
}

} // namespace berth
