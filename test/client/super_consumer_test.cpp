// Reading the partitions of a super stream. Scenario 86: one partition's stream is
// deleted, the others go on.
#include "client/super_consumer.h"
#include "client/consumer_internal.h"

#include "super_stream.h"

namespace rstream::test {

namespace {

// What a super consumer told.
struct group_log {
  std::map<std::string, std::string> messages;  // by partition: "a b c"
  std::map<std::string, int> active;            // by on_update
  std::string events;
  std::vector<int> states;
  int reason = 0;
  int closed = 0;
  int closed_status = 1;
  size_t count = 0;
  rstream_super_consumer *handle = nullptr;
  std::function<void()> on_message_too;

  static group_log *of(void *user) { return static_cast<group_log *>(user); }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  bool ended() const { return !states.empty() && states.back() == RSTREAM_STATE_CLOSED; }

  rstream_consumer_options of_partitions() {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.user = this;
    o.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
      group_log *log = of(user);
      EXPECT_EQ(rstream_consumer_super(c), log->handle);
      std::string &text = log->messages[rstream_consumer_stream(c)];
      text += (text.empty() ? "" : " ") + text_of({m->body, m->body_size});
      log->count++;
      if (log->on_message_too) log->on_message_too();
    };
    return o;
  }
  rstream_super_consumer_options options(const rstream_consumer_options &consumer) {
    rstream_super_consumer_options o;
    rstream_super_consumer_options_init(&o);
    o.super_stream = "orders";
    o.consumer = &consumer;
    o.user = this;
    o.on_state = [](rstream_super_consumer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
      of(user)->reason = s->reason;
      EXPECT_STREQ(s->stream, "orders");
    };
    o.on_partition = [](rstream_super_consumer *, const rstream_partition_event *e,
                        void *user) {
      std::string name = e->partition;
      of(user)->events += e->change == RSTREAM_PARTITION_ADDED ? '+' + name + ' '
                          : e->change == RSTREAM_PARTITION_REMOVED
                              ? '-' + name + ' '
                              : name + ':' + std::to_string(e->state) + ' ';
    };
    return o;
  }
  static void on_closed(rstream_super_consumer *, int status, void *user) {
    of(user)->closed++;
    of(user)->closed_status = status;
  }
  bool told(const char *event) const { return events.find(event) != std::string::npos; }
};

struct super_consumers : orders_client {
  std::deque<group_log> logs;  // outlive the environment

  group_log &open(const rstream_consumer_options &consumer, group_log *log = nullptr) {
    if (!env) create();
    if (!log) log = &logs.emplace_back();
    rstream_super_consumer_options o = log->options(consumer);
    EXPECT_EQ(rstream_super_consumer_open(&log->handle, env, &o), 0) << error();
    return *log;
  }
  group_log &open() {
    group_log &log = logs.emplace_back();
    return open(log.of_partitions(), &log);
  }
  void wait_open(group_log &log) {
    ASSERT_TRUE(run_until([&] { return log.is_open() || log.ended(); }));
    ASSERT_TRUE(log.is_open()) << log.reason;
  }
  void put(const std::string &partition, std::string_view body) {
    fake::stream_append(*fake::stream_find(cluster(), partition), bytes_of(body));
  }
  void look_again(group_log &log) {
    uint64_t answers = log.handle->watch.answers;
    net_timer_start(*env->world, log.handle->watch.timer, 0);
    EXPECT_TRUE(
        run_until([&] { return log.handle->watch.answers > answers || log.ended(); }));
  }
  bool close(group_log &log) {
    EXPECT_EQ(rstream_super_consumer_close(log.handle, group_log::on_closed), 0);
    return run_until([&] { return log.closed > 0; });
  }
};

}  // namespace

TEST_F(super_consumers, each_partition_comes_in_order) {
  make_orders(3);
  for (int i = 0; i < 5; i++) put("orders-1", std::to_string(i));
  put("orders-0", "a");
  group_log &log = open();
  wait_open(log);
  ASSERT_TRUE(run_until([&] { return log.count == 6; }));
  put("orders-2", "z");
  put("orders-0", "b");
  ASSERT_TRUE(run_until([&] { return log.count == 8; }));
  EXPECT_EQ(log.messages["orders-0"], "a b");
  EXPECT_EQ(log.messages["orders-1"], "0 1 2 3 4");
  EXPECT_EQ(log.messages["orders-2"], "z");
  EXPECT_EQ(log.states, std::vector<int>{RSTREAM_STATE_OPEN});
  EXPECT_EQ(rstream_super_consumer_partition_count(log.handle), 3u);
  EXPECT_STREQ(rstream_super_consumer_partition(log.handle, 2), "orders-2");
  EXPECT_EQ(rstream_super_consumer_partition(log.handle, 3), nullptr);
  EXPECT_EQ(stats().consumers, 3u);
  EXPECT_TRUE(close(log));
  EXPECT_EQ(log.closed_status, 0);
  EXPECT_EQ(stats().consumers, 0u);
  EXPECT_EQ(frames_of(wire::key::unsubscribe), 3u);
}

