// Super streams in simulated clusters: connections are lost, partitions come and go, and
// each message has one outcome, each message that is stored is read once, in order.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "api/env.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr uint64_t most_events = 3000000;
constexpr uint64_t seeds = 150;
constexpr int steps_of_trouble = 120;
constexpr int steps_of_peace = 60;  // of 200 ms: several looks at the partitions
constexpr uint64_t patience_us = 400 * 1000000ull;

struct super_run;

struct sent_message {
  std::string body;
  int outcomes = 0;
};

struct writer {
  super_run *r = nullptr;
  rstream_super_producer *p = nullptr;
  int serial = 0;
  int accepted = 0;
  std::map<uint64_t, sent_message> messages;  // by id
  bool closed = false;
};

struct reader {
  super_run *r = nullptr;
  rstream_super_consumer *c = nullptr;
  bool alone = false;                    // reads everything itself
  std::map<std::string, uint64_t> next;  // offset, by partition
  std::set<std::string> bodies;
  bool closed = false;
};

struct application {
  std::string name;
  counted_memory memory;
  host_source source{};
  rstream_env *env = nullptr;
};

struct super_run {
  simulation s;
  random chance;
  carried_cluster brokers;
  std::deque<application> applications;
  std::deque<writer> writers;
  std::deque<reader> readers;
  std::set<std::string> deleted;
  std::map<std::string, std::string> confirmed;  // body: partition
  int made = 0;
  int step = 0;
  int closing = 0;
};

void add_partition(super_run &r) {
  fake::cluster &c = *r.brokers.cluster;
  std::string name = "orders-" + std::to_string(r.made);
  int leader = static_cast<int>(random_below(r.chance, c.nodes.size()));
  fake::stream_create(c, name, leader);
  fake::super_stream &orders = c.super_streams["orders"];
  orders.partitions.push_back(name);
  orders.binding_keys.push_back(std::to_string(r.made++ % 4));
}

void delete_partition(super_run &r) {
  fake::super_stream &orders = r.brokers.cluster->super_streams["orders"];
  if (orders.partitions.size() < 2) return;
  auto at = static_cast<ptrdiff_t>(random_below(r.chance, orders.partitions.size()));
  std::string name = orders.partitions[static_cast<size_t>(at)];
  orders.partitions.erase(orders.partitions.begin() + at);
  orders.binding_keys.erase(orders.binding_keys.begin() + at);
  r.deleted.insert(name);
  fake::stream_delete(*r.brokers.cluster, name);
}

void lose_connection(super_run &r) {
  std::vector<fake::peer *> all;
  for (auto &node : r.brokers.cluster->nodes)
    all.insert(all.end(), node->peers.begin(), node->peers.end());
  if (!all.empty()) fake::peer_reset(*all[random_below(r.chance, all.size())]);
}

void on_confirm(rstream_super_producer *, const rstream_super_confirms *c, void *user) {
  auto &w = *static_cast<writer *>(user);
  for (size_t i = 0; i < c->count; i++) {
    auto at = w.messages.find(c->ids[i]);
    ASSERT_NE(at, w.messages.end()) << "an id that was never given";
    EXPECT_EQ(++at->second.outcomes, 1);
    if (c->status == 0 && c->partition) w.r->confirmed[at->second.body] = c->partition;
  }
}

void open_writer(super_run &r, application &a, uint64_t kind) {
  writer &w = r.writers.emplace_back();
  w.r = &r;
  w.serial = static_cast<int>(r.writers.size());
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  po.max_messages_in_flight = 200;
  po.close_timeout_ms = 3000;
  rstream_super_producer_options o;
  rstream_super_producer_options_init(&o);
  o.super_stream = "orders";
  o.producer = &po;
  o.refresh_interval_ms = 1000;
  o.max_routes = 3;
  o.routing = static_cast<rstream_routing>(kind % 3);
  if (kind == 3)
    o.on_route = [](const char *key, size_t size, const char *const *, size_t count,
                    size_t *chosen, void *) {
      if (count == 0 || size == 0) return size_t{0};
      chosen[0] = static_cast<size_t>(key[size - 1]) % count;
      chosen[1 % count] = (chosen[0] + 1) % count;
      return key[0] == '3' && count > 1 ? size_t{2} : size_t{1};
    };
  o.on_confirm = on_confirm;
  o.user = &w;
  EXPECT_EQ(rstream_super_producer_open(&w.p, a.env, &o), 0);
}

void open_reader(super_run &r, application &a, bool alone) {
  reader &x = r.readers.emplace_back();
  x.r = &r;
  x.alone = alone;
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.user = &x;
  if (!alone) {
    co.name = "group";
    co.single_active = 1;
  }
  co.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
    auto &self = *static_cast<reader *>(user);
    std::string body(reinterpret_cast<const char *>(m->body), m->body_size);
    self.bodies.insert(rstream_consumer_stream(c) + (' ' + body));
    if (!self.alone) return;
    uint64_t &next = self.next[rstream_consumer_stream(c)];
    EXPECT_GE(m->offset, next) << "offsets go back";
    next = m->offset + 1;
  };
  rstream_super_consumer_options o;
  rstream_super_consumer_options_init(&o);
  o.super_stream = "orders";
  o.consumer = &co;
  o.refresh_interval_ms = 1000;
  EXPECT_EQ(rstream_super_consumer_open(&x.c, a.env, &o), 0);
}

