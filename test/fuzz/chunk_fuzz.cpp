// A chunk: header, CRC and walks over its records, which must stay inside the bytes, come
// in order, and together with the gaps be as many as the header says. Compressed
// sub-entries are unpacked within limits; a second walk must find the same again. So must
// one over pieces of the chunk.
#include <algorithm>

#include "codec/chunk_pieces.h"
#include "codec/unpack.h"
#include "fuzz.h"

using namespace rstream;

static constexpr unpack_limits limits = {1u << 16, 1u << 18};

// A number that stands for all that was seen.
static uint64_t walk(const chunk_header &header, wire::bytes entries, unpacker *u,
                     slab_pool *pool) {
  chunk_cursor cursor = chunk_cursor_of(header, entries);
  chunk_record record;
  chunk_gap gap;
  uint64_t next_offset = header.first_offset;
  uint64_t seen = 0;
  for (chunk_step step; (step = chunk_next(cursor, record, gap)) != chunk_step::end;) {
    if (step == chunk_step::packed && u) {
      if (gap.first_offset != next_offset) abort();
      // An empty one is passed over, with nothing to enter.
      if (unpacker_open(*u, *pool, cursor, gap) == 0) continue;
      if (!gap.reason) abort();
    }
    uint64_t offset = step == chunk_step::record ? record.offset : gap.first_offset;
    if (offset != next_offset) abort();
    next_offset += step == chunk_step::record ? 1 : gap.record_count;
    if (next_offset > header.first_offset + header.record_count) abort();
    wire::bytes bytes = gap.bytes;
    if (step == chunk_step::record) bytes = {record.data, record.size};
    for (uint8_t byte : bytes) seen = seen * 31 + byte;
    seen = seen * 31 + static_cast<uint64_t>(step);
  }
  if (next_offset != header.first_offset + header.record_count) abort();
  return seen;
}

static void walk_unpacking(const chunk_header &header, wire::bytes entries) {
  slab_pool *pool = slab_pool_create(memory_functions_default());
  compression_set *set = compression_set_create(pool);
  unpacker all, latest;
  unpacker_start(all, *set, limits, unpack_keep::all);
  unpacker_start(latest, *set, limits, unpack_keep::latest);
  uint64_t first = walk(header, entries, &all, pool);
  unpacker_rewind(all);
  if (walk(header, entries, &all, pool) != first) abort();
  if (walk(header, entries, &latest, pool) != first) abort();
  unpacker_release(all);
  unpacker_release(latest);
  compression_set_unref(set);
  slab_pool_leave(pool);
}

// What a walk meets, but for the bytes of gaps: of broken entries not all has arrived.
static void add_walk(chunk_cursor cursor, std::vector<uint64_t> &seen) {
  chunk_record record;
  chunk_gap gap;
  for (chunk_step step; (step = chunk_next(cursor, record, gap)) != chunk_step::end;) {
    bool is_record = step == chunk_step::record;
    seen.push_back(is_record ? record.offset : gap.first_offset);
    seen.push_back(is_record ? record.size : gap.record_count);
    for (uint32_t i = 0; is_record && i < record.size; i++)
      seen.push_back(record.data[i]);
  }
}

// In pieces of `step` bytes, each in a buffer of its own.
static std::vector<uint64_t> walk_pieces(const chunk_header &header, wire::bytes entries,
                                         size_t step) {
  std::vector<uint64_t> seen;
  chunk_rest rest = chunk_rest_of(header);
  size_t taken = 0;
  uint32_t wanted = 0;
  for (size_t end = 0;; end = std::min(end + step, entries.size())) {
    if (end - taken < wanted) {
      if (end == entries.size()) abort();
      continue;
    }
    wire::bytes part = entries.subspan(taken, end - taken);
    std::vector<uint8_t> arrived(part.begin(), part.end());
    chunk_run run = chunk_cut_run(rest, arrived, UINT32_MAX);
    add_walk(run.cursor, seen);
    if (run.end == run_end::chunk_end || run.end == run_end::broken) return seen;
    taken += run.bytes;
    wanted = run.wanted;
    if (run.end != run_end::needs_more || taken + wanted <= end) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<uint8_t> exact(data, data + size);
  chunk_header header;
  wire::bytes entries;
  if (!chunk_parse(exact, header, entries)) return 0;
  volatile bool matches = chunk_crc_matches(header, entries);
  (void)matches;
  volatile uint64_t used = walk(header, entries, nullptr, nullptr);
  (void)used;
  walk_unpacking(header, entries);
  std::vector<uint64_t> whole;
  add_walk(chunk_cursor_of(header, entries), whole);
  for (size_t step : {size_t{1}, size_t{7}, size / 2 + 1}) {
    if (walk_pieces(header, entries, step) != whole) abort();
  }
  return 0;
}