TEST_F(super_consumers, a_super_stream_that_does_not_exist_ends_it) {
  group_log &log = open();
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_TRUE(close(log));
  EXPECT_EQ(log.closed_status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

// ---- scenario 86

TEST_F(super_consumers, scenario_86_one_partition_that_is_deleted_stops_no_other) {
  make_orders(3);
  group_log &log = open();
  wait_open(log);
  delete_partition("orders-1");
  ASSERT_TRUE(run_until([&] { return log.told("orders-1:3"); }));
  put("orders-0", "a");
  put("orders-2", "b");
  ASSERT_TRUE(run_until([&] { return log.count == 2; }));
  EXPECT_FALSE(log.ended());
  ASSERT_TRUE(run_until([&] { return log.told("-orders-1"); }));
  EXPECT_EQ(rstream_super_consumer_partition_count(log.handle), 2u);
  put("orders-0", "c");
  ASSERT_TRUE(run_until([&] { return log.count == 3; }));
}

TEST_F(super_consumers, scenario_86_one_that_can_not_be_opened_stops_no_other) {
  make_orders(2);
  cluster().streams.erase("orders-1");
  group_log &log = open();
  wait_open(log);
  EXPECT_TRUE(log.told("orders-0:1"));
  EXPECT_TRUE(log.told("orders-1:3"));
  put("orders-0", "a");
  ASSERT_TRUE(run_until([&] { return log.count == 1; }));
  fake::stream_create(cluster(), "orders-1");
  look_again(log);
  put("orders-1", "b");
  ASSERT_TRUE(run_until([&] { return log.count == 2; }));
  EXPECT_TRUE(log.told("orders-1:1"));
}

TEST_F(super_consumers, all_partitions_gone_with_their_super_stream_end_it) {
  make_orders(2);
  group_log &log = open();
  wait_open(log);
  cluster().super_streams.clear();
  for (const char *name : {"orders-0", "orders-1"}) fake::stream_delete(cluster(), name);
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

// ---- partitions that come and go

TEST_F(super_consumers, a_partition_added_later_is_read_from_its_first_message) {
  make_orders(1);
  put("orders-0", "old");
  group_log &log = logs.emplace_back();
  rstream_consumer_options next = log.of_partitions();
  next.offset_type = RSTREAM_OFFSET_NEXT;
  open(next, &log);
  wait_open(log);
  add_partition("orders-1", "1");
  put("orders-1", "a");
  put("orders-1", "b");
  put("orders-0", "new");
  look_again(log);
  ASSERT_TRUE(run_until([&] { return log.count == 3; }));
  EXPECT_EQ(log.messages["orders-0"], "new");
  EXPECT_EQ(log.messages["orders-1"], "a b");
  EXPECT_TRUE(log.told("+orders-1"));
}

TEST_F(super_consumers, one_that_ended_goes_on_behind_what_was_finished) {
  make_orders(1);
  put("orders-0", "a");
  put("orders-0", "b");
  group_log &log = open();
  wait_open(log);
  ASSERT_TRUE(run_until([&] { return log.count == 2; }));
  rstream_consumer *c = rstream_super_consumer_partition_consumer(log.handle, 0);
  ASSERT_NE(c, nullptr);
  consumer_end(c, RSTREAM_EUNAVAILABLE, "the test says so");
  ASSERT_TRUE(run_until([&] { return log.told("orders-0:3"); }));
  put("orders-0", "c");
  look_again(log);
  ASSERT_TRUE(run_until([&] {
    if (log.count < 3) look_again(log);
    return log.count >= 3;
  }));
  EXPECT_EQ(log.messages["orders-0"], "a b c");
}

TEST_F(super_consumers, one_that_is_not_listed_any_more_is_left) {
  make_orders(2);
  group_log &log = open();
  wait_open(log);
  cluster().super_streams["orders"].partitions.pop_back();
  cluster().super_streams["orders"].binding_keys.pop_back();
  look_again(log);
  EXPECT_TRUE(log.told("-orders-1"));
  ASSERT_TRUE(run_until([&] { return stats().consumers == 1; }));
  put("orders-1", "x");
  put("orders-0", "y");
  ASSERT_TRUE(run_until([&] { return log.count == 1; }));
  EXPECT_EQ(log.messages["orders-1"], "");
}

// ---- what consumers can do

TEST_F(super_consumers, offsets_are_kept_for_each_partition) {
  make_orders(2);
  for (int i = 0; i < 3; i++) put("orders-0", std::to_string(i));
  put("orders-1", "a");
  for (int run = 0; run < 2; run++) {
    group_log &log = logs.emplace_back();
    rstream_consumer_options o = log.of_partitions();
    o.name = "app";
    open(o, &log);
    wait_open(log);
    if (run == 1) put("orders-1", "b");
    size_t expected = run == 0 ? 4 : 1;
    ASSERT_TRUE(run_until([&] { return log.count >= expected; }));
    ASSERT_TRUE(close(log));
    EXPECT_EQ(log.count, expected);
  }
  EXPECT_EQ(fake::stream_find(cluster(), "orders-0")->offsets["app"], 2u);
  EXPECT_EQ(fake::stream_find(cluster(), "orders-1")->offsets["app"], 1u);
}

TEST_F(super_consumers, pausing_holds_all_partitions_also_new_ones) {
  make_orders(2);
  group_log &log = open();
  EXPECT_EQ(rstream_super_consumer_pause(log.handle), 0);
  wait_open(log);
  put("orders-0", "a");
  add_partition("orders-2", "2");
  put("orders-2", "c");
  look_again(log);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).chunks_sent == 2; }));
  ASSERT_TRUE(run_until([&] { return log.told("orders-2:1"); }));
  for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);
  EXPECT_EQ(log.count, 0u);
  EXPECT_EQ(rstream_super_consumer_resume(log.handle), 0);
  ASSERT_TRUE(run_until([&] { return log.count == 2; }));
}

