#include "ceiling_zlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

namespace {

constexpr int window_bits = 15;
constexpr int as_gzip = 16;  // added to window_bits
constexpr int memory_level = 8;

void must(bool done) {
  if (done) return;
  fputs("rstream-ceiling: zlib failed\n", stderr);
  exit(1);
}

void begin_packing(z_stream &z) {
  must(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits + as_gzip,
                    memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
}

void connect(z_stream &z, const uint8_t *in, size_t size, uint8_t *to, size_t room) {
  z.next_in = const_cast<uint8_t *>(in);
  z.avail_in = static_cast<unsigned>(size);
  z.next_out = to;
  z.avail_out = static_cast<unsigned>(room);
}

uint8_t *memory_of(size_t size) {
  uint8_t *memory = static_cast<uint8_t *>(malloc(size));
  must(memory != nullptr);
  return memory;
}

}  // namespace

size_t gzip_bound(size_t size) { return compressBound(size) + 12; }

size_t gzip_pack(const uint8_t *raw, size_t size, uint8_t *to, size_t room) {
  z_stream z = {};
  begin_packing(z);
  connect(z, raw, size, to, room);
  must(deflate(&z, Z_FINISH) == Z_STREAM_END);
  size_t packed = room - z.avail_out;
  deflateEnd(&z);
  return packed;
}

void gzip_pack_again(const uint8_t *batches, size_t size, size_t count, uint64_t times) {
  size_t room = gzip_bound(size);
  uint8_t *to = memory_of(room);
  z_stream z = {};
  begin_packing(z);
  for (uint64_t i = 0; i < times; i++) {
    connect(z, batches + i % count * size, size, to, room);
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateReset(&z);
  }
  deflateEnd(&z);
  free(to);
}

void gzip_unpack_again(const uint8_t *batches, size_t size, size_t count,
                       uint64_t times) {
  size_t room = gzip_bound(size);
  uint8_t *packed = memory_of(room * count);
  size_t *packed_size = reinterpret_cast<size_t *>(memory_of(sizeof(size_t) * count));
  uint8_t *to = memory_of(size);
  for (size_t i = 0; i < count; i++)
    packed_size[i] = gzip_pack(batches + i * size, size, packed + i * room, room);
  z_stream z = {};
  must(inflateInit2(&z, window_bits + as_gzip) == Z_OK);
  for (uint64_t i = 0; i < times; i++) {
    connect(z, packed + i % count * room, packed_size[i % count], to, size);
    must(inflate(&z, Z_FINISH) == Z_STREAM_END);
    inflateReset(&z);
  }
  inflateEnd(&z);
  free(to);
  free(packed_size);
  free(packed);
}
