#include "codec/chunk.h"

#include "codec/crc32.h"

namespace rstream {

namespace {

constexpr uint8_t magic_and_version = 0x50;
constexpr uint8_t compression_none = 0;
constexpr size_t length_bytes = 4;

size_t left(const chunk_cursor &c) { return static_cast<size_t>(c.end - c.p); }

// The rest of the chunk makes no sense: all records that were still promised are the gap.
chunk_step give_up(chunk_cursor &c, chunk_gap &gap, const char *reason) {
  gap = {c.offset, c.end_offset - c.offset, {c.p, left(c)}, reason};
  c.p = c.end;
  c.offset = c.end_offset;
  c.entries_left = 0;
  c.sub_left = 0;
  return chunk_step::gap;
}

chunk_step next_of_sub_entry(chunk_cursor &c, chunk_record &record, chunk_gap &gap) {
  size_t room = static_cast<size_t>(c.sub_end - c.sub_p);
  uint32_t size = room >= length_bytes ? wire::load_u32be(c.sub_p) : 0;
  if (room < length_bytes || size > room - length_bytes) {
    gap = {
        c.offset, c.sub_left, {c.sub_p, room}, "the sub-entry is shorter than it says"};
    c.offset += c.sub_left;
    c.sub_left = 0;
    return chunk_step::gap;
  }
  record = {c.sub_p + length_bytes, size, c.offset++};
  c.sub_p += length_bytes + size;
  c.sub_left--;
  return chunk_step::record;
}

// Makes the sub-entry at hand the current one, or passes over it with a gap.
chunk_step open_sub_entry(chunk_cursor &c, chunk_gap &gap) {
  if (left(c) < sub_entry_header_bytes)
    return give_up(c, gap, "a sub-entry is cut short");
  sub_entry_header h = load_sub_entry(c.p);
  if (h.data_bytes > left(c) - sub_entry_header_bytes) {
    return give_up(c, gap, "a sub-entry reaches past its chunk");
  }
  if (h.record_count > c.end_offset - c.offset) {
    return give_up(c, gap, "the sub-entries hold more messages than the chunk says");
  }
  wire::bytes whole(c.p, sub_entry_header_bytes + h.data_bytes);
  wire::bytes data = whole.subspan(sub_entry_header_bytes);
  c.p += whole.size();
  c.entries_left--;
  if (h.compression == compression_none && h.uncompressed_bytes != h.data_bytes) {
    gap = {c.offset, h.record_count, whole, "a sub-entry's two lengths differ"};
    c.offset += h.record_count;
    return chunk_step::gap;
  }
  if (h.compression != compression_none) {
    gap = {c.offset, h.record_count, whole, "the sub-entry is compressed"};
    c.offset += h.record_count;
    return chunk_step::packed;
  }
  c.sub_p = data.data();
  c.sub_end = data.data() + data.size();
  c.sub_left = h.record_count;
  return chunk_step::record;
}

}  // namespace

bool chunk_parse_header(wire::bytes begin, uint64_t chunk_bytes, chunk_header &h) {
  if (begin.size() < chunk_header_bytes || begin[0] != magic_and_version) return false;
  const uint8_t *p = begin.data();
  h.type = p[1];
  h.entry_count = wire::load_u16be(p + 2);
  h.record_count = wire::load_u32be(p + 4);
  h.timestamp_ms = static_cast<int64_t>(wire::load_u64be(p + 8));
  h.epoch = wire::load_u64be(p + 16);
  h.first_offset = wire::load_u64be(p + 24);
  h.crc = wire::load_u32be(p + 32);
  h.data_bytes = wire::load_u32be(p + 36);
  if (h.data_bytes > chunk_bytes - chunk_header_bytes) return false;
  // Offsets are unsigned 64-bit, a chunk must not wrap around.
  return h.first_offset <= UINT64_MAX - h.record_count;
}

bool chunk_parse(wire::bytes chunk, chunk_header &h, wire::bytes &entries) {
  if (!chunk_parse_header(chunk, chunk.size(), h)) return false;
  entries = chunk.subspan(chunk_header_bytes, h.data_bytes);
  return true;
}

bool chunk_crc_matches(const chunk_header &header, wire::bytes entries) {
  return crc32_of(entries) == header.crc;
}

chunk_cursor chunk_cursor_of(const chunk_header &h, wire::bytes entries) {
  chunk_cursor c;
  c.p = entries.data();
  c.end = entries.data() + entries.size();
  c.offset = h.first_offset;
  c.end_offset = h.first_offset + h.record_count;
  c.entries_left = h.entry_count;
  return c;
}

// Kind and compression u8, records u16, uncompressed size u32, size u32.
sub_entry_header load_sub_entry(const uint8_t *p) {
  return {static_cast<uint8_t>(p[0] >> 4 & 7), wire::load_u16be(p + 1),
          wire::load_u32be(p + 3), wire::load_u32be(p + 7)};
}

void chunk_enter(chunk_cursor &c, const chunk_gap &packed, wire::bytes unpacked) {
  c.offset = packed.first_offset;
  c.sub_left = static_cast<uint32_t>(packed.record_count);
  c.sub_p = unpacked.data();
  c.sub_end = unpacked.data() + unpacked.size();
}

chunk_step chunk_next_slow(chunk_cursor &c, chunk_record &record, chunk_gap &gap) {
  // A sub-entry may be empty: go on to the next entry, of which there are at most 65535.
  while (c.sub_left == 0) {
    if (c.entries_left == 0 && c.p == c.end && c.offset == c.end_offset)
      return chunk_step::end;
    bool is_sub_entry = left(c) > 0 && (*c.p & 0x80);
    bool past_records = c.offset == c.end_offset && !is_sub_entry;
    if (left(c) == 0 || c.entries_left == 0 || past_records) {
      // Bytes, entries and records must end together.
      return give_up(c, gap, "the chunk's counts do not match its content");
    }
    if (is_sub_entry) {
      chunk_step step = open_sub_entry(c, gap);
      if (step != chunk_step::record) return step;
      continue;
    }
    if (left(c) < length_bytes || wire::load_u32be(c.p) > left(c) - length_bytes) {
      return give_up(c, gap, "a message reaches past its chunk");
    }
    uint32_t size = wire::load_u32be(c.p);
    record = {c.p + length_bytes, size, c.offset++};
    c.p += length_bytes + size;
    c.entries_left--;
    return chunk_step::record;
  }
  return next_of_sub_entry(c, record, gap);
}

}  // namespace rstream