TEST_F(super_consumers, what_may_be_held_is_shared) {
  make_orders(4);
  group_log &log = logs.emplace_back();
  rstream_consumer_options o = log.of_partitions();
  o.max_bytes_held = 4000;
  open(o, &log);
  wait_open(log);
  rstream_consumer *c = rstream_super_consumer_partition_consumer(log.handle, 3);
  EXPECT_EQ(c->options.max_bytes_held, 1000u);
  cluster().super_streams["orders"].partitions.resize(2);
  look_again(log);
  c = rstream_super_consumer_partition_consumer(log.handle, 0);
  EXPECT_EQ(c->options.max_bytes_held, 2000u);
}

TEST_F(super_consumers, filter_values_outlive_the_options) {
  make_orders(1);
  group_log &log = logs.emplace_back();
  {
    std::string value = "emea";
    const char *values[] = {value.c_str()};
    rstream_consumer_options o = log.of_partitions();
    o.filter_values = values;
    o.filter_value_count = 1;
    open(o, &log);
    value = "xxxx";
  }
  wait_open(log);
  add_partition("orders-1", "1");
  look_again(log);
  ASSERT_TRUE(run_until([&] { return log.told("orders-1:1"); }));
  for (const char *name : {"orders-0", "orders-1"})
    EXPECT_EQ(fake::subscription_of(cluster(), name)->filters,
              std::set<std::string>{"emea"});
}

TEST_F(super_consumers, the_consumer_of_a_partition_is_not_the_applications_to_close) {
  make_orders(1);
  group_log &log = open();
  wait_open(log);
  rstream_consumer *c = rstream_super_consumer_partition_consumer(log.handle, 0);
  EXPECT_EQ(rstream_consumer_close(c, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_super(c), log.handle);
  EXPECT_EQ(rstream_consumer_super(nullptr), nullptr);
  EXPECT_EQ(rstream_super_consumer_partition_consumer(log.handle, 1), nullptr);
}

TEST_F(super_consumers, it_may_be_closed_from_a_message) {
  make_orders(3);
  for (int i = 0; i < 3; i++) put("orders-" + std::to_string(i), "x");
  group_log &log = open();
  log.on_message_too = [&] {
    EXPECT_EQ(rstream_super_consumer_close(log.handle, group_log::on_closed), 0);
    EXPECT_EQ(rstream_super_consumer_close(log.handle, group_log::on_closed),
              RSTREAM_ECLOSED);
    EXPECT_EQ(rstream_super_consumer_pause(log.handle), RSTREAM_ECLOSED);
  };
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.count, 1u);
}

TEST_F(super_consumers, the_environment_closes_it) {
  make_orders(3);
  group_log &open_one = open();
  wait_open(open_one);
  open();  // still looking
  close_env();
}

