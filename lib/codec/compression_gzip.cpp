// gzip (RFC 1952) through zlib.
#include <zlib.h>

#include "codec/compression_format.h"
#include "rstream/error.h"

namespace rstream {

namespace {

constexpr int window_bits = 15;  // the largest window, zlib's default
constexpr int write_gzip = 16;   // added to window_bits
constexpr int read_any = 32;     // likewise: a gzip or a zlib header
constexpr int memory_level = 8;  // zlib's default
constexpr size_t gzip_wrapper_bytes = 18;
constexpr size_t zlib_wrapper_bytes = 6;

struct gzip_state {
  z_stream deflater = {};
  z_stream inflater = {};
  bool has_deflater = false;
  bool has_inflater = false;
};

void *allocate(void *mem, unsigned items, unsigned size) {
  return memory_allocate(*static_cast<memory *>(mem), size_t{items} * size);
}

void release_block(void *mem, void *block) {
  memory_release(*static_cast<memory *>(mem), block);
}

gzip_state *state_of(memory &mem, void *&state) {
  if (!state) state = memory_new<gzip_state>(mem);
  return static_cast<gzip_state *>(state);
}

void use_memory(z_stream &z, memory &mem) {
  z.zalloc = allocate;
  z.zfree = release_block;
  z.opaque = &mem;
}

// Ready for a new stream, nullptr when out of memory.
z_stream *fresh_deflater(memory &mem, void *&state) {
  gzip_state *s = state_of(mem, state);
  if (!s) return nullptr;
  if (s->has_deflater) {
    deflateReset(&s->deflater);
    return &s->deflater;
  }
  use_memory(s->deflater, mem);
  int rc = deflateInit2(&s->deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                        window_bits + write_gzip, memory_level, Z_DEFAULT_STRATEGY);
  s->has_deflater = rc == Z_OK;
  return s->has_deflater ? &s->deflater : nullptr;
}

z_stream *fresh_inflater(memory &mem, void *&state) {
  gzip_state *s = state_of(mem, state);
  if (!s) return nullptr;
  if (s->has_inflater) {
    inflateReset(&s->inflater);
    return &s->inflater;
  }
  use_memory(s->inflater, mem);
  s->has_inflater = inflateInit2(&s->inflater, window_bits + read_any) == Z_OK;
  return s->has_inflater ? &s->inflater : nullptr;
}

// Both fit zlib's 32 bits, see compression.cpp.
void connect(z_stream &z, wire::bytes in, std::span<uint8_t> out) {
  z.next_in = const_cast<uint8_t *>(in.data());
  z.avail_in = static_cast<unsigned>(in.size());
  z.next_out = out.data();
  z.avail_out = static_cast<unsigned>(out.size());
}

// compressBound() is for a zlib header and for the very settings used here.
size_t bound(size_t raw_bytes) {
  return compressBound(raw_bytes) + gzip_wrapper_bytes - zlib_wrapper_bytes;
}

ptrdiff_t pack(memory &mem, void *&state, wire::bytes raw, std::span<uint8_t> out) {
  if (out.empty()) return RSTREAM_EMSGSIZE;
  z_stream *z = fresh_deflater(mem, state);
  if (!z) return RSTREAM_ENOMEM;
  connect(*z, raw, out);
  if (deflate(z, Z_FINISH) != Z_STREAM_END) return RSTREAM_EMSGSIZE;
  return static_cast<ptrdiff_t>(out.size() - z->avail_out);
}

// gzip files may consist of several members back to back, so this reads them all.
unpack_result unpack(memory &mem, void *&state, wire::bytes packed,
                     std::span<uint8_t> out) {
  z_stream *z = fresh_inflater(mem, state);
  if (!z) return unpack_result::no_memory;
  connect(*z, packed, out);
  for (;;) {
    int rc = inflate(z, Z_FINISH);
    if (rc == Z_MEM_ERROR) return unpack_result::no_memory;
    if (rc != Z_STREAM_END) {
      bool full = z->avail_out == 0 && (rc == Z_OK || rc == Z_BUF_ERROR);
      return full && z->avail_in > 0 ? unpack_result::wrong_size : unpack_result::damaged;
    }
    if (z->avail_in == 0) break;
    inflateReset(z);
  }
  return z->avail_out == 0 ? unpack_result::done : unpack_result::wrong_size;
}

void release(memory &mem, void *state) {
  auto *s = static_cast<gzip_state *>(state);
  if (s->has_deflater) deflateEnd(&s->deflater);
  if (s->has_inflater) inflateEnd(&s->inflater);
  memory_delete(mem, s);
}

}  // namespace

// The shortest code for the longest repetition: 258 bytes from two bits.
const compression_format gzip_format = {1032, bound, pack, unpack, release};

}  // namespace rstream
