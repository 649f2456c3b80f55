#pragma once

#include <cstddef>
#include <cstdint>

#include "util/memory.h"

namespace rstream {

struct slab_pool;

// A block of bytes shared by reference: frames being received, frames being published.
// Whoever keeps a slice of it holds a reference; the last one to go gives it back to the
// pool.
struct slab {
  slab_pool *pool;
  slab *next_free;
  uint32_t capacity;
  uint32_t refs;
  uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};

constexpr uint32_t slab_smallest_bytes = 4096;
constexpr uint32_t slab_largest_pooled_bytes = 16 << 20;
constexpr int slab_classes = 13;  // 4 KiB, 8 KiB ... 16 MiB

// Free slabs by size, powers of two. The pool counts its users: the environment is one,
// each slab that is out is one, so that a chunk kept beyond its environment still has a
// home. The `memory` it draws on lives inside it for the same reason.
struct slab_pool {
  memory mem;
  slab *free[slab_classes] = {};
  uint64_t free_bytes = 0;
  uint64_t max_free_bytes = 64u << 20;  // as much as one producer's window by default
  uint32_t users = 1;
};

// The pool allocates itself with `functions`. nullptr when out of memory.
[[nodiscard]] slab_pool *slab_pool_create(const memory_functions &functions);
// The environment goes; the pool follows when the last slab is back.
void slab_pool_leave(slab_pool *pool);
inline void slab_pool_join(slab_pool *pool) { pool->users++; }

// At least `bytes` large, with one reference. nullptr when out of memory.
[[nodiscard]] slab *slab_acquire(slab_pool &pool, size_t bytes);
void slab_free(slab *s);

inline void slab_ref(slab *s) { s->refs++; }
inline void slab_unref(slab *s) {
  if (--s->refs == 0) slab_free(s);
}

}  // namespace rstream
