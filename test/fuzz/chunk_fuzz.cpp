// A chunk: header, CRC and a walk over its records, which must stay inside the bytes,
// come in order, and together with the gaps be as many as the header says.
#include "codec/chunk.h"
#include "fuzz.h"

using namespace rstream;

static void walk(const chunk_header &header, wire::bytes entries) {
  chunk_cursor cursor = chunk_cursor_of(header, entries);
  chunk_record record;
  chunk_gap gap;
  uint64_t next_offset = header.first_offset;
  uint64_t sum = 0;
  for (chunk_step step; (step = chunk_next(cursor, record, gap)) != chunk_step::end;) {
    uint64_t offset = step == chunk_step::record ? record.offset : gap.first_offset;
    if (offset != next_offset) abort();
    next_offset += step == chunk_step::record ? 1 : gap.record_count;
    if (next_offset > header.first_offset + header.record_count) abort();
    wire::bytes bytes = gap.bytes;
    if (step == chunk_step::record) bytes = {record.data, record.size};
    for (uint8_t byte : bytes) sum += byte;
  }
  if (next_offset != header.first_offset + header.record_count) abort();
  volatile uint64_t used = sum;
  (void)used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<uint8_t> exact(data, data + size);
  chunk_header header;
  wire::bytes entries;
  if (!chunk_parse(exact, header, entries)) return 0;
  volatile bool matches = chunk_crc_matches(header, entries);
  (void)matches;
  walk(header, entries);
  return 0;
}
