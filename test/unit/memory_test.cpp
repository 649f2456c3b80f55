#include "util/memory.h"

#include <gtest/gtest.h>

#include <cstring>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct thing {
  int value = 7;
  bool *gone = nullptr;
  ~thing() {
    if (gone) *gone = true;
  }
};

struct memory_test : testing::Test {
  counting_memory blocks;
  memory mem{blocks.functions()};

  void TearDown() override {
    EXPECT_EQ(blocks.blocks.size(), 0u);
    EXPECT_EQ(mem.bytes_held, 0u);
  }
};

}  // namespace

TEST_F(memory_test, counts_what_was_asked_for) {
  void *a = memory_allocate(mem, 100);
  void *b = memory_allocate(mem, 28);
  EXPECT_EQ(mem.bytes_held, 128u);
  EXPECT_EQ(mem.allocations, 2u);
  memory_release(mem, a);
  EXPECT_EQ(mem.bytes_held, 28u);
  memory_release(mem, b);
}

TEST_F(memory_test, blocks_are_aligned_like_those_of_malloc) {
  void *block = memory_allocate(mem, 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignof(std::max_align_t), 0u);
  memory_release(mem, block);
}

TEST_F(memory_test, resizing_keeps_the_bytes_and_the_count) {
  auto *block = static_cast<char *>(memory_allocate(mem, 4));
  memcpy(block, "abcd", 4);
  block = static_cast<char *>(memory_resize(mem, block, 4000));
  EXPECT_EQ(std::string(block, 4), "abcd");
  EXPECT_EQ(mem.bytes_held, 4000u);
  block = static_cast<char *>(memory_resize(mem, block, 2));
  EXPECT_EQ(std::string(block, 2), "ab");
  EXPECT_EQ(mem.bytes_held, 2u);
  memory_release(mem, block);
}

TEST_F(memory_test, resizing_nothing_allocates) {
  void *block = memory_resize(mem, nullptr, 10);
  EXPECT_EQ(mem.bytes_held, 10u);
  memory_release(mem, block);
}

TEST_F(memory_test, a_failed_call_changes_nothing) {
  auto *block = static_cast<char *>(memory_allocate(mem, 3));
  memcpy(block, "abc", 3);
  blocks.calls_left = 0;
  EXPECT_EQ(memory_allocate(mem, 5), nullptr);
  EXPECT_EQ(memory_resize(mem, block, 5), nullptr);
  EXPECT_EQ(memory_new<thing>(mem), nullptr);
  EXPECT_EQ(memory_copy_text(mem, "text"), nullptr);
  EXPECT_EQ(mem.bytes_held, 3u);
  EXPECT_EQ(std::string(block, 3), "abc");
  memory_release(mem, block);
}

TEST_F(memory_test, a_size_that_would_wrap_around_is_refused) {
  EXPECT_EQ(memory_allocate(mem, SIZE_MAX), nullptr);
  void *block = memory_allocate(mem, 1);
  EXPECT_EQ(memory_resize(mem, block, SIZE_MAX - 3), nullptr);
  memory_release(mem, block);
  EXPECT_EQ(blocks.calls, 1u);
}

TEST_F(memory_test, releasing_nothing_is_harmless) {
  memory_release(mem, nullptr);
  memory_delete<thing>(mem, nullptr);
}

TEST_F(memory_test, objects_are_constructed_and_destroyed) {
  bool gone = false;
  auto *object = memory_new<thing>(mem);
  EXPECT_EQ(object->value, 7);
  object->gone = &gone;
  memory_delete(mem, object);
  EXPECT_TRUE(gone);
}

TEST_F(memory_test, texts_are_copied_with_a_nul_behind_them) {
  char *copy = memory_copy_text(mem, std::string_view("stream-name", 6));
  EXPECT_STREQ(copy, "stream");
  char *empty = memory_copy_text(mem, {});
  EXPECT_STREQ(empty, "");
  memory_release(mem, copy);
  memory_release(mem, empty);
}

TEST(memory_default, is_that_of_the_c_library) {
  memory mem{memory_functions_default()};
  void *block = memory_resize(mem, memory_allocate(mem, 1), 100);
  EXPECT_NE(block, nullptr);
  memory_release(mem, block);
  EXPECT_EQ(mem.bytes_held, 0u);
}
