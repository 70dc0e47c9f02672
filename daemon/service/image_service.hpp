// Images: taken in under the hash of their bytes, listed, deleted when nobody boots from them.
#pragma once

#include <optional>
#include <string>

#include "daemon/service/context.hpp"
#include "daemon/service/operation_service.hpp"

namespace berth {

struct ImportImage {
  std::string path;
  ImageKind kind = ImageKind::kKernel;
  std::optional<std::string> name;
};

class ImageService {
public:
  ImageService(Context& context, OperationService& operations) : context_(context), operations_(operations) {}

  Task<Result<Accepted>> import(ImportImage request, Caller caller);
  // kImageInUse, naming the VMs.
  Task<Result<void>> remove(std::string id, Caller caller);

private:
  Task<void> run_import(std::shared_ptr<OperationControl> control, ImportImage request, std::shared_ptr<UniqueFd> file,
                        std::string name);
  Context& context_;
  OperationService& operations_;
};

} // namespace berth
