// Super streams on a real broker. Scenarios 84, 85, 86.
#include <map>
#include <memory>
#include <set>

#include "fixture.h"

using namespace rstream::test;

namespace {

struct names_reply {
  int calls = 0;
  int status = 1;
  std::vector<std::string> names;
  static void on(rstream_env *, int status, const char *const *partitions, size_t count,
                 void *user) {
    auto *r = static_cast<names_reply *>(user);
    r->calls++;
    r->status = status;
    r->names.assign(partitions, partitions + count);
  }
};

struct super_probe {
  rstream_super_producer *handle = nullptr;
  std::map<uint64_t, int> told;
  std::map<std::string, uint64_t> stored;  // by partition
  std::map<int, uint64_t> by_status;
  std::vector<int> states;
  std::string events;
  int writable = 0;
  int closed = 0;
  int closed_status = 1;
  std::function<void()> on_writable_too;

  static super_probe *of(void *user) { return static_cast<super_probe *>(user); }
  uint64_t outcomes() const {
    uint64_t n = 0;
    for (auto &[status, count] : by_status) n += count;
    return n;
  }
  int open(rstream_env *env, const std::string &name,
           const std::function<void(rstream_super_producer_options &,
                                    rstream_producer_options &)> &settings = nullptr) {
    rstream_producer_options po;
    rstream_producer_options_init(&po);
    rstream_super_producer_options o;
    rstream_super_producer_options_init(&o);
    o.super_stream = name.c_str();
    o.producer = &po;
    o.user = this;
    o.on_confirm = [](rstream_super_producer *, const rstream_super_confirms *c,
                      void *user) {
      for (size_t i = 0; i < c->count; i++) of(user)->told[c->ids[i]]++;
      of(user)->by_status[c->status] += c->count;
      if (c->status == 0 && c->partition) of(user)->stored[c->partition] += c->count;
    };
    o.on_state = [](rstream_super_producer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
    };
    o.on_partition = [](rstream_super_producer *, const rstream_partition_event *e,
                        void *user) {
      of(user)->events += std::to_string(e->change) + e->partition + ' ';
    };
    o.on_writable = [](rstream_super_producer *, void *user) {
      of(user)->writable++;
      if (of(user)->on_writable_too) of(user)->on_writable_too();
    };
    if (settings) settings(o, po);
    return rstream_super_producer_open(&handle, env, &o);
  }
  int send(std::string_view key, std::string_view body) {
    return rstream_super_producer_send_bytes(handle, body.data(), body.size(), key.data(),
                                             key.size(), nullptr);
  }
  int close() {
    return rstream_super_producer_close(
        handle, [](rstream_super_producer *, int status, void *user) {
          of(user)->closed++;
          of(user)->closed_status = status;
        });
  }
};

struct group_probe {
  rstream_super_consumer *handle = nullptr;
  std::map<std::string, std::vector<std::string>> bodies;  // by partition
  std::map<std::string, std::vector<uint64_t>> offsets;
  std::string events;
  std::vector<int> states;
  uint64_t count = 0;
  int closed = 0;

  static group_probe *of(void *user) { return static_cast<group_probe *>(user); }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  int open(rstream_env *env, const std::string &name,
           const std::function<void(rstream_consumer_options &)> &settings = nullptr) {
    rstream_consumer_options co;
    rstream_consumer_options_init(&co);
    co.offset_type = RSTREAM_OFFSET_FIRST;
    co.user = this;
    co.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
      const char *partition = rstream_consumer_stream(c);
      of(user)->bodies[partition].push_back(text_of(m));
      of(user)->offsets[partition].push_back(m->offset);
      of(user)->count++;
    };
    if (settings) settings(co);
    rstream_super_consumer_options o;
    rstream_super_consumer_options_init(&o);
    o.super_stream = name.c_str();
    o.consumer = &co;
    o.user = this;
    o.on_state = [](rstream_super_consumer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
    };
    o.on_partition = [](rstream_super_consumer *, const rstream_partition_event *e,
                        void *user) {
      of(user)->events += std::to_string(e->change) + e->partition + ' ';
    };
    return rstream_super_consumer_open(&handle, env, &o);
  }
  int close() {
    return rstream_super_consumer_close(
        handle, [](rstream_super_consumer *, int, void *user) { of(user)->closed++; });
  }
  std::set<size_t> reads() const {
    std::set<size_t> active;
    for (size_t i = 0; i < rstream_super_consumer_partition_count(handle); i++) {
      const rstream_consumer *c = rstream_super_consumer_partition_consumer(handle, i);
      if (rstream_consumer_activity(c) == RSTREAM_ACTIVITY_ACTIVE) active.insert(i);
    }
    return active;
  }
};

