// What an import of a URL was asked for, kept with its operation so that the next daemon can go on with it.
#pragma once

#include <optional>
#include <string>

#include "daemon/core/image.hpp"

namespace berth {

struct DownloadOrder {
  std::string url; // empty until the driver has said which image is the latest
  ImageKind kind = ImageKind::kRestore;
  std::string sha256; // what the file must have; empty: anything
  std::string name;   // empty: the file's

  std::string encode() const;
  // Empty for parameters of another kind of operation.
  static std::optional<DownloadOrder> decode(const std::string& text);
  // Of its file in staging/, by the hash of the URL; empty without a URL.
  std::string file_name() const;
};

} // namespace berth
