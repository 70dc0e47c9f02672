// Content-addressed files.
#include "daemon/service/image_service.hpp"

#include <algorithm>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/sha256.hpp"
#include "daemon/host/path_policy.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

Task<Result<Accepted>> ImageService::import(ImportImage request, Caller caller) {
  const bool is_installable =
      std::ranges::any_of(context_.drivers, [](const auto& driver) { return driver->installer() != nullptr; });
  if (request.kind == ImageKind::kRestore && !is_installable)
    co_return fail(ErrorCode::kUnsupported, "restore images need a driver for macOS guests, which this host does not have",
                   "kind");
  const auto roots = roots_for(context_, caller, request.path);
  if (!roots) co_return std::unexpected(roots.error());
  auto opened = co_await blocking(context_.loop, [path = request.path, roots = *roots] { return open_allowed(path, roots); });
  if (!opened) co_return std::unexpected(opened.error());
  const std::string name = request.name.value_or(std::filesystem::path(request.path).filename().string());
  if (name.empty() || name.size() > 255)
    co_return fail(ErrorCode::kInvalidValue, "an image's name has 1 to 255 characters", "name");
  OperationRecord operation = operations_.make(OperationKind::kImportImage, nullptr, caller);
  operation.subject = name;
  const OperationId id = operation.id;
  auto control = std::make_shared<OperationControl>();
  control->id = id;
  Transaction transaction;
  transaction.events.push_back(operation_event(context_.ledger, operation));
  if (caller.idempotency) {
    caller.idempotency->location = "/v1/operations/" + id.to_string();
    transaction.writes.emplace_back(*caller.idempotency);
  }
  transaction.writes.emplace_back(std::move(operation));
  if (auto committed = co_await context_.ledger.commit(std::move(transaction)); !committed) {
    if (caller.idempotency) caller.idempotency->location.clear();
    co_return std::unexpected(committed.error());
  }
  operations_.register_control(control);
  crash_point("image.1_committed");
  context_.tasks.spawn("import image " + name,
                       run_import(control, std::move(request), std::make_shared<UniqueFd>(std::move(*opened)), name));
  co_return Accepted{true, id};
}

Task<void> ImageService::run_import(std::shared_ptr<OperationControl> control, ImportImage request,
                                    std::shared_ptr<UniqueFd> file, std::string name) {
  disk::CloneControl copy_control;
  copy_control.is_cancelled = &control->is_cancelled;
  copy_control.progress = [this, control, last = std::make_shared<int>(-1)](std::uint64_t done, std::uint64_t total) {
    const int tenth = total == 0 ? 10 : static_cast<int>(done * 10 / total);
    if (tenth == *last) return;
    *last = tenth;
    context_.loop.post([this, control, tenth] { operations_.progress(control->id, tenth / 10.0, "copying"); });
  };
  const auto staging = context_.paths.staging() / ("image-" + control->id.to_string());
  auto copied = co_await blocking(
      context_.loop,
      [file, staging, copy_control, images = context_.paths.images(), kind = request.kind]() -> Result<HashedCopy> {
        auto copy = copy_hashed(*file, staging, copy_control);
        if (!copy) return copy;
        crash_point("image.2_copied");
        if (auto judged = judge_image(staging, kind); !judged) {
          (void)files::remove_all(staging);
          return std::unexpected(judged.error());
        }
        const auto target = images / copy->sha256;
        std::error_code error;
        if (std::filesystem::exists(target, error)) {
          (void)files::remove_all(staging);
          return copy;
        }
        if (auto renamed = files::rename(staging, target); !renamed) {
          (void)files::remove_all(staging);
          return std::unexpected(renamed.error());
        }
        crash_point("image.3_renamed");
        return copy;
      });
  if (!copied) {
    co_await operations_.end_alone(control->id, std::unexpected(copied.error()));
    co_return;
  }
  Transaction extra;
  if (!context_.world.images.contains(copied->sha256)) {
    ImageRecord record{copied->sha256, request.kind, copied->bytes, std::move(name), request.path, context_.loop.now()};
    extra.events.push_back(context_.ledger.event("image.created", record.id, record.name));
    extra.writes.emplace_back(std::move(record));
  }
  co_await operations_.end_alone(control->id, copied->sha256, std::move(extra));
}

Task<Result<void>> ImageService::remove(std::string id, Caller caller) {
  const auto found = context_.world.images.find(id);
  if (found == context_.world.images.end()) co_return fail(ErrorCode::kNotFound, "there is no image " + id, id);
  std::vector<std::string> ids, names;
  for (const VmHandle& vm : context_.world.users_of_image(id)) {
    ids.push_back(vm->record.id.to_string());
    names.push_back(vm->record.name);
  }
  for (const auto& [vm, entry] : context_.world.nascent)
    if (entry->record.boot.kernel == id || entry->record.boot.initramfs == id) {
      ids.push_back(vm.to_string());
      names.push_back(entry->record.name);
    }
  if (!ids.empty())
    co_return std::unexpected(
        Error{ErrorCode::kImageInUse, "image " + found->second.name + " is used by " + std::to_string(ids.size()) + " VMs", id}
            .with("holders", std::move(ids))
            .with("holder_names", std::move(names)));
  Transaction transaction;
  transaction.events.push_back(context_.ledger.event("image.deleted", id, found->second.name));
  transaction.events.back().uid = caller.uid;
  transaction.writes.emplace_back(DeleteImage{id});
  if (auto committed = co_await context_.ledger.commit(std::move(transaction)); !committed) co_return committed;
  // The record is gone first: a file without a record is swept at the next start.
  (void)co_await blocking(context_.loop, [file = context_.paths.image(id)] { return files::remove_all(file); });
  co_return Result<void>{};
}

} // namespace berth
