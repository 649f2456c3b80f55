// Scenario 85: routing by key with one partition, several or none, a partition that was
// deleted; and the application's own routing.
#include "super_stream.h"

namespace rstream::test {

namespace {

struct scenario_85 : super_client {
  void open_by_key() {
    rstream_super_producer_options o = log.options();
    o.routing = RSTREAM_ROUTING_KEY;
    open_super(o);
  }
  void bind(std::vector<std::string> keys) {
    cluster().super_streams["orders"].binding_keys = std::move(keys);
  }
};

}  // namespace

TEST_F(scenario_85, each_key_goes_where_it_is_bound) {
  make_orders(3);
  bind({"emea", "amer", "apac"});
  open_by_key();
  for (const char *key : {"amer", "emea", "apac", "amer", "nowhere", "emea"})
    ASSERT_EQ(send_to(key, key), 0);
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(in("orders-0"), "emea emea");
  EXPECT_EQ(in("orders-1"), "amer amer");
  EXPECT_EQ(in("orders-2"), "apac");
  EXPECT_EQ(log.with(RSTREAM_ENOROUTE, "-"), 1u);
  EXPECT_EQ(log.with(0, "orders-0"), 2u);
  EXPECT_EQ(super_stats().messages_unrouted, 1u);
}

TEST_F(scenario_85, each_key_is_asked_for_once) {
  make_orders(3);
  open_by_key();
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(std::to_string(i % 5), "x"), 0);
  ASSERT_TRUE(wait_for(30));
  EXPECT_EQ(frames_of(wire::key::route), 5u);
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(std::to_string(i % 5), "x"), 0);
  ASSERT_TRUE(wait_for(60));
  EXPECT_EQ(frames_of(wire::key::route), 5u) << "also that there is none";
  EXPECT_EQ(super_stats().routes, 5u);
  EXPECT_EQ(log.with(RSTREAM_ENOROUTE, "-"), 24u);
}

TEST_F(scenario_85, a_message_to_several_partitions_has_one_outcome) {
  make_orders(3);
  bind({"all", "one", "all"});
  open_by_key();
  uint64_t several, single;
  ASSERT_EQ(send_to("all", "a", &several), 0);
  ASSERT_EQ(send_to("one", "b", &single), 0);
  ASSERT_TRUE(wait_for(2));
  ASSERT_EQ(send_to("all", "c"), 0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(in("orders-0"), "a c");
  EXPECT_EQ(in("orders-1"), "b");
  EXPECT_EQ(in("orders-2"), "a c");
  EXPECT_EQ(log.with(0, "-"), 2u);
  EXPECT_EQ(log.with(0, "orders-1"), 1u);
  EXPECT_EQ(log.told[several], 1);
  EXPECT_EQ(log.told[single], 1);
  rstream_super_producer_stats x = super_stats();
  EXPECT_EQ(x.messages_sent, 3u);
  EXPECT_EQ(x.messages_confirmed, 3u);
  EXPECT_EQ(x.messages_in_flight, 0u);
}

TEST_F(scenario_85, the_window_counts_a_message_once_however_many_get_it) {
  make_orders(3);
  bind({"all", "all", "all"});
  of_partitions.max_messages_in_flight = 4;
  open_by_key();
  ASSERT_EQ(send_to("all", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  for (int i = 0; i < 3; i++)
    fake::stream_find(cluster(), "orders-" + std::to_string(i))->hold_commits = true;
  for (int i = 0; i < 4; i++) ASSERT_EQ(send_to("all", "b"), 0) << i;
  EXPECT_EQ(send_to("all", "b"), RSTREAM_EAGAIN);
  EXPECT_EQ(super_stats().messages_in_flight, 4u);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).entries == 15; }));
  for (int i = 0; i < 3; i++) {
    fake::stream &stream = *fake::stream_find(cluster(), "orders-" + std::to_string(i));
    stream.hold_commits = false;
    fake::stream_commit(stream);
  }
  ASSERT_TRUE(wait_for(5));
  ASSERT_TRUE(run_until([&] { return log.writable == 1; }));
}

