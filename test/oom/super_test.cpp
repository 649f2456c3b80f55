// Scenario 38 with super streams: each allocation fails in turn, while messages wait for
// their routes, go to one partition, several or none, and partitions come and go.
#include <gtest/gtest.h>

#include <map>

#include "api/env.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr uint64_t most_events = 200000;
constexpr uint64_t step_us = 20000;
constexpr uint64_t patience_us = 200 * 1000000ull;

struct super_scenario {
  simulation s;
  carried_cluster brokers;
  counted_memory memory;
  host_source source{};
  rstream_env *env = nullptr;
  rstream_super_producer *by_key = nullptr;
  rstream_super_producer *by_hash = nullptr;
  rstream_super_consumer *consumer = nullptr;
  int step = 0;
  int accepted = 0;
  std::map<std::pair<void *, uint64_t>, int> outcomes;
  int told = 0;
  int failed = 0;  // messages, calls and handles
  int flushes = 0, flushed = 0;
  int received = 0;
  int closing = 0, closed = 0;
  bool env_closed = false;
};

super_scenario *at_work = nullptr;

void note(int rc) {
  EXPECT_TRUE(rc == 0 || rc == RSTREAM_ENOMEM || rc == RSTREAM_ECLOSED)
      << rstream_error_text(rc);
  if (rc < 0) at_work->failed++;
}

void on_confirm(rstream_super_producer *p, const rstream_super_confirms *c, void *) {
  for (size_t i = 0; i < c->count; i++) {
    at_work->outcomes[{p, c->ids[i]}]++;
    at_work->told++;
  }
  if (c->status < 0 && c->status != RSTREAM_ENOROUTE) at_work->failed++;
}

void on_producer_state(rstream_super_producer *, const rstream_state *s, void *) {
  if (s->reason < 0) at_work->failed++;
}
void on_consumer_state(rstream_super_consumer *, const rstream_state *s, void *) {
  if (s->reason < 0) at_work->failed++;
}
void on_partition(rstream_super_consumer *, const rstream_partition_event *e, void *) {
  if (e->reason < 0) at_work->failed++;
}
void on_message(rstream_consumer *, const rstream_message_view *, void *) {
  at_work->received++;
}

void make_super_stream(super_scenario &s) {
  fake::cluster &c = *s.brokers.cluster;
  fake::super_stream &orders = c.super_streams["orders"];
  for (int i = 0; i < 3; i++) {
    std::string name = "orders-" + std::to_string(i);
    fake::stream_create(c, name);
    orders.partitions.push_back(name);
  }
  orders.binding_keys = {"one", "both", "both"};
}

void open_env(super_scenario &s) {
  rstream_allocator allocator = s.memory.functions();
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.uri = "rabbitmq-stream://guest:guest@node0:5552/%2f";
  o.allocator = &allocator;
  s.source = {&s.s, "client"};
  int rc = env_create_on(&s.env, source_of(s.source), &o);
  if (rc < 0) note(rc);
}

rstream_super_producer *open_producer(super_scenario &s, rstream_routing routing) {
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  po.close_timeout_ms = 2000;
  po.max_batch_messages = 3;
  po.name = routing == RSTREAM_ROUTING_KEY ? "till" : nullptr;
  rstream_super_producer_options o;
  rstream_super_producer_options_init(&o);
  o.super_stream = "orders";
  o.producer = &po;
  o.routing = routing;
  o.refresh_interval_ms = 1000;
  o.on_confirm = on_confirm;
  o.on_state = on_producer_state;
  rstream_super_producer *p = nullptr;
  note(rstream_super_producer_open(&p, s.env, &o));
  return p;
}

void open_consumer(super_scenario &s) {
  const char *values[] = {"a", "b"};
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.on_message = on_message;
  co.name = "reader";
  co.filter_values = values;
  co.filter_value_count = 2;
  co.match_unfiltered = 1;
  rstream_super_consumer_options o;
  rstream_super_consumer_options_init(&o);
  o.super_stream = "orders";
  o.consumer = &co;
  o.refresh_interval_ms = 1000;
  o.on_state = on_consumer_state;
  o.on_partition = on_partition;
  note(rstream_super_consumer_open(&s.consumer, s.env, &o));
}

void publish(super_scenario &s, rstream_super_producer *p, int count) {
  static const char *const keys[] = {"one", "both", "none", "a", "b", "c", "d"};
  for (int i = 0; p && i < count; i++) {
    const char *key = keys[i % 7];
    int rc = rstream_super_producer_send_bytes(p, "body", 4, key, strlen(key), nullptr);
    note(rc);
    if (rc == 0) s.accepted++;
  }
}

