// Every read is checked against the end of the bytes: a bad list is nothing, never a crash.
#include "machine/lookalike/binary_list.hpp"

namespace lookalike {
namespace {

constexpr std::size_t kTrailerSize = 32;
constexpr std::uint64_t kMostItems = 64;

// Every read is checked: outside of the list there are zeros, and `is_good` is lost.
class Reader {
public:
  explicit Reader(std::string_view list) : list_(list) {
    is_good_ = list.size() > kTrailerSize + 8 && list.starts_with("bplist00");
    if (!is_good_) return;
    const std::size_t trailer = list.size() - kTrailerSize;
    offset_size_ = number(trailer + 6, 1);
    reference_size_ = number(trailer + 7, 1);
    count_ = number(trailer + 8, 8);
    top_ = number(trailer + 16, 8);
    table_ = number(trailer + 24, 8);
    is_good_ = offset_size_ >= 1 && offset_size_ <= 8 && reference_size_ >= 1 && reference_size_ <= 8;
  }

  bool is_good() const { return is_good_; }

  std::optional<std::map<std::string, ListValue>> top() {
    const Head head = head_of(top_);
    if (head.kind != 0xd || head.length > kMostItems) return std::nullopt;
    std::map<std::string, ListValue> result;
    for (std::uint64_t item = 0; item < head.length; ++item) {
      const ListValue key = value(reference(head.body, item));
      result[key.bytes] = value(reference(head.body, head.length + item));
      if (key.kind != ListValue::Kind::kString) return std::nullopt;
    }
    return result;
  }

private:
  struct Head {
    unsigned kind = 0, low = 0;
    std::uint64_t length = 0, body = 0;
  };

  std::uint64_t number(std::uint64_t offset, std::uint64_t size) {
    if (offset > list_.size() || size > list_.size() - offset) {
      is_good_ = false;
      return 0;
    }
    std::uint64_t result = 0;
    for (const unsigned char byte : list_.substr(offset, size)) result = result << 8 | byte;
    return result;
  }

  std::uint64_t reference(std::uint64_t body, std::uint64_t index) {
    return number(body + index * reference_size_, reference_size_);
  }

  Head head_of(std::uint64_t object) {
    if (object >= count_ || count_ > kMostItems) {
      is_good_ = false;
      return {};
    }
    const std::uint64_t offset = number(table_ + object * offset_size_, offset_size_);
    const std::uint64_t marker = number(offset, 1);
    Head head{static_cast<unsigned>(marker >> 4), static_cast<unsigned>(marker & 15), marker & 15, offset + 1};
    if (head.kind != 1 && head.low == 15) { // the length is an integer that follows
      const std::uint64_t size = std::uint64_t{1} << (number(head.body, 1) & 3);
      head.length = number(head.body + 1, size);
      head.body += 1 + size;
    }
    return head;
  }

  ListValue value(std::uint64_t object) {
    const Head head = head_of(object);
    ListValue result;
    if (head.kind == 0x1 && head.low <= 4) {
      const std::uint64_t size = std::uint64_t{1} << head.low;
      result.kind = ListValue::Kind::kInteger;
      result.integer = size == 16 ? number(head.body + 8, 8) : number(head.body, size);
    } else if (head.kind == 0x5 || head.kind == 0x4) {
      result.kind = head.kind == 0x5 ? ListValue::Kind::kString : ListValue::Kind::kData;
      number(head.body, 0);
      if (head.body <= list_.size() && head.length <= list_.size() - head.body)
        result.bytes = list_.substr(head.body, head.length);
      else
        is_good_ = false;
    } else if (head.kind == 0xa && head.length <= kMostItems) {
      result.kind = ListValue::Kind::kArray;
      for (std::uint64_t item = 0; item < head.length; ++item) {
        const Head element = head_of(reference(head.body, item));
        if (element.kind != 0x1 || element.low > 3) return {};
        result.integers.push_back(number(element.body, std::uint64_t{1} << element.low));
      }
    }
    return result;
  }

  std::string_view list_;
  bool is_good_ = false;
  std::uint64_t offset_size_ = 0, reference_size_ = 0, count_ = 0, top_ = 0, table_ = 0;
};

} // namespace

std::optional<std::map<std::string, ListValue>> read_binary_list(std::string_view list) {
  Reader reader(list);
  if (!reader.is_good()) return std::nullopt;
  auto top = reader.top();
  return reader.is_good() ? top : std::nullopt;
}

} // namespace lookalike
