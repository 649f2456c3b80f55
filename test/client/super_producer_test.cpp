// Publishing to the partitions of a super stream.
#include "client/routing.h"
#include "codec/amqp_decode.h"
#include "super_stream.h"

namespace rstream::test {

namespace {

struct super_producers : super_client {};

std::string numbered(const char *prefix, int i) { return prefix + std::to_string(i); }

}  // namespace

TEST_F(super_producers, keys_decide_and_each_message_has_its_outcome) {
  make_orders(3);
  open_super();
  wait_open();
  uint64_t id[3];
  EXPECT_EQ(send_to("hello1", "a", &id[0]), 0);  // of three: 1
  EXPECT_EQ(send_to("amer", "b", &id[1]), 0);    // 2
  EXPECT_EQ(send_to("hello", "c", &id[2]), 0);   // 0
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(in("orders-0"), "c");
  EXPECT_EQ(in("orders-1"), "a");
  EXPECT_EQ(in("orders-2"), "b");
  EXPECT_EQ(log.with(0, "orders-0"), 1u);
  EXPECT_EQ(log.with(0, "orders-1"), 1u);
  EXPECT_EQ(log.with(0, "orders-2"), 1u);
  for (uint64_t i : id) EXPECT_EQ(log.told[i], 1) << i;
  EXPECT_EQ(log.told.size(), 3u) << "ids are unique over the partitions";
  EXPECT_TRUE(close_super());
  EXPECT_EQ(log.closed_status, 0);
}

TEST_F(super_producers, partitions_are_connected_to_when_messages_go_there) {
  make_orders(3);
  open_super();
  wait_open();
  EXPECT_EQ(frames_of(wire::key::declare_publisher), 0u);
  EXPECT_EQ(send_to("hello", "a"), 0);
  EXPECT_EQ(send_to("hello", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(frames_of(wire::key::declare_publisher), 1u);
  EXPECT_EQ(super_stats().partitions_open, 1u);
  EXPECT_EQ(super_stats().partitions, 3u);
  EXPECT_EQ(stats().producers, 1u);
}

TEST_F(super_producers, messages_are_accepted_before_the_partitions_are_known) {
  make_orders(3);
  open_super();
  std::string sent[3];
  for (int i = 0; i < 60; i++) {
    std::string key = numbered("key-", i % 7), body = numbered("m", i);
    remainder_of three;
    three.set(3);
    std::string &expected = sent[route_by_hash(key, three)];
    expected += (expected.empty() ? "" : " ") + body;
    ASSERT_EQ(send_to(key, body), 0);
  }
  EXPECT_EQ(super_stats().messages_waiting, 60u);
  EXPECT_EQ(super_stats().messages_in_flight, 60u);
  EXPECT_TRUE(log.outcomes.empty());
  ASSERT_TRUE(wait_for(60));
  for (int i = 0; i < 3; i++) EXPECT_EQ(in(numbered("orders-", i)), sent[i]);
  EXPECT_EQ(log.told.size(), 60u);
  rstream_super_producer_stats x = super_stats();
  EXPECT_EQ(x.messages_sent, 60u);
  EXPECT_EQ(x.messages_confirmed, 60u);
  EXPECT_EQ(x.messages_in_flight, 0u);
  EXPECT_EQ(x.bytes_in_flight, 0u);
  EXPECT_EQ(x.messages_waiting, 0u);
}

TEST_F(super_producers, order_holds_within_a_partition_from_the_first_message_on) {
  make_orders(2);
  open_super();
  std::string sent[2];
  remainder_of two;
  two.set(2);
  for (int i = 0; i < 500; i++) {
    std::string key = numbered("key-", i % 11), body = numbered("", i);
    std::string &expected = sent[route_by_hash(key, two)];
    expected += (expected.empty() ? "" : " ") + body;
    ASSERT_EQ(send_to(key, body), 0);
    if (i % 50 == 10) uv_run(&loop, UV_RUN_NOWAIT);  // some go straight, some wait
  }
  ASSERT_TRUE(wait_for(500));
  EXPECT_EQ(in("orders-0"), sent[0]);
  EXPECT_EQ(in("orders-1"), sent[1]);
}

TEST_F(super_producers, a_super_stream_that_does_not_exist_ends_it) {
  open_super();
  EXPECT_EQ(send_to("a", "b"), 0);
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(log.summary(), "-21002:- ");
  EXPECT_EQ(send_to("a", "b"), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_super_producer_state(s), RSTREAM_STATE_CLOSED);
  EXPECT_TRUE(close_super());
  EXPECT_EQ(log.closed_status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(super_producers, without_partitions_no_message_has_a_route) {
  cluster().super_streams["orders"];
  open_super();
  EXPECT_EQ(send_to("a", "b"), 0);
  wait_open();
  EXPECT_EQ(send_to("a", "c"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.summary(), "-20020:- -20020:- ");
  EXPECT_EQ(super_stats().messages_unrouted, 2u);
  EXPECT_EQ(super_stats().messages_failed, 2u);
  EXPECT_EQ(super_stats().messages_sent, 2u);
}

// Keys are remembered, and of every length; partitions that are added move them.
TEST_F(super_producers, keys_lead_to_the_same_partition_however_often) {
  make_orders(3);
  open_super();
  wait_open();
  std::vector<std::string> keys, sent(4);
  for (size_t n = 1; n <= 20; n++) {
    for (const char *end : {"1", "2", "3"})
      keys.push_back(std::string("abcdefghijklmnopqrs", n - 1) + end);
  }
  size_t count = 0;
  auto send_all = [&](uint32_t partitions) {
    remainder_of divide;
    divide.set(partitions);
    for (const std::string &key : keys) {
      std::string body = numbered("", static_cast<int>(++count));
      std::string &expected = sent[route_by_hash(key, divide)];
      expected += (expected.empty() ? "" : " ") + body;
      ASSERT_EQ(send_to(key, body), 0);
    }
    ASSERT_TRUE(wait_for(count));
  };
  for (int round = 0; round < 3; round++) send_all(3);
  add_partition("orders-3", "3");
  look_again();
  for (int round = 0; round < 3; round++) send_all(4);
  for (int i = 0; i < 4; i++) EXPECT_EQ(in(numbered("orders-", i)), sent[i]) << i;
}

// ---- the window

TEST_F(super_producers, one_window_for_all_partitions) {
  make_orders(3);
  of_partitions.max_messages_in_flight = 10;
  open_super();
  wait_open();
  for (int i = 0; i < 3; i++)
    fake::stream_find(cluster(), numbered("orders-", i))->hold_commits = true;
  for (int i = 0; i < 10; i++) EXPECT_EQ(send_to(numbered("key-", i), "x"), 0) << i;
  EXPECT_EQ(send_to("key-10", "x"), RSTREAM_EAGAIN);
  EXPECT_EQ(super_stats().messages_in_flight, 10u);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).entries == 10; }));
  EXPECT_EQ(log.writable, 0);
  for (int i = 0; i < 3; i++) {
    fake::stream &stream = *fake::stream_find(cluster(), numbered("orders-", i));
    stream.hold_commits = false;
    fake::stream_commit(stream);
  }
  ASSERT_TRUE(wait_for(10));
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  EXPECT_EQ(log.writable, 1);
  EXPECT_EQ(send_to("key-10", "x"), 0);
}

TEST_F(super_producers, bytes_in_flight_are_of_all_partitions_together) {
  make_orders(3);
  of_partitions.max_bytes_in_flight = 10000;
  open_super();
  wait_open();
  std::string body(1000, 'x');
  int accepted = 0;
  for (; accepted < 100; accepted++) {
    int rc = send_to(numbered("key-", accepted), body);
    if (rc < 0) {
      EXPECT_EQ(rc, RSTREAM_EAGAIN);
      break;
    }
  }
  EXPECT_EQ(accepted, 9) << "each is 1012 bytes on the wire";
  EXPECT_LE(super_stats().bytes_in_flight, 10000u);
  EXPECT_EQ(send_to("key", std::string(20000, 'y')), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  ASSERT_TRUE(wait_for(9));
  EXPECT_EQ(send_to("key", std::string(20000, 'y')), 0) << "one always fits";
}

TEST_F(super_producers, the_window_also_bounds_what_waits) {
  of_partitions.max_messages_in_flight = 5;
  make_orders(2);
  open_super();
  for (int i = 0; i < 5; i++) EXPECT_EQ(send_to("k", "x"), 0);
  EXPECT_EQ(send_to("k", "x"), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  EXPECT_EQ(send_to("k", "x"), 0);
  ASSERT_TRUE(wait_for(6));
}

TEST_F(super_producers, the_budget_of_the_environment_holds_too) {
  options.max_bytes_in_flight = 3000;
  make_orders(3);
  open_super();
  wait_open();
  int sent = 0;
  auto fill = [&] {
    while (sent < 50 && send_to(numbered("key-", sent), std::string(500, 'x')) == 0)
      sent++;
  };
  log.on_writable_too = fill;
  fill();
  EXPECT_LT(sent, 50);
  ASSERT_TRUE(wait_for(50));
  EXPECT_EQ(sent, 50);
  EXPECT_EQ(log.with(0, "orders-0") + log.with(0, "orders-1") + log.with(0, "orders-2"),
            50u);
}

TEST_F(super_producers, letters_wait_for_the_budget_of_the_environment) {
  options.max_bytes_in_flight = 3000;
  make_orders(3);
  open_super();
  for (int i = 0; i < 50; i++)
    ASSERT_EQ(send_to(numbered("key-", i), std::string(500, 'x')), 0);
  ASSERT_TRUE(wait_for(50));
  EXPECT_EQ(log.told.size(), 50u);
  EXPECT_EQ(super_stats().messages_confirmed, 50u);
}

// ---- flush and close

TEST_F(super_producers, flush_waits_for_all_partitions_and_for_what_waits) {
  make_orders(3);
  of_partitions.linger_ms = 10000;
  open_super();
  int flushed = 0;
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(numbered("key-", i), "x"), 0);
  auto on_flushed = [](rstream_super_producer *, int status, void *user) {
    EXPECT_EQ(status, 0);
    ++*static_cast<int *>(user);
  };
  size_t outcomes = 0;
  log.on_outcomes = [&] { outcomes = flushed == 0 ? log.outcomes.size() : outcomes; };
  ASSERT_EQ(rstream_super_producer_flush(s, on_flushed, &flushed), 0);
  // What waited lingers once it is delivered; another flush sends it.
  ASSERT_TRUE(run_until([&] { return super_stats().messages_waiting == 0; }));
  EXPECT_EQ(flushed, 0);
  ASSERT_EQ(rstream_super_producer_flush(s, on_flushed, &flushed), 0);
  ASSERT_TRUE(run_until([&] { return flushed == 2; }));
  EXPECT_EQ(outcomes, 30u);
  EXPECT_EQ(rstream_super_producer_flush(s, on_flushed, &flushed), 0)
      << "nothing to wait for";
  EXPECT_TRUE(run_until([&] { return flushed == 3; }));
}

TEST_F(super_producers, closing_drains_even_what_was_not_routed_yet) {
  make_orders(3);
  open_super();
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(numbered("key-", i), "x"), 0);
  ASSERT_TRUE(close_super());
  EXPECT_EQ(log.outcomes.size(), 30u);
  EXPECT_EQ(log.closed_status, 0);
  EXPECT_EQ(frames_of(wire::key::delete_publisher), 3u);
}

TEST_F(super_producers, closing_at_once_gives_every_message_its_outcome) {
  make_orders(3);
  open_super();
  wait_open();
  for (int i = 0; i < 3; i++)
    fake::stream_find(cluster(), numbered("orders-", i))->hold_commits = true;
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(numbered("key-", i), "x"), 0);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).entries == 30; }));
  EXPECT_EQ(rstream_super_producer_close(s, super_log::on_closed), 0);
  EXPECT_EQ(rstream_super_producer_close(s, super_log::on_closed), RSTREAM_ECLOSED);
  EXPECT_EQ(send_to("key", "x"), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_super_producer_flush(s, nullptr, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_super_producer_state(s), RSTREAM_STATE_DRAINING);
  EXPECT_EQ(rstream_super_producer_close_within(s, 0, nullptr), 0) << "cuts it short";
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.closed, 1);
  EXPECT_EQ(log.closed_status, RSTREAM_ECLOSED);
  EXPECT_EQ(log.outcomes.size(), 30u);
  for (auto &o : log.outcomes) EXPECT_EQ(o.status, RSTREAM_ECLOSED);
}

