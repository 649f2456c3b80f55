#include "client/producer_batch.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace rstream {

namespace {

bool get_bit(const uint64_t *bits, uint32_t i) { return bits[i / 64] >> (i & 63) & 1; }
void set_bit(uint64_t *bits, uint32_t i) { bits[i / 64] |= uint64_t{1} << (i & 63); }

void set_ends(batch &b) {
  batch_walk walk = batch_entries(b);
  batch_entry entry;
  for (uint32_t messages = 0; walk.next(entry);) {
    messages += entry.messages;
    set_bit(b.ends, messages - 1);
  }
}

// The bits of [index, end) that lie in the word of index.
uint64_t bits_in_word(uint32_t index, uint32_t end) {
  uint32_t first = index & 63;
  uint32_t n = end - index < 64 - first ? end - index : 64 - first;
  return (n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1) << first;
}

uint32_t next_word(uint32_t index) { return (index | 63) + 1; }

}  // namespace

uint32_t batch_seal(batch &b, uint8_t publisher_id, uint32_t frame_bytes, uint32_t count,
                    uint32_t entry_count) {
  wire::write_publish_header(b.frame, publisher_id, b.version, frame_bytes, entry_count);
  b.frame_bytes = frame_bytes;
  b.count = b.left = count;
  auto end = reinterpret_cast<uintptr_t>(b.frame + frame_bytes);
  uint8_t *bits = b.frame + frame_bytes + (-end & batch_padding);
  uint32_t bits_bytes = batch_bits_bytes(count);
  b.done = reinterpret_cast<uint64_t *>(bits);
  memset(bits, 0, bits_bytes);
  bits += bits_bytes;
  if (b.sub_entries) {
    b.ends = reinterpret_cast<uint64_t *>(bits);
    memset(bits, 0, bits_bytes);
    bits += bits_bytes;
    set_ends(b);
  }
  return static_cast<uint32_t>(bits - b.frame);
}

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

uint32_t batch_entry_messages(const batch &b, uint32_t index) {
  if (!b.ends) return 1;
  if (!get_bit(b.ends, index)) return 0;
  // The end of the entry before it, a word at a time.
  uint32_t word = index / 64;
  uint64_t below = b.ends[word] & ((uint64_t{1} << (index & 63)) - 1);
  while (below == 0 && word > 0) below = b.ends[--word];
  if (below == 0) return index + 1;
  uint32_t before = word * 64 + 63 - static_cast<uint32_t>(std::countl_zero(below));
  return index - before;
}

bool batch_walk::next(batch_entry &entry) {
  if (p == end) return false;
  const uint8_t *at = p + 8;
  if (version == 2) {
    uint16_t filter_bytes = wire::load_u16be(at);
    at += 2 + (filter_bytes == wire::null_string_length ? 0 : filter_bytes);
  }
  entry = {p, 0, 1};
  if (*at & wire::sub_batch_bit) {
    entry.messages = wire::load_u16be(at + 1);
    at += wire::publish_sub_batch_overhead - 8;
  } else {
    at += 4;
  }
  at += wire::load_u32be(at - 4);  // the length comes last in either header
  entry.bytes = static_cast<uint32_t>(at - p);
  p += entry.bytes;
  assert(p <= end);
  return true;
}

void batch_shift_ids(batch &b, uint64_t delta) {
  batch_walk walk = batch_entries(b);
  batch_entry entry;
  while (walk.next(entry))
    wire::store_u64be(entry.begin, wire::load_u64be(entry.begin) + delta);
}

}  // namespace rstream
