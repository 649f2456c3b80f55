// Chunks that are bad, or too much, and what becomes of those that wait before them.
#include "consume_ways.h"

using namespace rstream;
using namespace rstream::test;
using fake::byte_vector;
using wire::key;

namespace {

struct bad_chunks : consume_ways {
  byte_vector bad_chunk() {
    fake::chunk_parts parts = {.first_offset = 2, .crc_xor = 1};
    fake::chunk_add(parts, "damaged");
    return fake::deliver_frame(c->member.id, 2, parts);
  }
  void watch(rstream_consumer_options &o) {
    o.on_chunk_error = [](rstream_consumer *, const rstream_chunk_error *e, void *user) {
      consumer_log::of(user)->entry_errors +=
          std::to_string(e->status) + '@' + std::to_string(e->first_offset) + '+' +
          std::to_string(e->message_count) + '>' + std::to_string(e->action) + ' ';
    };
  }
};

}  // namespace

// Scenario 14.
TEST_F(bad_chunks, scenario_14_a_bad_chunk_is_asked_for_anew) {
  store_numbers(2);
  rstream_consumer_options o = by_message();
  watch(o);
  open(o);
  ASSERT_TRUE(wait_for_offset(2));
  fake::peer_send(subscribed_peer(), bad_chunk());
  ASSERT_TRUE(run_until([&] { return stats_of(c).resubscribes == 1; }));
  store_numbers(2);
  ASSERT_TRUE(wait_for_offset(4));
  EXPECT_EQ(log->messages, "0=0 1=1 2=2 3=3");
  EXPECT_EQ(log->entry_errors, "-20010@2+1>0 ");
  EXPECT_EQ(stats_of(c).chunks_bad, 1u);
  EXPECT_EQ(frames_of(key::subscribe), 2u);
  EXPECT_TRUE(log->is_open());
}

TEST_F(bad_chunks, scenario_14_or_skipped) {
  store_numbers(2);
  rstream_consumer_options o = by_chunk();
  o.bad_chunk = RSTREAM_BAD_CHUNK_SKIP;
  watch(o);
  open(o);
  ASSERT_TRUE(wait_for_offset(2));
  fake::peer_send(subscribed_peer(), bad_chunk());
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks_bad == 1; }));
  store_numbers(1);
  ASSERT_TRUE(wait_for_offset(3));
  EXPECT_EQ(log->messages, "0=0 1=1 2=2");
  EXPECT_EQ(log->entry_errors, "-20010@2+1>1 ");
  EXPECT_EQ(frames_of(key::subscribe), 1u);
}

TEST_F(bad_chunks, one_that_stays_bad_ends_the_consumer) {
  rstream_consumer_options o = by_message();
  watch(o);
  fake::on_frame(node(), key::subscribe, [this](fake::peer &p, const fake::frame &fr) {
    fake::peer_handle(p, fr);
    fake::chunk_parts parts = {.first_offset = 0, .crc_xor = 1};
    fake::chunk_add(parts, "damaged");
    fake::peer_send(p, fake::deliver_frame(0, 2, parts));
    return fake::verdict::handled;
  });
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(log->entry_errors, "-20010@0+1>0 -20010@0+1>0 -20010@0+1>0 -20010@0+1>2 ");
  EXPECT_EQ(log->messages, "");
}

// ---- with others waiting before them

