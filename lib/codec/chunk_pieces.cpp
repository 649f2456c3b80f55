#include "codec/chunk_pieces.h"

#include <algorithm>

namespace rstream {

namespace {

constexpr uint32_t length_bytes = 4;

// The entry that comes next, as far as what has arrived tells.
struct next_entry {
  uint64_t bytes = 0;  // that it has, or that are needed to find out more
  uint32_t records = 0;
  bool is_known = false;
};

next_entry look_at(wire::bytes arrived) {
  if (arrived.size() < length_bytes) return {length_bytes};
  const uint8_t *p = arrived.data();
  bool is_sub_entry = p[0] & 0x80;
  if (!is_sub_entry) return {uint64_t{length_bytes} + wire::load_u32be(p), 1, true};
  if (arrived.size() < sub_entry_header_bytes) return {sub_entry_header_bytes};
  sub_entry_header h = load_sub_entry(p);
  return {uint64_t{sub_entry_header_bytes} + h.data_bytes, h.record_count, true};
}

// Walks entries up to the one that ends the run.
struct cutting {
  const chunk_rest &rest;
  wire::bytes arrived;
  uint32_t most_entry_bytes;
  uint32_t taken = 0;
  uint32_t entries = 0;
  uint64_t offset;
  next_entry next;

  uint64_t left() const { return rest.data_bytes - taken; }
};

// Where there is no more entry: bytes, entries and records must end together.
run_end end_of_entries(const cutting &c) {
  if (c.left() == 0) {
    return c.offset == c.rest.end_offset ? run_end::chunk_end : run_end::broken;
  }
  return c.taken == c.arrived.size() ? run_end::needs_more : run_end::broken;
}

// Where what is left is too short for an entry. What is wrong with it is seen from its
// first byte on.
run_end end_of_bytes(cutting &c) {
  if (c.taken < c.arrived.size() || c.left() == 0) return run_end::broken;
  c.next.bytes = 1;
  return run_end::needs_more;
}

run_end walk(cutting &c) {
  for (;;) {
    c.next = {};
    if (c.entries == c.rest.entry_count) return end_of_entries(c);
    c.next = look_at(c.arrived.subspan(c.taken));
    if (c.next.bytes > c.left()) return end_of_bytes(c);
    if (!c.next.is_known) return run_end::needs_more;
    bool is_large = c.next.bytes > c.most_entry_bytes;
    if (!is_large && c.next.bytes > c.arrived.size() - c.taken)
      return run_end::needs_more;
    if (c.next.records > c.rest.end_offset - c.offset) return run_end::broken;
    if (is_large) return run_end::too_large;
    c.taken += static_cast<uint32_t>(c.next.bytes);
    c.entries++;
    c.offset += c.next.records;
  }
}

void cut_off(chunk_rest &rest, uint32_t bytes, uint32_t entries, uint64_t records) {
  rest.data_bytes -= bytes;
  rest.entry_count -= entries;
  rest.first_offset += records;
}

}  // namespace

chunk_rest chunk_rest_of(const chunk_header &h) {
  return {h.data_bytes, h.entry_count, h.first_offset, h.first_offset + h.record_count};
}

chunk_run chunk_cut_run(chunk_rest &rest, wire::bytes arrived,
                        uint32_t most_entry_bytes) {
  arrived = arrived.first(std::min<size_t>(arrived.size(), rest.data_bytes));
  cutting c{rest, arrived, most_entry_bytes, 0, 0, rest.first_offset, {}};
  chunk_run run;
  run.end = walk(c);
  run.cursor.p = arrived.data();
  run.cursor.offset = rest.first_offset;
  if (run.end == run_end::broken) {
    run.cursor.end = arrived.data() + arrived.size();
    run.cursor.end_offset = rest.end_offset;
    run.cursor.entries_left = rest.entry_count;
    run.bytes = static_cast<uint32_t>(arrived.size());
    rest = {};
    return run;
  }
  run.bytes = c.taken;
  run.cursor.end = arrived.data() + c.taken;
  run.cursor.end_offset = c.offset;
  run.cursor.entries_left = c.entries;
  run.wanted = c.next.bytes > 0 ? static_cast<uint32_t>(c.next.bytes) : 1;
  cut_off(rest, c.taken, c.entries, c.offset - rest.first_offset);
  if (run.end == run_end::too_large) {
    run.large = {
        c.offset, c.next.records, {}, "an entry is larger than max_sub_entry_bytes"};
    run.large_bytes = run.wanted;
    cut_off(rest, run.large_bytes, 1, c.next.records);
  }
  return run;
}

}  // namespace rstream
