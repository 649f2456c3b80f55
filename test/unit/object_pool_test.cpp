#include "util/object_pool.h"

#include <gtest/gtest.h>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct object {
  object *next_free = nullptr;
  int value = 1;
};

struct object_pool_test : testing::Test {
  counting_memory blocks;
  memory mem{blocks.functions()};
  object_pool<object> pool;

  void TearDown() override {
    object_pool_release(mem, pool);
    EXPECT_EQ(blocks.bytes, 0u);
  }
};

}  // namespace

TEST_F(object_pool_test, reuses_what_came_back) {
  object *a = object_acquire(mem, pool);
  object_recycle(pool, a);
  EXPECT_EQ(object_acquire(mem, pool), a);
  EXPECT_EQ(blocks.calls, 1u);
  object_recycle(pool, a);
}

TEST_F(object_pool_test, what_comes_out_was_constructed_anew) {
  object *a = object_acquire(mem, pool);
  a->value = 99;
  object_recycle(pool, a);
  object *b = object_acquire(mem, pool);
  EXPECT_EQ(b->value, 1);
  EXPECT_EQ(b->next_free, nullptr);
  object_recycle(pool, b);
}

TEST_F(object_pool_test, gives_out_different_objects) {
  object *a = object_acquire(mem, pool);
  object *b = object_acquire(mem, pool);
  EXPECT_NE(a, b);
  object_recycle(pool, a);
  object_recycle(pool, b);
}

TEST_F(object_pool_test, out_of_memory_is_told_while_free_ones_still_come) {
  object *a = object_acquire(mem, pool);
  object_recycle(pool, a);
  blocks.calls_left = 0;
  EXPECT_EQ(object_acquire(mem, pool), a);
  EXPECT_EQ(object_acquire(mem, pool), nullptr);
  object_recycle(pool, a);
}
