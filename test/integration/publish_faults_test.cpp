// A broker that does not answer for a while: confirm time-outs, bounded memory, and
// nothing confirmed that is not stored.
#include "publishing.h"

using namespace rstream::test;

namespace {

struct publish_faults : publishing {};

struct disk_alarm {
  disk_alarm() {
    broker_eval("rabbit_alarm:set_alarm({{resource_limit, disk, node()}, []}).");
  }
  ~disk_alarm() {
    broker_eval("rabbit_alarm:clear_alarm({resource_limit, disk, node()}).");
  }
};

}  // namespace

TEST_F(publish_faults, messages_time_out_while_the_broker_stands_still) {
  NEEDS_DISTURBANCE();
  open([](rstream_producer_options &o) { o.confirm_timeout_ms = 200; });
  wait_open();
  {
    broker_stopped stopped;
    ASSERT_EQ(p->send(told_message("while it stands still")), 0);
    ASSERT_EQ(p->send("and another"), 0);
    ASSERT_TRUE(run_until([&] { return p->all_told(); }));
    EXPECT_EQ(p->with_status(RSTREAM_ETIMEDOUT), 2u);
    EXPECT_EQ(told, "1:-20006 ");
    EXPECT_EQ(p->stats().bytes_in_flight, 0u);
  }
  // Their confirms come all the same, too late.
  ASSERT_TRUE(run_until([&] { return p->stats().unknown_confirms == 2; }));
  // It may be busy for a while yet.
  ASSERT_TRUE(run_until([&] {
    if (p->all_told()) EXPECT_EQ(p->send("after"), 0);
    return p->confirmed() == 1;
  }));
  ASSERT_TRUE(run_until([&] {
    return p->all_told() && p->confirmed() + p->stats().unknown_confirms == p->sent;
  }));
  std::vector<std::string> all = stored(p->sent);
  EXPECT_EQ(all[0], "while it stands still");
  EXPECT_EQ(all[1], "and another");
}

// What times out is sent anew, as applications do: neither the library nor its connection
// may gather it.
TEST_F(publish_faults, a_disk_alarm_does_not_make_memory_grow) {
  NEEDS_DISTURBANCE();
  constexpr uint64_t window = 2 << 20;
  open([](rstream_producer_options &o) {
    o.confirm_timeout_ms = 10;
    o.max_bytes_in_flight = window;
  });
  wait_open();
  std::string body(50000, 'x');
  {
    disk_alarm alarm;
    size_t most = 0;
    uint64_t rounds = 0;
    // Some 60 MiB, more than all buffers on the way take.
    ASSERT_TRUE(run_until([&] {
      while (p->send(body) == 0) rounds++;
      most = std::max(most, memory.bytes.load());
      return rounds > 1200;
    }));
    EXPECT_LT(most, 4 * window);
    EXPECT_GT(p->with_status(RSTREAM_ETIMEDOUT), 0u);
  }
  ASSERT_TRUE(run_until([&] { return p->all_told(); }));
  uint64_t confirmed = p->confirmed();
  ASSERT_TRUE(run_until([&] {
    if (p->all_told()) EXPECT_EQ(p->send("after"), 0);
    return p->confirmed() > confirmed;
  }));
  EXPECT_EQ(p->ended, 0);
}

// Scenario 18 with a producer that waits: nothing is lost.
TEST_F(publish_faults, scenario_18_a_producer_that_waits_loses_nothing_to_an_alarm) {
  NEEDS_DISTURBANCE();
  open([](rstream_producer_options &o) {
    o.confirm_timeout_off = 1;
    o.sub_entry_messages = 10;
  });
  wait_open();
  {
    disk_alarm alarm;
    for (int i = 0; i < 5000; i++) ASSERT_EQ(p->send_number(static_cast<uint64_t>(i)), 0);
    ASSERT_EQ(rstream_producer_flush(p->handle, nullptr, nullptr), 0);
    run_ready(20);
  }
  wait_confirmed();
  std::vector<std::string> all = stored(5000);
  for (uint64_t i = 0; i < all.size(); i++) ASSERT_EQ(all[i], body_of(i).bytes);
}

// Ten thousand messages, and an alarm in their middle: the window bounds what waits, new
// producers are refused, readers are not disturbed, and in the end everything is stored
// once.
TEST_F(publish_faults, scenario_18_an_alarm_in_the_middle_of_ten_thousand) {
  NEEDS_DISTURBANCE();
  constexpr uint64_t count = 10000;
  constexpr uint32_t window = 1000;
  rstream_env *elsewhere = open_env();
  open([](rstream_producer_options &o) {
    o.confirm_timeout_off = 1;
    o.max_messages_in_flight = window;
  });
  wait_open();
  auto send_up_to = [&](uint64_t end) {
    while (p->sent < end && p->send_number(p->sent) == 0) continue;
  };
  ASSERT_TRUE(run_until([&] {
    send_up_to(count / 2);
    return p->confirmed() == count / 2;
  }));
  {
    disk_alarm alarm;
    // Others learn of it, too: the first that is refused shows that it is in effect.
    producer_probe refused;
    ASSERT_TRUE(run_until([&] {
      if (!refused.handle) EXPECT_EQ(refused.open(elsewhere, stream), 0);
      if (refused.opened) EXPECT_EQ(refused.close(), 0);
      if (refused.closed) refused.opened = refused.closed = 0;
      return refused.ended > 0;
    }));
    EXPECT_EQ(refused.end_reason, RSTREAM_BROKER_PRECONDITION_FAILED);
    // What the connection was waiting for when the alarm came is still taken, then the
    // broker reads no more. Without an alarm ten rounds are enough for everything.
    for (int round = 0; round < 10; round++) {
      send_up_to(count);
      broker_eval("ok.");
      run_ready(10);
    }
    EXPECT_LE(p->told, count / 2 + window) << "confirmed in spite of the alarm";
    EXPECT_EQ(p->sent, p->told + window);
    EXPECT_EQ(p->send_number(0), RSTREAM_EAGAIN);
    consumer_probe c;
    ASSERT_EQ(c.open_first(elsewhere, stream), 0);
    ASSERT_TRUE(run_until([&] { return c.messages >= count / 2; }));
  }
  ASSERT_TRUE(run_until([&] {
    send_up_to(count);
    return p->confirmed() == count;
  }));
  EXPECT_EQ(p->ended, 0);
  producer_probe next;
  ASSERT_EQ(next.open(elsewhere, stream), 0);
  ASSERT_TRUE(run_until([&] { return next.opened > 0; }));
  std::vector<std::string> all = stored(count);
  for (uint64_t i = 0; i < all.size(); i++) ASSERT_EQ(all[i], body_of(i).bytes);
}
