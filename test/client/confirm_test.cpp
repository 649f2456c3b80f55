// Scenarios 5 to 7: outcomes in any order, each message exactly one.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct confirm : client_test {
  producer_log log;
  rstream_producer *producer = nullptr;
  peer_link *link = nullptr;

  void open(const rstream_producer_options &o) {
    if (!env) create();
    producer = open_producer(log, o);
    link = &broker.last();
  }
  void open() { open(log.options()); }

  // Sends so many, and waits until the peer has them.
  void publish(int count) {
    size_t frames = broker.count(key::publish);
    for (int i = 0; i < count; i++) send(producer, "x");
    ASSERT_TRUE(run_until([&] { return broker.count(key::publish) > frames; }));
  }
  void confirm_ids(const std::vector<uint64_t> &ids) {
    link->send_frame(wire::publish_confirm{0, {ids}});
  }
  void refuse_ids(const std::vector<wire::failed_id> &ids) {
    link->send_frame(wire::publish_error{0, {ids}});
  }
  bool wait_for(size_t outcomes) {
    return run_until([&] { return log.outcomes.size() >= outcomes; });
  }
  rstream_producer_stats producer_stats() const {
    rstream_producer_stats s;
    s.struct_size = sizeof s;
    rstream_producer_stats_get(producer, &s);
    return s;
  }
};

}  // namespace

TEST_F(confirm, messages_of_one_turn_go_out_in_one_frame_with_ids_from_1) {
  open();
  publish(3);
  auto frames = link->of(key::publish);
  ASSERT_EQ(frames.size(), 1u);
  auto frame = decoded<wire::publish>(frames[0]);
  std::string ids;
  for (wire::publish_entry entry; frame.entries.next(entry);)
    ids += std::to_string(entry.id) + ' ';
  EXPECT_EQ(ids, "1 2 3 ");
  confirm_ids({1, 2, 3});
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log.summary(), "1:0 2:0 3:0");
}

// Scenario 6.
TEST_F(confirm, errors_before_confirms_each_reach_their_own_message) {
  open();
  publish(3);
  refuse_ids({{2, 17}, {3, 17}});
  confirm_ids({1});
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log.summary(), "2:-21017 3:-21017 1:0");
}

TEST_F(confirm, mixed_codes_are_told_apart) {
  open();
  publish(4);
  refuse_ids({{4, 18}, {1, 17}, {2, 17}, {3, 2}});
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(log.summary(), "4:-21018 1:-21017 2:-21017 3:-21002");
  EXPECT_EQ(producer_stats().messages_failed, 4u);
}

TEST_F(confirm, may_come_in_any_order_and_over_several_frames) {
  open();
  for (int i = 0; i < 5; i++) publish(2);
  confirm_ids({10, 3, 8});
  confirm_ids({1});
  confirm_ids({9, 7, 2, 4, 6, 5});
  ASSERT_TRUE(wait_for(10));
  EXPECT_EQ(log.summary(), "10:0 3:0 8:0 1:0 9:0 7:0 2:0 4:0 6:0 5:0");
  EXPECT_EQ(producer_stats().messages_in_flight, 0u);
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

// Scenario 7.
TEST_F(confirm, unknown_and_repeated_ids_are_counted_and_ignored) {
  open();
  publish(2);
  confirm_ids({0, 3, UINT64_MAX, 1, 1});
  refuse_ids({{1, 17}, {99, 17}});
  confirm_ids({2});
  ASSERT_TRUE(wait_for(2));
  confirm_ids({1, 2});
  publish(1);
  confirm_ids({3});
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log.summary(), "1:0 2:0 3:0");
  EXPECT_EQ(producer_stats().unknown_confirms, 8u);
  EXPECT_EQ(stats().messages_confirmed, 3u);
}

TEST_F(confirm, a_confirm_without_ids_does_nothing) {
  open();
  publish(1);
  confirm_ids({});
  confirm_ids({1});
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "1:0");
}

TEST_F(confirm, thousands_in_one_frame_are_each_told_once) {
  open();
  constexpr int count = 5000;
  for (int i = 0; i < count; i++) send(producer, "x");
  std::vector<uint64_t> ids;
  for (uint64_t id = count; id > 0; id--) ids.push_back(id);
  ASSERT_TRUE(run_until([&] { return producer_stats().frames_sent > 1; }));
  confirm_ids(ids);
  ASSERT_TRUE(wait_for(count));
  std::vector<int> seen(count + 1);
  for (auto &o : log.outcomes) seen[o.id]++;
  for (int i = 1; i <= count; i++) ASSERT_EQ(seen[static_cast<size_t>(i)], 1) << i;
}