TEST_F(super_producers, closing_gives_up_when_its_time_is_over) {
  make_orders(1);
  of_partitions.close_timeout_ms = 50;
  open_super();
  wait_open();
  fake::stream_find(cluster(), "orders-0")->hold_commits = true;
  ASSERT_EQ(send_to("key", "x"), 0);
  ASSERT_TRUE(close_super());
  EXPECT_EQ(log.summary(), "-20005:orders-0 ");
  EXPECT_EQ(log.closed_status, RSTREAM_ECLOSED);
}

TEST_F(super_producers, the_environment_closes_it_and_drains_it_first) {
  make_orders(3);
  open_super();
  for (int i = 0; i < 20; i++) ASSERT_EQ(send_to(numbered("key-", i), "x"), 0);
  close_env();
  EXPECT_EQ(log.outcomes.size(), 20u);
  for (auto &o : log.outcomes) EXPECT_EQ(o.status, 0);
}

TEST_F(super_producers, it_may_be_closed_in_each_of_its_callbacks) {
  make_orders(2);
  for (int at = 0; at < 4; at++) {
    SCOPED_TRACE(at);
    log = super_log();
    static int when;
    when = at;
    auto close_when = [](int now, rstream_super_producer *p) {
      if (now == when) {
        when = -1;
        EXPECT_EQ(rstream_super_producer_close(p, super_log::on_closed), 0);
      }
    };
    static void (*act)(int, rstream_super_producer *) = nullptr;
    act = close_when;
    rstream_super_producer_options o = log.options();
    o.on_state = [](rstream_super_producer *p, const rstream_state *, void *) {
      act(0, p);
    };
    o.on_partition = [](rstream_super_producer *p, const rstream_partition_event *,
                        void *) { act(1, p); };
    o.on_confirm = [](rstream_super_producer *p, const rstream_super_confirms *c,
                      void *user) {
      for (size_t i = 0; i < c->count; i++) super_log::of(user)->told[c->ids[i]]++;
      act(2, p);
    };
    o.on_writable = [](rstream_super_producer *p, void *) { act(3, p); };
    of_partitions.max_messages_in_flight = 6;
    open_super(o);
    for (int i = 0; i < 7; i++) (void)send_to(numbered("key-", i), "x");
    ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
    EXPECT_EQ(log.told.size(), 6u);
  }
}