void flush(super_scenario &s, rstream_super_producer *p) {
  if (!p) return;
  int rc = rstream_super_producer_flush(
      p, [](rstream_super_producer *, int, void *) { at_work->flushed++; }, nullptr);
  note(rc);
  if (rc == 0) s.flushes++;
}

void add_partition(super_scenario &s) {
  fake::cluster &c = *s.brokers.cluster;
  fake::stream_create(c, "orders-3");
  c.super_streams["orders"].partitions.push_back("orders-3");
  c.super_streams["orders"].binding_keys.push_back("one");
}

void close_handles(super_scenario &s) {
  for (rstream_super_producer *p : {s.by_key, s.by_hash}) {
    if (!p) continue;
    s.closing++;
    EXPECT_EQ(rstream_super_producer_close(
                  p, [](rstream_super_producer *, int, void *) { at_work->closed++; }),
              0);
  }
  if (!s.consumer) return;
  s.closing++;
  EXPECT_EQ(rstream_super_consumer_close(s.consumer, [](rstream_super_consumer *, int,
                                                        void *) { at_work->closed++; }),
            0);
}

void close_env(super_scenario &s) {
  EXPECT_EQ(rstream_env_close(
                s.env,
                [](rstream_env *, void *) {
                  at_work->env_closed = true;
                  at_work->env = nullptr;
                },
                nullptr),
            0);
}

// False once there is nothing more to do.
bool act(super_scenario &s) {
  switch (s.step++) {
  case 0: open_env(s); return s.env != nullptr;
  case 1:
    s.by_key = open_producer(s, RSTREAM_ROUTING_KEY);
    s.by_hash = open_producer(s, RSTREAM_ROUTING_HASH);
    publish(s, s.by_key, 10);
    publish(s, s.by_hash, 10);
    open_consumer(s);
    return true;
  case 4:
    publish(s, s.by_key, 10);
    publish(s, s.by_hash, 10);
    flush(s, s.by_key);
    flush(s, s.by_hash);
    return true;
  case 6: add_partition(s); return true;
  case 120:  // a second and more later
    publish(s, s.by_key, 10);
    publish(s, s.by_hash, 10);
    return true;
  case 180: close_handles(s); return true;
  case 320: close_env(s); return true;
  default: return s.env != nullptr;
  }
}

void step(void *arg) {
  auto &s = *static_cast<super_scenario *>(arg);
  bool more = act(s);
  if (s.s.now_us > patience_us) {
    ADD_FAILURE() << "the environment does not get closed";
    simulation_stop(s.s);
  } else if (more) {
    simulation_call(s.s, step_us, step, &s);
  } else {
    cluster_stop(s.brokers);
  }
}

uint64_t play(super_scenario &s) {
  at_work = &s;
  simulation_init(s.s, 1);
  cluster_start(s.brokers, s.s, 1);
  make_super_stream(s);
  simulation_call(s.s, 0, step, &s);
  EXPECT_TRUE(simulation_run(s.s, most_events)) << "it does not come to an end";
  EXPECT_EQ(s.told, s.accepted);
  for (auto &[id, times] : s.outcomes) EXPECT_EQ(times, 1) << id.second;
  EXPECT_EQ(s.flushed, s.flushes);
  EXPECT_EQ(s.closed, s.closing);
  EXPECT_EQ(s.memory.blocks, 0u) << "blocks leaked";
  EXPECT_EQ(s.s.failure, "");
  if (s.failed == 0) {
    EXPECT_EQ(s.accepted, 60);
    // 30 by hash; by key 6 of 10, and more once two partitions have the first key.
    EXPECT_GE(s.received, 50);
  }
  simulation_release(s.s);
  return s.memory.calls;
}

void fail_each(bool all_that_follow) {
  uint64_t n;
  {
    super_scenario s;
    n = play(s);
    EXPECT_EQ(s.failed, 0);
    ASSERT_GT(n, 100u);
  }
  int noticed = 0;
  for (uint64_t i = 0; i < n && !testing::Test::HasFailure(); i++) {
    super_scenario s;
    s.memory.fail_at = i;
    s.memory.fail_from = all_that_follow;
    SCOPED_TRACE("allocation " + std::to_string(i) + " of " + std::to_string(n));
    play(s);
    if (s.failed > 0) noticed++;
  }
  printf("%llu allocations, %d of the failures were told to the application\n",
         static_cast<unsigned long long>(n), noticed);
}

TEST(scenario_38_super, each_allocation_fails_once) { fail_each(false); }
TEST(scenario_38_super, each_allocation_fails_and_all_that_follow) { fail_each(true); }

}  // namespace

}  // namespace rstream::sim
