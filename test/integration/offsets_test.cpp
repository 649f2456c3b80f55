// Where a consumer starts: the five offset specifications.
#include <chrono>

#include "fixture.h"

using namespace rstream::test;

namespace {

struct offsets : broker_test {
  // The chunks of the stream, as the broker has cut them.
  std::vector<rstream_chunk_info> chunks(const std::string &s, uint64_t messages) {
    consumer_probe c;
    EXPECT_EQ(c.open_first(env, s, consumer_probe::by_chunk), 0);
    EXPECT_TRUE(run_until([&] { return c.messages == messages; }));
    return c.infos;
  }

  // What a consumer sees that starts with these settings, until it has seen the last
  // offset.
  void read(consumer_probe &c, const std::string &s, uint64_t last,
            const std::function<void(rstream_consumer_options &)> &settings,
            consumer_probe::mode how = consumer_probe::by_message) {
    c.numbered = true;
    ASSERT_EQ(c.open(env, s, how, settings), 0);
    ASSERT_TRUE(run_until([&] { return c.messages > 0 && c.last_offset == last; }));
    EXPECT_EQ(c.wrong_bodies, 0u);
  }
};

struct scenario_13 : offsets {
  // A stream whose second chunk goes from 32 to 63. The broker may cut a frame in two
  // when it is busy, so it takes a few streams at times.
  std::string stream_with_chunk_at_32() {
    for (int attempt = 0; attempt < 20; attempt++) {
      std::string s = other_stream(std::to_string(attempt).c_str());
      EXPECT_EQ(create_stream(s), 0);
      tried.push_back(s);
      for (uint64_t first : {0, 32, 64}) publish(s, 32, first);
      for (const rstream_chunk_info &info : chunks(s, 96)) {
        if (info.first_offset == 32 && info.message_count == 32) return s;
      }
    }
    ADD_FAILURE() << "the broker cut every frame of 32 messages in pieces";
    return stream;
  }

  void TearDown() override {
    for (const std::string &s : tried) EXPECT_EQ(delete_stream(s), 0);
    offsets::TearDown();
  }

  std::vector<std::string> tried;
};

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void offset_45(rstream_consumer_options &o) {
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 45;
}

}  // namespace

TEST_F(scenario_13, first_delivered_is_the_offset_asked_for) {
  std::string s = stream_with_chunk_at_32();
  consumer_probe c;
  read(c, s, 95, offset_45);
  EXPECT_EQ(c.first_offset, 45u);
  EXPECT_EQ(c.messages, 51u);
  EXPECT_EQ(c.stats().messages_filtered, 13u);
  EXPECT_EQ(c.stats().messages, 51u);
}

TEST_F(scenario_13, the_same_when_iterating_over_the_chunk) {
  std::string s = stream_with_chunk_at_32();
  consumer_probe c;
  read(c, s, 95, offset_45, consumer_probe::by_chunk);
  EXPECT_EQ(c.first_offset, 45u);
  EXPECT_EQ(c.messages, 51u);
  ASSERT_FALSE(c.infos.empty());
  EXPECT_EQ(c.infos[0].first_offset, 32u);
  EXPECT_EQ(c.infos[0].message_count, 32u);
  EXPECT_EQ(c.stats().messages_filtered, 13u);
  EXPECT_EQ(c.stats().messages, 51u);
}

TEST_F(scenario_13, rewinding_a_chunk_does_not_bring_back_what_was_skipped) {
  std::string s = stream_with_chunk_at_32();
  consumer_probe c;
  std::vector<uint64_t> firsts;
  c.on_chunk = [&](rstream_chunk *chunk) {
    for (int pass = 0; pass < 2; pass++) {
      firsts.push_back(rstream_chunk_next(chunk)->offset);
      rstream_chunk_rewind(chunk);
    }
  };
  ASSERT_EQ(c.open(env, s, consumer_probe::by_chunk, offset_45), 0);
  ASSERT_TRUE(run_until([&] { return firsts.size() >= 4; }));
  EXPECT_EQ(firsts[0], 45u);
  EXPECT_EQ(firsts[1], 45u);
  EXPECT_EQ(firsts[2], firsts[3]);
}

TEST_F(offsets, first) {
  publish(stream, 1000);
  consumer_probe c;
  read(c, stream, 999, [](auto &o) { o.offset_type = RSTREAM_OFFSET_FIRST; });
  EXPECT_EQ(c.first_offset, 0u);
  EXPECT_EQ(c.messages, 1000u);
}

TEST_F(offsets, last_is_the_begin_of_the_last_chunk) {
  for (uint64_t i = 0; i < 5; i++) publish(stream, 20, i * 20);
  uint64_t expected = chunks(stream, 100).back().first_offset;
  EXPECT_GE(expected, 80u);
  consumer_probe c;
  read(c, stream, 99, [](auto &o) { o.offset_type = RSTREAM_OFFSET_LAST; });
  EXPECT_EQ(c.first_offset, expected);
}

