// Single active consumers: one of a name at a time, each going on where the one before it
// stopped.
#include <memory>
#include <random>

#include "consuming.h"

using namespace rstream::test;

namespace {

constexpr uint32_t never = 24u * 3600 * 1000;  // ms

struct single_active : consuming {
  using settings = std::function<void(rstream_consumer_options &)>;

  // The number of each message, by whichever member.
  std::vector<uint64_t> seen;
  std::deque<consumer_probe> members;

  // Opened in `e`, or in the test's own environment.
  consumer_probe &join(rstream_env *e = nullptr, const settings &more = nullptr,
                       consumer_probe::mode how = consumer_probe::by_message) {
    consumer_probe &c = members.emplace_back();
    join(c, e, more, how);
    return c;
  }
  void join(consumer_probe &c, rstream_env *e, const settings &more,
            consumer_probe::mode how = consumer_probe::by_message) {
    c.keep_numbers = true;
    if (!c.on_update) {
      c.on_update = [this, &c](bool active) { return check_turn(c, active); };
    }
    if (!c.on_message) {
      c.on_message = [this, &c](const rstream_message_view *m) {
        EXPECT_EQ(c.updates.back(), '+') << "it is not its turn";
        seen.push_back(number_of(m));
      };
    }
    ASSERT_EQ(c.open(e ? e : env, stream, how,
                     [&](rstream_consumer_options &o) {
                       named("group")(o);
                       o.single_active = 1;
                       o.store_every_messages = UINT32_MAX;
                       o.store_interval_ms = never;
                       if (more) more(o);
                     }),
              0);
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  }
  // Nobody else has it.
  rstream_update_reply check_turn(const consumer_probe &c, bool active) {
    for (const consumer_probe &other : members) {
      if (active && other.handle && &other != &c)
        EXPECT_NE(rstream_consumer_activity(other.handle), RSTREAM_ACTIVITY_ACTIVE);
    }
    return RSTREAM_UPDATE_DEFAULT;
  }
  static rstream_activity activity(const consumer_probe &c) {
    return rstream_consumer_activity(c.handle);
  }
  static bool is_active(const consumer_probe &c) {
    return activity(c) == RSTREAM_ACTIVITY_ACTIVE;
  }
  // Every message up to here, once, in order.
  void expect_seen_once(uint64_t end) {
    ASSERT_TRUE(run_until([&] { return seen.size() >= end; })) << seen.size();
    ASSERT_EQ(seen.size(), end);
    for (uint64_t i = 0; i < end; i++) ASSERT_EQ(seen[i], i);
  }

  // Has the connection ask the consumer as the broker's coordinator does when it becomes
  // another one's turn, or this one's again. It is the only one on the connections.
  void ask_to_be(bool active) {
    std::string asked = broker_eval(
        "length([P ! {sac, #{subscription_id => I, stream => <<\"" + stream +
        "\">>, consumer_name => <<\"group\">>, active => " + (active ? "true" : "false") +
        "}} || " + ids_on_connections(name, role::consumers) + "]).");
    ASSERT_EQ(asked, "{ok, 1}");
  }
};

}  // namespace

TEST_F(single_active, the_next_one_goes_on_where_the_last_one_stopped) {
  publish_singly(5);
  consumer_probe &a = join();
  ASSERT_TRUE(wait_for(a, 4));
  EXPECT_EQ(activity(a), RSTREAM_ACTIVITY_ACTIVE);
  rstream_env *elsewhere = open_env();
  consumer_probe &b = join(elsewhere);
  consumer_probe &c = join();  // on the connection of the first
  EXPECT_EQ(activity(b), RSTREAM_ACTIVITY_STANDBY);
  EXPECT_EQ(activity(c), RSTREAM_ACTIVITY_STANDBY);
  publish_singly(2);
  ASSERT_TRUE(wait_for(a, 6));
  close(a);
  publish_singly(3);
  // The broker answers Subscribe before it puts the consumer in the group's line, so
  // which of the two comes first is its affair.
  ASSERT_TRUE(run_until([&] { return is_active(b) || is_active(c); }));
  consumer_probe &second = is_active(b) ? b : c;
  consumer_probe &third = is_active(b) ? c : b;
  ASSERT_TRUE(wait_for(second, 9));
  EXPECT_EQ(second.numbers, numbers(7, 9));
  EXPECT_EQ(activity(third), RSTREAM_ACTIVITY_STANDBY);
  EXPECT_EQ(third.messages, 0u);
  close(second);
  publish_singly(1);
  ASSERT_TRUE(wait_for(third, 10));
  expect_seen_once(11);
  EXPECT_EQ(a.updates + b.updates + c.updates, "+++");
}

