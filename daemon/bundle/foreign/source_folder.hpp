// The folder of another tool's VM, read and never written: names are followed beneath it without links, and files that
// are to be copied are held, so that whoever respects locks does not change them meanwhile. Blocking: call on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::foreign {

// A regular file, open and locked (shared) for as long as this lives.
struct SourceFile {
  std::shared_ptr<UniqueFd> folder, file;
  std::string name; // in `folder`
  std::uint64_t bytes = 0;

  // Through the folder's descriptor: the same folder, whatever happens to its names.
  std::filesystem::path path() const;
};

class SourceFolder {
public:
  // `shown` is what errors call it.
  SourceFolder(std::shared_ptr<UniqueFd> folder, std::string shown) : folder_(std::move(folder)), shown_(std::move(shown)) {}

  // Is there anything of that name, links included?
  bool has(const std::string& name) const;
  // Names in it that end so, sorted; at most `most`.
  std::vector<std::string> names_ending(std::string_view suffix, std::size_t most) const;

  // `name` is relative, or absolute and beneath the folder. kNotFound; kPathNotAllowed when it leads out of the folder or
  // through a link; kBundleInUse when another program has a lock on it; kBundleInvalid when it is no file.
  Result<SourceFile> hold(const std::string& name) const;
  // The same, read whole. kBundleInvalid when it has more than `limit` bytes.
  Result<Bytes> read(const std::string& name, std::size_t limit) const;

  // kUnsupported for images that are not raw: qcow2, ASIF, VMDK … by their first and last bytes.
  Result<void> judge_raw(const SourceFile& disk) const;

  const std::string& shown() const { return shown_; }

private:
  // The folder in which the last part of `name` lies, and that part.
  struct Place {
    std::shared_ptr<UniqueFd> folder;
    std::string name;
  };
  Result<Place> place_of(const std::string& name) const;
  std::unexpected<Error> refused(const std::string& name, const std::string& why) const;

  std::shared_ptr<UniqueFd> folder_;
  std::string shown_;
};

} // namespace berth::foreign
