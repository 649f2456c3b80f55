#pragma once

#include <algorithm>

#include "util/memory.h"

namespace rstream {

// Room for plain values, uninitialised; nullptr when out of memory. Goes back with
// memory_release().
template <class T>
[[nodiscard]] T *array_allocate(memory &mem, size_t count) {
  return static_cast<T *>(memory_allocate(mem, count * sizeof(T)));
}

template <class T>
[[nodiscard]] T *array_copy(memory &mem, const T *from, size_t count) {
  T *to = array_allocate<T>(mem, count);
  if (to) std::copy_n(from, count, to);
  return to;
}

}  // namespace rstream
