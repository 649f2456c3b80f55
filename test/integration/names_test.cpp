// What the broker keeps for names: stored offsets of consumers, publishing ids of
// producers.
#include "consuming.h"

using namespace rstream::test;

namespace {

using stored_offset = consuming;

struct named_producer : broker_test {
  uint64_t sequence(const char *reference) {
    auto reply = ask<value_reply>([&](auto *r) {
      return rstream_query_publisher_sequence(env, reference, stream.c_str(),
                                              value_reply::on, r);
    });
    EXPECT_EQ(reply.status, 0);
    return reply.value;
  }
  int open(producer_probe &p, const char *reference, const std::string &s) {
    return p.open(env, s, [&](auto &o) { o.name = reference; });
  }
  void send_and_close(producer_probe &p, uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) ASSERT_EQ(p.send_number(first + i), 0);
    ASSERT_TRUE(run_until([&] { return p.confirmed() == count; }));
    ASSERT_EQ(p.close(), 0);
    ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  }
};

}  // namespace

TEST_F(stored_offset, none) {
  EXPECT_EQ(query("nobody").status, RSTREAM_BROKER_NO_OFFSET);
  auto missing = ask<value_reply>([&](auto *r) {
    return rstream_query_offset(env, "nobody", other_stream("missing").c_str(),
                                value_reply::on, r);
  });
  EXPECT_EQ(missing.status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(stored_offset, stored_and_moved_both_ways) {
  publish(stream, 10);
  for (uint64_t offset :
       {uint64_t{5}, uint64_t{9}, uint64_t{2}, uint64_t{0}, uint64_t{1} << 40}) {
    EXPECT_EQ(store("app", offset), 0);
    wait_stored("app", offset);
  }
  EXPECT_EQ(query("another").status, RSTREAM_BROKER_NO_OFFSET);
}

TEST_F(stored_offset, nobody_needs_to_be_told) {
  publish(stream, 10);
  ASSERT_EQ(rstream_store_offset(env, "app", stream.c_str(), 3, nullptr, nullptr), 0);
  wait_stored("app", 3);
}

TEST_F(stored_offset, stored_through_a_consumer) {
  publish(stream, 10);
  consumer_probe c;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_FIRST;
                     o.name = "app";
                     o.tracking = RSTREAM_TRACKING_MANUAL;
                   }),
            0);
  EXPECT_EQ(rstream_consumer_store_offset(c.handle, 1), RSTREAM_EBUSY);
  ASSERT_TRUE(run_until([&] { return c.messages == 10; }));
  ASSERT_EQ(rstream_consumer_store_offset(c.handle, c.last_offset), 0);
  wait_stored("app", 9);
  // Just before closing: the frame goes out first.
  ASSERT_EQ(rstream_consumer_store_offset(c.handle, 7), 0);
  ASSERT_EQ(c.close(), 0);
  EXPECT_EQ(rstream_consumer_store_offset(c.handle, 3), RSTREAM_ECLOSED);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  wait_stored("app", 7);
}

TEST_F(stored_offset, a_consumer_without_name_has_none) {
  consumer_probe c;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  EXPECT_EQ(rstream_consumer_store_offset(c.handle, 1), RSTREAM_EINVAL);
  EXPECT_STREQ(rstream_env_error_text(env), "the consumer has no name");
}

TEST_F(named_producer, ids_go_on_where_the_last_one_stopped) {
  EXPECT_EQ(sequence("app"), 0u);
  {
    producer_probe p;
    ASSERT_EQ(open(p, "app", stream), 0);
    ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
    EXPECT_EQ(rstream_producer_id_base(p.handle), 0u);
    send_and_close(p, 0, 10);
  }
  EXPECT_EQ(sequence("app"), 10u);
  EXPECT_EQ(sequence("another"), 0u);
  {
    producer_probe p;
    ASSERT_EQ(open(p, "app", stream), 0);
    // Sent before the sequence is known: their ids are shifted when it is.
    for (uint64_t i = 0; i < 5; i++) ASSERT_EQ(p.send_number(10 + i), 0);
    ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
    EXPECT_EQ(rstream_producer_id_base(p.handle), 10u);
    for (uint64_t i = 5; i < 10; i++) ASSERT_EQ(p.send_number(10 + i), 0);
    ASSERT_TRUE(run_until([&] { return p.confirmed() == 10; }));
    EXPECT_EQ(p.stats().unknown_confirms, 0u);
  }
  EXPECT_EQ(sequence("app"), 20u);
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == 20; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
}

// Two environments know nothing of each other, so both use the same ids: the broker
// confirms all and stores one of each.
TEST_F(named_producer, what_has_a_used_id_is_confirmed_and_not_stored) {
  rstream_env *other = open_env();
  producer_probe a, b;
  ASSERT_EQ(open(a, "app", stream), 0);
  ASSERT_EQ(b.open(other, stream, [](auto &o) { o.name = "app"; }), 0);
  ASSERT_TRUE(run_until([&] { return a.opened && b.opened; }));
  send_and_close(a, 0, 10);
  send_and_close(b, 0, 12);
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == 12; }));
  publish(stream, 1, 12);
  ASSERT_TRUE(run_until([&] { return c.messages == 13; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
}

TEST_F(named_producer, one_of_a_name_and_stream_at_a_time) {
  std::string second = other_stream("second");
  ASSERT_EQ(create_stream(second), 0);
  producer_probe a, b, c, d;
  ASSERT_EQ(open(a, "app", stream), 0);
  EXPECT_EQ(open(b, "app", stream), RSTREAM_EBUSY);
  EXPECT_EQ(b.handle, nullptr);
  EXPECT_EQ(open(c, "another", stream), 0);
  EXPECT_EQ(open(d, "app", second), 0);
  ASSERT_TRUE(run_until([&] { return a.opened && c.opened && d.opened; }));
  ASSERT_EQ(a.close(), 0);
  ASSERT_TRUE(run_until([&] { return a.closed > 0; }));
  EXPECT_EQ(open(b, "app", stream), 0);
  ASSERT_TRUE(run_until([&] { return b.opened > 0; }));
  EXPECT_EQ(delete_stream(second), 0);
}