struct super_streams : broker_test {
  std::string name_of_super;
  std::deque<super_probe> producers;  // outlive the environment
  std::deque<group_probe> consumers;

  void SetUp() override {
    broker_test::SetUp();
    if (broker_uri()) name_of_super = other_stream("super");
  }
  void TearDown() override {
    if (broker_uri()) remove();
    broker_test::TearDown();
  }
  int make(uint32_t partitions, const std::vector<const char *> &keys = {}) {
    rstream_super_stream_options o;
    rstream_super_stream_options_init(&o);
    o.partitions = partitions;
    o.binding_keys = keys.empty() ? nullptr : keys.data();
    o.binding_key_count = keys.size();
    auto reply = ask<result_reply>([&](auto *r) {
      return rstream_super_stream_create(env, name_of_super.c_str(), &o, result_reply::on,
                                         r);
    });
    return reply.status;
  }
  int remove() {
    auto reply = ask<result_reply>([&](auto *r) {
      return rstream_super_stream_delete(env, name_of_super.c_str(), result_reply::on, r);
    });
    return reply.status;
  }
  names_reply partitions() {
    return ask<names_reply>([&](auto *r) {
      return rstream_super_stream_partitions(env, name_of_super.c_str(), names_reply::on,
                                             r);
    });
  }
  names_reply route(const char *key) {
    return ask<names_reply>([&](auto *r) {
      return rstream_super_stream_route(env, name_of_super.c_str(), key, strlen(key),
                                        names_reply::on, r);
    });
  }
  std::string partition(int i) { return name_of_super + '-' + std::to_string(i); }
};

std::string key_of(int i) { return "key-" + std::to_string(i); }

}  // namespace

