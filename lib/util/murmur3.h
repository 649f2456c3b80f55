#pragma once

// MurmurHash3, as the clients of super streams use it: the 32-bit variant that all but
// one agree on, and the 128-bit one of that one.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rstream {

// Blocks are little-endian, whatever the machine is.
template <class T>
inline T murmur3_load(const uint8_t *p) {
  if constexpr (std::endian::native == std::endian::little) {
    T value;
    memcpy(&value, p, sizeof value);
    return value;
  }
  T value = 0;
  for (size_t i = sizeof value; i-- > 0;) value = static_cast<T>(value << 8 | p[i]);
  return value;
}

// The block's part in the hash.
inline uint32_t murmur3_mix(uint32_t block) {
  return std::rotl(block * 0xcc9e2d51u, 15) * 0x1b873593u;
}

// The bytes behind the last whole block, 1 to 3 of them, without asking how many: those
// of a longer key are the end of its last four; of a short one, the middle byte is the
// first or the last where there are fewer than three.
inline uint32_t murmur3_tail(const uint8_t *p, size_t count, bool has_blocks) {
  if (has_blocks) return murmur3_load<uint32_t>(p + count - 4) >> (32 - 8 * count);
  size_t middle = count / 2, last = count - 1;
  return p[0] | uint32_t{p[middle]} << 8 * middle | uint32_t{p[last]} << 8 * last;
}

// x86_32. In line: it is the larger part of what sending to a super stream costs.
inline uint32_t murmur3_32(const void *key, size_t bytes, uint32_t seed) {
  const auto *p = static_cast<const uint8_t *>(key);
  uint32_t h = seed;
  size_t left = bytes;
  for (; left >= 4; left -= 4, p += 4)
    h = std::rotl(h ^ murmur3_mix(murmur3_load<uint32_t>(p)), 13) * 5 + 0xe6546b64u;
  if (left > 0) h ^= murmur3_mix(murmur3_tail(p, left, bytes >= 4));
  h ^= static_cast<uint32_t>(bytes);
  h = (h ^ h >> 16) * 0x85ebca6bu;
  h = (h ^ h >> 13) * 0xc2b2ae35u;
  return h ^ h >> 16;
}

struct murmur3_128 {
  uint64_t low, high;
};

// x64_128, which takes its input piece by piece: for keys that are made up while hashing.
struct murmur3_x64 {
  uint64_t h1, h2;
  uint8_t block[16];
  uint32_t used = 0;  // of the block
  uint64_t bytes = 0;

  explicit murmur3_x64(uint32_t seed) : h1(seed), h2(seed) {}
  void add(uint8_t byte);
  murmur3_128 finish();

 private:
  void mix_block();
};

}  // namespace rstream
