// Producers and consumers that lose their connection, and what becomes of their messages.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct recovery : fake_client {
  // What was told, as letters: Open, Recovering, Disconnected, Closed.
  static std::string letters(const std::vector<int> &states) {
    std::string s;
    for (int state : states) s += "?O?CRD"[state];
    return s;
  }

  // Publish arrives and is not handled, as if the broker died with it.
  void lose_publish() {
    node().hooks.push_back(
        {raw(key::publish), 0, [](fake::peer &from, const fake::frame &) {
           fake::peer_reset(from);
           return fake::verdict::handled;
         }});
  }
  void keep_publish() { node().hooks.clear(); }

  // The first request is not handled before the next one, or the one that takes it back.
  struct late_request {
    bool came = false;
    fake::byte_vector body;
  };
  late_request late_publisher, late_subscription;

  void handle_late(key asked, key taken_back, late_request &late) {
    fake::on_frame(node(), asked, [&late, asked](fake::peer &p, const fake::frame &fr) {
      if (late.came) return handle_now(p, asked, late);
      late.came = true;
      late.body.assign(fr.body.begin(), fr.body.end());
      return fake::verdict::handled;
    });
    fake::on_frame(node(), taken_back,
                   [&late, asked](fake::peer &p, const fake::frame &) {
                     return handle_now(p, asked, late);
                   });
  }
  static fake::verdict handle_now(fake::peer &p, key asked, late_request &late) {
    if (!late.body.empty()) {
      fake::byte_vector body = std::move(late.body);
      late.body.clear();
      fake::peer_handle(p, {raw(asked), 1, body, body});
    }
    return fake::verdict::pass;
  }

  rstream_producer_stats stats_of(rstream_producer *p) {
    rstream_producer_stats s;
    s.struct_size = sizeof s;
    rstream_producer_stats_get(p, &s);
    return s;
  }
  rstream_consumer_stats stats_of(rstream_consumer *c) {
    rstream_consumer_stats s;
    s.struct_size = sizeof s;
    rstream_consumer_stats_get(c, &s);
    return s;
  }

  void SetUp() override {
    fake_client::SetUp();
    options.recovery_first_ms = 5;
    options.recovery_longest_ms = 20;
  }
};

}  // namespace

// The stream was lost, and is there again, before the broker saw the request: what it
// says about the time before concerns nobody who waits for an answer.
TEST_F(recovery, what_is_not_declared_yet_is_not_lost_with_the_stream) {
  for (key declaring : {key::declare_publisher, key::subscribe}) {
    fake::on_frame(node(), declaring, [](fake::peer &from, const fake::frame &) {
      fake::peer_send(from, fake::frame_of(wire::metadata_update{6, "invoices"}));
      return fake::verdict::pass;
    });
  }
  create();
  producer_log &told = new_producer_log();
  rstream_producer_options o = told.options();
  o.name = "app";
  rstream_producer *p = open_producer(told, o);
  consumer_log &seen = new_consumer_log();
  open_consumer(seen, seen.message_options());
  send(p, "one");
  ASSERT_TRUE(run_until([&] { return told.outcomes.size() == 1; }));
  ASSERT_TRUE(run_until([&] { return seen.messages == "0=one"; }));
  EXPECT_EQ(letters(told.states), "O");
  EXPECT_EQ(letters(seen.states), "O");
  EXPECT_EQ(frames_of(key::declare_publisher), 1u);
  EXPECT_EQ(frames_of(key::subscribe), 1u);
}

// The broker comes to the first request only after it was given up, and before the next
// one: it must not keep a publisher or a subscription that nobody knows of.
TEST_F(recovery, what_is_declared_too_late_is_given_up) {
  options.request_timeout_ms = 50;
  store("one");
  handle_late(key::declare_publisher, key::delete_publisher, late_publisher);
  handle_late(key::subscribe, key::unsubscribe, late_subscription);
  create();
  producer_log &told = new_producer_log();
  rstream_producer_options po = told.options();
  po.name = "app";
  po.retry_opening = 1;
  open_producer(told, po);
  consumer_log &got = new_consumer_log();
  rstream_consumer_options co = got.message_options();
  co.name = "group";
  co.single_active = 1;
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.retry_opening = 1;
  open_consumer(got, co);
  ASSERT_TRUE(run_until([&] { return got.messages == "0=one"; }));
  EXPECT_EQ(invoices().publishers.size(), 1u);
  EXPECT_EQ(invoices().subscriptions.size(), 1u);
}

