#pragma once

// A batch is a Publish frame that stays, as the bytes it was sent as, until each of its
// messages has an outcome. Batches are slices of slabs, several to a slab, with one bit
// per message right behind the frame.

#include <cstdint>

#include "util/object_pool.h"
#include "util/slab.h"
#include "wire/publish.h"

namespace rstream {

struct batch {
  batch *next_free = nullptr;
  slab *owner = nullptr;  // one reference is held; nullptr once all outcomes are known
  uint8_t *frame = nullptr;
  uint32_t frame_bytes = 0;  // the size field included
  uint32_t count = 0;        // messages
  uint32_t left = 0;         // of those, without outcome
  uint16_t version = 1;      // of Publish; 2 has filter values
  bool sub_entries = false;  // some entries may be such
  bool cut = false;          // made of a larger one, not in place yet
  bool unfit = false;        // stands for a message that no frame can hold
  bool sent = false;         // was with a connection, maybe an earlier one
  uint64_t first_id = 0;     // ids are consecutive within a batch
  uint64_t *done = nullptr;  // a bit per message
  uint64_t *ends = nullptr;  // with sub-entries: a bit per message, 1 for an entry's last
  uint64_t closed_ms = 0;    // when it was sealed
  uint64_t budget_bytes = 0;  // of the environment's budget
};

// What the frame of a batch may take of its slab so that the bits fit behind it.
constexpr uint32_t batch_bits_bytes(uint32_t count) { return (count + 63) / 64 * 8; }
constexpr uint32_t batch_padding = 7;  // the bits are aligned
inline uint32_t batch_tail_bytes(const batch &b, uint32_t count) {
  return batch_padding + batch_bits_bytes(count) * (b.sub_entries ? 2u : 1u);
}

// Seals a frame of `count` messages in `entry_count` entries: writes its header, sets its
// bits. Returns the bytes of the slab used behind the frame's begin.
uint32_t batch_seal(batch &b, uint8_t publisher_id, uint32_t frame_bytes, uint32_t count,
                    uint32_t entry_count);

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

// The messages of the entry whose last one has this index; 0 when no entry ends there.
uint32_t batch_entry_messages(const batch &b, uint32_t index);

// Walks the entries of a sealed batch. They are our own bytes, which need no checks.
struct batch_entry {
  uint8_t *begin;
  uint32_t bytes;     // all of it
  uint32_t messages;  // 1, or those of a sub-entry
};
struct batch_walk {
  uint8_t *p;
  uint8_t *end;
  uint16_t version;
  bool next(batch_entry &entry);
};
inline batch_walk batch_entries(const batch &b) {
  return {b.frame + wire::publish_header_bytes, b.frame + b.frame_bytes, b.version};
}

// Adds `delta` to the publishing ids of all entries.
void batch_shift_ids(batch &b, uint64_t delta);

}  // namespace rstream
