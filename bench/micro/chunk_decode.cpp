// Consuming, without the network: a chunk's header, its CRC, its messages.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "codec/chunk.h"
#include "codec/crc32.h"
#include "wire/publish.h"

namespace {

using namespace rstream;

// As large as brokers make them when small messages are published at full speed.
constexpr uint32_t record_count = 8000;

struct sample {
  uint8_t *memory = nullptr;
  size_t size = 0;
};

wire::bytes bytes_of(const sample &s) { return {s.memory, s.size}; }

uint8_t *put_record(uint8_t *p, uint32_t body_bytes) {
  wire::store_u32be(p, body_bytes);
  memset(p + 4, 'x', body_bytes);
  return p + 4 + body_bytes;
}

// `sub_entry` records per entry; 1: plain entries.
sample make_chunk(uint32_t body_bytes, uint32_t sub_entry) {
  constexpr uint32_t sub_header_bytes =
      wire::publish_sub_batch_overhead - 8;  // without an id
  const uint32_t entries = record_count / sub_entry;
  const uint32_t records_bytes = sub_entry * (4 + body_bytes);
  const uint32_t entry_bytes = records_bytes + (sub_entry > 1 ? sub_header_bytes : 0);
  const uint32_t data_bytes = entries * entry_bytes;
  sample s;
  s.size = chunk_header_bytes + data_bytes;
  s.memory = static_cast<uint8_t *>(calloc(1, s.size));
  uint8_t *p = s.memory + chunk_header_bytes;
  for (uint32_t i = 0; i < entries; i++) {
    if (sub_entry > 1) {
      p[0] = wire::sub_batch_bit;
      wire::store_u16be(p + 1, static_cast<uint16_t>(sub_entry));
      wire::store_u32be(p + 3, records_bytes);
      wire::store_u32be(p + 7, records_bytes);
      p += sub_header_bytes;
    }
    for (uint32_t k = 0; k < sub_entry; k++) p = put_record(p, body_bytes);
  }
  s.memory[0] = 0x50;  // magic and version
  wire::store_u16be(s.memory + 2, static_cast<uint16_t>(entries));
  wire::store_u32be(s.memory + 4, entries * sub_entry);
  wire::store_u32be(s.memory + 32, crc32_of({s.memory + chunk_header_bytes, data_bytes}));
  wire::store_u32be(s.memory + 36, data_bytes);
  return s;
}

uint64_t walk(const chunk_header &header, wire::bytes entries) {
  chunk_cursor cursor = chunk_cursor_of(header, entries);
  chunk_record record;
  chunk_gap gap;
  uint64_t seen = 0;
  while (chunk_next(cursor, record, gap) == chunk_step::record) {
    benchmark::DoNotOptimize(record);
    seen++;
  }
  return seen;
}

// Arguments: body bytes, records per entry, with CRC or without.
void chunk_decode(benchmark::State &state) {
  sample s = make_chunk(static_cast<uint32_t>(state.range(0)),
                        static_cast<uint32_t>(state.range(1)));
  const bool crc = state.range(2) != 0;
  for (auto _ : state) {
    chunk_header header;
    wire::bytes entries;
    bool ok = chunk_parse(bytes_of(s), header, entries);
    if (ok && crc) ok = chunk_crc_matches(header, entries);
    if (!ok || walk(header, entries) != record_count) state.SkipWithError("bad chunk");
  }
  state.SetItemsProcessed(state.iterations() * record_count);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(s.size));
  free(s.memory);
}
BENCHMARK(chunk_decode)
    ->ArgNames({"body", "sub", "crc"})
    ->Args({10, 1, 0})
    ->Args({10, 1, 1})
    ->Args({10, 100, 0})
    ->Args({10, 100, 1})
    ->Args({100, 1, 1})
    ->Args({1000, 1, 1});

void crc(benchmark::State &state) {
  size_t size = static_cast<size_t>(state.range(0));
  uint8_t *memory = static_cast<uint8_t *>(calloc(1, size));
  for (auto _ : state) benchmark::DoNotOptimize(crc32_of({memory, size}));
  state.SetBytesProcessed(state.iterations() * state.range(0));
  free(memory);
}
BENCHMARK(crc)->Arg(1 << 10)->Arg(1 << 17);

}  // namespace
