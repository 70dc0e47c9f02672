// Content-addressed files.
#include "daemon/service/image_service.hpp"

#include <algorithm>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/late_library.hpp"
#include "daemon/bundle/restore_image.hpp"
#include "daemon/host/path_policy.hpp"
#include "daemon/machine/installer.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

namespace {

Result<void> check_name(const std::string& name) {
  if (!name.empty() && name.size() <= 255) return {};
  return fail(ErrorCode::kInvalidValue, "an image's name has 1 to 255 characters", "name");
}

// What a file says of itself; empty but for restore images. On the pool.
Result<RestoreImage> judge(const std::filesystem::path& file, ImageKind kind) {
  if (auto judged = judge_image(file, kind); !judged) return std::unexpected(judged.error());
  return kind == ImageKind::kRestore ? read_restore_image(file) : RestoreImage{};
}

// An image that is there already stays. On the pool.
Result<void> move_in(const std::filesystem::path& file, const std::filesystem::path& target) {
  std::error_code error;
  if (std::filesystem::exists(target, error)) return files::remove_all(file);
  auto renamed = files::rename(file, target);
  if (renamed) crash_point("image.3_renamed");
  return renamed;
}

} // namespace

ImageService::ImageService(Context& context, OperationService& operations, DownloadOptions downloads)
    : context_(context), operations_(operations), downloads_(context, operations, downloads) {}

Installer* ImageService::installer() const {
  for (const auto& driver : context_.drivers)
    if (Installer* found = driver->installer()) return found;
  return nullptr;
}

Task<Result<Accepted>> ImageService::import(ImportImage request, Caller caller) {
  if ((request.kind == ImageKind::kRestore || request.is_latest) && !installer())
    co_return fail(ErrorCode::kUnsupported, "restore images need a driver for macOS guests, which this host does not have",
                   "kind");
  if (request.name)
    if (auto checked = check_name(*request.name); !checked) co_return std::unexpected(checked.error());
  if (!request.path.empty()) co_return co_await import_file(std::move(request), std::move(caller));
  // Reading a URL needs libcurl, whose files are looked for at the first time.
  (void)co_await blocking(context_.loop, [] { return late_curl().load(); });
  const auto order = order_of(request);
  if (!order) co_return std::unexpected(order.error());
  OperationRecord operation = operations_.make(OperationKind::kImportImage, nullptr, caller);
  operation.subject = order->name.empty() ? "latest restore image" : order->name;
  operation.parameters = order->encode();
  const auto control = std::make_shared<OperationControl>();
  auto accepted = co_await begin(std::move(operation), std::move(caller), control);
  if (accepted) context_.tasks.spawn("download image", run_download(control, *order));
  co_return accepted;
}

Task<Result<Accepted>> ImageService::import_file(ImportImage request, Caller caller) {
  const auto roots = roots_for(context_, caller, request.path);
  if (!roots) co_return std::unexpected(roots.error());
  auto opened = co_await blocking(context_.loop, [path = request.path, roots = *roots] { return open_allowed(path, roots); });
  if (!opened) co_return std::unexpected(opened.error());
  const std::string name = request.name.value_or(std::filesystem::path(request.path).filename().string());
  if (auto checked = check_name(name); !checked) co_return std::unexpected(checked.error());
  OperationRecord operation = operations_.make(OperationKind::kImportImage, nullptr, caller);
  operation.subject = name;
  const auto control = std::make_shared<OperationControl>();
  auto accepted = co_await begin(std::move(operation), std::move(caller), control);
  if (accepted)
    context_.tasks.spawn("import image " + name,
                         run_import(control, std::move(request), std::make_shared<UniqueFd>(std::move(*opened)), name));
  co_return accepted;
}

