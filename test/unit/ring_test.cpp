#include "util/ring.h"

#include <gtest/gtest.h>

#include <deque>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct ring_test : testing::Test {
  counting_memory blocks;
  memory mem{blocks.functions()};
  ring<int> r;

  void TearDown() override {
    ring_release(mem, r);
    EXPECT_EQ(blocks.bytes, 0u);
  }
};

}  // namespace

TEST_F(ring_test, allocates_nothing_until_it_is_used) {
  EXPECT_TRUE(r.empty());
  EXPECT_EQ(blocks.calls, 0u);
}

TEST_F(ring_test, is_first_in_first_out_over_growth_and_wrap_around) {
  std::deque<int> expected;
  for (int i = 0; i < 5000; i++) {
    ASSERT_TRUE(ring_push(mem, r, i));
    expected.push_back(i);
    if (i % 3 == 0) {
      ASSERT_EQ(r.front(), expected.front());
      ring_pop_front(r);
      expected.pop_front();
    }
    ASSERT_EQ(r.back(), expected.back());
    ASSERT_EQ(r.count, expected.size());
  }
  for (uint32_t i = 0; i < r.count; i++) ASSERT_EQ(r[i], expected[i]) << "at " << i;
}

TEST_F(ring_test, allocates_nothing_in_steady_state) {
  for (int i = 0; i < 16; i++) ASSERT_TRUE(ring_push(mem, r, i));
  size_t calls = blocks.calls;
  for (int i = 16; i < 1000; i++) {
    ring_pop_front(r);
    ASSERT_TRUE(ring_push(mem, r, i));
    ASSERT_EQ(r.front(), i - 15);
  }
  EXPECT_EQ(blocks.calls, calls);
}

TEST_F(ring_test, what_was_reserved_can_be_pushed_without_memory) {
  ASSERT_TRUE(ring_reserve(mem, r, 100));
  blocks.calls_left = 0;
  for (int i = 0; i < 100; i++) ASSERT_TRUE(ring_push(mem, r, i)) << i;
  EXPECT_EQ(r.back(), 99);
}

TEST_F(ring_test, out_of_memory_leaves_it_as_it_was) {
  for (int i = 0; i < 16; i++) ASSERT_TRUE(ring_push(mem, r, i));
  blocks.calls_left = 0;
  EXPECT_FALSE(ring_push(mem, r, 16));
  EXPECT_EQ(r.count, 16u);
  EXPECT_EQ(r.back(), 15);
}
