// Errors in words, and their exit codes.
#include "client/error_text.hpp"

#include "client/exit_code.hpp"

namespace berth::cli {

using client::ClientError;
using client::ErrorKind;
using client::Holder;

namespace {

std::string name_of(const Holder& holder) { return holder.name.empty() ? holder.id : holder.name; }

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string joined;
  for (const auto& each : words) {
    if (!joined.empty()) joined += separator;
    joined += each;
  }
  return joined;
}

std::string stop_commands(const ClientError& error) {
  std::vector<std::string> names;
  for (const auto& each : error.holders) names.push_back(name_of(each));
  return names.empty() ? "berth stop NAME" : "berth stop " + join(names, " ");
}

// The command for an action of the API.
std::string command_for(std::string_view action) {
  if (action == "request_stop") return "berth stop";
  if (action == "force_stop") return "berth stop --force";
  if (action == "reconfigure" || action == "set_memory_target") return "berth set";
  if (action == "snapshot") return "berth snapshot create";
  if (action == "revert") return "berth snapshot restore";
  if (action == "delete") return "berth rm";
  return "berth " + std::string{action};
}

std::vector<std::string> state_hints(const ClientError& error) {
  if (error.allowed_actions.empty()) return {"see what it is doing: berth ops"};
  std::vector<std::string> commands;
  for (const auto& each : error.allowed_actions) commands.push_back(command_for(each));
  const std::string state = error.state.empty() ? "now" : "while it is " + error.state;
  return {"allowed " + state + ": " + join(commands, ", ")};
}

std::vector<std::string> problem_hints(const ClientError& error) {
  const std::string& code = error.code;
  if (code == "machine_id_in_use") {
    return {"two VMs with one machine identifier never run together; end the other one first: " + stop_commands(error),
            "or wait for it: berth start --queue NAME",
            "or make a clone that is another machine: berth clone --machine-id new NAME NEW"};
  }
  if (code == "quota_exceeded") {
    return {"every berth for macOS guests is taken; free one: " + stop_commands(error),
            "or wait for one: berth start --queue NAME"};
  }
  if (code == "quota_held_elsewhere")
    return {"another program on this host runs macOS guests; end it, or wait: berth start --queue NAME"};
  if (code == "mac_in_use")
    return {"end the other one: " + stop_commands(error), "or take a fresh address: berth start --randomize-mac NAME"};
  if (code == "state_conflict") return state_hints(error);
  if (code == "operation_in_progress")
    return {"wait for it: berth ops --wait ID", "or end it: berth ops --cancel ID (berth ops lists them)"};
  if (code == "name_in_use") return {"choose another name, or look at the one that has it: berth ls"};
  if (code == "machine_id_altered") return {"put the original identity back: berth repair NAME"};
  if (code == "machine_id_carried")
    return {"to delete it, delete the VMs that carry it first (berth mid show KEY lists them); to import a VM that shares it "
            "with them, say --mid-policy keep_shared"};
  if (code == "image_in_use") return {"VMs boot from it, or are installed from it: berth images ls -o wide lists them"};
  if (code == "nothing_to_boot")
    return {"it was made empty; make it with --kernel, --efi, --disk-image or --restore-image (berth create --help)"};
  if (code == "insufficient_memory") return {"end another VM, or give this one less: berth set --memory SIZE NAME"};
  if (code == "insufficient_disk" || code == "storage_failed")
    return {"make room on the disk of the daemon's state; berth host says where"};
  if (code == "path_not_allowed")
    return {"the daemon reads only beneath its allowed roots, and follows no links; copy the file there"};
  if (code == "permission_denied") return {"this user has no role, or may only look; ask the owner of the daemon"};
  if (code == "precondition_failed")
    return {"somebody else has changed it in the meantime; look at it, and run the command again"};
  if (code == "machine_unreachable") return {"the VM's process is silent; end it by force: berth stop --force NAME"};
  if (code == "network_unavailable")
    return {"look at the URL and at the network of the daemon's host; the same command again goes on where it ended"};
  if (code == "driver_unavailable") return {"berth host says which drivers there are, and why not"};
  if (code == "not_found") return {"berth ls lists the VMs"};
  if (code == "starting" || code == "shutting_down" || code == "too_many_requests") return {"try again in a moment"};
  return {};
}

} // namespace

std::string headline(const ClientError& error) {
  std::string text = "berth: " + (error.message.empty() ? std::string{"failed"} : error.message);
  if (!error.code.empty()) text += " [" + error.code + "]";
  return text + "\n";
}

std::vector<std::string> hints(const ClientError& error) {
  switch (error.kind) {
    case ErrorKind::kSocketAbsent:
      return {"no daemon has been started with this state directory; start one: berthd",
              "or name its socket: --socket PATH, or BERTH_SOCKET"};
    case ErrorKind::kSocketDead: return {"the daemon has ended and left its socket behind; start it again: berthd"};
    case ErrorKind::kDenied: return {"the daemon belongs to another user; ask its owner for access, or run your own"};
    case ErrorKind::kTimeout:
      if (!error.operation.empty())
        return {"wait for it: berth ops --wait " + error.operation, "or end it: berth ops --cancel " + error.operation};
      return {"the daemon may be hung; its log says more"};
    case ErrorKind::kProtocol:
      if (!error.operation.empty()) return {"it may go on without you: berth ops " + error.operation};
      return {};
    case ErrorKind::kProblem: return problem_hints(error);
  }
  return {};
}

std::string error_text(const ClientError& error) {
  std::string text = headline(error);
  for (const auto& each : error.fields) text += "  " + each.field + ": " + each.detail + "\n";
  for (const auto& each : error.holders)
    text += "  held by " + name_of(each) + (each.name.empty() ? "" : " (" + each.id + ")") + "\n";
  for (const auto& each : hints(error)) text += "  hint: " + each + "\n";
  return text;
}

ExitCode exit_code_of(const ClientError& error) {
  switch (error.kind) {
    case ErrorKind::kSocketAbsent:
    case ErrorKind::kSocketDead: return ExitCode::kUnreachable;
    case ErrorKind::kDenied: return ExitCode::kDenied;
    case ErrorKind::kTimeout: return ExitCode::kTimeout;
    case ErrorKind::kProtocol: return ExitCode::kProtocol;
    case ErrorKind::kProblem: break;
  }
  if (error.code == "permission_denied" || error.code == "unauthorized") return ExitCode::kDenied;
  // There the operation is the one in the way, not one that has failed.
  if (error.code == "operation_in_progress") return ExitCode::kRefused;
  return error.operation.empty() ? ExitCode::kRefused : ExitCode::kFailed;
}

std::string_view exit_code_help() {
  return "Exit codes:\n"
         "  0  done, or it was so already\n"
         "  1  the daemon refused; the message has the code of the problem\n"
         "  2  the command line is wrong\n"
         "  3  no daemon: no socket, or nobody listens on it\n"
         "  4  this user may not\n"
         "  5  not done in time; what was begun goes on\n"
         "  6  begun, and ended without success\n"
         "  7  the answer is not berthd's, or was cut off\n";
}

} // namespace berth::cli
