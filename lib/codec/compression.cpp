#include "codec/compression.h"

#include "codec/compression_format.h"
#include "rstream/error.h"

namespace rstream {

namespace {

constexpr const compression_format *built_in[compression_count] = {
    nullptr,
    &gzip_format,
};

}  // namespace

struct compression_set {
  slab_pool *pool = nullptr;
  uint32_t refs = 1;
  void *states[compression_count] = {};  // see compression_format
};

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

bool compression_available(const compression_set &, uint8_t compression) {
  if (compression >= compression_count) return false;
  return compression == RSTREAM_COMPRESSION_NONE || built_in[compression];
}

size_t compression_bound(compression_set &, uint8_t compression, size_t raw_bytes) {
  return built_in[compression]->bound(raw_bytes);
}

ptrdiff_t compression_pack(compression_set &set, uint8_t compression, wire::bytes raw,
                           std::span<uint8_t> out) {
  // The libraries count in 32 bits, as do the lengths of the protocol.
  if (raw.size() > UINT32_MAX) return RSTREAM_EMSGSIZE;
  if (out.size() > UINT32_MAX) out = out.first(UINT32_MAX);
  return built_in[compression]->pack(set.pool->mem, set.states[compression], raw, out);
}

unpack_result compression_unpack(compression_set &set, uint8_t compression,
                                 wire::bytes packed, std::span<uint8_t> out) {
  if (packed.size() > UINT32_MAX || out.size() > UINT32_MAX)
    return unpack_result::wrong_size;
  return built_in[compression]->unpack(set.pool->mem, set.states[compression], packed,
                                       out);
}

bool compression_can_hold(const compression_set &, uint8_t compression,
                          size_t packed_bytes, size_t raw_bytes) {
  return raw_bytes / built_in[compression]->largest_expansion <= packed_bytes;
}

}  // namespace rstream
