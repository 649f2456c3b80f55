// Scenarios 2 and 59: connections that are killed again and again, and a broker that
// stands still.
#include "publishing.h"

using namespace rstream::test;

namespace {

struct killed_connections : publishing {
  std::map<uint64_t, int> seen;  // how often each number was consumed
  std::vector<bool> at_risk;     // sent, and unconfirmed when a connection was lost
  bool busy = true;

  void keep_busy() {
    p->on_writable = [this] {
      while (busy && p->handle && p->send_number(p->sent) == 0) continue;
    };
    p->on_writable();
  }
  void note_unconfirmed() {
    at_risk.resize(p->sent);
    for (size_t i = 0; i < p->sent; i++) {
      if (p->outcomes[i] == 1) at_risk[i] = true;
    }
  }
};

// Of connections of environments named `name`, those with publishers or consumers.
std::string count_with(const std::string &name, const char *info) {
  return broker_eval("length([P || P <- " + connections_named(name) +
                     ", [_|_] <- [catch rabbit_stream_reader:" + info + "]]).");
}

}  // namespace

TEST_F(killed_connections, scenario_02_twenty_times_under_a_producer_without_a_name) {
  NEEDS_DISTURBANCE();
  constexpr int kills = 20;
  rstream_env *e = open_env([&](auto &o) { o.connection_name = "killed"; });
  consumer_probe c;
  c.on_message = [&](const rstream_message_view *m) { seen[number_of(m)]++; };
  p->on_state = [&](const rstream_state *state) {
    if (state->state == RSTREAM_STATE_RECOVERING) note_unconfirmed();
  };
  open_in(e);
  ASSERT_EQ(c.open_first(e, stream), 0);
  keep_busy();
  int killed = 0;
  for (int i = 0; i < kills; i++) {
    uint64_t confirmed = p->confirmed(), consumed = c.messages;
    ASSERT_TRUE(run_until([&] {
      return p->confirmed() > confirmed + 2000 && c.messages > consumed + 1000;
    })) << i;
    int losses = p->losses + c.losses;
    std::string result = broker_eval("length([exit(P, kill) || P <- " +
                                     connections_named("killed") + "]).");
    int gone = 0;
    ASSERT_EQ(sscanf(result.c_str(), "{ok, %d}", &gone), 1) << result;
    EXPECT_GE(gone, 2);
    killed += gone;
    ASSERT_TRUE(run_until([&] { return p->losses + c.losses >= losses + 2; }));
  }
  busy = false;
  ASSERT_TRUE(run_until([&] { return p->all_told(); }));
  EXPECT_EQ(p->confirmed(), p->sent);
  ASSERT_EQ(p->send_number(p->sent), 0);  // behind all others, and confirmed
  ASSERT_TRUE(run_until([&] { return seen.count(p->sent - 1) > 0; }));
  uint64_t missing = 0, twice = 0, unexpected = 0;
  at_risk.resize(p->sent);
  for (uint64_t n = 0; n < p->sent; n++) {
    int times = seen.count(n) ? seen[n] : 0;
    missing += times == 0;
    twice += times > 1;
    unexpected += times > 1 && !at_risk[n];
  }
  printf("%d connections killed; of %llu messages %llu are stored more than once\n",
         killed, static_cast<unsigned long long>(p->sent),
         static_cast<unsigned long long>(twice));
  EXPECT_EQ(missing, 0u);
  EXPECT_EQ(unexpected, 0u) << "of those that had been confirmed before";
  EXPECT_EQ(p->ended + c.ended, 0);
}

TEST_F(killed_connections, scenario_59_a_broker_that_stands_still_and_goes_on) {
  NEEDS_DISTURBANCE();
  rstream_env *e = open_env([](auto &o) {
    o.connection_name = "still";
    o.heartbeat_s = 1;
    o.connect_timeout_ms = 1000;
  });
  consumer_probe c;
  c.numbered = true;
  open_in(e, [](auto &o) {
    o.name = "app";
    o.confirm_timeout_off = 1;
  });
  ASSERT_EQ(c.open_first(e, stream), 0);
  for (uint64_t i = 0; i < 1000; i++) ASSERT_EQ(p->send_number(i), 0);
  ASSERT_TRUE(run_until([&] { return p->confirmed() == 1000 && c.messages == 1000; }));
  int first_reason = 0;
  p->on_state = [&](const rstream_state *state) {
    if (first_reason == 0) first_reason = state->reason;
  };
  {
    broker_stopped stopped;
    for (uint64_t i = 1000; i < 2000; i++) ASSERT_EQ(p->send_number(i), 0);
    // Lost, and then attempts in vain.
    ASSERT_TRUE(run_until([&] { return p->losses > 2 && c.losses > 2; }, 60));
    EXPECT_EQ(first_reason, RSTREAM_EHEARTBEAT);
    EXPECT_EQ(p->confirmed(), 1000u);
    EXPECT_EQ(p->opened + c.opened, 2);
  }
  ASSERT_TRUE(
      run_until([&] { return p->confirmed() == 2000 && c.messages == 2000; }, 60));
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_EQ(p->ended + c.ended, 0);
  // The broker finds the connections of before dead, and there is one of each left.
  std::string publishers, consumers;
  for (int i = 0; i < 500; i++) {
    publishers = count_with("still", "publishers_info(P, [publisher_id])");
    consumers = count_with("still", "consumers_info(P, [subscription_id])");
    if (publishers == "{ok, 1}" && consumers == "{ok, 1}") break;
    run_ready(10);
  }
  EXPECT_EQ(publishers, "{ok, 1}");
  EXPECT_EQ(consumers, "{ok, 1}");
  EXPECT_EQ(stats(e).connections_for_producers, 1u);
  EXPECT_EQ(stats(e).connections_for_consumers, 1u);
  std::vector<std::string> all = stored(2000);
  for (uint64_t i = 0; i < all.size(); i++) ASSERT_EQ(all[i], body_of(i).bytes);
}
