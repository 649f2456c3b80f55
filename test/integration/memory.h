#pragma once

// Counts what the library takes through its allocator, and what the whole process takes
// from malloc.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rstream/env.h"

namespace rstream::test {

// An allocator that knows what it still owes. Also called from threads that post.
struct counting_allocator {
  std::atomic<size_t> bytes{0};
  std::atomic<size_t> blocks{0};
  std::atomic<uint64_t> calls{0};
  std::atomic<size_t> most_bytes{0};  // at a time; a test may set it back

  rstream_allocator functions();
};

// Calls of malloc, calloc, realloc and operator new by anything in the process so far.
uint64_t process_allocations();

}  // namespace rstream::test
