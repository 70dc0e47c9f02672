// The serial console: a WebSocket for people, a log by offset for scripts.
#include "api/answer.hpp"
#include "daemon/machine/console_log.hpp"

namespace berth::api {

namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kLargestLog = 1024 * 1024;

Result<std::optional<std::uint64_t>> offset_of(const Request& request) { return request.query_number("offset", 0, UINT64_MAX); }

Task<Response> get_log(Api& api, Request request) {
  if (auto known = request.check_query({"offset", "limit"}); !known) co_return refuse(known.error(), request);
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  const auto offset = offset_of(request);
  if (!offset) co_return refuse(offset.error(), request);
  const auto limit = request.query_number("limit", 1, kLargestLog);
  if (!limit) co_return refuse(limit.error(), request);
  auto chunk =
      co_await blocking(api.loop(), [directory = api.harbour.context().paths.runtime((*vm)->record.id),
                                     from = offset->value_or(0), bytes = static_cast<std::size_t>(limit->value_or(kChunk))] {
        return ConsoleLog(directory).read(from, bytes);
      });
  if (!chunk) co_return refuse(chunk.error(), request);
  const std::uint64_t next = chunk->offset + chunk->bytes.size();
  co_return Response::of(200, "application/octet-stream", std::move(chunk->bytes))
      .with("Berth-Offset", std::to_string(chunk->offset))
      .with("Berth-Next-Offset", std::to_string(next));
}

// What the guest writes, to the socket. Ends when the socket does or the VM is deleted; a stopped VM only has no news.
Task<void> pump_output(Api& api, VmHandle vm, std::shared_ptr<WebSocket> socket, std::uint64_t from) {
  const auto directory = api.harbour.context().paths.runtime(vm->record.id);
  while (socket->is_open() && !vm->is_gone) {
    Console::Chunk chunk;
    if (vm->machine && from >= vm->machine->console().begin()) {
      chunk = vm->machine->console().recent(from, kChunk);
    } else {
      // Older than the ring in memory, or no machine: the file has it.
      auto read = co_await blocking(api.loop(), [directory, from] { return ConsoleLog(directory).read(from, kChunk); });
      if (read) chunk = std::move(*read);
    }
    if (!chunk.bytes.empty()) {
      from = chunk.offset + chunk.bytes.size();
      if (!socket->send(chunk.bytes) || !co_await socket->ready()) co_return;
      continue;
    }
    auto [resolver, pending] = one_shot<bool>();
    socket->closed().listen(resolver);
    vm->changed.listen(resolver);
    if (vm->machine) vm->machine->console().changed().listen(resolver);
    co_await std::move(pending);
  }
  if (vm->is_gone) socket->close(1001, "the VM has been deleted");
}

Task<void> pump_input(Api& api, VmHandle vm, std::shared_ptr<WebSocket> socket) {
  for (;;) {
    auto message = co_await socket->read();
    if (!message) co_return;
    std::string_view rest = *message;
    while (!rest.empty() && socket->is_open()) {
      const auto part = rest.substr(0, 4096);
      if (vm->machine && vm->machine->console().write(part)) {
        rest.remove_prefix(part.size());
        continue;
      }
      if (!vm->machine) break;                      // nobody is there to read what was typed
      co_await sleep_for(api.loop(), Duration{20}); // the guest's buffer is full
    }
  }
}

Task<void> attach(Api& api, Request request, std::shared_ptr<WebSocket> socket) {
  const auto vm = find_vm(api, request);
  const auto offset = offset_of(request);
  if (!vm || !offset) co_return;
  std::uint64_t from = 0;
  if (*offset) {
    from = **offset;
  } else if ((*vm)->machine) {
    from = (*vm)->machine->console().end();
  } else {
    const auto range = co_await blocking(api.loop(), [directory = api.harbour.context().paths.runtime((*vm)->record.id)] {
      return ConsoleLog(directory).range();
    });
    if (range) from = range->end;
  }
  api.harbour.context().tasks.spawn("console output of " + (*vm)->record.name, pump_output(api, *vm, socket, from));
  co_await pump_input(api, *vm, socket);
}

} // namespace

void add_console_routes(Router& router, Api& api) {
  router.add_async(Method::kGet, "/v1/vms/{vm}/console/log", Access::kReader,
                   [&api](Request request) { return get_log(api, std::move(request)); });
  const auto check = [&api](const Request& request) -> std::optional<Response> {
    if (auto known = request.check_query({"offset"}); !known) return refuse(known.error(), request);
    if (const auto vm = find_vm(api, request); !vm) return refuse(vm.error(), request);
    if (const auto offset = offset_of(request); !offset) return refuse(offset.error(), request);
    return std::nullopt;
  };
  router.add_websocket(
      "/v1/vms/{vm}/console", Access::kOperator, check,
      [&api](Request request, std::shared_ptr<WebSocket> socket) { return attach(api, std::move(request), std::move(socket)); });
}

} // namespace berth::api
