// The inside of Client, shared by the files that implement it.
#pragma once

#include <memory>
#include <string>

#include <berth/client.hpp>

#include "client/lib/deadline.hpp"
#include "client/lib/documents.hpp"
#include "client/lib/http_connection.hpp"

namespace berth::client {

struct Client::Impl {
  explicit Impl(ClientOptions given) : options(std::move(given)) {}

  // The kept connection while it is good, else a fresh one.
  Result<HttpConnection*> connection();
  Result<Reply> send(const HttpRequest& request, Milliseconds extra_time);

  ClientOptions options;
  std::unique_ptr<HttpConnection> kept;
};

// "/v1/vms/web/start" from a VM's id or name and an action; without an action the VM itself.
std::string vm_target(std::string_view vm, std::string_view action = {});

// The document of an answer, or kProtocol when it is not JSON.
Result<Json> to_document(const Reply& reply);

} // namespace berth::client
