// When a consumer lets the broker send how much.
#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

// A chunk with such a body takes half a MiB of memory to itself.
const std::string large(300000, 'x');
constexpr uint64_t large_takes_bytes = 512u << 10;

struct consumer_credit : consumer_test {
  int first_credit() const {
    return decoded<wire::subscribe>(link->of(key::subscribe).back()).credit;
  }
  size_t frames_of_credit() const { return link->of(key::credit).size(); }

  // What the consumer sends of its own accord until now has arrived. It may do so at the
  // end of this turn, and so behind the first question.
  void settle() {
    auto on_result = [](rstream_consumer *, int, uint64_t, void *user) {
      ++*static_cast<int *>(user);
    };
    int answers = 0;
    for (int i = 1; i <= 2; i++) {
      ASSERT_EQ(rstream_consumer_query_offset(handle, on_result, &answers), 0);
      ASSERT_TRUE(run_until([&] { return answers == i; }));
    }
  }
  // Large chunks, kept until they are released; so many bytes of memory for them.
  void open_within(uint64_t max_bytes_held, uint16_t initial_credit) {
    rstream_consumer_options o = log.chunk_options();
    log.keeps = true;
    o.name = "reader";
    o.tracking = RSTREAM_TRACKING_MANUAL;
    o.max_bytes_held = max_bytes_held;
    o.initial_credit = initial_credit;
    open(o);
  }
  void keep_large(uint64_t offset) {
    size_t before = log.chunks;
    deliver_at(offset, {large});
    ASSERT_TRUE(run_until([&] { return log.chunks == before + 1; }));
  }
  // Loses the connection. The handshake of the next one stops at its first frame, and
  // goes on after `meanwhile`: whatever that has the client send would come before the
  // rest.
  template <class Meanwhile>
  void lose_connection(Meanwhile meanwhile) {
    peer_link *next = nullptr;
    peer_frame first;
    broker.on_frame = [&](peer_link &l, const peer_frame &f) {
      if (f.key != raw(key::peer_properties)) return false;
      next = &l;
      first = f;
      return true;
    };
    link->close();
    ASSERT_TRUE(run_until([&] { return next != nullptr; }));
    meanwhile();
    for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);  // its tasks
    broker.on_frame = nullptr;
    broker.answer(*next, first);
    ASSERT_TRUE(run_until([&] { return log.states.size() == 3 && log.is_open(); }));
    link = next;
    EXPECT_EQ(link->frames.at(1).key, raw(key::sasl_handshake));
  }
  void release_first() {
    rstream_chunk_release(log.kept.front());
    log.kept.erase(log.kept.begin());
  }
};

}  // namespace

// ---- how it begins

// The broker does not begin to send before more than half of the credit that Subscribe
// carried is there: what comes in other numbers begins with one.
TEST_F(consumer_credit, subscribe_carries_all_of_it_only_if_it_comes_back_one_by_one) {
  struct beginning {
    const char *what;
    int first, then;
    void (*settings)(rstream_consumer_options &o);
  };
  const beginning all[] = {
      {"as each chunk is finished", 8, 0, [](auto &) {}},
      {"on arrival", 8, 0, [](auto &o) { o.credit_policy = RSTREAM_CREDIT_ON_ARRIVAL; }},
      {"several at a time", 1, 7, [](auto &o) { o.credit_every = 3; }},
      {"by hand", 1, 7, [](auto &o) { o.credit_policy = RSTREAM_CREDIT_MANUAL; }},
      {"within a budget", 1, 7, [](auto &o) { o.max_bytes_held = 64u << 20; }},
  };
  for (const beginning &each : all) {
    SCOPED_TRACE(each.what);
    rstream_consumer_options o = log.message_options();
    o.name = "reader";
    o.tracking = RSTREAM_TRACKING_MANUAL;
    o.initial_credit = 8;
    each.settings(o);
    log.states.clear();
    open(o);
    settle();
    EXPECT_EQ(first_credit(), each.first);
    EXPECT_EQ(credits(), each.then);
    close_env();
    env_closed = 0;
  }
}

// ---- several at once

