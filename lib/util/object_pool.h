#pragma once

#include "util/memory.h"

namespace rstream {

// Keeps objects of one type for reuse, so that a steady state allocates nothing. T needs
// a member `T *next_free`. What comes out of the pool was constructed anew.
template <class T>
struct object_pool {
  T *free = nullptr;
};

template <class T>
[[nodiscard]] T *object_acquire(memory &mem, object_pool<T> &pool) {
  T *object = pool.free;
  if (!object) return memory_new<T>(mem);
  pool.free = object->next_free;
  object->~T();
  return new (object) T();
}

template <class T>
void object_recycle(object_pool<T> &pool, T *object) {
  object->next_free = pool.free;
  pool.free = object;
}

template <class T>
void object_pool_release(memory &mem, object_pool<T> &pool) {
  while (T *object = pool.free) {
    pool.free = object->next_free;
    memory_delete(mem, object);
  }
}

}  // namespace rstream
