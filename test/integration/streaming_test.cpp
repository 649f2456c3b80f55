// Large chunks of a real broker, handed out while they arrive.
#include "publishing.h"

using namespace rstream::test;

namespace {

constexpr size_t body_bytes = 9000;
constexpr size_t per_entry = 100;
constexpr size_t entries = 48;
constexpr uint64_t messages = per_entry * entries;
constexpr size_t mib = 1u << 20;

struct streaming : publishing {
  counting_allocator counted;
  rstream_allocator functions = counted.functions();
  uint64_t largest = 0;  // chunk of the stream, in bytes

  // As much as the window takes at once: the broker makes large chunks of it. When it is
  // busy it takes what comes piece by piece, so it takes a few streams at times.
  void publish_large() {
    for (int attempt = 0; attempt < 20; attempt++) {
      publish_at_once();
      largest = 0;
      for (const rstream_chunk_info &info : chunks())
        largest = std::max<uint64_t>(largest, info.size_bytes);
      if (largest > 4 * mib) return;
      close_producer();
      ASSERT_EQ(delete_stream(stream), 0);
      ASSERT_EQ(create_stream(stream), 0);
    }
    FAIL() << "the broker makes small chunks; nothing is shown";
  }
  void publish_at_once() {
    open([](rstream_producer_options &o) { o.max_bytes_in_flight = 64 * mib; });
    wait_open();
    std::string body(body_bytes, 'b');
    for (size_t i = 0; i < entries; i++) {
      std::vector<rstream_message> many(per_entry, message_of(body));
      ASSERT_EQ(send_sub_entry(many, RSTREAM_COMPRESSION_NONE), 0)
          << rstream_env_error_text(env);
    }
    wait_confirmed();
  }
  std::vector<rstream_chunk_info> chunks() {
    consumer_probe c;
    EXPECT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
    EXPECT_TRUE(run_until([&] { return c.messages >= messages; }));
    return c.infos;
  }
  // Of the chunks that are whole below this offset, the end of the last one.
  uint64_t end_of_chunks_below(uint64_t offset) {
    uint64_t end = 0;
    for (const rstream_chunk_info &info : chunks()) {
      if (info.first_offset <= offset) end = info.first_offset;
    }
    return end;
  }
  rstream_env *open_counted() {
    return open_env([&](rstream_env_options &o) { o.allocator = &functions; });
  }
  static void streamed(rstream_consumer_options &o) {
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.streaming_min_bytes = 1;
    o.name = "reader";
  }
};

}  // namespace

TEST_F(streaming, large_chunks_take_the_memory_of_an_entry) {
  ASSERT_NO_FATAL_FAILURE(publish_large());
  RecordProperty("largest_chunk", std::to_string(largest));
  rstream_env *e = open_counted();
  uint64_t wrong = 0;
  {
    consumer_probe c;
    c.on_message = [&](const rstream_message_view *m) {
      if (m->body_size != body_bytes || m->body[body_bytes - 1] != 'b') wrong++;
    };
    ASSERT_EQ(c.open(e, stream, consumer_probe::by_message, streamed), 0);
    ASSERT_TRUE(run_until([&] { return c.messages >= messages || c.ended; }));
    ASSERT_TRUE(run_until([&] { return c.stats().finished_offset == messages; }));
    EXPECT_EQ(c.last_offset, messages - 1);
    EXPECT_EQ(c.stats().chunks_bad, 0u);
    EXPECT_EQ(c.stats().entries_bad, 0u);
  }
  EXPECT_EQ(wrong, 0u);
  // A sub-entry has 0.9 MB, in a block of 1 MiB, or two while it is moved; free blocks of
  // the sizes in between are kept.
  EXPECT_LT(counted.most_bytes, 4 * mib) << "of a chunk of " << largest;
  close_env(e);
}

// Often enough for each large chunk to be stopped in.
TEST_F(streaming, closed_and_paused_within_chunks_all_messages_come_once) {
  ASSERT_NO_FATAL_FAILURE(publish_large());
  uint64_t next = 0, out_of_order = 0, pauses = 0;
  while (next < messages) {
    consumer_probe c;
    uint64_t begin = next;
    bool paused = false;
    c.on_message = [&](const rstream_message_view *m) {
      if (m->offset != next || paused) out_of_order++;
      next = m->offset + 1;
      paused = next % 250 == 120;
      if (paused) EXPECT_EQ(rstream_consumer_pause(c.handle), 0);
      if (next == begin + 1100) EXPECT_EQ(c.close(), 0);
    };
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                     [&](rstream_consumer_options &o) {
                       streamed(o);
                       o.name = nullptr;
                       o.offset_type = RSTREAM_OFFSET_OFFSET;
                       o.offset_value = begin;
                     }),
              0);
    while (c.closed == 0 && next < messages) {
      ASSERT_TRUE(run_until([&] { return paused || c.closed > 0 || next == messages; }));
      if (!paused) continue;
      pauses++;
      paused = false;
      EXPECT_EQ(rstream_consumer_resume(c.handle), 0);
    }
  }
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_EQ(pauses, 19u);
}

TEST_F(streaming, a_named_consumer_goes_on_behind_the_chunks_it_has_finished) {
  ASSERT_NO_FATAL_FAILURE(publish_large());
  uint64_t finished = end_of_chunks_below(messages / 2);
  {
    consumer_probe c;
    c.on_message = [&](const rstream_message_view *) {
      if (c.messages == messages / 2) EXPECT_EQ(c.close(), 0);
    };
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_message, streamed), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  }
  if (finished > 0) {
    wait_stored("reader", finished - 1);
  } else {
    EXPECT_EQ(query("reader").status, RSTREAM_BROKER_NO_OFFSET);
  }
  consumer_probe c;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message, streamed), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == messages - finished; }));
  EXPECT_EQ(c.first_offset, finished);
  EXPECT_EQ(c.last_offset, messages - 1);
}
