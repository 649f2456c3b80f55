// Scenarios 58, 60 and 71: connections that are dead without saying so, or alive and very
// slow, and the difference seen.
#include "proxied.h"

using namespace rstream::test;

namespace {

struct networks : proxied {
  // Confirmed, and delivered through the same proxy.
  void expect_all_right(const producer_probe &producer, const consumer_probe &c,
                        uint64_t count) {
    EXPECT_EQ(producer.confirmed(), count);
    EXPECT_EQ(c.messages, count);
    EXPECT_EQ(c.wrong_bodies, 0u);
    EXPECT_EQ(producer.ended + c.ended, 0);
  }
};

auto beats(uint32_t seconds) {
  return [seconds](rstream_env_options &o) { o.heartbeat_s = seconds; };
}

auto safe_name(const char *name) {
  return [name](rstream_producer_options &o) {
    o.name = name;
    o.confirm_timeout_off = 1;
  };
}

}  // namespace

// No other deadline is near: what finds it is that nothing is heard.
TEST_F(networks, scenario_58_half_open_connections_are_found_by_the_heartbeat) {
  rstream_env *e = open_proxied_env([](rstream_env_options &o) {
    o.heartbeat_s = 2;
    o.request_timeout_ms = 600000;
  });
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p->open(e, stream, safe_name("app")), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  send_numbers(*p, 1000);
  ASSERT_TRUE(run_until([&] { return p->confirmed() == 1000 && c.messages == 1000; }));
  ASSERT_EQ(proxy.counts.accepted, 3u) << "of the locator, producers and consumers";

  chaos_half_open_all(proxy);
  send_numbers(*p, 2000);
  rstream_handle_state seen = RSTREAM_STATE_OPEN;
  p->on_state = [&](const rstream_state *event) {
    if (event->state == RSTREAM_STATE_RECOVERING)
      seen = rstream_producer_state(p->handle);
  };
  ASSERT_TRUE(run_until([&] { return p->losses > 0 && c.losses > 0; }));
  EXPECT_EQ(p->loss_reason, RSTREAM_EHEARTBEAT) << p->loss_text;
  EXPECT_EQ(c.loss_reason, RSTREAM_EHEARTBEAT) << c.loss_text;
  EXPECT_EQ(loss_reason, RSTREAM_EHEARTBEAT);
  EXPECT_EQ(connections_lost, 2) << "the locator is nobody's";
  EXPECT_EQ(seen, RSTREAM_STATE_RECOVERING) << "or the application takes it for open";

  ASSERT_TRUE(run_until([&] { return p->confirmed() == 2000 && c.messages == 2000; }));
  EXPECT_EQ(p->opened, 2);
  EXPECT_EQ(c.opened, 2);
  EXPECT_EQ(stats(e).connections_lost, 3u);
  expect_all_right(*p, c, 2000);
  expect_stored_once(2000);
}

// The consumer holds what it may and finishes nothing, while its connection has nothing
// to carry but heartbeats.
TEST_F(networks, scenario_60_heartbeats_flow_while_chunks_are_held) {
  constexpr uint32_t credit = 3;
  constexpr uint64_t count = 20;
  rstream_env *e = open_proxied_env(beats(1));
  std::vector<rstream_chunk *> held;
  bool holding = true;
  consumer_probe c;
  c.on_chunk = [&](rstream_chunk *chunk) {
    while (const rstream_message_view *m = rstream_chunk_next(chunk)) c.saw(m);
    if (!holding) return;
    rstream_chunk_retain(chunk);
    held.push_back(chunk);
  };
  ASSERT_EQ(c.open_first(e, stream, consumer_probe::by_chunk,
                         [](auto &o) { o.initial_credit = credit; }),
            0);
  for (uint64_t i = 0; i < count; i++) publish(stream, 1, i);
  // Of what is published bit by bit the broker sends no more once half of the credit is
  // used up.
  ASSERT_TRUE(run_until([&] { return held.size() > credit / 2; }));

  // A frame a second on each of its two connections, and the broker would have given up
  // after two without.
  uint64_t before = stats(e).frames_received;
  ASSERT_TRUE(run_until([&] { return stats(e).frames_received >= before + 10; }));
  EXPECT_LE(held.size(), credit) << "credits were given back";
  EXPECT_EQ(stats(e).connections_lost, 0u);
  EXPECT_EQ(c.losses, 0);
  holding = false;
  for (rstream_chunk *chunk : held) rstream_chunk_release(chunk);
  ASSERT_TRUE(run_until([&] { return c.messages == count; }));
  EXPECT_EQ(stats(e).connections_lost, 0u);
  EXPECT_EQ(c.opened, 1);
}

// Loss of packets is delay to those above TCP: here it is part of the jitter.
TEST_F(networks, scenario_71_a_slow_link_far_away_is_taken_for_no_fault) {
  constexpr uint64_t count = 60000;
  proxy.options.delay_ms = 100;
  proxy.options.jitter_ms = 50;
  proxy.options.bytes_per_second = 1000000;
  rstream_env *e = open_proxied_env(beats(2));
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p->open(e, stream, safe_name("far")), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p->opened && c.opened; }));
  uint64_t begin = uv_now(&loop);
  uint64_t bytes = proxy.counts.bytes;
  send_numbers(*p, count);
  ASSERT_TRUE(
      run_until([&] { return p->confirmed() == count && c.messages == count; }, 60));
  uint64_t took_ms = uv_now(&loop) - begin;
  bytes = proxy.counts.bytes - bytes;
  printf("%llu bytes in %llu ms, both ways together\n",
         static_cast<unsigned long long>(bytes),
         static_cast<unsigned long long>(took_ms));
  EXPECT_GT(bytes, 2000000u) << "too few to take seconds";
  EXPECT_EQ(stats(e).connections_lost, 0u);
  EXPECT_EQ(proxy.counts.accepted, 3u);
  EXPECT_EQ(p->losses + c.losses, 0);
  expect_all_right(*p, c, count);
  expect_stored_once(count);
}

// Not before they are open: brokers of 4.0 end a connection whose first frames come in
// parts ("Invalid transition from tcp_connected to tcp_connected").
TEST_F(networks, segments_of_one_byte) {
  constexpr uint64_t count = 500;
  rstream_env *e = open_proxied_env();
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p->open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p->opened && c.opened; }));
  proxy.options.piece = 1;
  proxy.counts = {};
  send_numbers(*p, count);
  ASSERT_TRUE(run_until([&] { return p->confirmed() == count && c.messages == count; }));
  EXPECT_EQ(proxy.counts.pieces, proxy.counts.bytes);
  EXPECT_GT(proxy.counts.bytes, 20000u);
  EXPECT_EQ(stats(e).connections_lost, 0u);
  expect_all_right(*p, c, count);
}