void publish(super_run &r) {
  if (r.writers.empty()) return;
  writer &w = r.writers[random_below(r.chance, r.writers.size())];
  for (uint64_t n = random_between(r.chance, 1, 12); n > 0; n--) {
    std::string key = std::to_string(random_below(r.chance, 5));
    std::string body = std::to_string(w.serial) + '.' + std::to_string(w.accepted);
    uint64_t id = 0;
    int rc = rstream_super_producer_send_bytes(w.p, body.data(), body.size(), key.data(),
                                               key.size(), &id);
    EXPECT_TRUE(rc == 0 || rc == RSTREAM_EAGAIN || rc == RSTREAM_ECLOSED) << rc;
    if (rc < 0) return;
    w.accepted++;
    EXPECT_TRUE(w.messages.emplace(id, sent_message{body}).second) << "an id came twice";
  }
}

void act(super_run &r) {
  switch (random_below(r.chance, 20)) {
  case 0: add_partition(r); break;
  case 1: delete_partition(r); break;
  case 2:
  case 3: lose_connection(r); break;
  default: publish(r); break;
  }
}

void begin(super_run &r) {
  for (uint64_t i = random_between(r.chance, 1, 4); i > 0; i--) add_partition(r);
  for (application &a : r.applications) {
    rstream_allocator allocator = a.memory.functions();
    rstream_env_options o;
    rstream_env_options_init(&o);
    o.uri = "rabbitmq-stream://guest:guest@node0:5552/%2f";
    o.allocator = &allocator;
    a.source = {&r.s, a.name.c_str()};
    ASSERT_EQ(env_create_on(&a.env, source_of(a.source), &o), 0);
    for (uint64_t i = random_between(r.chance, 1, 2); i > 0; i--)
      open_writer(r, a, random_below(r.chance, 4));
    open_reader(r, a, true);
    open_reader(r, a, false);
  }
}

void close_all(super_run &r) {
  for (writer &w : r.writers) {
    r.closing++;
    EXPECT_EQ(rstream_super_producer_close(w.p,
                                           [](rstream_super_producer *, int, void *user) {
                                             auto *self = static_cast<writer *>(user);
                                             self->closed = true;
                                             self->r->closing--;
                                           }),
              0);
  }
}

void close_envs(super_run &r) {
  for (application &a : r.applications) {
    EXPECT_EQ(rstream_env_close(
                  a.env,
                  [](rstream_env *, void *user) {
                    static_cast<application *>(user)->env = nullptr;
                  },
                  &a),
              0);
  }
}

bool all_gone(const super_run &r) {
  for (const application &a : r.applications) {
    if (a.env) return false;
  }
  return true;
}

// What is there was read by each who reads alone, and what was confirmed is there.
void check_streams(super_run &r) {
  std::set<std::string> stored;
  for (const std::string &name : r.brokers.cluster->super_streams["orders"].partitions) {
    fake::stream &stream = *fake::stream_find(*r.brokers.cluster, name);
    fake::stream_each(stream, [&](uint64_t, wire::bytes body) {
      stored.insert(name + ' ' + std::string(body.begin(), body.end()));
    });
  }
  for (auto &[body, partition] : r.confirmed) {
    if (r.deleted.count(partition)) continue;
    EXPECT_TRUE(stored.count(partition + ' ' + body)) << partition << ": " << body;
  }
  for (reader &x : r.readers) {
    if (!x.alone) continue;
    for (const std::string &message : stored)
      EXPECT_TRUE(x.bodies.count(message)) << message << " was not read";
  }
}

void step(void *arg) {
  auto &r = *static_cast<super_run *>(arg);
  int at = r.step++;
  int end = steps_of_trouble + steps_of_peace;
  uint64_t pause_us = 200000;
  if (at == 0) {
    begin(r);
  } else if (at < steps_of_trouble) {
    act(r);
    pause_us = random_below(r.chance, 60000);
  } else if (at == end) {
    check_streams(r);
    close_all(r);
  } else if (at == end + 40) {
    EXPECT_EQ(r.closing, 0) << "a producer does not close";
    close_envs(r);
  }
  if (r.s.now_us > patience_us) {
    ADD_FAILURE() << "it does not come to an end";
    simulation_stop(r.s);
  } else if (at > end + 40 && all_gone(r)) {
    cluster_stop(r.brokers);
  } else {
    simulation_call(r.s, pause_us, step, &r);
  }
}

void play(uint64_t seed) {
  super_run r;
  r.chance = random_of(seed, 77);
  simulation_init(r.s, seed);
  for (const char *name : {"client0", "client1"})
    r.applications.emplace_back().name = name;
  cluster_start(r.brokers, r.s, static_cast<int>(random_between(r.chance, 1, 3)));
  simulation_call(r.s, 0, step, &r);
  EXPECT_TRUE(simulation_run(r.s, most_events));
  EXPECT_EQ(r.s.failure, "");
  for (writer &w : r.writers) {
    EXPECT_EQ(static_cast<int>(w.messages.size()), w.accepted);
    for (auto &[id, m] : w.messages) EXPECT_EQ(m.outcomes, 1) << m.body;
  }
  for (application &a : r.applications) EXPECT_EQ(a.memory.blocks, 0u);
  simulation_release(r.s);
}

TEST(super_runs, each_message_has_one_outcome_and_what_is_stored_is_read_once) {
  for (uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    play(seed);
  }
}

}  // namespace

}  // namespace rstream::sim