TEST_F(recovery, unconfirmed_messages_are_sent_again_before_newer_ones) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  lose_publish();
  for (const char *body : {"one", "two", "three"}) send(p, body);
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "OR"; }));
  EXPECT_EQ(log.reason, RSTREAM_ECONNLOST);
  keep_publish();
  send(p, "four");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 4; }));
  EXPECT_EQ(log.summary(), "1:0 2:0 3:0 4:0");
  EXPECT_EQ(stored(), "0=one 1=two 2=three 3=four");
  EXPECT_EQ(letters(log.states), "ORO");
  EXPECT_EQ(stats_of(p).recoveries, 1u);
  EXPECT_EQ(stats_of(p).messages_resent, 3u);
}

TEST_F(recovery, messages_with_an_outcome_are_left_out_of_what_is_sent_again) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  node().hooks.push_back(
      {raw(key::publish), 0, [](fake::peer &from, const fake::frame &) {
         const uint64_t ids[] = {2, 4};
         const wire::failed_id failed[] = {{5, 17}};
         fake::peer_send(from, encoded(wire::publish_confirm{0, {ids}}));
         fake::peer_send(from, encoded(wire::publish_error{0, {failed}}));
         return fake::verdict::handled;
       }});
  for (const char *body : {"1", "2", "3", "4", "5", "6"}) send(p, body);
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 3; }));
  keep_publish();
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 6; }));
  EXPECT_EQ(log.summary(), "2:0 4:0 5:-21017 1:0 3:0 6:0");
  EXPECT_EQ(stored(), "0=1 1=3 2=6");
  EXPECT_EQ(stats_of(p).bytes_in_flight, 0u);
}

TEST_F(recovery, sub_entries_are_sent_again_whole) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.sub_entry_messages = 2;
  o.compression = RSTREAM_COMPRESSION_GZIP;
  rstream_producer *p = open_producer(log, o);
  node().hooks.push_back(
      {raw(key::publish), 0, [](fake::peer &from, const fake::frame &) {
         const uint64_t ids[] = {4};  // of messages 3 and 4
         fake::peer_send(from, encoded(wire::publish_confirm{0, {ids}}));
         return fake::verdict::handled;
       }});
  for (const char *body : {"1", "2", "3", "4", "5"}) send(p, body);
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 2; }));
  keep_publish();
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 5; }));
  EXPECT_EQ(log.summary(), "3:0 4:0 1:0 2:0 5:0");
  EXPECT_EQ(stored(), "0=1 1=2 2=5");
}

// The broker had stored them, only the confirm was lost.
TEST_F(recovery, with_a_name_nothing_is_stored_twice) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.name = "till";
  rstream_producer *p = open_producer(log, o);
  invoices().hold_commits = true;
  for (const char *body : {"one", "two"}) send(p, body);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 2; }));
  fake::peer_reset(publishing_peer());
  invoices().hold_commits = false;
  fake::stream_commit(invoices());
  send(p, "three");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 3; }));
  EXPECT_EQ(log.summary(), "1:0 2:0 3:0");
  EXPECT_EQ(stored(), "0=one 1=two 2=three");
  EXPECT_EQ(frames_of(key::query_publisher_sequence), 1u);
}

TEST_F(recovery, by_choice_unconfirmed_messages_are_handed_back) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.unconfirmed = RSTREAM_UNCONFIRMED_FAIL;
  rstream_producer *p = open_producer(log, o);
  lose_publish();
  for (const char *body : {"one", "two"}) send(p, body);
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 2; }));
  EXPECT_EQ(log.summary(), "1:-20009 2:-20009");
  keep_publish();
  send(p, "three");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 3; }));
  EXPECT_EQ(stored(), "0=three");
}