TEST_F(super_streams, created_asked_about_and_deleted) {
  ASSERT_EQ(make(12), 0);
  EXPECT_EQ(make(12), RSTREAM_BROKER_STREAM_EXISTS);
  names_reply all = partitions();
  EXPECT_EQ(all.status, 0);
  ASSERT_EQ(all.names.size(), 12u);
  for (int i = 0; i < 12; i++) EXPECT_EQ(all.names[static_cast<size_t>(i)], partition(i));
  EXPECT_EQ(route("11").names, std::vector<std::string>{partition(11)});
  EXPECT_TRUE(route("12").names.empty());
  EXPECT_EQ(route("12").status, 0);
  EXPECT_EQ(remove(), 0);
  EXPECT_EQ(partitions().status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_LT(remove(), 0);
}

TEST_F(super_streams, scenario_84_85_messages_go_where_their_keys_lead) {
  ASSERT_EQ(make(0, {"emea", "amer", "apac"}), 0);
  super_probe &by_hash = producers.emplace_back(), &by_key = producers.emplace_back();
  ASSERT_EQ(by_hash.open(env, name_of_super), 0);
  ASSERT_EQ(by_key.open(env, name_of_super,
                        [](auto &o, auto &) { o.routing = RSTREAM_ROUTING_KEY; }),
            0);
  // The hashes modulo 3 are 1, 2 and 0.
  for (const char *key : {"hello1", "amer", "hello"})
    EXPECT_EQ(by_hash.send(key, key), 0);
  for (const char *key : {"apac", "nowhere", "emea"}) EXPECT_EQ(by_key.send(key, key), 0);
  ASSERT_TRUE(
      run_until([&] { return by_hash.outcomes() == 3 && by_key.outcomes() == 3; }));
  EXPECT_EQ(by_hash.by_status[0], 3u);
  EXPECT_EQ(by_key.by_status[0], 2u);
  EXPECT_EQ(by_key.by_status[RSTREAM_ENOROUTE], 1u);
  group_probe &all = consumers.emplace_back();
  ASSERT_EQ(all.open(env, name_of_super), 0);
  ASSERT_TRUE(run_until([&] { return all.count == 5; }));
  using list = std::vector<std::string>;
  auto sorted = [](list l) {
    std::sort(l.begin(), l.end());
    return l;
  };
  EXPECT_EQ(sorted(all.bodies[name_of_super + "-emea"]), (list{"emea", "hello"}));
  EXPECT_EQ(all.bodies[name_of_super + "-amer"], list{"hello1"});
  EXPECT_EQ(sorted(all.bodies[name_of_super + "-apac"]), (list{"amer", "apac"}));
}

TEST_F(super_streams, ten_thousand_messages_are_stored_once_and_in_order) {
  ASSERT_EQ(make(3), 0);
  super_probe &p = producers.emplace_back();
  ASSERT_EQ(p.open(env, name_of_super,
                   [](auto &, auto &po) {
                     po.name = "till";
                     po.max_messages_in_flight = 1000;
                   }),
            0);
  int sent = 0;
  auto send = [&] {
    while (sent < 10000 && p.send(key_of(sent % 100), std::to_string(sent)) == 0) sent++;
  };
  p.on_writable_too = send;
  send();
  ASSERT_TRUE(run_until([&] { return p.by_status[0] == 10000; }));
  EXPECT_EQ(p.told.size(), 10000u);
  EXPECT_GT(p.writable, 0);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.closed_status, 0);
  group_probe &all = consumers.emplace_back();
  ASSERT_EQ(all.open(env, name_of_super), 0);
  ASSERT_TRUE(run_until([&] { return all.count >= 10000; }));
  std::set<int> seen;
  for (auto &[partition, bodies] : all.bodies) {
    int last = -1;
    EXPECT_EQ(bodies.size(), p.stored[partition]);
    for (const std::string &body : bodies) {
      int number = std::stoi(body);
      EXPECT_GT(number, last) << partition;
      last = number;
      EXPECT_TRUE(seen.insert(number).second) << number;
    }
  }
  EXPECT_EQ(seen.size(), 10000u);
}

TEST_F(super_streams, scenario_86_a_partition_that_is_deleted_stops_no_other) {
  ASSERT_EQ(make(3), 0);
  super_probe &p = producers.emplace_back();
  ASSERT_EQ(p.open(env, name_of_super), 0);
  group_probe &all = consumers.emplace_back();
  ASSERT_EQ(all.open(env, name_of_super), 0);
  for (int i = 0; i < 30; i++) ASSERT_EQ(p.send(key_of(i), "before"), 0);
  ASSERT_TRUE(run_until([&] { return all.count == 30 && p.by_status[0] == 30; }));
  ASSERT_EQ(delete_stream(partition(1)), 0);
  std::string removed = std::to_string(RSTREAM_PARTITION_REMOVED) + partition(1);
  ASSERT_TRUE(run_until([&] {
    return all.events.find(removed) != std::string::npos &&
           p.events.find(removed) != std::string::npos;
  })) << all.events
      << " / " << p.events;
  uint64_t before = p.outcomes();
  for (int i = 0; i < 30; i++) ASSERT_EQ(p.send(key_of(i), "after"), 0);
  ASSERT_TRUE(run_until([&] { return p.outcomes() == before + 30; }));
  EXPECT_EQ(p.by_status[0], 60u) << "two partitions take what three took";
  ASSERT_TRUE(run_until([&] { return all.count == 60; }));
  EXPECT_EQ(rstream_super_consumer_partition_count(all.handle), 2u);
}

