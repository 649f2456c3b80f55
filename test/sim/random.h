#pragma once

// The simulation's only source of chance: one seed decides every number. Streams are
// split off for each host, for the network and for the workload, so that a change in one
// does not move the others.

#include <cstdint>

namespace rstream::sim {

inline uint64_t splitmix64(uint64_t &state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// xoshiro256**
struct random {
  uint64_t s[4] = {};
};

inline uint64_t random_rotate(uint64_t x, int bits) {
  return (x << bits) | (x >> (64 - bits));
}

inline random random_of(uint64_t seed, uint64_t stream) {
  uint64_t state = seed;
  state = splitmix64(state) ^ (stream * 0xd1342543de82ef95);
  random r;
  for (uint64_t &word : r.s) word = splitmix64(state);
  return r;
}

inline uint64_t random_next(random &r) {
  uint64_t *s = r.s;
  uint64_t result = random_rotate(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = random_rotate(s[3], 45);
  return result;
}

// 0 to limit - 1; 0 when limit is 0.
inline uint64_t random_below(random &r, uint64_t limit) {
  return limit ? static_cast<uint64_t>(
                     (static_cast<unsigned __int128>(random_next(r)) * limit) >> 64)
               : 0;
}

inline uint64_t random_between(random &r, uint64_t low, uint64_t high) {
  return low + random_below(r, high - low + 1);
}

inline bool random_chance(random &r, uint32_t per_thousand) {
  return random_below(r, 1000) < per_thousand;
}

}  // namespace rstream::sim