// Others of the same name on another stream, or of another name, have their own turn.
TEST_F(single_active, a_group_is_a_name_on_a_stream) {
  publish_more(1);
  std::string second = other_stream("second");
  ASSERT_EQ(create_stream(second), 0);
  publish(second, 1);
  {
    consumer_probe a, b, c;
    a.on_update = b.on_update = c.on_update = [](bool) { return RSTREAM_UPDATE_DEFAULT; };
    join(a, nullptr, nullptr);
    join(b, nullptr, [](auto &o) { o.name = "another"; });
    join(c, nullptr, [&](auto &o) { o.stream = second.c_str(); });
    EXPECT_TRUE(run_until([&] { return a.messages && b.messages && c.messages; }));
  }
  EXPECT_EQ(delete_stream(second), 0);
}

// What the lost one had finished and not stored comes again, nothing is left out.
TEST_F(single_active, the_next_one_begins_after_what_a_lost_one_had_stored) {
  NEEDS_DISTURBANCE();
  publish_singly(4);
  consumer_probe &a = join(nullptr, [](auto &o) {
    o.store_every_messages = 4;
    o.recovery = RSTREAM_RECOVERY_NONE;
  });
  wait_stored("group", 3);
  publish_singly(3);
  ASSERT_TRUE(wait_for(a, 6));
  EXPECT_EQ(a.stats().stored_offset, 3u);
  rstream_env *elsewhere = open_env([](auto &o) { o.connection_name = "test.standby"; });
  consumer_probe &b = members.emplace_back();
  // It may be asked before the other one's connection is seen to be gone.
  b.on_update = [](bool) { return RSTREAM_UPDATE_DEFAULT; };
  join(b, elsewhere, nullptr);
  EXPECT_EQ(kill_connections(name, role::consumers), 1);
  ASSERT_TRUE(run_until([&] { return a.ended > 0; }));
  EXPECT_EQ(activity(a), RSTREAM_ACTIVITY_NONE);
  ASSERT_TRUE(wait_for(b, 6));
  EXPECT_EQ(b.numbers, numbers(4, 6));
}

// Scenario 80: two chunks are in the application's hands when it is told to stop.
TEST_F(single_active, scenario_80_stops_behind_the_chunks_that_are_held) {
  NEEDS_DISTURBANCE();
  publish_singly(4);
  std::vector<rstream_chunk *> held;
  std::vector<uint64_t> firsts;
  consumer_probe &c = members.emplace_back();
  c.on_chunk = [&](rstream_chunk *chunk) {
    EXPECT_EQ(c.updates.back(), '+') << "it is not its turn";
    firsts.push_back(number_of(rstream_chunk_next(chunk)));
    if (firsts.size() != 3 && firsts.size() != 4) return;
    rstream_chunk_retain(chunk);
    held.push_back(chunk);
  };
  join(c, nullptr, nullptr, consumer_probe::by_chunk);
  ASSERT_TRUE(run_until([&] { return held.size() == 2; }));
  ask_to_be(false);
  ASSERT_TRUE(run_until([&] { return c.updates == "+-"; }));
  EXPECT_EQ(activity(c), RSTREAM_ACTIVITY_STANDBY);
  publish_singly(2);
  EXPECT_EQ(firsts.size(), 4u);
  EXPECT_EQ(query("group").status, RSTREAM_BROKER_NO_OFFSET);
  for (rstream_chunk *chunk : held) rstream_chunk_release(chunk);
  wait_stored("group", 3);
  publish_singly(1);
  ask_to_be(true);
  ASSERT_TRUE(run_until([&] { return firsts.size() >= 7; }));
  EXPECT_EQ(c.updates, "+-+");
  EXPECT_EQ(firsts, numbers(0, 6));
}

