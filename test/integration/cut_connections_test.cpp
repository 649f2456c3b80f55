// Connections that are cut anywhere: within a frame, within the handshake, between a
// message and its confirm. With a name each message is stored once and in order; a
// consumer misses nothing and sees nothing twice.
#include "proxied.h"

using namespace rstream::test;

namespace {

struct cut_connections : proxied, testing::WithParamInterface<uint64_t> {
  // Through the proxy, whose seed is the parameter.
  rstream_env *open_seeded_env() {
    chaos_close(proxy);
    open_proxy(GetParam());
    return open_proxied_env([](rstream_env_options &o) {
      o.recovery_first_ms = 1;
      o.recovery_longest_ms = 20;
    });
  }
  // A small window and small frames are cut more often.
  static void small_frames(rstream_producer_options &o) {
    o.name = "cut";
    o.confirm_timeout_off = 1;
    o.max_messages_in_flight = 2000;
    o.max_batch_messages = 50;
    o.retry_opening = 1;
  }
};

}  // namespace

TEST_P(cut_connections, while_a_named_producer_publishes) {
  constexpr uint64_t count = 100000;
  rstream_env *e = open_seeded_env();
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p->open(e, stream, small_frames), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return p->opened && c.opened; }));
  proxy.options.cut_after = 150000;
  chaos_cut_all(proxy, chaos_cut::reset);
  send_numbers(*p, count);
  ASSERT_TRUE(run_until([&] { return p->told == count && c.messages == count; }, 60))
      << p->told << " told, " << c.messages << " consumed, " << proxy.counts.cuts
      << " cuts";
  printf("%llu connections cut, the producer opened %d times, the consumer %d\n",
         static_cast<unsigned long long>(proxy.counts.cuts), p->opened, c.opened);
  EXPECT_GT(proxy.counts.cuts, 15u);
  EXPECT_GT(p->opened, 5);
  EXPECT_GT(c.opened, 5);
  EXPECT_EQ(p->confirmed(), count);
  EXPECT_EQ(c.wrong_bodies, 0u);
  proxy.options.cut_after = 0;
  expect_stored_once(count);
}

// Few bytes on average: many connections do not get through their handshake.
TEST_P(cut_connections, within_handshakes) {
  constexpr uint64_t count = 2000;
  constexpr uint64_t cuts = 60;
  rstream_env *e = open_seeded_env();
  proxy.options.cut_after = 1200;
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p->open(e, stream, small_frames), 0);
  ASSERT_EQ(c.open_first(e, stream, consumer_probe::by_message,
                         [](rstream_consumer_options &o) { o.retry_opening = 1; }),
            0);
  send_numbers(*p, count);
  ASSERT_TRUE(run_until([&] { return proxy.counts.cuts >= cuts || p->ended || c.ended; }))
      << proxy.counts.cuts << " cuts";
  proxy.options.cut_after = 0;
  ASSERT_TRUE(run_until([&] {
    return (p->told == count && c.messages == count) || p->ended || c.ended;
  })) << p->told
      << " told, " << c.messages << " consumed";
  EXPECT_EQ(p->ended, 0) << p->end_text;
  EXPECT_EQ(c.ended, 0) << c.end_text;
  EXPECT_EQ(p->confirmed(), count);
  EXPECT_EQ(c.wrong_bodies, 0u);
  expect_stored_once(count);
}

INSTANTIATE_TEST_SUITE_P(seeds, cut_connections, testing::Values(1, 2, 3));