namespace {

const std::string no_header(40, 'x');  // shorter than one

struct waiting : bad_chunks, testing::WithParamInterface<rstream_offset_type> {
  // Paused, with the chunks 0 and 1 received.
  void open_paused(rstream_consumer_options &o) {
    o.offset_type = GetParam();
    o.timestamp_ms = 1;
    watch(o);
    open(o);
    ASSERT_EQ(rstream_consumer_pause(c), 0);
    store_numbers(2);
    ASSERT_TRUE(wait_for_held(2));
  }
  bool wait_for_held(uint64_t chunks) {
    return run_until([&] { return stats_of(c).chunks_held == chunks; });
  }
  void deliver_malformed() {
    fake::peer_send(subscribed_peer(), fake::frame_of(wire::deliver{
                                           c->member.id, 2, 0, bytes_of(no_header)}));
  }
  // Both come again, two more behind them, and all is handed out.
  void expect_nothing_lost() {
    store_numbers(2);
    ASSERT_TRUE(wait_for_held(4));
    EXPECT_EQ(log->messages, "");
    ASSERT_EQ(rstream_consumer_resume(c), 0);
    ASSERT_TRUE(wait_for_offset(4));
    EXPECT_EQ(log->messages, "0=0 1=1 2=2 3=3");
  }
};

std::string name_of_offset(const testing::TestParamInfo<rstream_offset_type> &info) {
  constexpr const char *names[] = {"", "first", "last", "next", "offset", "timestamp"};
  return names[info.param];
}

}  // namespace

TEST_P(waiting, a_damaged_one_does_not_take_those_before_it_along) {
  rstream_consumer_options o = by_message();
  open_paused(o);
  fake::peer_send(subscribed_peer(), bad_chunk());
  ASSERT_TRUE(run_until([&] { return frames_of(key::subscribe) == 2; }));
  expect_nothing_lost();
  EXPECT_EQ(log->entry_errors, "-20010@2+1>0 ");
}

TEST_P(waiting, nor_does_a_malformed_one) {
  rstream_consumer_options o = by_chunk();
  open_paused(o);
  deliver_malformed();
  ASSERT_TRUE(run_until([&] { return frames_of(key::subscribe) == 2; }));
  expect_nothing_lost();
  EXPECT_EQ(log->entry_errors, "-20008@2+0>0 ");
}

// The sizes before them said nothing about those.
TEST_P(waiting, nor_one_that_is_too_much) {
  rstream_consumer_options o = by_chunk();
  o.max_bytes_held = 600000;
  o.initial_credit = 20;
  open_paused(o);
  std::string large(300000, 'x');
  for (int i = 0; i < 3; i++) store(large);
  ASSERT_TRUE(run_until([&] { return stats_of(c).resubscribes == 1; }));
  ASSERT_EQ(rstream_consumer_resume(c), 0);
  ASSERT_TRUE(wait_for_offset(5));
  EXPECT_TRUE(log->messages == "0=0 1=1 2=" + large + " 3=" + large + " 4=" + large);
}

TEST_P(waiting, nor_one_that_would_be_streamed) {
  rstream_consumer_options o = by_message();
  o.streaming_min_bytes = 1000;
  open_paused(o);
  store(std::string(9000, 'x'));
  ASSERT_TRUE(wait_for_held(0));
  ASSERT_EQ(rstream_consumer_resume(c), 0);
  ASSERT_TRUE(wait_for_offset(3));
  EXPECT_EQ(log->messages, "0=0 1=1 2=" + std::string(9000, 'x'));
}

TEST_P(waiting, nor_does_the_connection) {
  rstream_consumer_options o = by_message();
  open_paused(o);
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return stats_of(c).recoveries == 1; }));
  expect_nothing_lost();
}

// The chunks before it are good each time they come.
TEST_P(waiting, one_that_stays_bad_ends_the_consumer_all_the_same) {
  rstream_consumer_options o = by_message();
  open_paused(o);
  fake::on_frame(node(), key::subscribe, [this](fake::peer &p, const fake::frame &fr) {
    fake::peer_handle(p, fr);
    fake::peer_later(p, 0,
                     [this](fake::peer &later) { fake::peer_send(later, bad_chunk()); });
    return fake::verdict::handled;
  });
  fake::peer_send(subscribed_peer(), bad_chunk());
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(log->entry_errors, "-20010@2+1>0 -20010@2+1>0 -20010@2+1>0 -20010@2+1>2 ");
}

INSTANTIATE_TEST_SUITE_P(from, waiting,
                         testing::Values(RSTREAM_OFFSET_FIRST, RSTREAM_OFFSET_LAST,
                                         RSTREAM_OFFSET_NEXT, RSTREAM_OFFSET_OFFSET,
                                         RSTREAM_OFFSET_TIMESTAMP),
                         name_of_offset);