Task<Result<Accepted>> ImageService::begin(OperationRecord operation, Caller caller, std::shared_ptr<OperationControl> control) {
  control->id = operation.id;
  Transaction transaction;
  transaction.events.push_back(operation_event(context_.ledger, operation));
  if (caller.idempotency) {
    caller.idempotency->location = "/v1/operations/" + operation.id.to_string();
    transaction.writes.emplace_back(*caller.idempotency);
  }
  transaction.writes.emplace_back(std::move(operation));
  if (auto committed = co_await context_.ledger.commit(std::move(transaction)); !committed) {
    if (caller.idempotency) caller.idempotency->location.clear();
    co_return std::unexpected(committed.error());
  }
  operations_.register_control(control);
  crash_point("image.1_committed");
  co_return Accepted{true, control->id};
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
  Arrival arrival;
  arrival.file = context_.paths.staging() / ("image-" + control->id.to_string());
  auto copied = co_await blocking(
      context_.loop, [file, staging = arrival.file, copy_control] { return copy_hashed(*file, staging, copy_control); });
  if (!copied) {
    co_await operations_.end_alone(control->id, std::unexpected(copied.error()));
    co_return;
  }
  arrival.copy = std::move(*copied);
  arrival.wanted_sha256 = request.sha256;
  arrival.record.kind = request.kind;
  arrival.record.name = std::move(name);
  arrival.record.origin = request.path;
  co_await admit(control, std::move(arrival));
}

Task<void> ImageService::admit(std::shared_ptr<OperationControl> control, Arrival arrival) {
  crash_point("image.2_copied");
  ImageRecord& record = arrival.record;
  record.id = arrival.copy.sha256;
  record.size_bytes = arrival.copy.bytes;
  record.created_at = context_.loop.now();
  Result<RestoreImage> facts;
  if (!arrival.wanted_sha256.empty() && arrival.wanted_sha256 != record.id)
    facts = fail(ErrorCode::kImageInvalid, "the file has the SHA-256 " + record.id + ", not " + arrival.wanted_sha256, "sha256");
  else
    facts = co_await blocking(context_.loop, [file = arrival.file, kind = record.kind] { return judge(file, kind); });
  if (facts && control->is_cancelled) facts = fail(ErrorCode::kCancelled, "the import was cancelled");
  const auto shelf = shelf_;
  const auto guard = co_await shelf->lock();
  Result<void> moved;
  if (facts)
    moved = co_await blocking(context_.loop,
                              [file = arrival.file, target = context_.paths.image(record.id)] { return move_in(file, target); });
  // What is left: a refused file, and what lies beside a downloaded one.
  co_await blocking(context_.loop, [file = arrival.file] {
    Download::remove(file);
    return true;
  });
  if (!facts || !moved) {
    co_await operations_.end_alone(control->id, std::unexpected(facts ? moved.error() : facts.error()));
    co_return;
  }
  record.version = std::move(facts->version);
  record.build = std::move(facts->build);
  record.supported_models = std::move(facts->supported_models);
  const std::string id = record.id;
  Transaction extra;
  if (!context_.world.images.contains(id)) {
    extra.events.push_back(context_.ledger.event("image.created", id, record.name));
    extra.writes.emplace_back(std::move(record));
  }
  co_await operations_.end_alone(control->id, id, std::move(extra));
}

Task<Result<void>> ImageService::remove(std::string id, Caller caller) {
  const auto shelf = shelf_;
  const auto guard = co_await shelf->lock();
  const auto found = context_.world.images.find(id);
  if (found == context_.world.images.end()) co_return fail(ErrorCode::kNotFound, "there is no image " + id, id);
  std::map<std::string, std::string> users; // names by id: one that is installed may stand in several lists
  for (const VmHandle& vm : context_.world.users_of_image(id)) users[vm->record.id.to_string()] = vm->record.name;
  for (const auto& [vm, entry] : context_.world.nascent)
    if (entry->record.boot.kernel == id || entry->record.boot.initramfs == id) users[vm.to_string()] = entry->record.name;
  for (auto [use, end] = context_.world.installations.equal_range(id); use != end; ++use)
    users[use->second.first.to_string()] = use->second.second;
  if (!users.empty()) {
    std::vector<std::string> ids, names;
    for (const auto& [vm, name] : users) {
      ids.push_back(vm);
      names.push_back(name);
    }
    co_return std::unexpected(
        Error{ErrorCode::kImageInUse, "image " + found->second.name + " is used by " + std::to_string(users.size()) + " VMs", id}
            .with("holders", std::move(ids))
            .with("holder_names", std::move(names)));
  }
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