// ---- names

TEST_F(super_producers, a_name_has_its_sequence_in_each_partition) {
  make_orders(3);
  of_partitions.name = "till";
  std::string all[3];
  for (int run = 0; run < 2; run++) {
    log = super_log();
    open_super();
    for (int i = 0; i < 30; i++)
      ASSERT_EQ(send_to(numbered("key-", i), numbered("m", i)), 0);
    ASSERT_TRUE(wait_for(30));
    ASSERT_TRUE(close_super());
  }
  EXPECT_EQ(totals(cluster()).duplicates, 0u) << "the second run goes on from the first";
  uint64_t sum = 0;
  for (int i = 0; i < 3; i++)
    sum += fake::stream_find(cluster(), numbered("orders-", i))->sequences["till"];
  EXPECT_EQ(sum, 60u);
}

TEST_F(super_producers, given_ids_are_kept_and_deduplicated_by_partition) {
  make_orders(3);
  of_partitions.name = "till";
  of_partitions.ids_given = 1;
  for (int run = 0; run < 2; run++) {
    log = super_log();
    open_super();
    if (run == 1) wait_open();
    for (uint64_t i = 1; i <= 30; i++) {
      rstream_message m;
      rstream_message_init(&m);
      m.body = "x";
      m.body_size = 1;
      m.publishing_id = 10 * i;
      std::string key = numbered("key-", static_cast<int>(i));
      uint64_t id = 0;
      ASSERT_EQ(rstream_super_producer_send(s, &m, key.data(), key.size(), &id), 0)
          << error();
      EXPECT_EQ(id, 10 * i);
      m.publishing_id = 10 * i;
      EXPECT_EQ(rstream_super_producer_send(s, &m, key.data(), key.size(), &id),
                RSTREAM_EINVAL);
    }
    ASSERT_TRUE(wait_for(30));
    for (uint64_t i = 1; i <= 30; i++) EXPECT_EQ(log.told[10 * i], 1) << i;
    ASSERT_TRUE(close_super());
  }
  EXPECT_EQ(totals(cluster()).duplicates, 30u);
}

