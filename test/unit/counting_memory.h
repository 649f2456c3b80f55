// Allocation functions that know every block, and fail on demand.
#pragma once

#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "util/memory.h"

namespace rstream::test {

struct counting_memory {
  std::unordered_map<void *, size_t> blocks;
  size_t bytes = 0;
  size_t calls = 0;              // of allocate and resize
  size_t calls_left = SIZE_MAX;  // that succeed
  std::mutex lock;               // rstream_env_post() allocates on any thread

  void put(void *block, size_t size) {
    blocks[block] = size;
    bytes += size;
  }
  void drop(void *block) {
    auto it = blocks.find(block);
    if (it == blocks.end()) abort();  // not ours, or twice
    bytes -= it->second;
    blocks.erase(it);
  }
  bool refused() {
    calls++;
    if (calls_left == SIZE_MAX) return false;
    if (calls_left == 0) return true;
    calls_left--;
    return false;
  }

  static counting_memory *of(void *user) { return static_cast<counting_memory *>(user); }

  static void *allocate(size_t size, void *user) {
    std::lock_guard guard(of(user)->lock);
    if (of(user)->refused()) return nullptr;
    void *block = malloc(size);
    of(user)->put(block, size);
    return block;
  }
  static void *resize(void *old, size_t size, void *user) {
    std::lock_guard guard(of(user)->lock);
    if (of(user)->refused()) return nullptr;
    if (old) of(user)->drop(old);
    void *block = realloc(old, size);
    of(user)->put(block, size);
    return block;
  }
  static void release(void *block, void *user) {
    if (!block) return;
    std::lock_guard guard(of(user)->lock);
    of(user)->drop(block);
    free(block);
  }

  memory_functions functions() { return {allocate, resize, release, this}; }
};

}  // namespace rstream::test
