#pragma once

// The compressed sub-entries of one chunk on their way to messages: unpacked within
// limits, into slabs, and kept for as long as their messages may be looked at.

#include "codec/chunk.h"
#include "codec/compression.h"
#include "util/slab.h"

namespace rstream {

struct unpack_limits {
  uint32_t sub_entry_bytes = 0;  // unpacked
  uint64_t chunk_bytes = 0;      // the same, all sub-entries of a chunk together
};

enum class unpack_keep : uint8_t {
  latest,  // each takes the place of the one before
  all      // until unpacker_release(); a second walk finds them again
};

struct unpacked;

struct unpacker {
  compression_set *set = nullptr;  // borrowed
  unpack_limits limits;
  unpack_keep keep = unpack_keep::latest;

  // What this walk may still unpack. What failed counts as well: it has taken its time.
  uint64_t bytes_left = 0;

  slab *slabs = nullptr;  // the one in use first, the others behind it
  size_t used = 0;        // bytes of the one in use
  unpacked *first = nullptr;
  unpacked **next = nullptr;  // the link to the first one that this walk has not met
};

// `u` stays where it is.
void unpacker_start(unpacker &u, compression_set &set, const unpack_limits &limits,
                    unpack_keep keep);
void unpacker_release(unpacker &u);
// The walk starts anew.
void unpacker_rewind(unpacker &u);

// Unpacks the sub-entry that chunk_next() called packed and makes it the cursor's next.
// 0; or RSTREAM_ECODEC or RSTREAM_ENOMEM, with words in gap.reason: it remains a gap.
[[nodiscard]] int unpacker_open(unpacker &u, slab_pool &pool, chunk_cursor &cursor,
                                chunk_gap &gap);

}  // namespace rstream
