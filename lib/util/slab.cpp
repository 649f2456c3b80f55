#include "util/slab.h"

#include <bit>

namespace rstream {

namespace {

int class_of(size_t bytes) {
  if (bytes <= slab_smallest_bytes) return 0;
  return static_cast<int>(std::bit_width(bytes - 1)) -
         static_cast<int>(std::bit_width(slab_smallest_bytes - 1u));
}

void release_free_slabs(slab_pool &pool) {
  for (slab *&first : pool.free) {
    while (slab *s = first) {
      first = s->next_free;
      memory_release(pool.mem, s);
    }
  }
  pool.free_bytes = 0;
}

}  // namespace

slab_pool *slab_pool_create(const memory_functions &functions) {
  void *block = functions.allocate(sizeof(slab_pool), functions.user);
  if (!block) return nullptr;
  auto *pool = new (block) slab_pool();
  pool->mem.functions = functions;
  return pool;
}

void slab_pool_leave(slab_pool *pool) {
  if (--pool->users > 0) return;
  release_free_slabs(*pool);
  memory_functions functions = pool->mem.functions;
  pool->~slab_pool();
  functions.release(pool, functions.user);
}

slab *slab_acquire(slab_pool &pool, size_t bytes) {
  if (bytes > UINT32_MAX / 2) return nullptr;
  size_t capacity = bytes;
  if (bytes <= slab_largest_pooled_bytes) {
    int index = class_of(bytes);
    capacity = size_t{slab_smallest_bytes} << index;
    if (slab *s = pool.free[index]) {
      pool.free[index] = s->next_free;
      pool.free_bytes -= capacity;
      pool.users++;
      s->refs = 1;
      return s;
    }
  }
  auto *s = static_cast<slab *>(memory_allocate(pool.mem, sizeof(slab) + capacity));
  if (!s) return nullptr;
  *s = {&pool, nullptr, static_cast<uint32_t>(capacity), 1};
  pool.users++;
  return s;
}

void slab_free(slab *s) {
  slab_pool *pool = s->pool;
  bool pooled = s->capacity <= slab_largest_pooled_bytes &&
                pool->free_bytes + s->capacity <= pool->max_free_bytes;
  if (pooled) {
    int index = class_of(s->capacity);
    s->next_free = pool->free[index];
    pool->free[index] = s;
    pool->free_bytes += s->capacity;
  } else {
    memory_release(pool->mem, s);
  }
  slab_pool_leave(pool);
}

}  // namespace rstream
