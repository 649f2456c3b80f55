#pragma once

// Remembers where the broker said routing keys go.

#include <cstdint>
#include <string_view>

#include "util/list.h"
#include "util/memory.h"

namespace rstream {

struct locator_op;
struct super_partition;

enum class route_state : uint8_t { unknown, asking, known };

struct route {
  list_node node;  // of route_cache::by_age
  route *next_in_bucket = nullptr;
  uint32_t hash = 0;
  uint32_t key_bytes = 0;  // the key itself stands behind the struct
  route_state state = route_state::unknown;
  uint32_t waiting = 0;     // messages that wait for it, which keep it
  int status = 0;           // why the last question failed
  uint64_t generation = 0;  // of the refresh that it was asked in
  uint32_t count = 0;       // partitions
  super_partition *first = nullptr;
  super_partition **all = nullptr;  // of several
  locator_op *op = nullptr;         // the question under way, also about a known one
  void *owner = nullptr;            // whose question it is
  std::string_view key() const {
    return {reinterpret_cast<const char *>(this + 1), key_bytes};
  }
};

inline super_partition *route_partition(const route &r, uint32_t index) {
  return r.all ? r.all[index] : r.first;
}

struct route_cache {
  route **buckets = nullptr;  // a power of two of them
  uint32_t bucket_count = 0;
  uint32_t count = 0;
  uint32_t most = 0;
  list by_age;  // the oldest first
};

[[nodiscard]] route *route_find(const route_cache &cache, uint32_t hash,
                                std::string_view key);
// Adds it, in place of the oldest that nothing waits for if there are too many. nullptr
// when out of memory. Those that go have no question under way after `cancel`.
[[nodiscard]] route *route_add(route_cache &cache, memory &mem, uint32_t hash,
                               std::string_view key, void (*cancel)(route &r));
// Sets what is known of it. False when out of memory; it stays as it was then.
[[nodiscard]] bool route_set(route &r, memory &mem, super_partition *const *partitions,
                             uint32_t count);
// What is known means nothing any more.
void route_forget(route &r, memory &mem);
void route_cache_release(route_cache &cache, memory &mem, void (*cancel)(route &r));

}  // namespace rstream