TEST_F(super_consumers, wrong_options_are_refused) {
  create();
  group_log &log = logs.emplace_back();
  rstream_super_consumer *c = nullptr;
  auto refuses = [&](auto change) {
    rstream_consumer_options co = log.of_partitions();
    rstream_super_consumer_options o = log.options(co);
    change(o, co);
    EXPECT_EQ(rstream_super_consumer_open(&c, env, &o), RSTREAM_EINVAL);
    EXPECT_EQ(c, nullptr);
  };
  using options_t = rstream_super_consumer_options;
  using consumer_t = rstream_consumer_options;
  refuses([](options_t &o, consumer_t &) { o.super_stream = ""; });
  refuses([](options_t &o, consumer_t &) { o.consumer = nullptr; });
  refuses([](options_t &o, consumer_t &) { o.refresh_interval_ms = 10; });
  refuses([](options_t &o, consumer_t &) { o.struct_size = 0; });
  refuses([](options_t &, consumer_t &co) { co.stream = "s"; });
  refuses([](options_t &, consumer_t &co) { co.on_message = nullptr; });
  refuses([](options_t &, consumer_t &co) { co.single_active = 1; });
  EXPECT_EQ(rstream_super_consumer_open(&c, env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_consumer_close(nullptr, nullptr), RSTREAM_EINVAL);
}

// ---- single active consumers of a group

namespace {

struct super_groups : super_consumers {
  group_log &join() {
    group_log &log = logs.emplace_back();
    rstream_consumer_options o = log.of_partitions();
    o.name = "app";
    o.single_active = 1;
    o.on_update = [](rstream_consumer *c, int active, void *user) {
      group_log::of(user)->active[rstream_consumer_stream(c)] = active;
      return RSTREAM_UPDATE_DEFAULT;
    };
    open(o, &log);
    EXPECT_TRUE(run_until([&] { return log.is_open(); }));
    return log;
  }
  // "0 2": the partitions it reads.
  std::string reads(const group_log &log) {
    std::string text;
    for (uint32_t i = 0; i < log.handle->count; i++) {
      const rstream_consumer *c =
          rstream_super_consumer_partition_consumer(log.handle, i);
      if (rstream_consumer_activity(c) == RSTREAM_ACTIVITY_ACTIVE)
        text += (text.empty() ? "" : " ") + std::to_string(i);
    }
    return text;
  }
  bool settle(std::vector<std::pair<group_log *, std::string>> expected) {
    return run_until([&] {
      for (auto &[log, partitions] : expected) {
        if (reads(*log) != partitions) return false;
      }
      return true;
    });
  }
};

}  // namespace

TEST_F(super_groups, partitions_are_shared_by_those_who_come_and_go) {
  make_orders(3);
  group_log &first = join();
  ASSERT_TRUE(settle({{&first, "0 1 2"}}));
  EXPECT_EQ(fake::subscription_of(cluster(), "orders-1")->properties["super-stream"],
            "orders");
  group_log &second = join();
  ASSERT_TRUE(settle({{&first, "0 2"}, {&second, "1"}}));
  group_log &third = join();
  ASSERT_TRUE(settle({{&first, "0"}, {&second, "1"}, {&third, "2"}}));
  for (int i = 0; i < 3; i++) put("orders-" + std::to_string(i), "x");
  ASSERT_TRUE(run_until([&] { return first.count + second.count + third.count == 3; }));
  EXPECT_EQ(first.messages["orders-0"], "x");
  EXPECT_EQ(second.messages["orders-1"], "x");
  EXPECT_EQ(third.messages["orders-2"], "x");
  ASSERT_TRUE(close(second));
  ASSERT_TRUE(settle({{&first, "0 2"}, {&third, "1"}}));
  ASSERT_TRUE(close(first));
  ASSERT_TRUE(settle({{&third, "0 1 2"}}));
}

TEST_F(super_groups, who_takes_over_goes_on_behind_the_one_before) {
  make_orders(2);
  group_log &first = join();
  ASSERT_TRUE(settle({{&first, "0 1"}}));
  for (int i = 0; i < 5; i++) put("orders-1", std::to_string(i));
  ASSERT_TRUE(run_until([&] { return first.count == 5; }));
  group_log &second = join();
  ASSERT_TRUE(settle({{&first, "0"}, {&second, "1"}}));
  EXPECT_EQ(first.active["orders-1"], 0);
  EXPECT_EQ(first.active["orders-0"], 1);
  put("orders-1", "5");
  ASSERT_TRUE(run_until([&] { return second.count == 1; }));
  EXPECT_EQ(second.messages["orders-1"], "5");
  ASSERT_TRUE(close(second));
  put("orders-1", "6");
  ASSERT_TRUE(run_until([&] { return first.count == 6; }));
  EXPECT_EQ(first.messages["orders-1"], "0 1 2 3 4 6");
}

}  // namespace rstream::test
