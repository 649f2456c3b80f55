#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

namespace rstream {

// The application's allocation functions. They see a request a little larger than asked
// for: each block starts with its size, so that memory held can be counted.
struct memory_functions {
  void *(*allocate)(size_t bytes, void *user);
  void *(*resize)(void *memory, size_t bytes, void *user);
  void (*release)(void *memory, void *user);
  void *user;
};

memory_functions memory_functions_default();

// One per environment; everything beneath it allocates here. Not thread-safe: all on the
// loop's thread.
struct memory {
  memory_functions functions;
  uint64_t bytes_held = 0;
  uint64_t allocations = 0;
};

// nullptr when out of memory. The block is aligned like malloc's.
[[nodiscard]] void *memory_allocate(memory &mem, size_t bytes);
[[nodiscard]] void *memory_resize(memory &mem, void *block, size_t bytes);
void memory_release(memory &mem, void *block);

// Overwrites what nobody should find there later; compilers do not leave it out.
void memory_wipe(void *block, size_t bytes);

// A NUL-terminated copy, nullptr when out of memory.
[[nodiscard]] char *memory_copy_text(memory &mem, std::string_view text);

template <class T>
[[nodiscard]] T *memory_new(memory &mem) {
  void *block = memory_allocate(mem, sizeof(T));
  return block ? new (block) T() : nullptr;
}

template <class T>
void memory_delete(memory &mem, T *object) {
  if (!object) return;
  object->~T();
  memory_release(mem, object);
}

}  // namespace rstream
