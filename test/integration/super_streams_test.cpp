// Super streams on a real broker. Scenarios 84, 85, 86.
#include "super_streams.h"

using namespace rstream::test;

namespace {

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