TEST_F(recovery, the_window_holds_while_offline) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.max_messages_in_flight = 2;
  rstream_producer *p = open_producer(log, o);
  fake::broker_crash(node());
  ASSERT_TRUE(run_until([&] { return letters(log.states).substr(0, 2) == "OR"; }));
  send(p, "one");
  send(p, "two");
  EXPECT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_EAGAIN);
  // Attempts fail meanwhile, and are told.
  ASSERT_TRUE(run_until([&] { return letters(log.states).substr(0, 4) == "ORRR"; }));
  EXPECT_TRUE(rstream_error_is_retriable(log.reason)) << log.reason;
  EXPECT_EQ(rstream_producer_state(p), RSTREAM_STATE_RECOVERING);
  fake::broker_start(node());
  fake::stream_elect(invoices(), 0);
  ASSERT_TRUE(run_until([&] { return log.writable == 1; }));
  EXPECT_EQ(log.summary(), "1:0 2:0");
}

TEST_F(recovery, closing_while_offline_drains_once_the_broker_is_back) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  fake::broker_crash(node());
  ASSERT_TRUE(run_until([&] { return letters(log.states).substr(0, 2) == "OR"; }));
  send(p, "one");
  ASSERT_EQ(rstream_producer_close(p, producer_log::on_closed), 0);
  for (int i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  EXPECT_EQ(log.closed, 0);
  fake::broker_start(node());
  fake::stream_elect(invoices(), 0);
  ASSERT_TRUE(run_until([&] { return log.closed == 1; }));
  EXPECT_EQ(log.closed_status, 0);
  EXPECT_EQ(stored(), "0=one");
}

TEST_F(recovery, closing_at_once_while_offline_gives_up) {
  create();
  producer_log &log = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer *p = open_producer(log, log.options());
  rstream_consumer *c = open_consumer(clog, clog.message_options());
  fake::broker_crash(node());
  ASSERT_TRUE(run_until([&] {
    return letters(log.states).substr(0, 2) == "OR" &&
           letters(clog.states).substr(0, 2) == "OR";
  }));
  send(p, "one");
  ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
  ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log.closed == 1 && clog.closed == 1; }));
  EXPECT_EQ(log.summary(), "1:-20005");
}

TEST_F(recovery, a_stream_that_was_deleted_ends_its_handles_once_with_that_reason) {
  create();
  producer_log &log = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer *p = open_producer(log, log.options());
  open_consumer(clog, clog.message_options());
  invoices().hold_commits = true;
  send(p, "one");
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  fake::stream_delete(cluster(), "invoices");
  ASSERT_TRUE(run_until([&] { return log.ended() && clog.ended(); }));
  EXPECT_EQ(letters(log.states), "ORC");
  EXPECT_EQ(letters(clog.states), "ORC");
  EXPECT_EQ(log.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(clog.reason, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(log.summary(), "1:-21002");
}

TEST_F(recovery, handles_on_one_stream_share_one_question) {
  create();
  std::vector<producer_log *> logs;
  for (int i = 0; i < 20; i++) {
    logs.push_back(&new_producer_log());
    open_producer(*logs.back(), logs.back()->options());
  }
  uint64_t before = frames_of(key::metadata);
  options.max_recoveries = 64;
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] {
    return std::all_of(logs.begin(), logs.end(),
                       [](const producer_log *l) { return letters(l->states) == "ORO"; });
  }));
  // The pauses spread them over some milliseconds; those that meet share.
  EXPECT_LT(frames_of(key::metadata) - before, 20u);
}

