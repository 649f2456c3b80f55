// Chunks that are kept longer than their callback.
#include "fixture.h"

using namespace rstream::test;

namespace {

struct retain : broker_test {
  std::vector<rstream_chunk *> held;

  void hold_chunks(consumer_probe &c) {
    c.on_chunk = [this](rstream_chunk *chunk) {
      rstream_chunk_retain(chunk);
      held.push_back(chunk);
    };
  }

  void open(consumer_probe &c, uint16_t credit) {
    hold_chunks(c);
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                     [&](auto &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       o.initial_credit = credit;
                     }),
              0);
  }

  // Reads all held chunks and releases them. Returns the number of messages.
  uint64_t read_and_release() {
    uint64_t number = 0;
    for (rstream_chunk *chunk : held) {
      rstream_chunk_rewind(chunk);
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) {
        fixed_body expected = body_of(number);
        EXPECT_EQ(text_of(m), std::string(expected.bytes, expected.size));
        EXPECT_EQ(m->offset, number);
        number++;
      }
      rstream_chunk_release(chunk);
    }
    held.clear();
    return number;
  }
};

}  // namespace

TEST_F(retain, bytes_stay_until_released) {
  publish(stream, 5000);
  consumer_probe c;
  uint64_t messages = 0;
  c.on_chunk = [&](rstream_chunk *chunk) {
    rstream_chunk_retain(chunk);
    rstream_chunk_retain(chunk);
    held.push_back(chunk);
    while (rstream_chunk_next(chunk)) messages++;
  };
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_FIRST;
                     o.initial_credit = 1000;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return messages == 5000; }));
  EXPECT_EQ(c.stats().chunks_held, held.size());
  EXPECT_GT(c.stats().bytes_held, 5000u * strlen("message 0"));
  // What was let go of would now be used again, on the same connection.
  for (int i = 0; i < 3; i++) {
    consumer_probe other;
    ASSERT_EQ(other.open_first(env, stream), 0);
    ASSERT_TRUE(run_until([&] { return other.messages == 5000; }));
    ASSERT_EQ(other.close(), 0);
    ASSERT_TRUE(run_until([&] { return other.closed > 0; }));
  }
  EXPECT_EQ(stats().connections_for_consumers, 1u);
  for (rstream_chunk *chunk : held) rstream_chunk_release(chunk);
  EXPECT_EQ(c.stats().chunks_held, held.size());
  EXPECT_EQ(read_and_release(), 5000u);
  EXPECT_EQ(c.stats().chunks_held, 0u);
  EXPECT_EQ(c.stats().bytes_held, 0u);
}

// What bounds the memory of a slow consumer.
TEST_F(retain, the_broker_stops_when_all_credits_are_held) {
  for (uint64_t i = 0; i < 20; i++) publish(stream, 10, i * 10);
  consumer_probe c;
  open(c, 3);
  ASSERT_TRUE(run_until([&] { return held.size() == 3; }));
  // A round trip to the broker: had it sent more, that would have come before the answer.
  uint64_t received = stats().frames_received;
  publish(stream, 10, 200);
  EXPECT_GT(stats().frames_received, received);
  EXPECT_EQ(held.size(), 3u);
  EXPECT_EQ(c.stats().chunks_held, 3u);

  uint64_t messages = 0;
  c.on_chunk = [&](rstream_chunk *chunk) {
    while (rstream_chunk_next(chunk)) messages++;
  };
  uint64_t in_hand = read_and_release();
  ASSERT_TRUE(run_until([&] { return messages + in_hand == 210; })) << messages;
}

TEST_F(retain, released_after_the_consumer_closed) {
  publish(stream, 1000);
  consumer_probe c;
  open(c, 1000);
  ASSERT_TRUE(run_until([&] { return c.stats().messages == 1000; }));
  ASSERT_EQ(c.close(), 0);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  EXPECT_EQ(read_and_release(), 1000u);
}

TEST_F(retain, released_after_the_environment_closed) {
  publish(stream, 1000);
  consumer_probe c;
  open(c, 1000);
  ASSERT_TRUE(run_until([&] { return c.stats().messages == 1000; }));
  close_env(env);
  EXPECT_GT(memory.bytes, 0u);
  EXPECT_EQ(read_and_release(), 1000u);
  EXPECT_EQ(memory.bytes, 0u);
}

TEST_F(retain, released_inside_the_close_callback) {
  publish(stream, 1000);
  consumer_probe c;
  uint64_t messages = 0;
  c.on_closed = [&] { messages = read_and_release(); };
  open(c, 1000);
  ASSERT_TRUE(run_until([&] { return c.stats().messages == 1000; }));
  ASSERT_EQ(c.close(), 0);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  EXPECT_EQ(messages, 1000u);
}