TEST_F(scenario_85, closing_the_environment_drains_what_waits_into_open_partitions) {
  make_orders(1);
  open_by_key();
  ASSERT_EQ(send_to("0", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  bind({"late"});
  fake::on_frame(node(), wire::key::route, [&](fake::peer &p, const fake::frame &fr) {
    byte_vector copy(fr.whole.begin(), fr.whole.end());
    fake::peer_later(p, 50, [copy](fake::peer &later) {
      fake::frame again{wire::raw(wire::key::route), 1, wire::bytes(copy).subspan(8),
                        copy};
      fake::peer_handle(later, again);
    });
    return fake::verdict::handled;
  });
  ASSERT_EQ(send_to("late", "b"), 0);
  close_env();
  EXPECT_EQ(log.summary(), "0:orders-0 0:orders-0 ");
  EXPECT_EQ(in("orders-0"), "a b");
}

TEST_F(scenario_85, one_partition_that_refuses_decides_the_outcome) {
  make_orders(3);
  bind({"all", "all", "all"});
  open_by_key();
  ASSERT_EQ(send_to("all", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  fake::stream_delete(cluster(), "orders-1");
  ASSERT_TRUE(
      run_until([&] { return log.events.find("orders-1:3") != std::string::npos; }));
  ASSERT_EQ(send_to("all", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.outcomes[1].partition, "-");
  EXPECT_LT(log.outcomes[1].status, 0);
  EXPECT_EQ(in("orders-0"), "a b");
  EXPECT_EQ(in("orders-2"), "a b");
}

TEST_F(scenario_85, a_partition_that_is_deleted_leaves_the_others_alone) {
  make_orders(3);
  open_by_key();
  for (const char *key : {"0", "1", "2"}) ASSERT_EQ(send_to(key, "a"), 0);
  ASSERT_TRUE(wait_for(3));
  delete_partition("orders-1");
  ASSERT_TRUE(
      run_until([&] { return log.events.find("orders-1:3") != std::string::npos; }));
  for (const char *key : {"0", "1", "2"}) ASSERT_EQ(send_to(key, "b"), 0);
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(in("orders-0"), "a b");
  EXPECT_EQ(in("orders-2"), "a b");
  size_t failed = 0;
  for (auto &o : log.outcomes) failed += o.status != 0;
  EXPECT_EQ(failed, 1u);
  EXPECT_FALSE(log.ended());
  look_again();
  ASSERT_EQ(send_to("1", "c"), 0);
  ASSERT_TRUE(wait_for(7));
  EXPECT_EQ(log.outcomes.back().status, RSTREAM_ENOROUTE);
  EXPECT_NE(log.events.find("-orders-1"), std::string::npos);
}

TEST_F(scenario_85, what_is_known_is_asked_again_after_a_look_at_the_partitions) {
  make_orders(2);
  bind({"a", "b"});
  open_by_key();
  ASSERT_EQ(send_to("a", "1"), 0);
  ASSERT_EQ(send_to("new", "1"), 0);
  ASSERT_TRUE(wait_for(2));
  bind({"new", "a"});
  ASSERT_EQ(send_to("a", "2"), 0);  // what is remembered holds until then
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(in("orders-0"), "1 2");
  look_again();
  // With the old answer, while the new one is on its way.
  ASSERT_EQ(send_to("a", "3"), 0);
  ASSERT_EQ(send_to("new", "3"), 0);
  ASSERT_TRUE(wait_for(5));
  ASSERT_TRUE(run_until([&] { return frames_of(wire::key::route) == 4; }));
  ASSERT_TRUE(run_until([&] {
    EXPECT_EQ(send_to("a", "4"), 0);
    return in("orders-1").find('4') != std::string::npos;
  }));
  ASSERT_EQ(send_to("new", "5"), 0);
  ASSERT_TRUE(run_until([&] { return in("orders-0").find('5') != std::string::npos; }));
}

TEST_F(scenario_85, only_so_many_keys_are_remembered) {
  make_orders(3);
  rstream_super_producer_options o = log.options();
  o.routing = RSTREAM_ROUTING_KEY;
  o.max_routes = 2;
  open_super(o);
  wait_open();
  for (int i = 0; i < 30; i++) ASSERT_EQ(send_to(std::to_string(i % 3), "x"), 0);
  EXPECT_EQ(super_stats().routes, 3u) << "those that are waited for stay";
  ASSERT_TRUE(wait_for(30));
  for (auto &[id, times] : log.told) EXPECT_EQ(times, 1);
  ASSERT_EQ(send_to("another", "x"), 0);
  ASSERT_TRUE(wait_for(31));
  EXPECT_LE(super_stats().routes, 3u);
}

TEST_F(scenario_85, a_route_that_can_not_be_had_is_asked_for_again) {
  make_orders(1);
  int refusals = 2;
  fake::on_frame(node(), wire::key::route, [&](fake::peer &p, const fake::frame &fr) {
    if (refusals-- <= 0) return fake::verdict::pass;
    fake::peer_send(p, fake::response_to(fr, wire::response::internal_error));
    return fake::verdict::handled;
  });
  open_by_key();
  ASSERT_EQ(send_to("0", "x"), 0);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "0:orders-0 ");
  EXPECT_EQ(frames_of(wire::key::route), 3u);
}

TEST_F(scenario_85, what_waits_for_its_route_is_not_overtaken) {
  make_orders(2);
  bind({"known", "other"});
  open_by_key();
  for (const char *body : {"1", "2", "3"}) {
    ASSERT_EQ(send_to("known", body), 0);
    ASSERT_TRUE(wait_for(static_cast<size_t>(body[0] - '0')));
  }
  fake::peer *asked = nullptr;
  byte_vector question;
  auto hold = [&](fake::peer &p, const fake::frame &fr) {
    asked = &p;
    question.assign(fr.whole.begin(), fr.whole.end());
    return fake::verdict::handled;
  };
  uint64_t hook = fake::on_frame(node(), wire::key::route, hold);
  bind({"late", "other"});
  ASSERT_EQ(send_to("late", "4"), 0);
  ASSERT_EQ(send_to("known", "5"), 0);
  ASSERT_TRUE(run_until([&] { return asked != nullptr; }));
  ASSERT_EQ(send_to("known", "6"), 0);
  rstream_message m;
  rstream_message_init(&m);
  m.body = "7";
  m.body_size = 1;
  ASSERT_EQ(rstream_super_producer_send(s, &m, "known", 5, nullptr), 0);
  ASSERT_EQ(send_to("known", "a body that is not small"), 0);
  EXPECT_EQ(super_stats().messages_waiting, 5u);
  fake::hook_remove(node(), hook);
  fake::peer_handle(*asked, {wire::raw(wire::key::route), 1,
                             wire::bytes(question).subspan(8), question});
  ASSERT_TRUE(wait_for(8));
  EXPECT_EQ(in("orders-0"), "1 2 3 4 5 6 7 a body that is not small");
}

TEST_F(scenario_85, a_route_that_is_refused_is_the_outcome) {
  make_orders(1);
  bool refuse = true;
  fake::on_frame(node(), wire::key::route, [&](fake::peer &p, const fake::frame &fr) {
    if (!refuse) return fake::verdict::pass;
    fake::peer_send(p, fake::response_to(fr, wire::response::access_refused));
    return fake::verdict::handled;
  });
  open_by_key();
  ASSERT_EQ(send_to("0", "x"), 0);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "-21016:- ");
  refuse = false;
  ASSERT_EQ(send_to("0", "x"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.outcomes[1].status, 0);
}

TEST_F(scenario_85, waiting_for_a_route_has_an_end) {
  make_orders(1);
  fake::on_frame(node(), wire::key::route, [](fake::peer &, const fake::frame &) {
    return fake::verdict::handled;
  });
  of_partitions.confirm_timeout_ms = 30;
  open_by_key();
  ASSERT_EQ(send_to("0", "x"), 0);
  ASSERT_EQ(send_to("0", "y"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.summary(), "-20006:- -20006:- ");
  EXPECT_EQ(super_stats().messages_waiting, 0u);
}

TEST_F(scenario_85, a_partition_newer_than_the_list_is_taken_at_the_brokers_word) {
  make_orders(2);
  open_by_key();
  wait_open();
  add_partition("orders-2", "2");
  ASSERT_EQ(send_to("2", "x"), 0);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "0:orders-2 ");
  EXPECT_EQ(in("orders-2"), "x");
  EXPECT_NE(log.events.find("+orders-2"), std::string::npos);
  look_again();
  EXPECT_EQ(super_stats().partitions, 3u);
}

TEST_F(scenario_85, a_key_has_255_bytes_at_most) {
  make_orders(1);
  open_by_key();
  EXPECT_EQ(send_to(std::string(256, 'k'), "x"), RSTREAM_EINVAL);
  EXPECT_EQ(send_to(std::string(255, 'k'), "x"), 0);
  EXPECT_EQ(send_to("", "x"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.summary(), "-20020:- -20020:- ");
}

// ---- the application's own routing

TEST_F(scenario_85, the_application_may_route_itself) {
  make_orders(3);
  rstream_super_producer_options o = log.options();
  o.on_route = [](const char *key, size_t size, const char *const *partitions,
                  size_t count, size_t *chosen, void *) {
    EXPECT_EQ(count, 3u);
    EXPECT_STREQ(partitions[2], "orders-2");
    if (size == 0) return size_t{0};
    if (key[0] == '*') {
      for (size_t i = 0; i < count; i++) chosen[i] = i;
      return count;
    }
    chosen[0] = static_cast<size_t>(key[0] - '0');
    return size_t{1};
  };
  open_super(o);
  for (int round = 0; round < 2; round++) {
    EXPECT_EQ(send_to("2", "two"), 0);
    EXPECT_EQ(send_to("*", "all"), 0);
    EXPECT_EQ(send_to("", "none"), 0);
    EXPECT_EQ(send_to("9", "no such partition"), 0);
    ASSERT_TRUE(wait_for(4 * static_cast<size_t>(round + 1)));
  }
  EXPECT_EQ(in("orders-0"), "all all");
  EXPECT_EQ(in("orders-1"), "all all");
  EXPECT_EQ(in("orders-2"), "two all two all");
  EXPECT_EQ(log.with(RSTREAM_ENOROUTE, "-"), 4u);
  EXPECT_EQ(log.with(0, "-"), 2u);
  EXPECT_EQ(log.with(0, "orders-2"), 2u);
}

TEST_F(scenario_85, the_python_clients_hash_leads_elsewhere) {
  make_orders(5);
  rstream_super_producer_options o = log.options();
  o.routing = RSTREAM_ROUTING_PYTHON_HASH;
  open_super(o);
  EXPECT_EQ(send_to("ab", "x"), 0);     // 4 of five; 1 by the usual hash
  EXPECT_EQ(send_to("key_1", "y"), 0);  // 4; 1
  EXPECT_EQ(send_to("\xff", "z"), 0);   // no UTF-8
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(in("orders-4"), "x y");
  EXPECT_EQ(log.with(RSTREAM_ENOROUTE, "-"), 1u);
}

}  // namespace rstream::test
