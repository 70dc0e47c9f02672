// Images: taken in under the hash of their bytes from files and URLs, listed, deleted when nobody uses them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "daemon/bundle/sha256.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/download_order.hpp"
#include "daemon/service/downloads.hpp"
#include "daemon/service/operation_service.hpp"

namespace berth {

// One of path, url and is_latest says where it comes from.
struct ImportImage {
  std::string path, url;
  bool is_latest = false; // the newest restore image for this host, as its driver says
  ImageKind kind = ImageKind::kRestore;
  std::optional<std::string> name;
  std::string sha256; // what it must have; empty: anything
};

class ImageService {
public:
  ImageService(Context& context, OperationService& operations, DownloadOptions downloads);

  Task<Result<Accepted>> import(ImportImage request, Caller caller);
  // kImageInUse, naming the VMs.
  Task<Result<void>> remove(std::string id, Caller caller);

  // After a restart: names in staging/ that unfinished downloads go on with, and the going on. False: it is no download.
  std::set<std::string> wanted_files() const;
  bool resume(const OperationRecord& operation);
  // The daemon is stopping: downloads end where they are, and the next daemon goes on with them.
  void stop() { downloads_.stop(); }

private:
  // A whole file in staging/, not yet judged.
  struct Arrival {
    std::filesystem::path file;
    HashedCopy copy;
    std::string wanted_sha256;
    ImageRecord record;               // without what the file itself says
    std::shared_ptr<const void> turn; // of a download: nobody else touches the file
  };

  Installer* installer() const;
  Result<DownloadOrder> order_of(const ImportImage& request) const;
  Task<Result<Accepted>> begin(OperationRecord operation, Caller caller, std::shared_ptr<OperationControl> control);
  Task<Result<Accepted>> import_file(ImportImage request, Caller caller);
  Task<void> run_import(std::shared_ptr<OperationControl> control, ImportImage request, std::shared_ptr<UniqueFd> file,
                        std::string name);
  Task<void> run_download(std::shared_ptr<OperationControl> control, DownloadOrder order);
  Task<Result<DownloadOrder>> find_latest(std::shared_ptr<OperationControl> control, DownloadOrder order);
  Task<Result<Arrival>> download(std::shared_ptr<OperationControl> control, DownloadOrder order);
  // Judges what has arrived, moves it to its place and ends the operation.
  Task<void> admit(std::shared_ptr<OperationControl> control, Arrival arrival);

  Context& context_;
  OperationService& operations_;
  Downloads downloads_;
  // Held while a file and its record come or go together. Shared with coroutines, which may outlive this object.
  std::shared_ptr<AsyncMutex> shelf_ = std::make_shared<AsyncMutex>();
};

} // namespace berth
