// Progress of operations on standard error.
#include "client/progress.hpp"

#include <algorithm>
#include <cmath>

#include "client/table.hpp"

namespace berth::cli {

namespace {

constexpr int kBarWidth = 24;

std::string bar(double fraction) {
  const double whole = std::clamp(fraction, 0.0, 1.0);
  const int filled = static_cast<int>(std::lround(whole * kBarWidth));
  const int percent = static_cast<int>(std::floor(whole * 100));
  const std::string number = std::to_string(percent);
  return "[" + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "] " +
         std::string(3 - std::min<std::size_t>(3, number.size()), ' ') + number + "%";
}

Progress::Style style_of(const Session& session) {
  if (session.options.is_quiet) return Progress::Style::kSilent;
  return session.is_terminal ? Progress::Style::kBar : Progress::Style::kLines;
}

} // namespace

Progress::Progress(const Session& session) : Progress(session.err, style_of(session)) {}

std::string step_text(const client::Operation& operation) {
  if (operation.state != "queued") return operation.step.empty() ? operation.state : operation.step;
  std::string text = "waiting";
  for (const auto& blocker : operation.blocked_by) {
    text += " for " + blocker.kind;
    for (const auto& holder : blocker.holders) text += (&holder == &blocker.holders.front() ? " of " : ", ") + holder.name;
  }
  if (operation.position) text += ", place " + std::to_string(*operation.position);
  return text;
}

void Progress::show(const client::Operation& operation) {
  if (style_ == Style::kSilent || operation.is_finished()) return;
  const std::string step = printable(operation.kind + " " + operation.subject + ": " + step_text(operation));
  if (style_ == Style::kLines) {
    if (step != last_) err_ << step << '\n' << std::flush;
    last_ = step;
    return;
  }
  last_ = step;
  // Carriage return, text, and "erase to the end of the line" (ECMA-48 EL).
  err_ << '\r' << step << ' ' << bar(operation.progress) << "\x1b[K" << std::flush;
}

void Progress::clear() {
  if (style_ == Style::kBar && !last_.empty()) err_ << "\r\x1b[K" << std::flush;
  last_.clear();
}

client::Wait wait_of(const Session& session, Progress& progress) {
  if (!session.options.does_wait) return {};
  return {.at_most = session.options.timeout,
          .on_progress = [&progress](const client::Operation& operation) { progress.show(operation); }};
}

} // namespace berth::cli