TEST_F(consumer_credit, what_is_finished_in_one_turn_goes_back_in_one_frame) {
  log.keeps = true;
  open(log.chunk_options());
  for (uint64_t offset = 100; offset < 104; offset++) deliver_at(offset, {"x"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 4; }));
  EXPECT_EQ(frames_of_credit(), 0u);
  release_kept();
  ASSERT_TRUE(wait_for_credits(4));
  EXPECT_EQ(credits(), 4);
  EXPECT_EQ(frames_of_credit(), 1u);
}

TEST_F(consumer_credit, also_when_they_have_waited) {
  open(log.message_options());
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  for (uint64_t offset = 100; offset < 104; offset++) deliver_at(offset, {"x"});
  ASSERT_TRUE(run_until([&] { return consumer_stats().chunks_held == 4; }));
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for_credits(4));
  EXPECT_EQ(frames_of_credit(), 1u);
}

TEST_F(consumer_credit, by_threes_two_of_them_stay) {
  rstream_consumer_options o = log.message_options();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_MANUAL;
  o.initial_credit = 8;
  o.credit_every = 3;
  open(o);
  ASSERT_TRUE(wait_for_credits(7));
  for (int i = 1; i <= 6; i++) {
    deliver_at(100 + static_cast<uint64_t>(i), {"x"});
    ASSERT_TRUE(run_until([&] { return consumer_stats().chunks == uint64_t(i); }));
    settle();
    EXPECT_EQ(credits(), 7 + i / 3 * 3) << i;
  }
  EXPECT_EQ(frames_of_credit(), 3u);
}

// ---- when there is no subscription to give it to

// The broker would answer that it knows none.
TEST_F(consumer_credit, none_is_given_between_two_subscriptions) {
  peer_frame unsubscribe;
  broker.on_frame = [&](peer_link &, const peer_frame &f) {
    if (f.key != raw(key::unsubscribe)) return false;
    unsubscribe = f;
    return true;
  };
  log.keeps = true;
  rstream_consumer_options o = log.chunk_options();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_MANUAL;
  open(o);
  deliver_at(100, {"a"});
  chunk_builder damaged;
  damaged.first_offset = 101;
  damaged.message("damaged").crc_change = 1;
  deliver(damaged);
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  release_kept();
  settle();
  EXPECT_EQ(credits(), 0);
  link->answer(unsubscribe, wire::response::ok);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(first_credit(), 10) << "it is in here";
  broker.on_frame = nullptr;
  deliver_at(101, {"b"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 2; }));
  settle();
  EXPECT_EQ(credits(), 0);
  release_kept();
  ASSERT_TRUE(wait_for_credits(1));
}

