// Scenario 39: bits that change on the way, where no TLS would notice. Nothing crashes,
// each message has one outcome, and no body is handed out that was not stored: the CRC-32
// of a chunk covers its messages. It does not cover the headers of chunks and frames, so
// that anything may be missing.
#include <cstdlib>

#include "proxied.h"

using namespace rstream::test;

namespace {

struct changed_bits : proxied {
  uint64_t flipped = 0;
  uint64_t handed_out = 0;
  uint64_t bad_chunks = 0;

  // RSTREAM_FLIP_ROUNDS=10000 for a night.
  static uint64_t rounds() {
    const char *text = getenv("RSTREAM_FLIP_ROUNDS");
    return text ? strtoull(text, nullptr, 10) : 12;
  }
  // A connection that waits for what will never come is given up soon.
  rstream_env *open_hasty_env(uint64_t seed) {
    chaos_close(proxy);
    open_proxy(seed);
    return open_proxied_env([](rstream_env_options &o) {
      o.connect_timeout_ms = 2000;
      o.request_timeout_ms = 2000;
      o.heartbeat_s = 1;
      o.recovery_first_ms = 1;
      o.recovery_longest_ms = 10;
      o.log_level = RSTREAM_LOG_OFF;
      o.max_deliver_bytes = 1 << 20;
    });
  }
  // The round is over, too, when nothing more comes: a frame's length may be what was
  // changed.
  void run_round(uint64_t flips, const std::function<bool()> &over) {
    (void)run_until([&] { return proxy.counts.flipped >= flips || over(); }, 1);
  }
  void end_round(rstream_env *e) {
    proxy.options = {};
    close_env(e);
    flipped += proxy.counts.flipped;
  }
  void expect_right(const rstream_message_view *m, uint64_t count) {
    handed_out++;
    std::string text = text_of(m);
    uint64_t number = strtoull(text.c_str() + sizeof "message", nullptr, 10);
    fixed_body expected = body_of(number);
    ASSERT_EQ(text, std::string(expected.bytes, expected.size));
    ASSERT_LT(number, count);
  }
};

}  // namespace

TEST_F(changed_bits, scenario_39_on_the_way_to_the_client) {
  constexpr uint64_t count = 5000;
  for (uint64_t i = 0; i < count; i += 500) publish(stream, 500, i);
  std::string other = other_stream("published");
  ASSERT_EQ(create_stream(other), 0);
  for (uint64_t round = 0; round < rounds(); round++) {
    rstream_env *e = open_hasty_env(round);
    consumer_probe c;
    producer_probe producer;
    c.on_message = [&](const rstream_message_view *m) { expect_right(m, count); };
    // One chunk at a time, or all would be there before the first bit changes.
    ASSERT_EQ(c.open_first(e, stream, consumer_probe::by_message,
                           [](auto &o) { o.initial_credit = 1; }),
              0);
    ASSERT_EQ(producer.open(e, other), 0);
    ASSERT_TRUE(run_until([&] { return c.opened && producer.opened; }));
    proxy.options.flip_one_in_down = 4000 << round % 4;
    // Another stream, so that the confirms are bytes enough to be changed.
    send_numbers(producer, 2000);
    run_round(20,
              [&] { return (c.messages >= count || c.ended) && producer.all_told(); });
    for (char action : c.bad_chunks) bad_chunks += action == '>';
    ASSERT_EQ(producer.close_within(0), 0);
    ASSERT_TRUE(run_until([&] { return producer.closed > 0; }));
    EXPECT_TRUE(producer.all_told());
    end_round(e);
  }
  EXPECT_EQ(delete_stream(other), 0);
  printf("%llu bits changed, %llu messages handed out, %llu chunks refused\n",
         static_cast<unsigned long long>(flipped),
         static_cast<unsigned long long>(handed_out),
         static_cast<unsigned long long>(bad_chunks));
  EXPECT_GT(flipped, rounds());
  EXPECT_GT(handed_out, rounds());
  EXPECT_GT(bad_chunks, rounds() / 2) << "messages are too rarely damaged";
}

// What the broker makes of it is its own affair; it may store what was changed.
TEST_F(changed_bits, scenario_39_on_the_way_to_the_broker) {
  for (uint64_t round = 0; round < rounds(); round++) {
    rstream_env *e = open_hasty_env(round);
    producer_probe producer;
    ASSERT_EQ(producer.open(e, stream, [](auto &o) { o.name = "changed"; }), 0);
    ASSERT_TRUE(run_until([&] { return producer.opened > 0; }));
    proxy.options.flip_one_in_up = 2000 << round % 4;
    send_numbers(producer, 2000);
    run_round(20, [&] { return producer.all_told() || producer.ended; });
    ASSERT_EQ(producer.close_within(0), 0);
    ASSERT_TRUE(run_until([&] { return producer.closed > 0; }));
    EXPECT_TRUE(producer.all_told());
    end_round(e);
  }
  printf("%llu bits changed\n", static_cast<unsigned long long>(flipped));
  EXPECT_GT(flipped, rounds());
  publish(stream, 100);
}
