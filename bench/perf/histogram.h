#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace perf {

// Counts values in slots whose width grows with the value, after the idea of
// HdrHistogram: below 2048 each value has its own, above there are 1024 slots for each
// power of two, so that a value is known to within one part in a thousand. Recording is a
// shift and an increment.
struct histogram {
  static constexpr uint32_t exact_bits = 11;
  static constexpr uint32_t half = 1u << (exact_bits - 1);
  static constexpr size_t slot_count = (32 - exact_bits + 2) * half;

  uint64_t count = 0;
  uint32_t max = 0;
  uint64_t slots[slot_count] = {};
};

inline size_t histogram_slot(uint32_t value) {
  uint32_t bits = static_cast<uint32_t>(std::bit_width(value));
  uint32_t shift = bits > histogram::exact_bits ? bits - histogram::exact_bits : 0;
  return shift * histogram::half + (value >> shift);
}

inline void histogram_add(histogram &h, uint32_t value) {
  h.slots[histogram_slot(value)]++;
  h.count++;
  if (value > h.max) h.max = value;
}

// The value that `part` (0 to 1) of all values do not exceed; 0 without values.
uint32_t histogram_quantile(const histogram &h, double part);

}  // namespace perf
