// How producers and consumers share connections, for how long these are kept, and what
// the statistics say of it, by a clock that a test turns.
#include <set>

#include "client/connections.h"
#include "sim/fixture.h"

namespace rstream::sim {

namespace {

constexpr uint64_t keep_us = idle_connection_ms * 1000ull;

struct pool : simulated {
  rstream_env *env = nullptr;
  std::vector<unsigned> ids;  // as DeclarePublisher and Subscribe asked for them

  void start(uint16_t most_producers, uint16_t most_consumers) {
    simulated::start(4);
    auto note = [this](fake::peer &, const fake::frame &fr) {
      wire::reader r = wire::reader_of(fr.body);
      r.u32();  // correlation id
      ids.push_back(r.u8());
      return fake::verdict::pass;
    };
    fake::on_frame(node(), wire::key::declare_publisher, note);
    fake::on_frame(node(), wire::key::subscribe, note);
    env = open_env([&](rstream_env_options &o) {
      o.max_producers_per_connection = most_producers;
      o.max_consumers_per_connection = most_consumers;
    });
  }
  rstream_env_stats stats() const {
    rstream_env_stats now;
    now.struct_size = sizeof now;
    EXPECT_EQ(rstream_env_stats_get(env, &now), 0);
    return now;
  }
  template <class Handle>
  void wait_open(const Handle &handle) {
    ASSERT_TRUE(run_until([&] { return handle.states == "O"; }));
  }
  void open_writers(size_t count) {
    for (size_t i = 0; i < count; i++) open_writer(env, "invoices");
    for (const writer &w : writers) wait_open(w);
  }
  void open_readers(size_t count) {
    for (size_t i = 0; i < count; i++) open_reader(env, "invoices");
    for (const reader &r : readers) wait_open(r);
  }
  template <class Handle>
  void close_and_wait(Handle &handle) {
    close(handle);
    ASSERT_TRUE(run_until([&] { return handle.closed; }));
  }
  // "producers 2" for a connection with two of them, each with its name.
  std::multiset<std::string> used() {
    std::multiset<std::string> found;
    for (const fake::peer *p : node().peers) {
      size_t publishers = 0, subscriptions = 0;
      for (int id = 0; id < 256; id++) {
        publishers += p->publishers[id] != nullptr;
        subscriptions += p->subscriptions[id] != nullptr;
      }
      EXPECT_TRUE(publishers == 0 || subscriptions == 0) << "mixed";
      const std::string &name = p->properties.at("connection_name");
      found.insert(name.substr(name.find(' ') + 1) + ' ' +
                   std::to_string(publishers + subscriptions));
    }
    return found;
  }
};

}  // namespace

TEST_F(pool, producers_and_consumers_share_with_their_kind_up_to_the_limit) {
  start(2, 3);
  open_writers(5);
  open_readers(4);
  std::multiset<std::string> expected = {"locator 0",   "producers 2", "producers 2",
                                         "producers 1", "consumers 3", "consumers 1"};
  EXPECT_EQ(used(), expected);
  rstream_env_stats now = stats();
  EXPECT_EQ(now.connections_for_locator, 1u);
  EXPECT_EQ(now.connections_for_producers, 3u);
  EXPECT_EQ(now.connections_for_consumers, 2u);
  EXPECT_EQ(now.producers, 5u);
  EXPECT_EQ(now.consumers, 4u);
  EXPECT_EQ(now.producers_connected, 5u);
  EXPECT_EQ(now.consumers_connected, 4u);
  EXPECT_EQ(now.connections_opened, 6u);
  EXPECT_EQ(now.connections_closed, 0u);
  EXPECT_EQ(now.connections_idle, 0u);
  // A place that came free is taken before another connection is made.
  close_and_wait(writers[0]);
  EXPECT_EQ(stats().producers_connected, 4u);
  wait_open(open_writer(env, "invoices"));
  EXPECT_EQ(stats().connections_opened, 6u);
  EXPECT_EQ(used(), expected);
  finish();
}

TEST_F(pool, ids_go_round) {
  start(256, 256);
  open_writers(3);
  EXPECT_EQ(ids, (std::vector<unsigned>{0, 1, 2}));
  close_and_wait(writers[0]);
  close_and_wait(writers[2]);
  writer *last = nullptr;
  for (int i = 0; i < 256; i++) {
    if (last) close_and_wait(*last);
    last = &open_writer(env, "invoices");
    wait_open(*last);
  }
  // All the way round, past the one in use.
  ASSERT_EQ(ids.size(), 3u + 256);
  for (size_t i = 0; i < 253; i++) ASSERT_EQ(ids[3 + i], 3 + i);
  EXPECT_EQ(ids[256], 0u);
  EXPECT_EQ(ids[257], 2u);
  EXPECT_EQ(ids[258], 3u);
  ids.clear();
  open_readers(2);
  close_and_wait(readers[0]);
  wait_open(open_reader(env, "invoices"));
  EXPECT_EQ(ids, (std::vector<unsigned>{0, 1, 2}));
  EXPECT_EQ(stats().connections_opened, 3u);
  finish();
}

TEST_F(pool, a_connection_that_nobody_uses_is_kept_for_a_while_then_closed) {
  start(2, 2);
  open_writers(3);
  open_readers(1);
  close_and_wait(writers[2]);
  close_and_wait(readers[0]);
  uint64_t idle_since = s.now_us;
  rstream_env_stats now = stats();
  EXPECT_EQ(now.connections_idle, 2u);
  EXPECT_EQ(now.connections_for_producers, 2u);
  EXPECT_EQ(now.connections_for_consumers, 1u);
  EXPECT_EQ(now.producers_connected, 2u);
  EXPECT_EQ(now.consumers_connected, 0u);
  EXPECT_EQ(now.connections_closed_idle, 0u);
  // Who comes in time has it.
  run_for(keep_us / 2);
  wait_open(open_reader(env, "invoices"));
  EXPECT_EQ(stats().connections_idle, 1u);
  EXPECT_EQ(stats().connections_opened, 4u);
  ASSERT_TRUE(run_until([&] { return stats().connections_closed == 1; }));
  EXPECT_GE(s.now_us - idle_since, keep_us - 10000);
  EXPECT_LT(s.now_us - idle_since, keep_us + 50000);
  now = stats();
  EXPECT_EQ(now.connections_closed_idle, 1u);
  EXPECT_EQ(now.connections_lost, 0u);
  EXPECT_EQ(now.connections_for_producers, 1u);
  EXPECT_EQ(now.connections_for_consumers, 1u);
  EXPECT_EQ(now.connections_idle, 0u);
  run_for(3 * keep_us);
  EXPECT_EQ(stats().connections_closed, 1u) << "the others are in use";
  finish();
}

TEST_F(pool, what_is_lost_is_closed_but_not_for_being_idle) {
  start(2, 2);
  open_writers(2);
  ASSERT_EQ(stats().connections_opened, 2u);
  fake::peer_reset(*fake::publisher_of(*brokers.cluster, "invoices")->peer);
  ASSERT_TRUE(run_until(
      [&] { return writers[0].states == "ORO" && writers[1].states == "ORO"; }));
  rstream_env_stats now = stats();
  EXPECT_EQ(now.connections_opened, 3u);
  EXPECT_EQ(now.connections_closed, 1u);
  EXPECT_EQ(now.connections_lost, 1u);
  EXPECT_EQ(now.connections_closed_idle, 0u);
  EXPECT_EQ(now.producers_connected, 2u);
  finish();
}

}  // namespace rstream::sim
