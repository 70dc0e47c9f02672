// URLs that a file may be fetched from: http and https, without credentials.
#pragma once

#include <string>

#include "daemon/core/error.hpp"

namespace berth {

struct DownloadUrl {
  std::string url;       // as it was given, without a fragment
  std::string origin;    // without the query too, which may hold a secret
  std::string file_name; // the last part of the path, unescaped; the host's name when there is none
};

// kInvalidValue on "url".
Result<DownloadUrl> parse_download_url(const std::string& text);

} // namespace berth
