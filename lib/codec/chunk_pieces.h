#pragma once

// A chunk that is read while it arrives: from what is there, the entries that are whole
// are cut off, and walked like a chunk of their own.

#include "codec/chunk.h"

namespace rstream {

// What of a chunk is still to be read.
struct chunk_rest {
  uint32_t data_bytes = 0;
  uint32_t entry_count = 0;
  uint64_t first_offset = 0;  // of the next record
  uint64_t end_offset = 0;    // behind the last record promised
};

chunk_rest chunk_rest_of(const chunk_header &header);

enum class run_end : uint8_t {
  needs_more,  // `wanted` bytes from there on, to get any further
  too_large,   // the entry that follows has more bytes than are wanted in one piece
  chunk_end,   // there is no more
  broken       // what follows makes no sense; the walk tells it as a gap
};

// Entries to be read now.
struct chunk_run {
  chunk_cursor cursor;  // over them; it ends with chunk_step::end
  uint32_t bytes = 0;   // that they have
  run_end end{};
  uint32_t wanted = 0;
  chunk_gap large;           // the entry that is too large, without its bytes,
  uint32_t large_bytes = 0;  // and how many those are
};

// Cuts off `rest` what is whole in `arrived`, which begins where `rest` does and may
// reach past its end. An entry above `most_entry_bytes` is cut off as well, arrived or
// not. Of what is broken all is. Nothing is left then, nor at the end.
chunk_run chunk_cut_run(chunk_rest &rest, wire::bytes arrived, uint32_t most_entry_bytes);

}  // namespace rstream
