#pragma once

// Which partition a routing key belongs to, where the key alone decides.

#include <cstdint>
#include <string_view>

#include "util/murmur3.h"

namespace rstream {

// What all clients of super streams have agreed on.
constexpr uint32_t routing_seed = 104729;

// The remainder of dividing 32-bit numbers by one of 1 to 2^16, by two multiplications
// instead of a division, which is most of what routing to a partition would cost
// otherwise. With 64 bits of the reciprocal the remainder is exact for all of them.
struct remainder_of {
  uint64_t reciprocal = 0;
  uint32_t divisor = 0;

  void set(uint32_t n) {
    divisor = n;
    reciprocal = n ? UINT64_MAX / n + 1 : 0;  // wraps to 0 for 1, whose remainder is 0
  }
  uint32_t operator()(uint32_t value) const {
    uint64_t fraction = reciprocal * value;
    // The upper half of fraction * divisor, whose divisor has at most 17 bits.
#ifdef __SIZEOF_INT128__
    return static_cast<uint32_t>(static_cast<unsigned __int128>(fraction) * divisor >>
                                 64);
#else
    uint64_t low = (fraction & 0xffffffffu) * divisor;
    return static_cast<uint32_t>(((fraction >> 32) * divisor + (low >> 32)) >> 32);
#endif
  }
};

// The partition by hash routing; there is at least one.
inline uint32_t route_by_hash(std::string_view key, const remainder_of &partitions) {
  return partitions(murmur3_32(key.data(), key.size(), routing_seed));
}

// The partition that the Python client's own hash leads to. False when the key is no
// UTF-8, which that client's keys always are.
[[nodiscard]] bool route_by_python_hash(std::string_view key, uint32_t partition_count,
                                        uint32_t &partition);

}  // namespace rstream
