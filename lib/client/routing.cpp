#include "client/routing.h"

namespace rstream {

namespace {

constexpr uint32_t byte_order_mark = 0xfeff;
constexpr uint32_t first_supplementary = 0x10000;
constexpr uint32_t last_code_point = 0x10ffff;

bool is_surrogate(uint32_t c) { return c >= 0xd800 && c <= 0xdfff; }

// Takes a character of UTF-8 off the front; false when it is malformed.
bool take_character(std::string_view &text, uint32_t &c) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t first = byte(0);
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4) return false;
  size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  if (more >= text.size()) return false;
  c = more == 0 ? first : first & (0x3fu >> more);
  for (size_t i = 1; i <= more; i++) {
    if ((byte(i) & 0xc0) != 0x80) return false;
    c = c << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t least[] = {0, 0x80, 0x800, first_supplementary};
  if (c < least[more] || c > last_code_point || is_surrogate(c)) return false;
  text.remove_prefix(more + 1);
  return true;
}

void add_unit(murmur3_x64 &hash, uint32_t unit) {
  hash.add(static_cast<uint8_t>(unit));
  hash.add(static_cast<uint8_t>(unit >> 8));
}

void add_character(murmur3_x64 &hash, uint32_t c) {
  if (c < first_supplementary) return add_unit(hash, c);
  c -= first_supplementary;
  add_unit(hash, 0xd800 + (c >> 10));
  add_unit(hash, 0xdc00 + (c & 0x3ff));
}

// Of the number high * 2^64 + low.
uint32_t remainder(const murmur3_128 &number, uint32_t divisor) {
  uint64_t left = 0;
  for (uint64_t half : {number.high, number.low}) {
    left = (left << 32 | half >> 32) % divisor;
    left = (left << 32 | (half & 0xffffffffu)) % divisor;
  }
  return static_cast<uint32_t>(left);
}

}  // namespace

// It hashes the key as UTF-16 with a byte order mark, as a little-endian machine writes
// it, and takes all 128 bits for one number.
bool route_by_python_hash(std::string_view key, uint32_t partition_count,
                          uint32_t &partition) {
  murmur3_x64 hash(routing_seed);
  add_unit(hash, byte_order_mark);
  while (!key.empty()) {
    uint32_t c;
    if (!take_character(key, c)) return false;
    add_character(hash, c);
  }
  partition = remainder(hash.finish(), partition_count);
  return true;
}

}  // namespace rstream
