#include "net/send_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "counting_memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

// Takes a limited number of bytes, then is full.
struct fake_transport {
  transport base;
  std::string taken;
  size_t room = SIZE_MAX;
  ptrdiff_t error = 0;
  int writes = 0;

  static ptrdiff_t write(transport *t, std::span<const net_buffer> buffers) {
    auto *self = reinterpret_cast<fake_transport *>(t);
    self->writes++;
    if (self->error) return self->error;
    size_t total = 0;
    for (const net_buffer &b : buffers) {
      size_t n = std::min(b.size, self->room);
      self->taken.append(reinterpret_cast<const char *>(b.data), n);
      self->room -= n;
      total += n;
    }
    return static_cast<ptrdiff_t>(total);
  }
  static void close(transport *) {}

  fake_transport() {
    static constexpr transport_ops ops = {write, close};
    base = {&ops, nullptr, nullptr, nullptr};
  }
};

struct send_queue_test : testing::Test {
  counting_memory blocks;
  slab_pool *pool = slab_pool_create(blocks.functions());
  send_queue queue;
  fake_transport link;

  void SetUp() override { send_queue_init(queue, *pool); }
  void TearDown() override {
    send_queue_release(queue);
    slab_pool_leave(pool);
    EXPECT_EQ(blocks.bytes, 0u);
  }

  void append(const std::string &text) {
    uint8_t *at = send_queue_append(queue, static_cast<uint32_t>(text.size()));
    ASSERT_NE(at, nullptr);
    memcpy(at, text.data(), text.size());
  }
  slab *slab_with(const std::string &text) {
    slab *s = slab_acquire(*pool, text.size());
    memcpy(s->data(), text.data(), text.size());
    return s;
  }
  void push(const std::string &text) {
    slab *s = slab_with(text);
    ASSERT_TRUE(send_queue_push(queue, s, s->data(), static_cast<uint32_t>(text.size())));
    slab_unref(s);
  }
  ptrdiff_t flush() { return send_queue_flush(queue, &link.base); }
};

}  // namespace

TEST_F(send_queue_test, an_empty_queue_writes_nothing) {
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(link.writes, 0);
}

TEST_F(send_queue_test, small_frames_and_slices_keep_their_order_in_one_write) {
  append("one ");
  push("two ");
  append("three ");
  push("four");
  EXPECT_EQ(queue.bytes, 18u);
  EXPECT_EQ(flush(), 18);
  EXPECT_EQ(link.taken, "one two three four");
  EXPECT_EQ(link.writes, 1);
  EXPECT_EQ(queue.bytes, 0u);
}

TEST_F(send_queue_test, goes_on_where_a_partial_write_stopped) {
  const std::string all = "one two three four";
  for (size_t at = 0; at <= all.size(); at++) {
    link.taken.clear();
    link.room = at;
    append("one ");
    push("two ");
    append("three ");
    push("four");
    EXPECT_EQ(flush(), static_cast<ptrdiff_t>(at));
    EXPECT_EQ(queue.blocked, at < all.size()) << "full after " << at;
    EXPECT_EQ(queue.bytes, all.size() - at);
    link.room = SIZE_MAX;
    queue.blocked = false;
    EXPECT_EQ(flush(), static_cast<ptrdiff_t>(all.size() - at));
    EXPECT_EQ(link.taken, all) << "full after " << at;
  }
}

TEST_F(send_queue_test, a_transport_that_takes_byte_by_byte_gets_all_in_order) {
  append("abc");
  push("defg");
  for (int i = 0; i < 7; i++) {
    link.room = 1;
    queue.blocked = false;
    ASSERT_EQ(flush(), 1);
  }
  EXPECT_EQ(link.taken, "abcdefg");
  EXPECT_EQ(queue.bytes, 0u);
}

TEST_F(send_queue_test, does_not_write_while_the_transport_is_full) {
  link.room = 2;
  append("abcd");
  EXPECT_EQ(flush(), 2);
  link.room = SIZE_MAX;
  append("ef");
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(link.writes, 1);
  queue.blocked = false;
  EXPECT_EQ(flush(), 4);
  EXPECT_EQ(link.taken, "abcdef");
}

TEST_F(send_queue_test, more_segments_than_one_write_takes_all_go_out) {
  std::string all;
  for (int i = 0; i < 1000; i++) {
    std::string text = std::to_string(i) + ",";
    append(text);
    all += text;
  }
  EXPECT_EQ(flush(), static_cast<ptrdiff_t>(all.size()));
  EXPECT_EQ(link.taken, all);
}

TEST_F(send_queue_test, an_error_is_passed_on) {
  append("abc");
  link.error = -32;
  EXPECT_EQ(flush(), -32);
}

TEST_F(send_queue_test, a_frame_larger_than_its_slabs_is_taken) {
  std::string large(10000, 'x');
  append("a");
  append(large);
  append("b");
  EXPECT_EQ(flush(), 10002);
  EXPECT_EQ(link.taken, "a" + large + "b");
}

TEST_F(send_queue_test, holds_a_reference_until_the_bytes_are_taken) {
  slab *s = slab_with("slice");
  ASSERT_TRUE(send_queue_push(queue, s, s->data(), 5));
  EXPECT_EQ(s->refs, 2u);
  link.room = 3;
  flush();
  EXPECT_EQ(s->refs, 2u);
  queue.blocked = false;
  link.room = SIZE_MAX;
  flush();
  EXPECT_EQ(s->refs, 1u);
  slab_unref(s);
}

TEST_F(send_queue_test, releasing_it_drops_what_is_still_queued) {
  slab *s = slab_with("slice");
  ASSERT_TRUE(send_queue_push(queue, s, s->data(), 5));
  append("small");
  send_queue_release(queue);
  EXPECT_EQ(s->refs, 1u);
  slab_unref(s);
}

TEST_F(send_queue_test, allocates_nothing_in_steady_state) {
  auto round = [&] {
    for (int i = 0; i < 40; i++) append("a small frame of some bytes");
    push("a batch");
    link.room = 500;
    flush();
    queue.blocked = false;
    link.room = SIZE_MAX;
    flush();
    link.taken.clear();
  };
  for (int i = 0; i < 20; i++) round();
  size_t calls = blocks.calls;
  for (int i = 0; i < 200; i++) round();
  EXPECT_EQ(blocks.calls, calls);
}

TEST_F(send_queue_test, out_of_memory_is_told_and_harms_nothing_queued) {
  append("abc");
  slab *s = slab_with("slice");
  blocks.calls_left = 0;
  EXPECT_EQ(send_queue_append(queue, 100000), nullptr);
  for (int i = 0; i < 100; i++) {
    if (!send_queue_push(queue, s, s->data(), 5)) break;
    ASSERT_LT(i, 99);
  }
  uint64_t queued = queue.bytes;
  uint32_t refs = s->refs;
  EXPECT_FALSE(send_queue_push(queue, s, s->data(), 5));
  EXPECT_EQ(s->refs, refs);
  EXPECT_EQ(queue.bytes, queued);
  EXPECT_EQ(flush(), static_cast<ptrdiff_t>(queued));
  slab_unref(s);
}
