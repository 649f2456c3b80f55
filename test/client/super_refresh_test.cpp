// Partitions that come and go while a super producer is open.
#include "super_stream.h"

namespace rstream::test {

namespace {

struct super_refresh : super_client {
  bool told(const char *event) const {
    return log.events.find(event) != std::string::npos;
  }
};

}  // namespace

TEST_F(super_refresh, a_new_partition_is_taken_up) {
  make_orders(2);
  open_super();
  wait_open();
  EXPECT_EQ(log.events, "+orders-0 +orders-1 ");
  add_partition("orders-2", "2");
  look_again();
  EXPECT_EQ(log.events, "+orders-0 +orders-1 +orders-2 ");
  EXPECT_EQ(send_to("amer", "x"), 0);  // 2 of three, 0 of two
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(in("orders-2"), "x");
}

TEST_F(super_refresh, the_order_of_partitions_is_the_brokers) {
  make_orders(2);
  open_super();
  wait_open();
  EXPECT_EQ(send_to("hello", "a"), 0);  // 1 of two
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(in("orders-1"), "a");
  std::swap(cluster().super_streams["orders"].partitions[0],
            cluster().super_streams["orders"].partitions[1]);
  look_again();
  EXPECT_STREQ(rstream_super_producer_partition(s, 1), "orders-0");
  EXPECT_EQ(send_to("hello", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(in("orders-0"), "b");
  EXPECT_EQ(log.events.find("-orders"), std::string::npos);
}

TEST_F(super_refresh, one_that_is_not_listed_any_more_is_drained_and_closed) {
  make_orders(2);
  open_super();
  wait_open();
  fake::stream_find(cluster(), "orders-1")->hold_commits = true;
  EXPECT_EQ(send_to("hello", "a"), 0);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).entries == 1; }));
  cluster().super_streams["orders"].partitions.pop_back();
  cluster().super_streams["orders"].binding_keys.pop_back();
  look_again();
  EXPECT_TRUE(told("-orders-1"));
  EXPECT_EQ(send_to("hello", "b"), 0);  // 0 of one
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "0:orders-0 ");
  fake::stream &old = *fake::stream_find(cluster(), "orders-1");
  old.hold_commits = false;
  fake::stream_commit(old);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.outcomes[1].partition, "orders-1");
  ASSERT_TRUE(run_until([&] { return super_stats().partitions_open == 1; }));
  // And it may come back, with ids that go on.
  add_partition("orders-1", "1");
  look_again();
  EXPECT_EQ(send_to("hello", "c"), 0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(in("orders-1"), "a c");
  EXPECT_EQ(log.told.size(), 3u) << "no id came twice";
}