TEST_F(recovery, so_many_at_a_time) {
  options.max_recoveries = 2;
  create();
  std::vector<producer_log *> logs;
  for (int i = 0; i < 12; i++) {
    logs.push_back(&new_producer_log());
    open_producer(*logs.back(), logs.back()->options());
  }
  // Answers to DeclarePublisher are held back: nobody gets further.
  std::vector<fake::peer *> asking;
  node().hooks.push_back(
      {raw(key::declare_publisher), 0, [&](fake::peer &from, const fake::frame &) {
         asking.push_back(&from);
         return fake::verdict::handled;
       }});
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] { return asking.size() == 2; }));
  // More would have come by now: all pauses are over.
  bool passed = false;
  uv_timer_t timer;
  timer.data = &passed;
  uv_timer_init(&loop, &timer);
  uv_timer_start(
      &timer, [](uv_timer_t *t) { *static_cast<bool *>(t->data) = true; }, 60, 0);
  ASSERT_TRUE(run_until([&] { return passed; }));
  uv_close(reinterpret_cast<uv_handle_t *>(&timer), nullptr);
  EXPECT_EQ(asking.size(), 2u);
  node().hooks.clear();
  fake::peer_reset(*asking.front());
  ASSERT_TRUE(run_until([&] {
    return std::all_of(logs.begin(), logs.end(),
                       [](const producer_log *l) { return l->is_open(); });
  }));
  EXPECT_EQ(stats().recoveries, 12u);
}

TEST_F(recovery, by_hand) {
  create();
  producer_log &log = new_producer_log();
  consumer_log &clog = new_consumer_log();
  log.recovery = clog.recovery = RSTREAM_RECOVERY_MANUAL;
  rstream_producer *p = open_producer(log, log.options());
  rstream_consumer *c = open_consumer(clog, clog.message_options());
  EXPECT_EQ(rstream_producer_reconnect(p), RSTREAM_EBUSY);
  EXPECT_EQ(rstream_consumer_reconnect(c), RSTREAM_EBUSY);
  fake::peer_reset(publishing_peer());
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until(
      [&] { return letters(log.states) == "OD" && letters(clog.states) == "OD"; }));
  send(p, "one");
  EXPECT_EQ(rstream_producer_state(p), RSTREAM_STATE_DISCONNECTED);
  EXPECT_EQ(rstream_consumer_state(c), RSTREAM_STATE_DISCONNECTED);
  EXPECT_EQ(stats().recovery_attempts, 0u);
  ASSERT_EQ(rstream_producer_reconnect(p), 0);
  ASSERT_EQ(rstream_consumer_reconnect(c), 0);
  ASSERT_TRUE(run_until([&] { return log.is_open() && clog.is_open(); }));
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  EXPECT_EQ(log.summary(), "1:0");
}

TEST_F(recovery, reconnecting_by_hand_in_vain_is_told) {
  create();
  producer_log &log = new_producer_log();
  log.recovery = RSTREAM_RECOVERY_MANUAL;
  rstream_producer *p = open_producer(log, log.options());
  fake::broker_crash(node());
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "OD"; }));
  ASSERT_EQ(rstream_producer_reconnect(p), 0);
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "ODD"; }));
  EXPECT_TRUE(rstream_error_is_retriable(log.reason)) << log.reason;
}

TEST_F(recovery, opening_is_tried_again_only_when_asked_for) {
  fake::broker_crash(node());
  create();
  producer_log &log = new_producer_log(), &patient = new_producer_log();
  rstream_producer_options o = log.options(), po = patient.options();
  po.retry_opening = 1;
  rstream_producer *p, *q;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  ASSERT_EQ(rstream_producer_open(&q, env, &po), 0);
  send(q, "one");
  ASSERT_TRUE(run_until([&] { return log.ended() && patient.states.size() >= 3; }));
  EXPECT_EQ(letters(log.states), "C");
  EXPECT_EQ(letters(patient.states).substr(0, 3), "RRR");
  fake::broker_start(node());
  fake::stream_elect(invoices(), 0);
  ASSERT_TRUE(run_until([&] { return patient.outcomes.size() == 1; }));
  EXPECT_EQ(stored(), "0=one");
}

