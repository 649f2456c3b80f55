#pragma once

#include <cstdint>

#include "util/memory.h"

namespace rstream {

// A double-ended queue of plain values in one block that doubles when full; nothing is
// allocated once it has grown to its working size. Capacity is a power of two.
template <class T>
struct ring {
  T *items = nullptr;
  uint32_t capacity = 0;
  uint32_t head = 0;
  uint32_t count = 0;

  T &operator[](uint32_t i) { return items[(head + i) & (capacity - 1)]; }
  const T &operator[](uint32_t i) const { return items[(head + i) & (capacity - 1)]; }
  T &front() { return (*this)[0]; }
  const T &front() const { return (*this)[0]; }
  T &back() { return (*this)[count - 1]; }
  bool empty() const { return count == 0; }
};

template <class T>
[[nodiscard]] bool ring_grow(memory &mem, ring<T> &r) {
  uint32_t capacity = r.capacity ? r.capacity * 2 : 16;
  auto *items = static_cast<T *>(memory_allocate(mem, capacity * sizeof(T)));
  if (!items) return false;
  for (uint32_t i = 0; i < r.count; i++) items[i] = r[i];
  memory_release(mem, r.items);
  r.items = items;
  r.capacity = capacity;
  r.head = 0;
  return true;
}

// Makes sure that `more` values can be pushed without failing.
template <class T>
[[nodiscard]] bool ring_reserve(memory &mem, ring<T> &r, uint32_t more) {
  while (r.capacity - r.count < more) {
    if (!ring_grow(mem, r)) return false;
  }
  return true;
}

template <class T>
[[nodiscard]] bool ring_push(memory &mem, ring<T> &r, const T &value) {
  if (!ring_reserve(mem, r, 1)) return false;
  r.count++;
  r.back() = value;
  return true;
}

template <class T>
void ring_pop_front(ring<T> &r) {
  r.head = (r.head + 1) & (r.capacity - 1);
  r.count--;
}

template <class T>
void ring_release(memory &mem, ring<T> &r) {
  memory_release(mem, r.items);
  r = ring<T>();
}

}  // namespace rstream
