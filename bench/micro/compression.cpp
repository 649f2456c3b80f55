// Packing and unpacking sub-entries of 100 messages. zlib stands beside gzip: the same
// bytes through the library's own calls, with contexts that are kept as well.
#include <benchmark/benchmark.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "codec/compression.h"

namespace {

using namespace rstream;

constexpr uint32_t record_count = 100;

// Messages that look like an application's: text that repeats, numbers that do not.
struct sample {
  uint8_t *memory;
  size_t size = 0;

  explicit sample(uint32_t body_bytes)
      : memory(static_cast<uint8_t *>(malloc(record_count * (4 + body_bytes)))) {
    uint32_t x = 12345;
    for (uint32_t i = 0; i < record_count; i++) {
      wire::store_u32be(memory + size, body_bytes);
      uint8_t *body = memory + size + 4;
      for (uint32_t at = 0; at < body_bytes;) {
        char text[64];
        x = x * 1664525 + 1013904223;
        int n = snprintf(text, sizeof text, "{\"invoice\":%u,\"state\":\"%s\"},", x >> 8,
                         x & 0x80 ? "paid" : "open");
        uint32_t part = static_cast<uint32_t>(n);
        if (part > body_bytes - at) part = body_bytes - at;
        memcpy(body + at, text, part);
        at += part;
      }
      size += 4 + body_bytes;
    }
  }
  ~sample() { free(memory); }
  wire::bytes bytes() const { return {memory, size}; }
};

struct contexts {
  slab_pool *pool = slab_pool_create(memory_functions_default());
  compression_set *set = compression_set_create(pool);

  ~contexts() {
    compression_set_unref(set);
    slab_pool_leave(pool);
  }
};

struct output {
  size_t size;
  uint8_t *memory;

  explicit output(size_t n) : size(n), memory(static_cast<uint8_t *>(calloc(1, n))) {}
  ~output() { free(memory); }
  std::span<uint8_t> span() { return {memory, size}; }
};

void tell(benchmark::State &state, size_t raw, size_t packed) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(raw));
  state.SetItemsProcessed(state.iterations() * record_count);
  state.counters["ratio"] = static_cast<double>(raw) / static_cast<double>(packed);
}

// Arguments: compression, body bytes.
void pack(benchmark::State &state) {
  auto compression = static_cast<uint8_t>(state.range(0));
  sample s(static_cast<uint32_t>(state.range(1)));
  contexts c;
  if (!compression_available(*c.set, compression))
    return state.SkipWithError("not built in");
  output out(compression_bound(*c.set, compression, s.size));
  ptrdiff_t n = 0;
  for (auto _ : state) n = compression_pack(*c.set, compression, s.bytes(), out.span());
  tell(state, s.size, static_cast<size_t>(n));
}

void unpack(benchmark::State &state) {
  auto compression = static_cast<uint8_t>(state.range(0));
  sample s(static_cast<uint32_t>(state.range(1)));
  contexts c;
  if (!compression_available(*c.set, compression))
    return state.SkipWithError("not built in");
  output packed(compression_bound(*c.set, compression, s.size));
  ptrdiff_t n = compression_pack(*c.set, compression, s.bytes(), packed.span());
  wire::bytes in = packed.span().first(static_cast<size_t>(n));
  output out(s.size);
  for (auto _ : state) {
    if (compression_unpack(*c.set, compression, in, out.span()) != unpack_result::done)
      return state.SkipWithError("damaged");
  }
  tell(state, s.size, in.size());
}

void zlib_deflate(benchmark::State &state) {
  sample s(static_cast<uint32_t>(state.range(0)));
  z_stream z{};
  deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  output out(deflateBound(&z, s.size));
  for (auto _ : state) {
    deflateReset(&z);
    z.next_in = s.memory;
    z.avail_in = static_cast<unsigned>(s.size);
    z.next_out = out.memory;
    z.avail_out = static_cast<unsigned>(out.size);
    deflate(&z, Z_FINISH);
  }
  tell(state, s.size, z.total_out);
  deflateEnd(&z);
}

void formats(benchmark::internal::Benchmark *b) {
  b->ArgNames({"compression", "body"});
  for (int compression = 1; compression <= 4; compression++) {
    for (int body : {10, 100, 1000}) b->Args({compression, body});
  }
}
BENCHMARK(pack)->Apply(formats);
BENCHMARK(zlib_deflate)->ArgName("body")->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(unpack)->Apply(formats);

}  // namespace
