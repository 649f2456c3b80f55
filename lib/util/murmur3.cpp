#include "util/murmur3.h"

namespace rstream {

namespace {

constexpr uint64_t c1 = 0x87c37b91114253d5u;
constexpr uint64_t c2 = 0x4cf5ad432745937fu;

uint64_t mix_low(uint64_t k) { return std::rotl(k * c1, 31) * c2; }
uint64_t mix_high(uint64_t k) { return std::rotl(k * c2, 33) * c1; }

uint64_t avalanche(uint64_t k) {
  k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
  k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
  return k ^ k >> 33;
}

}  // namespace

void murmur3_x64::mix_block() {
  h1 ^= mix_low(murmur3_load<uint64_t>(block));
  h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729u;
  h2 ^= mix_high(murmur3_load<uint64_t>(block + 8));
  h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5u;
  used = 0;
}

void murmur3_x64::add(uint8_t byte) {
  block[used++] = byte;
  bytes++;
  if (used == sizeof block) mix_block();
}

murmur3_128 murmur3_x64::finish() {
  memset(block + used, 0, sizeof block - used);
  if (used > 8) h2 ^= mix_high(murmur3_load<uint64_t>(block + 8));
  if (used > 0) h1 ^= mix_low(murmur3_load<uint64_t>(block));
  h1 ^= bytes;
  h2 ^= bytes;
  h1 += h2;
  h2 += h1;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

}  // namespace rstream
