// LZ4's frame format. The library's stable interface takes no allocation functions: its
// contexts come from malloc, once.
#include <lz4frame.h>

#include <cstring>

#include "codec/compression_format.h"
#include "rstream/error.h"

namespace rstream {

namespace {

struct lz4_state {
  LZ4F_cctx *packer = nullptr;
  LZ4F_dctx *unpacker = nullptr;
};

lz4_state *state_of(memory &mem, void *&state) {
  if (!state) state = memory_new<lz4_state>(mem);
  return static_cast<lz4_state *>(state);
}

// The smallest that holds everything in one block: whoever reads it sets aside that much.
LZ4F_blockSizeID_t block_size_for(size_t raw_bytes) {
  if (raw_bytes <= 64u << 10) return LZ4F_max64KB;
  if (raw_bytes <= 256u << 10) return LZ4F_max256KB;
  return raw_bytes <= 1u << 20 ? LZ4F_max1MB : LZ4F_max4MB;
}

// Blocks are independent because other clients read nothing else. There is no checksum of
// the content: the chunk has one.
LZ4F_preferences_t preferences_for(size_t raw_bytes) {
  LZ4F_preferences_t p{};
  p.frameInfo.blockSizeID = block_size_for(raw_bytes);
  p.frameInfo.blockMode = LZ4F_blockIndependent;
  p.autoFlush = 1;  // nothing is gathered, so nothing has to be kept
  return p;
}

size_t bound(size_t raw_bytes) {
  LZ4F_preferences_t p = preferences_for(raw_bytes);
  return LZ4F_compressFrameBound(raw_bytes, &p);
}

// One part of a frame behind the others; false when it failed.
bool add(size_t &written, size_t result) {
  if (LZ4F_isError(result)) return false;
  written += result;
  return true;
}

ptrdiff_t pack(memory &mem, void *&state, wire::bytes raw, std::span<uint8_t> out) {
  lz4_state *s = state_of(mem, state);
  if (!s) return RSTREAM_ENOMEM;
  if (!s->packer && LZ4F_isError(LZ4F_createCompressionContext(&s->packer, LZ4F_VERSION)))
    return RSTREAM_ENOMEM;
  LZ4F_preferences_t p = preferences_for(raw.size());
  LZ4F_compressOptions_t stable{};
  stable.stableSrc = 1;
  size_t n = 0;
  uint8_t *to = out.data();
  bool packed = add(n, LZ4F_compressBegin(s->packer, to, out.size(), &p)) &&
                add(n, LZ4F_compressUpdate(s->packer, to + n, out.size() - n, raw.data(),
                                           raw.size(), &stable)) &&
                add(n, LZ4F_compressEnd(s->packer, to + n, out.size() - n, &stable));
  if (!packed) return RSTREAM_EMSGSIZE;
  return static_cast<ptrdiff_t>(n);
}

unpack_result error_of(size_t code) {
  bool memory = strcmp(LZ4F_getErrorName(code), "ERROR_allocation_failed") == 0;
  return memory ? unpack_result::no_memory : unpack_result::damaged;
}

// Frames may follow each other, and those that hold no data are passed over.
unpack_result unpack(memory &mem, void *&state, wire::bytes packed,
                     std::span<uint8_t> out) {
  lz4_state *s = state_of(mem, state);
  if (!s) return unpack_result::no_memory;
  if (!s->unpacker &&
      LZ4F_isError(LZ4F_createDecompressionContext(&s->unpacker, LZ4F_VERSION)))
    return unpack_result::no_memory;
  LZ4F_resetDecompressionContext(s->unpacker);
  LZ4F_decompressOptions_t stable{};
  stable.stableDst = 1;  // what was written stays where it is
  for (;;) {
    size_t read = packed.size();
    size_t written = out.size();
    size_t expected =
        LZ4F_decompress(s->unpacker, out.data(), &written, packed.data(), &read, &stable);
    if (LZ4F_isError(expected)) return error_of(expected);
    packed = packed.subspan(read);
    out = out.subspan(written);
    bool frame_ended = expected == 0;
    if (frame_ended && packed.empty()) break;
    if (read > 0 || written > 0) continue;
    bool more = out.empty() && !packed.empty();
    return more ? unpack_result::wrong_size : unpack_result::damaged;
  }
  return out.empty() ? unpack_result::done : unpack_result::wrong_size;
}

void release(memory &mem, void *state) {
  auto *s = static_cast<lz4_state *>(state);
  LZ4F_freeCompressionContext(s->packer);
  LZ4F_freeDecompressionContext(s->unpacker);
  memory_delete(mem, s);
}

}  // namespace

// A byte more of a length is 255 bytes more.
const compression_format lz4_format = {255, bound, pack, unpack, release};

}  // namespace rstream