TEST_F(confirm, the_ids_of_a_named_producer_go_on_behind_the_stored_sequence) {
  broker.sequence = 41;
  rstream_producer_options o = log.options();
  o.name = "app";
  create();
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  send(p, "sent before it was open");
  ASSERT_TRUE(run_until([&] { return broker.count(key::publish) == 1; }));
  producer = p;
  link = &broker.last();
  publish(1);
  EXPECT_EQ(rstream_producer_id_base(p), 41u);
  std::string ids;
  for (auto &f : link->of(key::publish)) {
    auto frame = decoded<wire::publish>(f);
    for (wire::publish_entry entry; frame.entries.next(entry);)
      ids += std::to_string(entry.id) + ' ';
  }
  EXPECT_EQ(ids, "42 43 ");
  confirm_ids({42, 43, 1, 2});
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log.summary(), "1:0 2:0");
}

TEST_F(confirm, a_full_window_refuses_and_tells_when_there_is_room) {
  rstream_producer_options o = log.options();
  o.max_messages_in_flight = 4;
  open(o);
  publish(4);
  EXPECT_EQ(rstream_producer_send_bytes(producer, "x", 1, nullptr), RSTREAM_EAGAIN);
  confirm_ids({1});
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.writable, 0);
  confirm_ids({2});
  ASSERT_TRUE(run_until([&] { return log.writable > 0; }));
  confirm_ids({3, 4});
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(log.writable, 1);
}

TEST_F(confirm, flush_calls_back_when_all_before_it_have_an_outcome) {
  open();
  publish(2);
  static int calls, status;
  calls = 0;
  status = 1;
  auto on_flushed = [](rstream_producer *, int s, void *) {
    calls++;
    status = s;
  };
  ASSERT_EQ(rstream_producer_flush(producer, on_flushed, nullptr), 0);
  confirm_ids({2});
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(calls, 0);
  refuse_ids({{1, 17}});
  ASSERT_TRUE(run_until([&] { return calls > 0; }));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(status, 0);
}

TEST_F(confirm, closing_waits_for_the_outcomes) {
  open();
  publish(2);
  ASSERT_EQ(rstream_producer_close(producer, producer_log::on_closed), 0);
  confirm_ids({1});
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.closed, 0);
  confirm_ids({2});
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.closed_status, 0);
  EXPECT_EQ(log.summary(), "1:0 2:0");
  EXPECT_EQ(link->of(key::delete_publisher).size(), 1u);
}

TEST_F(confirm, closing_within_no_time_fails_what_is_left) {
  open();
  publish(2);
  confirm_ids({1});
  ASSERT_TRUE(wait_for(1));
  ASSERT_EQ(rstream_producer_close(producer, producer_log::on_closed), 0);
  ASSERT_EQ(rstream_producer_close_within(producer, 0, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.closed_status, RSTREAM_ECLOSED);
  EXPECT_EQ(log.summary(), "1:0 2:" + std::to_string(RSTREAM_ECLOSED));
}

// Scenario 41.
TEST_F(confirm, closing_from_the_confirm_callback_is_legal) {
  rstream_producer_options o = log.options();
  o.on_confirm = [](rstream_producer *p, const rstream_confirms *c, void *user) {
    for (size_t i = 0; i < c->count; i++) {
      producer_log::of(user)->outcomes.push_back({c->ids[i], c->status});
    }
    rstream_producer_close_within(p, 0, producer_log::on_closed);
  };
  open(o);
  publish(3);
  confirm_ids({2});
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.outcomes.size(), 3u);
  EXPECT_EQ(log.outcomes.front().id, 2u);
}

TEST_F(confirm, sending_from_the_confirm_callback_is_legal) {
  rstream_producer_options o = log.options();
  o.on_confirm = [](rstream_producer *p, const rstream_confirms *c, void *user) {
    producer_log *to = producer_log::of(user);
    for (size_t i = 0; i < c->count; i++) {
      to->outcomes.push_back({c->ids[i], c->status});
      if (to->outcomes.size() < 50) rstream_producer_send_bytes(p, "again", 5, nullptr);
    }
  };
  broker.confirms = true;
  open(o);
  send(producer, "first");
  ASSERT_TRUE(wait_for(50));
  for (size_t i = 0; i < 50; i++) EXPECT_EQ(log.outcomes[i].id, i + 1);
}
