#include "memory.h"

#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
// Of the sanitizers' run-time; not every compiler ships its header.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *));
#else
#define UNDER_SANITIZER 0
#endif

namespace rstream::test {

namespace {

// In front of each block: its size, with malloc's alignment kept.
struct alignas(std::max_align_t) header {
  size_t bytes;
};

counting_allocator *of(void *user) { return static_cast<counting_allocator *>(user); }

void count_in(counting_allocator *a, size_t bytes) {
  size_t now = a->bytes += bytes;
  a->blocks++;
  size_t most = a->most_bytes;
  while (now > most && !a->most_bytes.compare_exchange_weak(most, now)) continue;
}

void count_out(counting_allocator *a, size_t bytes) {
  a->bytes -= bytes;
  a->blocks--;
}

void *allocate(size_t bytes, void *user) {
  auto *h = static_cast<header *>(malloc(sizeof(header) + bytes));
  if (!h) return nullptr;
  h->bytes = bytes;
  of(user)->calls++;
  count_in(of(user), bytes);
  return h + 1;
}

void release(void *memory, void *user) {
  if (!memory) return;
  auto *h = static_cast<header *>(memory) - 1;
  count_out(of(user), h->bytes);
  free(h);
}

void *resize(void *memory, size_t bytes, void *user) {
  if (!memory) return allocate(bytes, user);
  auto *h = static_cast<header *>(memory) - 1;
  size_t before = h->bytes;
  h = static_cast<header *>(realloc(h, sizeof(header) + bytes));
  if (!h) return nullptr;
  h->bytes = bytes;
  of(user)->calls++;
  count_out(of(user), before);
  count_in(of(user), bytes);
  return h + 1;
}

std::atomic<uint64_t> mallocs{0};

#if UNDER_SANITIZER
void on_malloc(const volatile void *, size_t) { mallocs++; }
void on_free(const volatile void *) {}
[[maybe_unused]] const int installed =
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
#endif

}  // namespace

rstream_allocator counting_allocator::functions() {
  return {allocate, resize, release, this};
}

uint64_t process_allocations() { return mallocs; }

}  // namespace rstream::test

#if !UNDER_SANITIZER
// Definitions in the program come before the C library's own, also for the shared
// libraries.
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t bytes) {
  rstream::test::mallocs++;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  rstream::test::mallocs++;
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
  rstream::test::mallocs++;
  return __libc_realloc(memory, bytes);
}
}
#endif
