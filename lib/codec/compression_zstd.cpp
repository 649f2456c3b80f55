// Zstandard (RFC 8878). The library's stable interface takes no allocation functions: its
// contexts come from malloc, and grow with what they are used for.
#include <zstd.h>
#include <zstd_errors.h>

#include <bit>
#include <cstring>

#include "codec/compression_format.h"
#include "rstream/error.h"

namespace rstream {

namespace {

struct zstd_state {
  ZSTD_CCtx *packer = nullptr;
  ZSTD_DCtx *unpacker = nullptr;
};

zstd_state *state_of(memory &mem, void *&state) {
  if (!state) state = memory_new<zstd_state>(mem);
  return static_cast<zstd_state *>(state);
}

size_t bound(size_t raw_bytes) { return ZSTD_compressBound(raw_bytes); }

ptrdiff_t pack(memory &mem, void *&state, wire::bytes raw, std::span<uint8_t> out) {
  zstd_state *s = state_of(mem, state);
  if (!s) return RSTREAM_ENOMEM;
  if (!s->packer) s->packer = ZSTD_createCCtx();
  if (!s->packer) return RSTREAM_ENOMEM;
  size_t n = ZSTD_compressCCtx(s->packer, out.data(), out.size(), raw.data(), raw.size(),
                               ZSTD_CLEVEL_DEFAULT);
  if (!ZSTD_isError(n)) return static_cast<ptrdiff_t>(n);
  bool memory = ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation;
  return memory ? RSTREAM_ENOMEM : RSTREAM_EMSGSIZE;
}

unpack_result error_of(size_t code) {
  switch (ZSTD_getErrorCode(code)) {
  case ZSTD_error_dstSize_tooSmall: return unpack_result::wrong_size;
  case ZSTD_error_memory_allocation: return unpack_result::no_memory;
  default: return unpack_result::damaged;
  }
}

// The library may also know the formats from before the standard, through code that is
// old and takes memory for each frame. Nothing writes those into streams.
bool of_the_standard(wire::bytes frame) {
  if (frame.size() < 4) return false;
  uint32_t magic;
  memcpy(&magic, frame.data(), sizeof magic);
  if constexpr (std::endian::native == std::endian::big) magic = __builtin_bswap32(magic);
  return magic == ZSTD_MAGICNUMBER ||
         (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

// Frames may follow each other, and those that hold no data are passed over.
unpack_result unpack(memory &mem, void *&state, wire::bytes packed,
                     std::span<uint8_t> out) {
  zstd_state *s = state_of(mem, state);
  if (!s) return unpack_result::no_memory;
  if (!s->unpacker) s->unpacker = ZSTD_createDCtx();
  if (!s->unpacker) return unpack_result::no_memory;
  do {
    if (!of_the_standard(packed)) return unpack_result::damaged;
    size_t read = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
    if (ZSTD_isError(read)) return error_of(read);
    size_t written =
        ZSTD_decompressDCtx(s->unpacker, out.data(), out.size(), packed.data(), read);
    if (ZSTD_isError(written)) return error_of(written);
    packed = packed.subspan(read);
    out = out.subspan(written);
  } while (!packed.empty());
  return out.empty() ? unpack_result::done : unpack_result::wrong_size;
}

void release(memory &mem, void *state) {
  auto *s = static_cast<zstd_state *>(state);
  ZSTD_freeCCtx(s->packer);
  ZSTD_freeDCtx(s->unpacker);
  memory_delete(mem, s);
}

}  // namespace

// A block of up to 128 KiB that repeats one byte takes four.
const compression_format zstd_format = {32768, bound, pack, unpack, release};

}  // namespace rstream
