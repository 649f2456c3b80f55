// Bytes for tests: written as hex, and held in heap buffers of exactly their size, so
// that AddressSanitizer sees any read or write that is one byte off.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rstream::test {

using byte_vector = std::vector<uint8_t>;

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

// Everything that is not a hex digit is passed over, so long vectors can be laid out.
inline byte_vector from_hex(std::string_view text) {
  byte_vector out;
  int high = -1;
  for (char c : text) {
    int digit = hex_digit(c);
    if (digit < 0) {
      continue;
    }
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return out;
}

inline std::string to_hex(std::span<const uint8_t> data) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (uint8_t b : data) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

// The bytes of a text, borrowed.
inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

inline std::string text_of(std::span<const uint8_t> data) {
  return {reinterpret_cast<const char *>(data.data()), data.size()};
}

// A heap buffer with nothing behind its last byte.
struct exact_buffer {
  std::unique_ptr<uint8_t[]> data;
  size_t size;

  explicit exact_buffer(size_t n) : data(new uint8_t[n]), size(n) {
    std::memset(data.get(), 0xa5, n);
  }
  explicit exact_buffer(std::span<const uint8_t> from) : exact_buffer(from.size()) {
    if (!from.empty()) {
      std::memcpy(data.get(), from.data(), from.size());
    }
  }

  std::span<uint8_t> span() { return {data.get(), size}; }
};

}  // namespace rstream::test