// Messages are on their way all the time.
TEST_F(single_active, scenario_80_messages_stop_and_go_on_without_a_gap) {
  NEEDS_DISTURBANCE();
  rstream_env *publishing = open_env([](auto &o) { o.connection_name = "test.other"; });
  producer_probe p;
  ASSERT_EQ(p.open(publishing, stream), 0);
  consumer_probe &c = join();
  auto keep_publishing = [&] {
    for (int i = 0; i < 20 && p.sent - p.told < 2000; i++)
      ASSERT_EQ(p.send_number(p.sent), 0);
  };
  std::string expected = "+";
  for (int round = 0; round < 5; round++) {
    uint64_t before = seen.size();
    ASSERT_TRUE(run_until([&] {
      keep_publishing();
      return seen.size() > before + 500;
    }));
    ask_to_be(false);
    expected += '-';
    ASSERT_TRUE(run_until([&] {
      keep_publishing();
      return c.updates == expected;
    }));
    before = seen.size();
    ask_to_be(true);
    expected += '+';
    ASSERT_TRUE(run_until([&] {
      keep_publishing();
      return c.updates == expected && activity(c) == RSTREAM_ACTIVITY_ACTIVE;
    }));
  }
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(c.updates, expected);
  expect_seen_once(p.sent);
}

// Scenario 45: on_update may ask and store, and answer later where to begin.
TEST_F(single_active, scenario_45_offsets_are_asked_for_and_stored_inside_on_update) {
  publish_singly(10);
  EXPECT_EQ(store("group", 2), 0);
  wait_stored("group", 2);
  consumer_probe &c = members.emplace_back();
  static uint64_t found;
  found = 0;
  c.on_update = [&](bool active) {
    EXPECT_TRUE(active);
    EXPECT_EQ(rstream_consumer_store_offset(c.handle, 5), 0);
    auto on_result = [](rstream_consumer *consumer, int status, uint64_t offset, void *) {
      EXPECT_EQ(status, 0);
      found = offset;
      EXPECT_EQ(rstream_consumer_update_done(consumer, RSTREAM_OFFSET_OFFSET, offset + 2),
                0);
    };
    EXPECT_EQ(rstream_consumer_query_offset(c.handle, on_result, nullptr), 0);
    return RSTREAM_UPDATE_LATER;
  };
  join(c, nullptr, nullptr);
  ASSERT_TRUE(wait_for(c, 9));
  EXPECT_EQ(found, 5u);
  EXPECT_EQ(c.numbers, numbers(7, 9));
  EXPECT_EQ(c.updates, "+");
}

// Scenario 82: nobody will ever answer, but the next one has its turn.
TEST_F(single_active, scenario_82_closed_while_an_update_is_pending) {
  publish_singly(3);
  consumer_probe &a = members.emplace_back();
  a.on_update = [](bool) { return RSTREAM_UPDATE_LATER; };
  join(a, nullptr, nullptr);
  ASSERT_TRUE(run_until([&] { return a.updates == "+"; }));
  EXPECT_EQ(activity(a), RSTREAM_ACTIVITY_STANDBY);
  rstream_env *elsewhere = open_env();
  consumer_probe &b = join(elsewhere);
  EXPECT_EQ(b.updates, "");
  close(a);
  ASSERT_TRUE(wait_for(b, 2));
  EXPECT_EQ(a.messages, 0u);
  EXPECT_EQ(b.updates, "+");
  expect_seen_once(3);
}

// Scenario 82: twenty members come and go. After each step somebody has the turn, never
// two of them, and every message is handed out once.
TEST_F(single_active, scenario_82_members_come_and_go_and_one_is_active) {
  constexpr size_t most_members = 20;
  constexpr int steps = 120;
  std::mt19937 random(82);
  std::vector<rstream_env *> envs = {
      env, open_env(), open_env([](auto &o) { o.max_consumers_per_connection = 1; })};
  std::vector<consumer_probe *> open;
  consumer_probe *active = nullptr;
  for (int step = 0; step < steps; step++) {
    SCOPED_TRACE(step);
    size_t wanted = 1 + random() % most_members;
    bool joins = open.size() < wanted;
    if (joins || open.size() < 2) {
      open.push_back(&join(envs[random() % envs.size()]));
    } else {
      // The active one as often as all others together.
      size_t index = random() % open.size();
      for (size_t i = 0; random() % 2 && i < open.size(); i++) {
        if (open[i] == active) index = i;
      }
      close(*open[index]);
      open.erase(open.begin() + static_cast<ptrdiff_t>(index));
    }
    if (random() % 3 == 0) publish_more(1 + random() % 20);
    ASSERT_TRUE(run_until([&] {
      active = nullptr;
      for (consumer_probe *c : open) {
        if (activity(*c) == RSTREAM_ACTIVITY_ACTIVE) active = c;
      }
      return active != nullptr;
    })) << open.size();
    size_t turns = 0;
    for (consumer_probe *c : open) turns += activity(*c) == RSTREAM_ACTIVITY_ACTIVE;
    ASSERT_EQ(turns, 1u);
  }
  expect_seen_once(published);
  EXPECT_GT(members.size(), most_members);
}
