#include "client/route_cache.h"

#include <cstring>

#include "util/array.h"

namespace rstream {

namespace {

constexpr uint32_t least_buckets = 64;

route *&bucket_of(const route_cache &cache, uint32_t hash) {
  return cache.buckets[hash & (cache.bucket_count - 1)];
}

route *route_of(list_node *node) { return RSTREAM_OWNER(node, route, node); }

void link(route_cache &cache, route *r) {
  route *&bucket = bucket_of(cache, r->hash);
  r->next_in_bucket = bucket;
  bucket = r;
}

bool grow(route_cache &cache, memory &mem) {
  uint32_t wanted = cache.bucket_count ? cache.bucket_count * 2 : least_buckets;
  auto *buckets = array_allocate<route *>(mem, wanted);
  if (!buckets) return false;
  std::fill_n(buckets, wanted, nullptr);
  memory_release(mem, cache.buckets);
  cache.buckets = buckets;
  cache.bucket_count = wanted;
  for (list_node *n = cache.by_age.next; n != &cache.by_age; n = n->next)
    link(cache, route_of(n));
  return true;
}

void remove(route_cache &cache, memory &mem, route *r) {
  route **at = &bucket_of(cache, r->hash);
  while (*at != r) at = &(*at)->next_in_bucket;
  *at = r->next_in_bucket;
  list_remove(r->node);
  cache.count--;
  route_forget(*r, mem);
  r->~route();
  memory_release(mem, r);
}

void drop_oldest(route_cache &cache, memory &mem, void (*cancel)(route &r)) {
  for (list_node *n = cache.by_age.next; n != &cache.by_age; n = n->next) {
    route *r = route_of(n);
    if (r->waiting > 0) continue;
    cancel(*r);
    remove(cache, mem, r);
    return;
  }
}

}  // namespace

route *route_find(const route_cache &cache, uint32_t hash, std::string_view key) {
  if (cache.bucket_count == 0) return nullptr;
  for (route *r = bucket_of(cache, hash); r; r = r->next_in_bucket) {
    if (r->hash == hash && r->key() == key) return r;
  }
  return nullptr;
}

route *route_add(route_cache &cache, memory &mem, uint32_t hash, std::string_view key,
                 void (*cancel)(route &r)) {
  if (cache.count >= cache.most) drop_oldest(cache, mem, cancel);
  if (cache.count >= cache.bucket_count && !grow(cache, mem)) return nullptr;
  void *block = memory_allocate(mem, sizeof(route) + key.size());
  if (!block) return nullptr;
  auto *r = new (block) route();
  r->hash = hash;
  r->key_bytes = static_cast<uint32_t>(key.size());
  if (!key.empty()) memcpy(static_cast<void *>(r + 1), key.data(), key.size());
  link(cache, r);
  list_push_back(cache.by_age, r->node);
  cache.count++;
  return r;
}

bool route_set(route &r, memory &mem, super_partition *const *partitions,
               uint32_t count) {
  super_partition **all = nullptr;
  if (count > 1) {
    all = array_copy(mem, partitions, count);
    if (!all) return false;
  }
  route_forget(r, mem);
  r.state = route_state::known;
  r.count = count;
  r.first = count > 0 ? partitions[0] : nullptr;
  r.all = all;
  return true;
}

void route_forget(route &r, memory &mem) {
  memory_release(mem, r.all);
  r.all = nullptr;
  r.first = nullptr;
  r.count = 0;
  r.state = r.op ? route_state::asking : route_state::unknown;
}

void route_cache_release(route_cache &cache, memory &mem, void (*cancel)(route &r)) {
  while (!list_empty(cache.by_age)) {
    route *r = route_of(cache.by_age.next);
    cancel(*r);
    remove(cache, mem, r);
  }
  memory_release(mem, cache.buckets);
  cache.buckets = nullptr;
  cache.bucket_count = 0;
}

}  // namespace rstream
