// A UUID as sixteen bytes, and the strong identifiers made of it. Randomness comes in as a parameter.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{}; // in the order of the text form (RFC 9562)

  auto operator<=>(const Uuid&) const = default;

  // Takes any sixteen random bytes and sets the version (4) and variant bits.
  static Uuid from_random(std::array<std::uint8_t, 16> random);
  // The 36 character form, in either case; nullopt for anything else.
  static std::optional<Uuid> parse(std::string_view text);
  // Lower case, 36 characters.
  std::string to_string() const;
};

// A UUID that names one kind of thing; two kinds do not compare.
template <class Tag>
struct UuidOf {
  Uuid value;

  auto operator<=>(const UuidOf&) const = default;
  std::string to_string() const { return value.to_string(); }
  static std::optional<UuidOf> parse(std::string_view text) {
    const auto uuid = Uuid::parse(text);
    if (!uuid) return std::nullopt;
    return UuidOf{*uuid};
  }
};

using VmId = UuidOf<struct VmIdTag>;
using OperationId = UuidOf<struct OperationIdTag>;
using SnapshotId = UuidOf<struct SnapshotIdTag>;

// Source of random bytes; the daemon gives the kernel's, tests give a counter.
using RandomBytes = std::function<std::array<std::uint8_t, 16>()>;

struct UuidHash {
  std::size_t operator()(const Uuid& uuid) const;
  template <class Tag>
  std::size_t operator()(const UuidOf<Tag>& id) const {
    return (*this)(id.value);
  }
};

} // namespace berth