TEST_F(super_refresh, a_partition_that_became_unavailable_is_tried_again) {
  make_orders(2);
  open_super();
  wait_open();
  EXPECT_EQ(send_to("hello", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  fake::stream_delete(cluster(), "orders-1");
  ASSERT_TRUE(run_until([&] { return told("orders-1:3"); }));
  EXPECT_EQ(send_to("hello", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_LT(log.outcomes[1].status, 0);
  EXPECT_EQ(log.outcomes[1].partition, "orders-1");
  fake::stream_create(cluster(), "orders-1");
  look_again();
  EXPECT_EQ(send_to("hello", "c"), 0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log.outcomes[2].status, 0);
  EXPECT_EQ(in("orders-1"), "c");
  rstream_super_producer_stats x = super_stats();
  EXPECT_EQ(x.messages_sent, 3u);
  EXPECT_EQ(x.messages_confirmed, 2u);
  EXPECT_EQ(x.messages_failed, 1u);
}

// Within a second, not after the interval of a minute.
TEST_F(super_refresh, a_metadata_update_leads_to_a_look) {
  make_orders(2);
  open_super();
  wait_open();
  EXPECT_EQ(send_to("hello", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  delete_partition("orders-1");
  ASSERT_TRUE(run_until([&] { return told("-orders-1"); }));
  EXPECT_EQ(super_stats().refreshes, 2u);
  EXPECT_EQ(send_to("hello", "b"), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.outcomes[1].status, 0);
  EXPECT_EQ(in("orders-0"), "b");
}

TEST_F(super_refresh, the_interval_is_kept) {
  make_orders(1);
  rstream_super_producer_options o = log.options();
  o.refresh_interval_ms = 1000;
  open_super(o);
  wait_open();
  add_partition("orders-1", "1");
  ASSERT_TRUE(run_until([&] { return told("+orders-1"); }));
}

TEST_F(super_refresh, a_look_in_vain_changes_nothing) {
  make_orders(2);
  open_super();
  wait_open();
  auto id = fake::on_frame(
      node(), wire::key::partitions, [&](fake::peer &p, const fake::frame &fr) {
        fake::peer_send(p, fake::response_to(fr, wire::response::internal_error));
        return fake::verdict::handled;
      });
  uint64_t before = frames_of(wire::key::partitions);
  net_timer_start(*env->world, s->watch.timer, 0);
  ASSERT_TRUE(run_until([&] { return frames_of(wire::key::partitions) > before; }));
  EXPECT_EQ(send_to("hello", "a"), 0);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.outcomes[0].status, 0);
  fake::hook_remove(node(), id);
  look_again();
  EXPECT_FALSE(log.ended());
}

TEST_F(super_refresh, opening_asks_again_while_that_can_help) {
  make_orders(1);
  int refusals = 2;
  fake::on_frame(
      node(), wire::key::partitions, [&](fake::peer &p, const fake::frame &fr) {
        if (refusals-- <= 0) return fake::verdict::pass;
        fake::peer_send(p, fake::response_to(fr, wire::response::internal_error));
        return fake::verdict::handled;
      });
  open_super();
  EXPECT_EQ(send_to("k", "x"), 0);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "0:orders-0 ");
}

TEST_F(super_refresh, opening_gives_up_at_the_time_for_requests) {
  options.request_timeout_ms = 200;
  make_orders(1);
  fake::on_frame(
      node(), wire::key::partitions, [&](fake::peer &p, const fake::frame &fr) {
        fake::peer_send(p, fake::response_to(fr, wire::response::internal_error));
        return fake::verdict::handled;
      });
  open_super();
  EXPECT_EQ(send_to("k", "x"), 0);
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_INTERNAL_ERROR);
  EXPECT_EQ(log.summary(), "-21015:- ");
}

TEST_F(super_refresh, a_super_stream_that_is_deleted_ends_it_with_all_outcomes_told) {
  make_orders(2);
  open_super();
  wait_open();
  for (const char *name : {"orders-0", "orders-1"})
    fake::stream_find(cluster(), name)->hold_commits = true;
  for (int i = 0; i < 20; i++) ASSERT_EQ(send_to("key-" + std::to_string(i), "x"), 0);
  ASSERT_TRUE(run_until([&] { return totals(cluster()).entries == 20; }));
  cluster().super_streams.clear();
  for (const char *name : {"orders-0", "orders-1"}) fake::stream_delete(cluster(), name);
  log.on_outcomes = [&] { EXPECT_FALSE(log.ended()); };
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.outcomes.size(), 20u);
  EXPECT_EQ(log.told.size(), 20u);
  EXPECT_EQ(log.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(super_refresh, hostile_lists_do_no_harm) {
  make_orders(2);
  open_super();
  wait_open();
  auto &partitions = cluster().super_streams["orders"].partitions;
  auto original = partitions;
  partitions = {"orders-0", "orders-0", "", "orders-1"};
  look_again();
  for (int i = 0; i < 40; i++) ASSERT_EQ(send_to("key-" + std::to_string(i), "x"), 0);
  ASSERT_TRUE(wait_for(40));
  partitions = {};
  look_again();
  ASSERT_EQ(send_to("key", "x"), 0);
  ASSERT_TRUE(wait_for(41));
  EXPECT_EQ(log.outcomes.back().status, RSTREAM_ENOROUTE);
  partitions = original;
  look_again();
  ASSERT_EQ(send_to("key", "y"), 0);
  ASSERT_TRUE(wait_for(42));
  EXPECT_EQ(log.outcomes.back().status, 0);
}

}  // namespace rstream::test
