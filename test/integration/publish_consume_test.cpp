// Publish, confirm, consume, and look at every body and offset.
#include "fixture.h"

using namespace rstream::test;

namespace {

struct publish_consume : broker_test {};

constexpr uint64_t many = 100000;

}  // namespace

TEST_F(publish_consume, a_hundred_thousand_bodies_at_their_offsets) {
  producer_probe p;
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_EQ(p.open(env, stream), 0);
  uint64_t next = 0;
  p.on_writable = [&] {
    while (next < many && p.send_number(next) == 0) next++;
  };
  p.on_writable();
  ASSERT_TRUE(run_until([&] { return p.told == many && c.messages == many; }))
      << p.told << " outcomes, " << c.messages << " messages";
  EXPECT_EQ(p.confirmed(), many);
  EXPECT_GT(p.writable, 0);
  EXPECT_EQ(c.first_offset, 0u);
  EXPECT_EQ(c.last_offset, many - 1);
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_EQ(p.opened, 1);
  EXPECT_EQ(c.opened, 1);

  rstream_producer_stats ps = p.stats();
  EXPECT_EQ(ps.messages_sent, many);
  EXPECT_EQ(ps.messages_confirmed, many);
  EXPECT_EQ(ps.messages_failed, 0u);
  EXPECT_EQ(ps.messages_in_flight, 0u);
  EXPECT_EQ(ps.bytes_in_flight, 0u);
  EXPECT_EQ(ps.unknown_confirms, 0u);
  EXPECT_LT(ps.frames_sent, many);
  rstream_consumer_stats cs = c.stats();
  EXPECT_EQ(cs.messages, many);
  EXPECT_EQ(cs.messages_filtered, 0u);
  EXPECT_EQ(cs.next_offset, many);
  EXPECT_EQ(cs.chunks_held, 0u);
  EXPECT_EQ(cs.chunks_bad, 0u);
  rstream_env_stats es = stats();
  EXPECT_EQ(es.messages_sent, many);
  EXPECT_EQ(es.messages_confirmed, many);
  EXPECT_EQ(es.messages_consumed, many);
  EXPECT_EQ(es.frames_ignored, 0u);
  EXPECT_EQ(es.connections_lost, 0u);
}

TEST_F(publish_consume, chunk_by_chunk_with_what_chunks_tell) {
  publish(stream, 20000);
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == 20000; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
  uint64_t offset = 0;
  for (const rstream_chunk_info &info : c.infos) {
    EXPECT_EQ(info.first_offset, offset);
    EXPECT_GT(info.message_count, 0u);
    EXPECT_EQ(info.entry_count, info.message_count);
    EXPECT_GT(info.timestamp_ms, 1600000000000);
    EXPECT_GT(info.epoch, 0u);
    EXPECT_GE(info.committed_offset, info.first_offset);
    EXPECT_GE(info.size_bytes, info.message_count * (4 + strlen("message 0")));
    offset += info.message_count;
  }
  EXPECT_EQ(offset, 20000u);
  EXPECT_EQ(c.stats().chunks, c.infos.size());
}

TEST_F(publish_consume, a_chunk_can_be_read_again) {
  publish(stream, 100);
  consumer_probe c;
  uint64_t first_pass = 0, second_pass = 0;
  c.on_chunk = [&](rstream_chunk *chunk) {
    while (rstream_chunk_next(chunk)) first_pass++;
    EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
    rstream_chunk_rewind(chunk);
    while (const rstream_message_view *m = rstream_chunk_next(chunk)) {
      EXPECT_EQ(m->offset, second_pass);
      second_pass++;
    }
  };
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(run_until([&] { return first_pass == 100; }));
  EXPECT_EQ(second_pass, 100u);
}

// More chunks than credits: each must come back.
TEST_F(publish_consume, every_number_of_credits_reads_everything) {
  for (int i = 0; i < 30; i++) publish(stream, 10, static_cast<uint64_t>(i) * 10);
  for (uint16_t credit : {1, 2, 3, 10, 32767}) {
    consumer_probe c;
    c.numbered = true;
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                     [&](auto &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       o.initial_credit = credit;
                     }),
              0);
    ASSERT_TRUE(run_until([&] { return c.messages == 300; })) << credit << " credits";
    EXPECT_EQ(c.wrong_bodies, 0u);
    EXPECT_GE(c.chunks, 30u);
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
    EXPECT_EQ(c.close_status, 0);
  }
}

TEST_F(publish_consume, without_checking_the_crc) {
  publish(stream, 1000);
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_FIRST;
                     o.crc_off = 1;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return c.messages == 1000; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
}

TEST_F(publish_consume, accessors_tell_what_was_given) {
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  EXPECT_EQ(rstream_producer_state(p.handle), RSTREAM_STATE_OPENING);
  EXPECT_EQ(rstream_consumer_state(c.handle), RSTREAM_STATE_OPENING);
  ASSERT_TRUE(run_until([&] { return p.opened && c.opened; }));
  EXPECT_EQ(rstream_producer_state(p.handle), RSTREAM_STATE_OPEN);
  EXPECT_EQ(rstream_consumer_state(c.handle), RSTREAM_STATE_OPEN);
  EXPECT_EQ(rstream_producer_env(p.handle), env);
  EXPECT_EQ(rstream_consumer_env(c.handle), env);
  EXPECT_EQ(rstream_producer_user(p.handle), &p);
  EXPECT_EQ(rstream_consumer_user(c.handle), &c);
  EXPECT_EQ(rstream_producer_stream(p.handle), stream);
  EXPECT_EQ(rstream_consumer_stream(c.handle), stream);
  EXPECT_EQ(rstream_producer_id_base(p.handle), 0u);
  EXPECT_EQ(rstream_env_loop(env), &loop);
  EXPECT_EQ(rstream_env_user(env), static_cast<broker_test *>(this));
  ASSERT_EQ(p.close(), 0);
  ASSERT_EQ(c.close(), 0);
  EXPECT_EQ(rstream_producer_state(p.handle), RSTREAM_STATE_DRAINING);
  EXPECT_EQ(rstream_consumer_state(c.handle), RSTREAM_STATE_DRAINING);
  ASSERT_TRUE(run_until([&] { return p.closed && c.closed; }));
}
