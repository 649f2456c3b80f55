#include "perf/histogram.h"

#include <algorithm>
#include <cmath>

namespace perf {

namespace {

// The highest value that falls into a slot.
uint32_t top_of(size_t slot) {
  if (slot < 2 * histogram::half) return static_cast<uint32_t>(slot);
  uint64_t shift = slot / histogram::half - 1;
  uint64_t within = slot - shift * histogram::half;
  return static_cast<uint32_t>(((within + 1) << shift) - 1);
}

}  // namespace

uint32_t histogram_quantile(const histogram &h, double part) {
  uint64_t rank = static_cast<uint64_t>(std::ceil(part * static_cast<double>(h.count)));
  rank = std::max<uint64_t>(rank, 1);
  uint64_t seen = 0;
  for (size_t slot = 0; slot < histogram::slot_count; slot++) {
    seen += h.slots[slot];
    if (seen >= rank) return std::min(top_of(slot), h.max);
  }
  return h.max;
}

}  // namespace perf