TEST_F(super_streams, a_partition_that_is_added_is_taken_up) {
  NEEDS_DISTURBANCE();
  ASSERT_EQ(make(2), 0);
  super_probe &p = producers.emplace_back();
  auto often = [](auto &o, auto &) { o.refresh_interval_ms = 1000; };
  ASSERT_EQ(p.open(env, name_of_super, often), 0);
  ASSERT_TRUE(run_until([&] { return !p.states.empty(); }));
  ASSERT_EQ(create_stream(partition(2)), 0);
  std::string bound =
      broker_eval("X = rabbit_misc:r(<<\"/\">>, exchange, <<\"" + name_of_super +
                  "\">>), Q = rabbit_misc:r(<<\"/\">>, queue, <<\"" + partition(2) +
                  "\">>), rabbit_binding:add({binding, X, <<\"2\">>, Q, "
                  "[{<<\"x-stream-partition-order\">>, long, 2}]}, <<\"test\">>).");
  EXPECT_NE(bound.find("ok"), std::string::npos) << bound;
  std::string added = std::to_string(RSTREAM_PARTITION_ADDED) + partition(2);
  ASSERT_TRUE(run_until([&] { return p.events.find(added) != std::string::npos; }))
      << p.events;
  ASSERT_EQ(p.send("amer", "x"), 0);  // 2 of three
  ASSERT_TRUE(run_until([&] { return p.outcomes() == 1; }));
  EXPECT_EQ(p.stored[partition(2)], 1u);
}

TEST_F(super_streams, a_group_shares_the_partitions) {
  ASSERT_EQ(make(3), 0);
  auto member = [](rstream_consumer_options &o) {
    o.name = "app";
    o.single_active = 1;
  };
  using set = std::set<size_t>;
  group_probe &first = consumers.emplace_back(), &second = consumers.emplace_back();
  ASSERT_EQ(first.open(env, name_of_super, member), 0);
  ASSERT_TRUE(run_until([&] {
    return first.is_open() && first.reads() == set{0, 1, 2};
  }));
  super_probe &p = producers.emplace_back();
  ASSERT_EQ(p.open(env, name_of_super), 0);
  for (int i = 0; i < 300; i++) ASSERT_EQ(p.send(key_of(i), std::to_string(i)), 0);
  ASSERT_TRUE(run_until([&] { return first.count == 300; }));
  ASSERT_EQ(second.open(open_env(), name_of_super, member), 0);
  ASSERT_TRUE(run_until([&] {
    return first.reads() == set{0, 2} && second.reads() == set{1};
  }));
  for (int i = 300; i < 600; i++) ASSERT_EQ(p.send(key_of(i), std::to_string(i)), 0);
  ASSERT_TRUE(run_until([&] { return first.count + second.count == 600; }));
  EXPECT_EQ(first.count + second.count, 600u);
  EXPECT_EQ(second.offsets.size(), 1u);
  // What the first one stored took an offset of the stream as well.
  EXPECT_GT(second.offsets[partition(1)].front(), first.offsets[partition(1)].back());
  ASSERT_EQ(second.close(), 0);
  ASSERT_TRUE(run_until([&] {
    return second.closed > 0 && first.reads() == set{0, 1, 2};
  }));
}

TEST_F(super_streams, offsets_are_kept_for_each_partition) {
  ASSERT_EQ(make(3), 0);
  super_probe &p = producers.emplace_back();
  ASSERT_EQ(p.open(env, name_of_super), 0);
  for (int i = 0; i < 300; i++) ASSERT_EQ(p.send(key_of(i), "x"), 0);
  auto named = [](rstream_consumer_options &o) { o.name = "app"; };
  group_probe &first = consumers.emplace_back(), &second = consumers.emplace_back();
  ASSERT_EQ(first.open(env, name_of_super, named), 0);
  ASSERT_TRUE(run_until([&] { return first.count == 300; }));
  ASSERT_EQ(first.close(), 0);
  ASSERT_TRUE(run_until([&] { return first.closed > 0; }));
  for (int i = 0; i < 90; i++) ASSERT_EQ(p.send(key_of(i), "y"), 0);
  ASSERT_EQ(second.open(env, name_of_super, named), 0);
  ASSERT_TRUE(run_until([&] { return second.count >= 90; }));
  EXPECT_EQ(second.count, 90u);
  for (auto &[partition, bodies] : second.bodies) {
    for (const std::string &body : bodies) EXPECT_EQ(body, "y") << partition;
  }
}
