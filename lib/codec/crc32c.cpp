// Tables, because a library for this would be one more dependency, itself in C++, for the
// sake of the rarest of the compressions. Eight bytes at a time, so that checking costs
// less than what Snappy does to the same bytes.
#include "codec/crc32c.h"

#include <bit>
#include <cstring>

namespace rstream {

namespace {

constexpr uint32_t polynomial = 0x82f63b78;  // reflected

// at[k][b]: what byte b does to the CRC when k more bytes follow it.
struct tables {
  uint32_t at[8][256];
};

constexpr tables make_tables() {
  tables t{};
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    t.at[0][b] = crc;
  }
  for (int k = 1; k < 8; k++) {
    for (uint32_t b = 0; b < 256; b++) {
      uint32_t crc = t.at[k - 1][b];
      t.at[k][b] = crc >> 8 ^ t.at[0][crc & 0xff];
    }
  }
  return t;
}

constexpr tables table = make_tables();

uint32_t load_u32le(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return std::endian::native == std::endian::little ? v : __builtin_bswap32(v);
}

uint32_t eight_bytes(uint32_t crc, const uint8_t *p) {
  uint32_t low = crc ^ load_u32le(p);
  uint32_t high = load_u32le(p + 4);
  return table.at[7][low & 0xff] ^ table.at[6][low >> 8 & 0xff] ^
         table.at[5][low >> 16 & 0xff] ^ table.at[4][low >> 24] ^
         table.at[3][high & 0xff] ^ table.at[2][high >> 8 & 0xff] ^
         table.at[1][high >> 16 & 0xff] ^ table.at[0][high >> 24];
}

}  // namespace

uint32_t crc32c_of(std::span<const uint8_t> bytes) {
  uint32_t crc = ~uint32_t{0};
  const uint8_t *p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) crc = eight_bytes(crc, p);
  for (; left > 0; p++, left--) crc = crc >> 8 ^ table.at[0][(crc ^ *p) & 0xff];
  return ~crc;
}

}  // namespace rstream
