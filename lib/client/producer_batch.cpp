#include "client/producer_batch.h"

#include <cassert>
#include <cstring>

#include "wire/publish.h"

namespace rstream {

namespace {
constexpr uint16_t publish_version = 1;
}

uint32_t batch_seal(batch &b, uint8_t publisher_id, uint32_t frame_bytes,
                    uint32_t count) {
  wire::write_publish_header(b.frame, publisher_id, publish_version, frame_bytes, count);
  b.frame_bytes = frame_bytes;
  b.count = b.left = count;
  auto end = reinterpret_cast<uintptr_t>(b.frame + frame_bytes);
  uint8_t *bits = b.frame + frame_bytes + (-end & batch_padding);
  b.done = reinterpret_cast<uint64_t *>(bits);
  uint32_t bits_bytes = batch_bits_bytes(count);
  memset(bits, 0, bits_bytes);
  return static_cast<uint32_t>(bits - b.frame) + bits_bytes;
}

namespace {

// The bits of [index, end) that lie in the word of index.
uint64_t bits_in_word(uint32_t index, uint32_t end) {
  uint32_t first = index & 63;
  uint32_t n = end - index < 64 - first ? end - index : 64 - first;
  return (n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1) << first;
}

uint32_t next_word(uint32_t index) { return (index | 63) + 1; }

}  // namespace

bool batch_mark_range(batch &b, uint32_t index, uint32_t count) {
  uint32_t end = index + count;
  for (uint32_t i = index; i < end; i = next_word(i)) {
    if (b.done[i / 64] & bits_in_word(i, end)) return false;
  }
  for (uint32_t i = index; i < end; i = next_word(i))
    b.done[i / 64] |= bits_in_word(i, end);
  b.left -= count;
  return true;
}

void batch_shift_ids(batch &b, uint64_t delta) {
  uint8_t *p = b.frame + wire::publish_header_bytes;
  uint8_t *end = b.frame + b.frame_bytes;
  while (p < end) {
    wire::store_u64be(p, wire::load_u64be(p) + delta);
    p += wire::publish_entry_overhead + wire::load_u32be(p + 8);
  }
  assert(p == end);
}

}  // namespace rstream
