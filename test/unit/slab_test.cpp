#include "util/slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct slab_test : testing::Test {
  counting_memory blocks;
  slab_pool *pool = slab_pool_create(blocks.functions());

  void TearDown() override {
    if (pool) slab_pool_leave(pool);
    EXPECT_EQ(blocks.bytes, 0u);
    EXPECT_EQ(blocks.blocks.size(), 0u);
  }

  uint32_t capacity_for(size_t bytes) {
    slab *s = slab_acquire(*pool, bytes);
    if (!s) return 0;
    uint32_t capacity = s->capacity;
    s->data()[0] = s->data()[capacity - 1] = 1;  // for AddressSanitizer
    slab_unref(s);
    return capacity;
  }
};

}  // namespace

TEST_F(slab_test, comes_in_powers_of_two_from_4_kib_to_the_largest_pooled) {
  EXPECT_EQ(capacity_for(0), 4096u);
  EXPECT_EQ(capacity_for(4096), 4096u);
  for (uint32_t size = 4096; size < slab_largest_pooled_bytes; size *= 2) {
    EXPECT_EQ(capacity_for(size + 1), size * 2);
    EXPECT_EQ(capacity_for(size * 2), size * 2);
  }
}

TEST_F(slab_test, a_larger_one_has_the_size_asked_for_and_is_not_kept) {
  EXPECT_EQ(capacity_for(slab_largest_pooled_bytes + 1), slab_largest_pooled_bytes + 1);
  EXPECT_EQ(pool->mem.bytes_held, 0u);
  EXPECT_EQ(pool->free_bytes, 0u);
}

TEST_F(slab_test, a_freed_slab_is_used_again_for_its_class_only) {
  slab *small = slab_acquire(*pool, 100);
  slab_unref(small);
  EXPECT_EQ(pool->free_bytes, 4096u);
  slab *large = slab_acquire(*pool, 5000);
  EXPECT_NE(large, small);
  slab *again = slab_acquire(*pool, 4096);
  EXPECT_EQ(again, small);
  EXPECT_EQ(again->refs, 1u);
  EXPECT_EQ(pool->free_bytes, 0u);
  slab_unref(again);
  slab_unref(large);
}

TEST_F(slab_test, lives_as_long_as_somebody_refers_to_it) {
  slab *s = slab_acquire(*pool, 10);
  slab_ref(s);
  slab_unref(s);
  memcpy(s->data(), "alive", 5);
  EXPECT_EQ(pool->free_bytes, 0u);
  slab_unref(s);
  EXPECT_EQ(pool->free_bytes, 4096u);
}

TEST_F(slab_test, keeps_no_more_free_bytes_than_allowed) {
  pool->max_free_bytes = 3 * 4096;
  std::vector<slab *> slabs;
  for (int i = 0; i < 5; i++) slabs.push_back(slab_acquire(*pool, 1));
  for (slab *s : slabs) slab_unref(s);
  EXPECT_EQ(pool->free_bytes, 3u * 4096);
  EXPECT_EQ(blocks.blocks.size(), 4u);  // those and the pool itself
}

TEST_F(slab_test, the_pool_outlives_its_owner_through_a_slab) {
  slab *kept = slab_acquire(*pool, 10);
  slab_unref(slab_acquire(*pool, 10000));
  slab_pool_leave(pool);
  pool = nullptr;
  memcpy(kept->data(), "still here", 10);
  EXPECT_GT(blocks.bytes, 0u);
  slab_unref(kept);
  EXPECT_EQ(blocks.bytes, 0u);
}

TEST_F(slab_test, a_second_user_keeps_the_pool) {
  slab_pool_join(pool);
  slab_pool_leave(pool);
  EXPECT_EQ(capacity_for(1), 4096u);
}

TEST_F(slab_test, out_of_memory_is_told_and_free_slabs_still_come) {
  slab *s = slab_acquire(*pool, 1);
  slab_unref(s);
  blocks.calls_left = 0;
  EXPECT_EQ(slab_acquire(*pool, 1), s);
  EXPECT_EQ(slab_acquire(*pool, 1), nullptr);
  EXPECT_EQ(slab_acquire(*pool, 2 * slab_largest_pooled_bytes), nullptr);
  slab_unref(s);
}

TEST_F(slab_test, a_size_beyond_32_bits_is_refused) {
  size_t calls = blocks.calls;
  EXPECT_EQ(slab_acquire(*pool, size_t{UINT32_MAX}), nullptr);
  EXPECT_EQ(slab_acquire(*pool, SIZE_MAX), nullptr);
  EXPECT_EQ(blocks.calls, calls);
}

TEST(slab_pool_create, out_of_memory_gives_none) {
  counting_memory blocks;
  blocks.calls_left = 0;
  EXPECT_EQ(slab_pool_create(blocks.functions()), nullptr);
}
