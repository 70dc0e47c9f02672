// Images from URLs: ordered, fetched, and gone on with after a restart of the daemon.
#include "daemon/bundle/download_url.hpp"
#include "daemon/machine/installer.hpp"
#include "daemon/runtime/crash_point.hpp"
#include "daemon/service/image_service.hpp"

namespace berth {

Result<DownloadOrder> ImageService::order_of(const ImportImage& request) const {
  DownloadOrder order;
  order.kind = request.kind;
  order.sha256 = request.sha256;
  order.name = request.name.value_or("");
  if (request.is_latest) return order;
  const auto parsed = parse_download_url(request.url);
  if (!parsed) return std::unexpected(parsed.error());
  order.url = parsed->url;
  if (order.name.empty()) order.name = parsed->file_name;
  return order;
}

// Asked once: after a restart the same image is gone on with, whatever is the latest then.
Task<Result<DownloadOrder>> ImageService::find_latest(std::shared_ptr<OperationControl> control, DownloadOrder order) {
  Installer* driver = installer();
  if (!driver) co_return fail(ErrorCode::kUnsupported, "this host has no driver for macOS guests any more");
  operations_.progress(control->id, 0, "asking for the latest restore image");
  const auto latest = co_await driver->latest();
  if (!latest) co_return std::unexpected(latest.error());
  const auto parsed = parse_download_url(latest->url);
  if (!parsed)
    co_return fail(ErrorCode::kNetworkUnavailable, "the latest restore image has no URL to fetch: " + parsed.error().detail);
  order.url = parsed->url;
  if (order.name.empty()) order.name = parsed->file_name;
  const OperationHandle operation = context_.world.operation(control->id);
  OperationRecord record = operation->record;
  ++record.revision;
  record.subject = order.name;
  record.parameters = order.encode();
  Transaction transaction;
  transaction.writes.emplace_back(std::move(record));
  co_await context_.ledger.record(std::move(transaction));
  co_return order;
}

Task<Result<ImageService::Arrival>> ImageService::download(std::shared_ptr<OperationControl> control, DownloadOrder order) {
  Arrival arrival;
  arrival.file = context_.paths.staging() / order.file_name();
  auto turn = co_await downloads_.turn(control, arrival.file);
  if (!turn) co_return std::unexpected(turn.error()); // the file may be somebody else's
  arrival.turn = std::move(*turn);
  auto downloaded = co_await downloads_.fetch(control, order.url, arrival.file);
  if (!downloaded) {
    const ErrorCode code = downloaded.error().code;
    // What came is kept for the next daemon, or for who asks again when the network is better; nobody else needs it.
    if (code != ErrorCode::kInterrupted)
      co_await blocking(context_.loop, [file = arrival.file, may_stay = code == ErrorCode::kNetworkUnavailable] {
        if (!may_stay || !Download::can_go_on(file)) Download::remove(file);
        return true;
      });
    co_return std::unexpected(downloaded.error());
  }
  crash_point("image.5_fetched");
  operations_.progress(control->id, 1, "checking");
  arrival.copy = {std::move(downloaded->sha256), downloaded->bytes};
  arrival.wanted_sha256 = order.sha256;
  arrival.record.kind = order.kind;
  arrival.record.name = order.name;
  if (const auto parsed = parse_download_url(order.url)) arrival.record.origin = parsed->origin;
  co_return arrival;
}

Task<void> ImageService::run_download(std::shared_ptr<OperationControl> control, DownloadOrder order) {
  if (context_.world.images.contains(order.sha256)) {
    co_await operations_.end_alone(control->id, order.sha256); // it is known by what it must be
    co_return;
  }
  if (order.url.empty()) {
    auto found = co_await find_latest(control, order);
    if (!found) {
      if (!context_.is_stopping) co_await operations_.end_alone(control->id, std::unexpected(found.error()));
      co_return;
    }
    order = std::move(*found);
  }
  auto arrival = co_await download(control, order);
  if (arrival) {
    co_await admit(control, std::move(*arrival));
  } else if (arrival.error().code != ErrorCode::kInterrupted) { // else the operation goes on with the next daemon
    co_await operations_.end_alone(control->id, std::unexpected(arrival.error()));
  }
}

std::set<std::string> ImageService::wanted_files() const {
  std::set<std::string> names;
  for (const auto& [id, operation] : context_.world.operations) {
    if (operation->record.kind != OperationKind::kImportImage || is_finished(operation->record.state)) continue;
    const auto order = DownloadOrder::decode(operation->record.parameters);
    if (!order || order->url.empty()) continue;
    names.insert(order->file_name());
    names.insert(order->file_name() + ".json");
  }
  return names;
}

bool ImageService::resume(const OperationRecord& operation) {
  if (operation.kind != OperationKind::kImportImage) return false;
  auto order = DownloadOrder::decode(operation.parameters);
  if (!order) return false;
  const auto control = std::make_shared<OperationControl>();
  control->id = operation.id;
  operations_.register_control(control);
  context_.tasks.spawn("download image", run_download(control, std::move(*order)));
  return true;
}

} // namespace berth