TEST_F(super_producers, a_partition_that_ended_is_not_remembered) {
  make_orders(3);
  open_super();
  wait_open();
  size_t count = 0;
  for (int round = 0; round < 3; round++) {
    ASSERT_EQ(send_to("hello1", "a"), 0);  // 1 of three
    ASSERT_EQ(send_to("hello", "b"), 0);   // 0
    ASSERT_TRUE(wait_for(count += 2));
  }
  delete_partition("orders-1");
  ASSERT_TRUE(run_until([&] { return super_stats().partitions_open == 1; }));
  ASSERT_EQ(send_to("hello1", "c"), 0);
  ASSERT_EQ(send_to("hello", "d"), 0);
  ASSERT_TRUE(wait_for(count += 2));
  EXPECT_EQ(in("orders-0"), "b b b d");
  size_t failed = 0;
  for (auto &o : log.outcomes) failed += o.status != 0;
  EXPECT_EQ(failed, 1u);
}

TEST_F(super_producers, what_a_partition_counts_outlives_its_producers) {
  make_orders(1);
  open_super();
  wait_open();
  rstream_producer_stats x;
  x.struct_size = sizeof x;
  auto look = [&] { EXPECT_EQ(rstream_super_producer_partition_stats(s, 0, &x), 0); };
  ASSERT_EQ(send_to("k", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  fake::peer_reset(*fake::publisher_of(cluster(), "orders-0")->peer);
  ASSERT_EQ(send_to("k", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  look();
  EXPECT_EQ(x.messages_confirmed, 2u);
  EXPECT_EQ(x.recoveries, 1u);
  EXPECT_GE(x.frames_sent, 2u);
  uint64_t frames = x.frames_sent;
  fake::stream_delete(cluster(), "orders-0");
  ASSERT_TRUE(run_until([&] { return super_stats().partitions_open == 0; }));
  fake::stream_create(cluster(), "orders-0");
  look_again();
  ASSERT_EQ(send_to("k", "c"), 0);
  ASSERT_TRUE(wait_for(3));
  look();
  EXPECT_EQ(x.messages_sent, 3u);
  EXPECT_EQ(x.messages_confirmed, 3u);
  EXPECT_EQ(x.messages_failed, 0u);
  EXPECT_EQ(x.messages_in_flight, 0u);
  EXPECT_EQ(x.bytes_in_flight, 0u);
  EXPECT_EQ(x.recoveries, 1u);
  EXPECT_EQ(x.frames_sent, frames + 1);
  EXPECT_EQ(rstream_super_producer_partition_stats(s, 1, &x), RSTREAM_EINVAL);
}

TEST_F(super_producers, two_of_one_name_are_refused) {
  make_orders(2);
  of_partitions.name = "till";
  open_super();
  rstream_super_producer *second = nullptr;
  rstream_super_producer_options o = log.options();
  o.producer = &of_partitions;
  EXPECT_EQ(rstream_super_producer_open(&second, env, &o), RSTREAM_EBUSY);
  EXPECT_EQ(second, nullptr);
}

// ---- what messages may have

TEST_F(super_producers, all_kinds_of_messages_waiting_or_not) {
  make_orders(1);
  of_partitions.codec = RSTREAM_CODEC_AMQP;
  open_super();
  std::string told;
  std::string entries;
  fake::on_frame(node(), wire::key::publish, [&](fake::peer &, const fake::frame &fr) {
    wire::publish frame;
    EXPECT_TRUE(fake::decoded(fr, frame));
    for (wire::publish_entry e; frame.entries.next(e);) {
      entries += std::to_string(e.id) + '[' + std::string(e.filter) + "]=";
      amqp_body body = amqp_body_of(e.body);
      entries += text_of(body.content) + '/' + std::to_string(e.body.size()) + ' ';
    }
    return fake::verdict::pass;
  });
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 2; i++) {
      rstream_amqp_properties properties;
      rstream_amqp_properties_init(&properties);
      properties.message_id = rstream_amqp_ulong(7);
      rstream_amqp_sections sections;
      rstream_amqp_sections_init(&sections);
      sections.properties = &properties;
      rstream_message m;
      rstream_message_init(&m);
      m.body = "body";
      m.body_size = 4;
      m.amqp = i == 1 ? &sections : nullptr;
      m.filter_value = "emea";
      m.filter_value_size = 4;
      m.outcome_user = &told;
      m.on_outcome = [](rstream_producer *p, uint64_t, int status, void *user) {
        EXPECT_EQ(p, nullptr);
        *static_cast<std::string *>(user) += std::to_string(status) + ' ';
      };
      ASSERT_EQ(rstream_super_producer_send(s, &m, "k", 1, nullptr), 0) << error();
    }
    ASSERT_TRUE(wait_for(2 * static_cast<size_t>(round + 1)));
  }
  EXPECT_EQ(told, "0 0 0 0 ");
  std::string twice = "1[emea]=body/9 2[emea]=body/17 3[emea]=body/9 4[emea]=body/17 ";
  EXPECT_EQ(entries, twice);
}

TEST_F(super_producers, sub_entries_of_each_partition) {
  make_orders(2);
  of_partitions.sub_entry_messages = 5;
  of_partitions.compression = RSTREAM_COMPRESSION_GZIP;
  open_super();
  for (int i = 0; i < 40; i++)
    ASSERT_EQ(send_to(numbered("key-", i), numbered("m", i)), 0);
  wait_open();
  for (int i = 40; i < 80; i++)
    ASSERT_EQ(send_to(numbered("key-", i), numbered("m", i)), 0);
  ASSERT_TRUE(wait_for(80));
  EXPECT_EQ(log.told.size(), 80u);
  EXPECT_LE(totals(cluster()).entries, 20u);
  for (auto &o : log.outcomes) EXPECT_EQ(o.status, 0);
}

TEST_F(super_producers, the_key_may_come_from_the_message) {
  make_orders(3);
  rstream_super_producer_options o = log.options();
  o.on_routing_key = [](const rstream_message *m, const char **key, size_t *size,
                        void *) {
    *key = static_cast<const char *>(m->body);
    *size = m->body_size;
    return *key[0] == '?' ? 0 : 1;
  };
  open_super(o);
  auto send = [&](const char *body) {
    return rstream_super_producer_send_bytes(s, body, strlen(body), nullptr, 0, nullptr);
  };
  EXPECT_EQ(send("hello1"), 0);
  EXPECT_EQ(send("?"), 0);
  wait_open();
  EXPECT_EQ(send("amer"), 0);
  EXPECT_EQ(send("?"), 0);
  EXPECT_EQ(send_to("hello", "hello1"), 0) << "a key that is given counts";
  ASSERT_TRUE(wait_for(5));
  EXPECT_EQ(in("orders-0"), "hello1");
  EXPECT_EQ(in("orders-1"), "hello1");
  EXPECT_EQ(in("orders-2"), "amer");
  EXPECT_EQ(log.with(RSTREAM_ENOROUTE, "-"), 2u);
}

TEST_F(super_producers, wrong_arguments_are_refused) {
  create();
  rstream_super_producer *p = nullptr;
  auto refuses = [&](auto change) {
    rstream_super_producer_options o = log.options();
    rstream_producer_options po;
    rstream_producer_options_init(&po);
    o.producer = &po;
    change(o, po);
    EXPECT_EQ(rstream_super_producer_open(&p, env, &o), RSTREAM_EINVAL);
    EXPECT_EQ(p, nullptr);
  };
  using options_t = rstream_super_producer_options;
  using producer_t = rstream_producer_options;
  refuses([](options_t &o, producer_t &) { o.super_stream = nullptr; });
  refuses([](options_t &o, producer_t &) { o.struct_size = 0; });
  refuses([](options_t &o, producer_t &) { o.refresh_interval_ms = 999; });
  refuses([](options_t &, producer_t &po) { po.stream = "s"; });
  refuses([](options_t &, producer_t &po) { po.struct_size = 0; });
  refuses([](options_t &, producer_t &po) { po.ids_given = 1; });
  refuses([](options_t &, producer_t &po) { po.recovery = RSTREAM_RECOVERY_MANUAL; });
  refuses([](options_t &, producer_t &po) {
    po.on_confirm = [](rstream_producer *, const rstream_confirms *, void *) {};
  });
  make_orders(1);
  open_super();
  EXPECT_EQ(rstream_super_producer_send_bytes(s, "x", 1, nullptr, 0, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(error(), "the routing key is missing");
  EXPECT_EQ(rstream_super_producer_send_bytes(s, nullptr, 1, "k", 1, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_super_producer_send_bytes(nullptr, "x", 1, "k", 1, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(send_to("k", std::string(2 << 20, 'x')), RSTREAM_EMSGSIZE);
  rstream_message m{};
  EXPECT_EQ(rstream_super_producer_send(s, &m, "k", 1, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(super_stats().messages_sent, 0u);
  EXPECT_EQ(rstream_super_producer_partition(s, 0), nullptr) << "not known yet";
  wait_open();
  EXPECT_STREQ(rstream_super_producer_partition(s, 0), "orders-0");
  EXPECT_EQ(rstream_super_producer_partition_count(s), 1u);
  EXPECT_EQ(send_to("k", std::string(2 << 20, 'x')), RSTREAM_EMSGSIZE);
}

TEST_F(super_producers, many_outcomes_are_told_in_pieces) {
  make_orders(3);
  open_super();
  for (int i = 0; i < 9000; i++) ASSERT_EQ(send_to(numbered("key-", i), "x"), 0);
  ASSERT_TRUE(wait_for(9000));
  EXPECT_EQ(log.told.size(), 9000u);
  for (auto &[id, times] : log.told) EXPECT_EQ(times, 1) << id;
  EXPECT_EQ(log.with(0, "orders-0") + log.with(0, "orders-1") + log.with(0, "orders-2"),
            9000u);
  EXPECT_EQ(super_stats().messages_confirmed, 9000u);
}

TEST_F(super_producers, a_thousand_partitions_and_a_thousand_keys) {
  make_orders(1000);
  rstream_super_producer_options o = log.options();
  o.routing = RSTREAM_ROUTING_KEY;
  open_super(o);
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < 1000; i++) ASSERT_EQ(send_to(std::to_string(i), "x"), 0);
    ASSERT_TRUE(wait_for(static_cast<size_t>(1000 * round)));
  }
  EXPECT_EQ(log.told.size(), 3000u);
  for (int i = 0; i < 1000; i++) EXPECT_EQ(in(numbered("orders-", i)), "x x x");
  EXPECT_EQ(frames_of(wire::key::route), 1000u);
  EXPECT_EQ(super_stats().partitions_open, 1000u);
  printf("%.1f MB for 1000 partitions and keys\n",
         static_cast<double>(stats().bytes_allocated) / 1e6);
}

}  // namespace rstream::test