TEST_F(recovery, scenario_96_a_password_that_is_no_longer_right_ends_it) {
  cluster().options.tarpit_ms = 1;
  create();
  producer_log &log = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer_options po = log.options();
  po.retry_opening = 1;
  rstream_producer *p = open_producer(log, po);
  open_consumer(clog, clog.message_options());
  cluster().users["guest"].password = "another";
  auto peers = node().peers;
  for (fake::peer *peer : peers) fake::peer_reset(*peer);
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.ended() && clog.ended(); }));
  EXPECT_EQ(letters(log.states), "ORC");
  EXPECT_EQ(letters(clog.states), "ORC");
  EXPECT_EQ(log.reason, RSTREAM_BROKER_AUTHENTICATION_FAILURE) << log.text;
  EXPECT_EQ(clog.reason, RSTREAM_BROKER_AUTHENTICATION_FAILURE) << clog.text;
  EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_BROKER_AUTHENTICATION_FAILURE));
  // Once each, and not again.
  EXPECT_EQ(stats().recovery_attempts, 2u);
  EXPECT_LE(frames_of(key::sasl_authenticate), 3u + 2u);
}

// Scenario 11.
TEST_F(recovery, scenario_11_a_consumer_goes_on_behind_what_it_was_given) {
  for (int i = 0; i < 5; i++) store(std::to_string(i));
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  rstream_consumer *c = open_consumer(log, o);
  ASSERT_TRUE(run_until([&] { return log.messages.find("4=4") != std::string::npos; }));
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "OR"; }));
  store("five");
  ASSERT_TRUE(run_until([&] { return log.messages.find("five") != std::string::npos; }));
  EXPECT_EQ(log.messages, "0=0 1=1 2=2 3=3 4=4 5=five");
  EXPECT_EQ(stats_of(c).recoveries, 1u);
}

TEST_F(recovery, at_next_with_nothing_received_a_consumer_stays_at_next) {
  store("before");
  create();
  consumer_log &log = new_consumer_log();
  open_consumer(log, log.message_options());
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "OR"; }));
  store("meanwhile");
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "ORO"; }));
  store("after");
  ASSERT_TRUE(run_until([&] { return !log.messages.empty(); }));
  EXPECT_EQ(log.messages, "2=after");
}

TEST_F(recovery, chunks_that_are_held_stay_the_applications_and_keep_their_credit) {
  node().cluster->options.max_chunk_entries = 1;
  for (int i = 0; i < 6; i++) store(std::to_string(i));
  create();
  consumer_log &log = new_consumer_log();
  log.keeps = true;
  rstream_consumer_options o = log.chunk_options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.initial_credit = 2;
  rstream_consumer *c = open_consumer(log, o);
  ASSERT_TRUE(run_until([&] { return log.chunks == 2; }));
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return letters(log.states) == "ORO"; }));
  // One more comes than there is credit for; then nothing before a chunk is finished.
  ASSERT_TRUE(run_until([&] { return log.chunks == 3; }));
  EXPECT_EQ(log.messages, "0=0 1=1 2=2");
  EXPECT_EQ(stats_of(c).chunks_held, 3u);
  while (!log.kept.empty()) {
    rstream_chunk_release(log.kept.front());
    log.kept.erase(log.kept.begin());
    for (int i = 0; i < 5; i++) uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_LE(log.kept.size(), 2u);
  }
  EXPECT_EQ(log.messages, "0=0 1=1 2=2 3=3 4=4 5=5");
}

// Scenario 92. Nobody answers StoreOffset: the last one may not have arrived.
TEST_F(recovery, scenario_92_the_last_stored_offset_is_stored_once_more) {
  for (int i = 0; i < 3; i++) store(std::to_string(i));
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.name = "reader";
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.store_every_messages = 1;
  node().hooks.push_back(
      {raw(key::store_offset), 0, [](fake::peer &, const fake::frame &) {
         return fake::verdict::handled;  // lost
       }});
  open_consumer(log, o);
  ASSERT_TRUE(run_until([&] { return frames_of(key::store_offset) > 0; }));
  EXPECT_EQ(invoices().offsets.count("reader"), 0u);
  node().hooks.clear();
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return invoices().offsets.count("reader") == 1; }));
  EXPECT_EQ(invoices().offsets["reader"], 2u);
}