// A chunk is finished while the next connection is being made.
TEST_F(consumer_credit, nor_on_a_connection_that_is_still_being_made) {
  options.recovery_first_ms = 5;
  log.keeps = true;
  open(log.chunk_options());
  deliver_at(100, {"a"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  lose_connection([&] { release_kept(); });
  EXPECT_EQ(first_credit(), 10);
  EXPECT_EQ(credits(), 0);
}

TEST_F(consumer_credit, a_broker_that_does_not_end_a_subscription_is_left) {
  options.recovery_first_ms = 5;
  options.request_timeout_ms = 20;
  broker.on_frame = [](peer_link &, const peer_frame &f) {
    return f.key == raw(key::unsubscribe);
  };
  open(log.message_options());
  chunk_builder damaged;
  damaged.message("damaged").crc_change = 1;
  deliver(damaged);
  ASSERT_TRUE(run_until([&] { return log.states.size() == 3 && log.is_open(); }));
  auto subscriptions = link->of(key::subscribe);
  ASSERT_EQ(subscriptions.size(), 2u);
  auto second = decoded<wire::subscribe>(subscriptions[1]);
  EXPECT_EQ(second.subscription_id, 1) << "nobody knows about 0";
  link->send(encoded(wire::deliver{1, 2, 900, chunk_builder().message("good").build()}));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=good");
}

// ---- within a budget

// As many as fit if all are as large as the largest so far: five in 3 MB.
TEST_F(consumer_credit, no_more_is_asked_for_than_there_is_room_for) {
  open_within(3000000, 8);
  ASSERT_TRUE(wait_for_credits(7));
  EXPECT_EQ(first_credit(), 1) << "nothing is known about sizes: all 8 may come";
  keep_large(100);
  release_first();
  settle();
  EXPECT_EQ(credits(), 7) << "7 are on their way";
  for (uint64_t offset = 101; offset < 104; offset++) keep_large(offset);
  settle();
  EXPECT_EQ(credits(), 7) << "3 are held, 4 on their way";
  release_kept();
  settle();
  EXPECT_EQ(credits(), 8) << "4 are on their way";
  deliver_at(104, {"small"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 5; }));
  release_kept();
  settle();
  EXPECT_EQ(credits(), 9) << "as large as the largest, not as the last";
  EXPECT_EQ(consumer_stats().bytes_held, 0u);
}

// Then one is asked for, however large the last one was.
TEST_F(consumer_credit, one_is_awaited_in_any_case) {
  rstream_consumer_options o = log.message_options();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_MANUAL;
  o.max_bytes_held = 1;
  o.initial_credit = 8;
  open(o);
  for (int i = 0; i < 3; i++) {
    settle();
    EXPECT_EQ(credits(), i);
    deliver_at(100 + static_cast<uint64_t>(i), {large});
    ASSERT_TRUE(wait_for_credits(i + 1));
  }
  EXPECT_EQ(consumer_stats().messages, 3u);
}

// The last one went beyond the budget: what is left of that is nothing, not very much.
TEST_F(consumer_credit, beyond_the_budget_there_is_no_room_for_any) {
  open_within(2 * large_takes_bytes - 1000, 8);
  ASSERT_TRUE(wait_for_credits(7));
  deliver_at(99, {"small"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  keep_large(100);
  keep_large(101);
  release_first();
  settle();
  EXPECT_EQ(credits(), 7);
  EXPECT_EQ(frames_of_credit(), 1u);
  EXPECT_EQ(consumer_stats().chunks_dropped, 0u);
  release_kept();
}

// What can't be held is asked for anew, once half of the budget is free.
TEST_F(consumer_credit, beyond_the_budget_the_broker_begins_anew_when_there_is_room) {
  open_within(3 * large_takes_bytes, 8);
  ASSERT_TRUE(wait_for_credits(7));
  for (uint64_t offset = 100; offset < 103; offset++) keep_large(offset);
  deliver_at(103, {large});
  deliver_at(104, {large});  // on its way while the broker is told to stop
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  settle();
  EXPECT_EQ(consumer_stats().chunks_dropped, 2u);
  EXPECT_EQ(subscribed(), "none ");
  release_first();
  settle();
  EXPECT_EQ(subscribed(), "none ") << "2 of 3 are held";
  release_first();
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 103 ");
  EXPECT_EQ(first_credit(), 1);
  keep_large(103);
  EXPECT_EQ(consumer_stats().chunks_held, 2u);
  EXPECT_EQ(consumer_stats().resubscribes, 1u);
  release_kept();
}

TEST_F(consumer_credit, lost_while_it_waits_for_room_it_begins_anew_once) {
  options.recovery_first_ms = 5;
  open_within(3 * large_takes_bytes, 8);
  ASSERT_TRUE(wait_for_credits(7));
  for (uint64_t offset = 100; offset < 103; offset++) keep_large(offset);
  deliver_at(103, {large});
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  settle();
  lose_connection([&] { release_kept(); });
  settle();
  EXPECT_EQ(subscribed(), "103 ");
}

// ---- chunks that are not handed out

struct passed_over : consumer_credit, testing::WithParamInterface<consume_way> {};
INSTANTIATE_TEST_SUITE_P(consume_ways, passed_over, every_consume_way, name_of_param);

TEST_P(passed_over, a_bad_chunk_that_is_skipped_gives_its_credit_back) {
  rstream_consumer_options o = log.options_for(GetParam());
  o.bad_chunk = RSTREAM_BAD_CHUNK_SKIP;
  o.initial_credit = 1;
  open(o);
  chunk_builder damaged;
  damaged.message("damaged").crc_change = 1;
  deliver(damaged);
  ASSERT_TRUE(wait_for_credits(1));
  deliver(from_hex("5000"));  // not even a header
  ASSERT_TRUE(wait_for_credits(2));
  deliver_at(102, {"good"});
  ASSERT_TRUE(wait_for_credits(3));
  EXPECT_EQ(credits(), 3);
  EXPECT_EQ(consumer_stats().chunks_bad, 2u);
}
