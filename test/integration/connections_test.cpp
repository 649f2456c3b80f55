// How handles share connections, and how long connections live.
#include <list>

#include "fixture.h"

using namespace rstream::test;

namespace {

struct connections : broker_test {
  std::list<producer_probe> producers;
  std::list<consumer_probe> consumers;

  void open_producers(size_t count) {
    for (size_t i = 0; i < count; i++) {
      producers.emplace_back();
      ASSERT_EQ(producers.back().open(env, stream), 0);
    }
    ASSERT_TRUE(run_until([&] {
      for (producer_probe &p : producers) {
        if (!p.opened && !p.closed) return false;
      }
      return true;
    }));
  }

  void open_consumers(size_t count) {
    for (size_t i = 0; i < count; i++) {
      consumers.emplace_back();
      ASSERT_EQ(consumers.back().open_first(env, stream), 0);
    }
    ASSERT_TRUE(run_until([&] {
      for (consumer_probe &c : consumers) {
        if (!c.opened && !c.closed) return false;
      }
      return true;
    }));
  }

  void TearDown() override {
    producers.clear();
    consumers.clear();
    broker_test::TearDown();
  }
};

struct heartbeat : broker_test {};

}  // namespace

TEST_F(connections, are_shared_by_handles_of_a_kind) {
  open_producers(5);
  open_consumers(5);
  EXPECT_EQ(stats().connections_for_locator, 1u);
  EXPECT_EQ(stats().connections_for_producers, 1u);
  EXPECT_EQ(stats().connections_for_consumers, 1u);
  EXPECT_EQ(stats().connections_opened, 3u);
  EXPECT_EQ(stats().producers, 5u);
  EXPECT_EQ(stats().consumers, 5u);
  // Each gets its own outcomes and its own chunks.
  uint64_t count = 0;
  for (producer_probe &p : producers) {
    for (uint64_t i = 0; i <= count; i++) ASSERT_EQ(p.send_number(i), 0);
    count++;
  }
  ASSERT_TRUE(run_until([&] {
    for (consumer_probe &c : consumers) {
      if (c.messages < 15) return false;
    }
    for (producer_probe &p : producers) {
      if (!p.all_told()) return false;
    }
    return true;
  }));
  for (consumer_probe &c : consumers) EXPECT_EQ(c.messages, 15u);
  EXPECT_EQ(stats().messages_consumed, 75u);
}

TEST_F(connections, the_257th_opens_a_second_one) {
  open_producers(256);
  EXPECT_EQ(stats().connections_for_producers, 1u);
  open_producers(1);
  EXPECT_EQ(stats().connections_for_producers, 2u);
  open_consumers(257);
  EXPECT_EQ(stats().connections_for_consumers, 2u);
  // The consumers go first: with so many on one stream, a broker takes long to answer
  // them once something is published.
  consumers.clear();
  ASSERT_EQ(producers.front().send_number(0), 0);
  ASSERT_EQ(producers.back().send_number(0), 0);
  ASSERT_TRUE(run_until(
      [&] { return producers.front().all_told() && producers.back().all_told(); }));
  // A place that came free is taken again.
  ASSERT_EQ(producers.front().close(), 0);
  ASSERT_TRUE(run_until([&] { return producers.front().closed > 0; }));
  open_producers(1);
  EXPECT_EQ(stats().connections_for_producers, 2u);
  EXPECT_EQ(stats().frames_ignored, 0u);
}

TEST_F(connections, ids_are_used_again) {
  close_env(env);
  env = open_env([](auto &o) {
    o.max_producers_per_connection = 3;
    o.max_consumers_per_connection = 3;
  });
  for (int i = 0; i < 150; i++) {
    producer_probe a, b;
    consumer_probe c;
    ASSERT_EQ(a.open(env, stream), 0);
    ASSERT_EQ(b.open(env, stream), 0);
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_message), 0);
    ASSERT_EQ(a.send_number(0), 0);
    ASSERT_TRUE(run_until([&] { return a.confirmed() == 1 && b.opened && c.opened; }));
    ASSERT_EQ(a.close(), 0);
    ASSERT_EQ(b.close(), 0);
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return a.closed && b.closed && c.closed; }));
  }
  EXPECT_EQ(stats().connections_opened, 3u);
}

TEST_F(connections, one_each_when_asked_for) {
  close_env(env);
  env = open_env([](auto &o) { o.max_producers_per_connection = 1; });
  open_producers(5);
  EXPECT_EQ(stats().connections_for_producers, 5u);
}

TEST_F(connections, an_idle_one_is_closed) {
  open_producers(1);
  open_consumers(1);
  ASSERT_EQ(producers.front().close(), 0);
  ASSERT_EQ(consumers.front().close(), 0);
  ASSERT_TRUE(
      run_until([&] { return producers.front().closed && consumers.front().closed; }));
  EXPECT_EQ(stats().connections_for_producers, 1u) << "kept for a while";
  // Nothing wakes the loop but the timer waited for.
  ASSERT_TRUE(run_until([&] {
    return stats().connections_for_producers + stats().connections_for_consumers == 0;
  }));
  EXPECT_EQ(stats().connections_lost, 0u);
  publish(stream, 10);
  EXPECT_EQ(stats().connections_for_producers, 1u);
}

// The broker sends one each half second or second; so do we, or it would hang up.
TEST_F(heartbeat, keeps_idle_connections_alive) {
  rstream_env *e = open_env([](auto &o) { o.heartbeat_s = 1; });
  consumer_probe c;
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  rstream_env_stats before = stats(e);
  ASSERT_TRUE(
      run_until([&] { return stats(e).frames_received >= before.frames_received + 8; }));
  EXPECT_EQ(stats(e).connections_lost, 0u);
  EXPECT_EQ(stats(e).frames_ignored, before.frames_ignored);
  EXPECT_GE(stats(e).bytes_sent, before.bytes_sent + 4 * 8);
  EXPECT_EQ(c.ended, 0);
  publish(stream, 10);
  ASSERT_TRUE(run_until([&] { return c.messages == 10; }));
}

TEST_F(heartbeat, none_when_switched_off) {
  rstream_env *off = open_env([](auto &o) { o.heartbeat_off = 1; });
  rstream_env *on = open_env([](auto &o) { o.heartbeat_s = 1; });
  for (rstream_env *e : {off, on}) {
    ask<exists_reply>([&](auto *r) {
      return rstream_stream_exists(e, stream.c_str(), exists_reply::on, r);
    });
  }
  uint64_t before_off = stats(off).frames_received;
  uint64_t before_on = stats(on).frames_received;
  ASSERT_TRUE(run_until([&] { return stats(on).frames_received >= before_on + 3; }));
  EXPECT_EQ(stats(off).frames_received, before_off);
}

TEST_F(heartbeat, a_silent_broker_is_noticed) {
  NEEDS_DISTURBANCE();
  rstream_env *e = open_env([](auto &o) { o.heartbeat_s = 1; });
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened && c.opened; }));
  {
    broker_stopped stopped;
    ASSERT_EQ(p.send_number(0), 0);
    ASSERT_TRUE(run_until([&] { return p.losses && c.losses; }));
    EXPECT_EQ(p.loss_reason, RSTREAM_EHEARTBEAT) << p.loss_text;
    EXPECT_EQ(c.loss_reason, RSTREAM_EHEARTBEAT) << c.loss_text;
  }
  ASSERT_TRUE(run_until([&] { return p.opened == 2 && c.opened == 2; }));
  ASSERT_TRUE(run_until([&] { return p.confirmed() == 1; }));
}
