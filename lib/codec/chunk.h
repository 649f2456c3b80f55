#pragma once

// A chunk as a Deliver frame carries it: a header of 48 bytes, then entries back to back.
// An entry is a message, or a sub-entry: several messages stored as one, maybe
// compressed. Nothing is copied; what comes out are slices of the frame, or of what a
// compressed sub-entry was unpacked to (unpack.h).

#include <cstdint>

#include "wire/cursor.h"

namespace rstream {

constexpr size_t chunk_header_bytes = 48;
constexpr uint8_t chunk_type_user = 0;

struct chunk_header {
  uint8_t type = 0;           // user messages, or the broker's own tracking data
  uint16_t entry_count = 0;   // a sub-entry counts 1
  uint32_t record_count = 0;  // messages, those of sub-entries counted one by one
  int64_t timestamp_ms = 0;
  uint64_t epoch = 0;
  uint64_t first_offset = 0;
  uint32_t crc = 0;
  uint32_t data_bytes = 0;  // of the entries
  // The header's trailer length and Bloom filter size describe the file the broker read
  // it from: neither is on the wire, so neither is looked at.
};

// `entries` are the bytes after the header. False when the magic, the version or the
// length is wrong; entries themselves are not looked at.
[[nodiscard]] bool chunk_parse(wire::bytes chunk, chunk_header &header,
                               wire::bytes &entries);

// The header alone, the first 48 bytes of a chunk that has `chunk_bytes` in all.
[[nodiscard]] bool chunk_parse_header(wire::bytes begin, uint64_t chunk_bytes,
                                      chunk_header &header);

[[nodiscard]] bool chunk_crc_matches(const chunk_header &header, wire::bytes entries);

// Message, or the part of a chunk that can't be read.
struct chunk_record {
  const uint8_t *data = nullptr;
  uint32_t size = 0;
  uint64_t offset = 0;
};

struct chunk_gap {
  uint64_t first_offset = 0;
  uint64_t record_count = 0;
  wire::bytes bytes{};           // as they came
  const char *reason = nullptr;  // static text
};

enum class chunk_step : uint8_t {
  record,
  gap,
  packed,  // a compressed sub-entry, passed over as a gap unless chunk_enter() follows
  end
};

// Walks the messages of a chunk. The bounds of every length are checked; what does not
// fit is passed over as a gap, and a chunk never yields more records than its header
// promised.
struct chunk_cursor {
  const uint8_t *p = nullptr;
  const uint8_t *end = nullptr;
  uint64_t offset = 0;      // of the next record
  uint64_t end_offset = 0;  // behind the last record promised
  uint32_t entries_left = 0;
  uint32_t sub_left = 0;  // records left in the sub-entry at hand
  const uint8_t *sub_p = nullptr;
  const uint8_t *sub_end = nullptr;
};

chunk_cursor chunk_cursor_of(const chunk_header &header, wire::bytes entries);

// What the header of a sub-entry says.
struct sub_entry_header {
  uint8_t compression = 0;
  uint16_t record_count = 0;
  uint32_t uncompressed_bytes = 0;
  uint32_t data_bytes = 0;
};
constexpr size_t sub_entry_header_bytes = 1 + 2 + 4 + 4;

// Of the bytes of a gap that chunk_next() called packed; the data is what follows.
sub_entry_header load_sub_entry(const uint8_t *p);

// Goes on with the messages of the sub-entry that has just been passed over. `unpacked`
// is borrowed by the cursor until it gets past them.
void chunk_enter(chunk_cursor &cursor, const chunk_gap &packed, wire::bytes unpacked);

// The general step; chunk_next() is the short way to it.
chunk_step chunk_next_slow(chunk_cursor &cursor, chunk_record &record, chunk_gap &gap);

// A plain message inside the chunk is by far the most common case.
inline chunk_step chunk_next(chunk_cursor &c, chunk_record &record, chunk_gap &gap) {
  if (c.sub_left == 0 && c.end - c.p >= 4 && c.offset < c.end_offset &&
      c.entries_left > 0) {
    uint32_t size = wire::load_u32be(c.p);
    // A size with the top bit set is a sub-entry; it also exceeds what is left.
    if (size < 0x80000000u && size <= static_cast<size_t>(c.end - c.p) - 4) {
      record = {c.p + 4, size, c.offset++};
      c.p += 4 + size;
      c.entries_left--;
      return chunk_step::record;
    }
  }
  return chunk_next_slow(c, record, gap);
}

}  // namespace rstream