// Found by fuzzing: it went out before the handshake.
TEST_F(recovery, nothing_is_stored_on_a_connection_that_is_still_being_made) {
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.name = "reader";
  o.store_interval_ms = 1;
  open_consumer(log, o);
  // The handshake of the next connection of consumers stops at its first frame.
  int held = 0;
  std::vector<uint16_t> seen;
  node().hooks.push_back({0, 0, [&](fake::peer &from, const fake::frame &f) {
                            if (f.key == raw(key::peer_properties)) {
                              held++;
                              from.user_data = &held;
                              return fake::verdict::handled;
                            }
                            if (from.user_data) seen.push_back(f.key);
                            return fake::verdict::pass;
                          }});
  store("one");
  ASSERT_TRUE(run_until([&] { return !log.messages.empty(); }));
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return held > 0; }));
  for (int i = 0; i < 50; i++) uv_run(&loop, UV_RUN_ONCE);
  EXPECT_EQ(seen, std::vector<uint16_t>());
}

TEST_F(recovery, the_environment_is_told_whom_a_lost_connection_concerns) {
  struct told {
    std::string streams;
    size_t handles = 0;
    int reason = 0;
    int calls = 0;
  };
  static told t;
  t = {};
  fake::stream_create(cluster(), "orders");
  options.on_connection_lost = [](rstream_env *, const rstream_connection_loss *loss,
                                  void *) {
    for (size_t i = 0; i < loss->stream_count; i++)
      t.streams += std::string(loss->streams[i]) + ' ';
    t.handles = loss->handle_count;
    t.reason = loss->reason;
    t.calls++;
  };
  create();
  producer_log &log = new_producer_log();
  open_producer(log, log.options());
  open_producer(log, log.options("orders"));
  open_producer(log, log.options());
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] { return t.calls > 0; }));
  EXPECT_EQ(t.streams, "invoices orders ");
  EXPECT_EQ(t.handles, 3u);
  EXPECT_EQ(t.reason, RSTREAM_ECONNLOST);
}

// Scenario 25: the frame would only be refused again.
TEST_F(recovery, scenario_25_a_frame_called_too_large_is_not_sent_again) {
  create();
  producer_log &log = new_producer_log(), &idle = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  open_producer(idle, idle.options());
  node().hooks.push_back(
      {raw(key::publish), 0, [](fake::peer &from, const fake::frame &) {
         fake::peer_send_close(from, wire::response::frame_too_large, "frame too large");
         return fake::verdict::handled;
       }});
  send(p, "one");
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_FRAME_TOO_LARGE);
  EXPECT_NE(log.text.find("max_frame_bytes"), std::string::npos) << log.text;
  EXPECT_EQ(log.summary(), "1:-21014");
  ASSERT_TRUE(run_until([&] { return letters(idle.states) == "ORO"; }));
  EXPECT_EQ(frames_of(key::publish), 1u);
}

// Scenario 74: an answer that never comes costs the attempt, not the handle.
TEST_F(recovery, scenario_74_requests_that_time_out_lead_to_the_next_attempt) {
  options.request_timeout_ms = 100;
  create();
  producer_log &log = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer *p = open_producer(log, log.options());
  open_consumer(clog, clog.message_options());
  int ignored = 0;
  node().hooks.push_back({0, 0, [&](fake::peer &, const fake::frame &f) {
                            bool asks = f.key == raw(key::declare_publisher) ||
                                        f.key == raw(key::subscribe);
                            if (!asks || ignored >= 4) return fake::verdict::pass;
                            ignored++;
                            return fake::verdict::handled;
                          }});
  fake::peer_reset(publishing_peer());
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return ignored == 4 && log.is_open() && clog.is_open(); }));
  send(p, "one");
  ASSERT_TRUE(run_until([&] { return clog.messages == "0=one"; }));
}
