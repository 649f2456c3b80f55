#pragma once

// A batch is a Publish frame that stays, as the bytes it was sent as, until each of its
// messages has an outcome. Batches are slices of slabs, several to a slab, with one bit
// per message right behind the frame.

#include <cstdint>

#include "util/object_pool.h"
#include "util/slab.h"

namespace rstream {

struct batch {
  batch *next_free = nullptr;
  slab *owner = nullptr;  // one reference is held; nullptr once all outcomes are known
  uint8_t *frame = nullptr;
  uint32_t frame_bytes = 0;  // the size field included
  uint32_t count = 0;        // messages
  uint32_t left = 0;         // of those, without outcome
  uint64_t first_id = 0;     // ids are consecutive within a batch
  uint64_t *done = nullptr;  // a bit per message
  bool cut = false;          // made of a larger one, not in place yet
};

// What the frame of a batch may take of its slab so that the bits fit behind it.
constexpr uint32_t batch_bits_bytes(uint32_t count) { return (count + 63) / 64 * 8; }
constexpr uint32_t batch_padding = 7;  // the bits are aligned

// Seals a frame of `count` messages: writes its header, clears its bits. Returns the
// bytes of the slab used behind the frame's begin.
uint32_t batch_seal(batch &b, uint8_t publisher_id, uint32_t frame_bytes, uint32_t count);

// Marks a message as done; false when it was already.
inline bool batch_mark(batch &b, uint32_t index) {
  uint64_t bit = uint64_t{1} << (index & 63);
  uint64_t &word = b.done[index / 64];
  if (word & bit) return false;
  word |= bit;
  b.left--;
  return true;
}
// Marks consecutive messages; false, with nothing changed, when any was done already.
bool batch_mark_range(batch &b, uint32_t index, uint32_t count);
inline bool batch_is_done(const batch &b, uint32_t index) {
  return b.done[index / 64] >> (index & 63) & 1;
}

// Adds `delta` to the publishing ids of all entries.
void batch_shift_ids(batch &b, uint64_t delta);

}  // namespace rstream