TEST_F(offsets, last_of_an_empty_stream_is_what_comes) {
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [](auto &o) { o.offset_type = RSTREAM_OFFSET_LAST; }),
            0);
  ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  publish(stream, 10);
  ASSERT_TRUE(run_until([&] { return c.messages == 10; }));
  EXPECT_EQ(c.first_offset, 0u);
}

TEST_F(offsets, next_is_what_is_published_from_now_on) {
  publish(stream, 100);
  for (rstream_offset_type type : {RSTREAM_OFFSET_NEXT, RSTREAM_OFFSET_DEFAULT}) {
    uint64_t published = type == RSTREAM_OFFSET_NEXT ? 100 : 110;
    consumer_probe c;
    c.numbered = true;
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                     [&](auto &o) { o.offset_type = type; }),
              0);
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
    publish(stream, 10, published);
    ASSERT_TRUE(run_until([&] { return c.messages == 10; }));
    EXPECT_EQ(c.first_offset, published);
    EXPECT_EQ(c.wrong_bodies, 0u);
  }
}

TEST_F(offsets, every_offset_of_a_stream) {
  for (uint64_t i = 0; i < 4; i++) publish(stream, 8, i * 8);
  for (uint64_t offset = 0; offset < 32; offset++) {
    consumer_probe c;
    read(c, stream, 31, [&](auto &o) {
      o.offset_type = RSTREAM_OFFSET_OFFSET;
      o.offset_value = offset;
    });
    EXPECT_EQ(c.first_offset, offset);
    EXPECT_EQ(c.messages, 32 - offset);
  }
}

// The broker gives what comes next, the consumer hands out what is at or above the offset
// asked for.
TEST_F(offsets, an_offset_that_does_not_exist_yet) {
  publish(stream, 20);
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_OFFSET;
                     o.offset_value = 25;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  publish(stream, 20, 20);
  ASSERT_TRUE(run_until([&] { return c.messages > 0 && c.last_offset == 39; }));
  EXPECT_EQ(c.first_offset, 25u);
  EXPECT_EQ(c.messages, 15u);
  EXPECT_EQ(c.wrong_bodies, 0u);
}

// Retention takes whole segments away once there is a newer one.
TEST_F(offsets, an_offset_that_is_gone_starts_at_the_first_still_there) {
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  o.max_length_bytes = 200000;
  o.max_segment_bytes = 100000;
  std::string s = other_stream("short");
  ASSERT_EQ(create_stream(s, &o), 0);
  std::string body(2000, 'x');
  producer_probe p;
  ASSERT_EQ(p.open(env, s), 0);
  int64_t first = 0;
  // Small pieces, so that there are chunks, and therefore segments, enough.
  while (first <= 0) {
    ASSERT_LT(p.sent, 20000u) << "the broker drops nothing";
    for (int i = 0; i < 20; i++) ASSERT_EQ(p.send(body), 0);
    ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    auto reply = ask<stats_reply>([&](auto *r) {
      return rstream_stream_stats(env, s.c_str(), stats_reply::on, r);
    });
    ASSERT_EQ(reply.status, 0);
    first = reply.statistics.first_chunk_id;
  }
  consumer_probe c;
  ASSERT_EQ(c.open(env, s, consumer_probe::by_message,
                   [](auto &options) {
                     options.offset_type = RSTREAM_OFFSET_OFFSET;
                     options.offset_value = 1;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return c.messages > 0; }));
  EXPECT_GE(c.first_offset, static_cast<uint64_t>(first));
  EXPECT_EQ(delete_stream(s), 0);
}

TEST_F(offsets, timestamp) {
  publish(stream, 50);
  uint64_t boundary = chunks(stream, 50).back().first_offset;
  int64_t before = chunks(stream, 50).back().timestamp_ms;
  // The clock must have moved on for the next chunk to be later.
  while (now_ms() <= before) run_ready();
  publish(stream, 50, 50);
  std::vector<rstream_chunk_info> all = chunks(stream, 100);
  for (const rstream_chunk_info &info : all) {
    if (info.first_offset >= 50) {
      boundary = info.first_offset;
      before = info.timestamp_ms;
      break;
    }
  }
  ASSERT_EQ(boundary, 50u);
  auto at = [](int64_t ms) {
    return [ms](rstream_consumer_options &o) {
      o.offset_type = RSTREAM_OFFSET_TIMESTAMP;
      o.timestamp_ms = ms;
    };
  };
  {
    consumer_probe c;
    read(c, stream, 99, at(before));
    EXPECT_EQ(c.first_offset, 50u);
  }
  {
    SCOPED_TRACE("older than everything");
    consumer_probe c;
    read(c, stream, 99, at(1));
    EXPECT_EQ(c.first_offset, 0u);
  }
  {
    SCOPED_TRACE("newer than everything");
    consumer_probe c;
    c.numbered = true;
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_message, at(before + 3600000)), 0);
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
    publish(stream, 5, 100);
    ASSERT_TRUE(run_until([&] { return c.messages == 5; }));
    EXPECT_EQ(c.first_offset, 100u);
  }
}
