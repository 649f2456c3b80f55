#include "codec/compression.h"

#include "codec/compression_format.h"
#include "rstream/error.h"

namespace rstream {

namespace {

// CMake found the libraries, or did not.
#ifdef RSTREAM_HAS_SNAPPY
constexpr const compression_format *snappy = &snappy_format;
#else
constexpr const compression_format *snappy = nullptr;
#endif
#ifdef RSTREAM_HAS_LZ4
constexpr const compression_format *lz4 = &lz4_format;
#else
constexpr const compression_format *lz4 = nullptr;
#endif
#ifdef RSTREAM_HAS_ZSTD
constexpr const compression_format *zstd = &zstd_format;
#else
constexpr const compression_format *zstd = nullptr;
#endif

constexpr const compression_format *built_in[compression_count] = {
    nullptr, &gzip_format, snappy, lz4, zstd,
};

}  // namespace

struct compression_set {
  slab_pool *pool = nullptr;
  uint32_t refs = 1;
  uint8_t used = 0;                             // one bit each: it can't change any more
  void *states[compression_count] = {};         // see compression_format
  rstream_compressor own[compression_count]{};  // struct_size 0: not registered
};

namespace {

bool is_own(const compression_set &set, uint8_t compression) {
  return set.own[compression].struct_size != 0;
}

void mark_used(compression_set &set, uint8_t compression) {
  set.used |= static_cast<uint8_t>(1 << compression);
}

// The application's code has the last word on its bytes, and none on our memory: what it
// claims to have written is believed only as far as it can be true.
ptrdiff_t pack_own(const rstream_compressor &c, wire::bytes raw, std::span<uint8_t> out) {
  ptrdiff_t n = c.compress(raw.data(), raw.size(), out.data(), out.size(), c.user);
  bool possible = n > 0 && static_cast<size_t>(n) <= out.size();
  if (!possible) return RSTREAM_ECODEC;
  return n;
}

unpack_result unpack_own(const rstream_compressor &c, wire::bytes packed,
                         std::span<uint8_t> out) {
  ptrdiff_t n =
      c.decompress(packed.data(), packed.size(), out.data(), out.size(), c.user);
  if (n < 0) return unpack_result::damaged;
  return static_cast<size_t>(n) == out.size() ? unpack_result::done
                                              : unpack_result::wrong_size;
}

}  // namespace

compression_set *compression_set_create(slab_pool *pool) {
  auto *set = memory_new<compression_set>(pool->mem);
  if (!set) return nullptr;
  slab_pool_join(pool);
  set->pool = pool;
  return set;
}

void compression_set_ref(compression_set *set) { set->refs++; }

void compression_set_unref(compression_set *set) {
  if (--set->refs > 0) return;
  slab_pool *pool = set->pool;
  for (uint8_t i = 0; i < compression_count; i++) {
    if (set->states[i]) built_in[i]->release(pool->mem, set->states[i]);
  }
  memory_delete(pool->mem, set);
  slab_pool_leave(pool);
}

int compression_register(compression_set &set, const rstream_compressor &compressor) {
  uint8_t compression = compressor.compression;
  if (set.used & 1 << compression) return RSTREAM_EBUSY;
  set.own[compression] = compressor;
  return 0;
}

bool compression_available(const compression_set &set, uint8_t compression) {
  if (compression >= compression_count) return false;
  if (compression == RSTREAM_COMPRESSION_NONE) return true;
  return is_own(set, compression) || built_in[compression];
}

size_t compression_bound(compression_set &set, uint8_t compression, size_t raw_bytes) {
  mark_used(set, compression);
  const rstream_compressor &own = set.own[compression];
  if (is_own(set, compression)) return own.bound(raw_bytes, own.user);
  return built_in[compression]->bound(raw_bytes);
}

ptrdiff_t compression_pack(compression_set &set, uint8_t compression, wire::bytes raw,
                           std::span<uint8_t> out) {
  mark_used(set, compression);
  if (is_own(set, compression)) return pack_own(set.own[compression], raw, out);
  // The libraries count in 32 bits, as do the lengths of the protocol.
  if (raw.size() > UINT32_MAX) return RSTREAM_EMSGSIZE;
  if (out.size() > UINT32_MAX) out = out.first(UINT32_MAX);
  return built_in[compression]->pack(set.pool->mem, set.states[compression], raw, out);
}

unpack_result compression_unpack(compression_set &set, uint8_t compression,
                                 wire::bytes packed, std::span<uint8_t> out) {
  mark_used(set, compression);
  if (is_own(set, compression)) return unpack_own(set.own[compression], packed, out);
  if (packed.size() > UINT32_MAX || out.size() > UINT32_MAX)
    return unpack_result::wrong_size;
  return built_in[compression]->unpack(set.pool->mem, set.states[compression], packed,
                                       out);
}

bool compression_can_hold(const compression_set &set, uint8_t compression,
                          size_t packed_bytes, size_t raw_bytes) {
  if (is_own(set, compression)) return true;
  return raw_bytes / built_in[compression]->largest_expansion <= packed_bytes;
}

}  // namespace rstream
