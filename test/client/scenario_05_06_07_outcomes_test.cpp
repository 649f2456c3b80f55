// Scenarios 5, 6 and 7: what the broker says about messages, in every order, at every
// moment.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct scenario_5 : fake_client {};
struct scenario_6 : fake_client {};
struct scenario_7 : fake_client {};

byte_vector confirm(uint8_t publisher, std::vector<uint64_t> ids) {
  return fake::frame_of(wire::publish_confirm{publisher, {ids}});
}
byte_vector failure(uint8_t publisher, std::vector<uint64_t> ids, uint16_t code) {
  std::vector<wire::failed_id> failed;
  for (uint64_t id : ids) failed.push_back({id, code});
  return fake::frame_of(wire::publish_error{publisher, {failed}});
}

// Every id from 1 to `count` with status 0, once.
void expect_all_confirmed(const producer_log &log, size_t count) {
  ASSERT_EQ(log.outcomes.size(), count);
  std::vector<bool> seen(count + 1);
  for (const producer_log::outcome &o : log.outcomes) {
    ASSERT_GE(o.id, 1u);
    ASSERT_LE(o.id, count);
    EXPECT_FALSE(seen[o.id]) << "twice: " << o.id;
    EXPECT_EQ(o.status, 0) << o.id;
    seen[o.id] = true;
  }
}

}  // namespace

TEST_F(scenario_5, confirms_that_answer_at_once_are_not_lost) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  for (int turn = 0; turn < 100; turn++) {
    for (int i = 0; i < 5; i++) send(p, "body");
    size_t want = static_cast<size_t>(turn + 1) * 5;
    ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= want; }));
  }
  expect_all_confirmed(log, 500);
  EXPECT_EQ(frames_of(key::publish), 100u);
}

TEST_F(scenario_5,
       confirms_that_come_while_the_rest_is_still_being_written_are_not_lost) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  constexpr size_t count = 30000;
  o.max_messages_in_flight = count;
  rstream_producer *p = open_producer(log, o);
  // The broker confirms the first frame and then takes no more.
  uint64_t hook = fake::on_frame(publishing_peer(), key::publish,
                                 [](fake::peer &from, const fake::frame &fr) {
                                   fake::peer_handle(from, fr);
                                   fake::peer_stop_reading(from);
                                   return fake::verdict::handled;
                                 });
  std::string body(1000, 'x');
  for (size_t i = 0; i < count; i++) send(p, body);
  ASSERT_TRUE(run_until([&] { return !log.outcomes.empty(); }));
  EXPECT_LT(log.outcomes.size(), count);
  uint64_t written = stats().bytes_sent;
  EXPECT_LT(written, count * body.size()) << "nothing was left to be written";
  fake::hook_remove(node(), hook);
  fake::peer_resume_reading(publishing_peer());
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= count || log.ended(); }));
  expect_all_confirmed(log, count);
  EXPECT_EQ(invoices().next_offset, count);
}

TEST_F(scenario_5,
       a_confirm_in_one_piece_with_the_answer_to_declare_publisher_does_no_harm) {
  on_frame(node(), key::declare_publisher, [](fake::peer &from, const fake::frame &fr) {
    fake::peer_handle(from, fr);
    fake::peer_send(from, confirm(0, {1}));
    return fake::verdict::handled;
  });
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  send(p, "waits for the declaration");
  ASSERT_TRUE(run_until([&] { return frames_of(key::publish) == 1; }));
  ASSERT_TRUE(run_until([&] { return !log.outcomes.empty(); }));
  send(p, "goes on");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 2; }));
  expect_all_confirmed(log, 2);
}

TEST_F(scenario_6, errors_before_confirms_reach_their_own_messages) {
  on_frame(node(), key::publish, [](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[0];
    fake::peer_send(from, fake::join({failure(id, {2, 3}, 17), confirm(id, {1})}));
    return fake::verdict::handled;
  });
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  for (int i = 0; i < 3; i++) send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 3; }));
  std::string refused = std::to_string(RSTREAM_BROKER_PRECONDITION_FAILED);
  EXPECT_EQ(log.summary(), "2:" + refused + " 3:" + refused + " 1:0");
  EXPECT_FALSE(log.ended());
}

TEST_F(scenario_6, confirms_in_reverse_reach_their_own_messages) {
  on_frame(node(), key::publish, [](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[0];
    fake::peer_send(from, confirm(id, {4, 3}));
    fake::peer_send(from, failure(id, {2}, 16));
    fake::peer_send(from, confirm(id, {1}));
    return fake::verdict::handled;
  });
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  for (int i = 0; i < 4; i++) send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 4; }));
  EXPECT_EQ(log.summary(),
            "4:0 3:0 2:" + std::to_string(RSTREAM_BROKER_ACCESS_REFUSED) + " 1:0");
}

// Every order of four ids; the one at the end is refused, one in the middle with another
// code.
TEST_F(scenario_6, outcomes_in_every_order_reach_their_own_messages) {
  std::vector<uint64_t> order = {1, 2, 3, 4};
  uint64_t first = 0;  // of the round, counted from 0
  on_frame(node(), key::publish, [&](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[0];
    const wire::failed_id failed[] = {{first + order[2], 16}, {first + order[3], 17}};
    fake::peer_send(from,
                    fake::join({confirm(id, {first + order[0], first + order[1]}),
                                fake::frame_of(wire::publish_error{id, {failed}})}));
    return fake::verdict::handled;
  });
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  do {
    log.outcomes.clear();
    for (int i = 0; i < 4; i++) send(p, "x");
    ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 4; }));
    std::string expected;
    const int codes[] = {0, 0, RSTREAM_BROKER_ACCESS_REFUSED,
                         RSTREAM_BROKER_PRECONDITION_FAILED};
    for (size_t i = 0; i < 4; i++) {
      expected += (i ? " " : "") + std::to_string(first + order[i]) + ':' +
                  std::to_string(codes[i]);
    }
    EXPECT_EQ(log.summary(), expected);
    first += 4;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(first, 24 * 4u);
}

TEST_F(scenario_7, bogus_outcomes_are_counted_and_ignored) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  on_frame(publishing_peer(), key::publish, [](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[0];
    fake::peer_send(from, confirm(id, {99, 0, UINT64_MAX}));
    fake::peer_send(from, failure(id, {98}, 17));
    fake::peer_send(from, confirm(77, {1, 2}));
    fake::peer_send(from, failure(78, {1}, 17));
    fake::peer_handle(from, fr);
    return fake::verdict::handled;
  });
  for (int i = 0; i < 3; i++) send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 3; }));
  // Once more what was confirmed already.
  fake::peer_send(publishing_peer(),
                  fake::join({confirm(0, {1, 2, 3}), failure(0, {1}, 17)}));
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 4; }));
  expect_all_confirmed(log, 4);
  rstream_producer_stats s;
  s.struct_size = sizeof s;
  ASSERT_EQ(rstream_producer_stats_get(p, &s), 0);
  EXPECT_EQ(s.unknown_confirms, 2 * 4 + 4u);
  EXPECT_EQ(stats().frames_ignored, 2 * 2u);
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_FALSE(log.ended());
}

TEST_F(scenario_7, an_outcome_told_again_while_others_wait_is_counted_and_ignored) {
  on_frame(node(), key::publish, [](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[0];
    fake::peer_send(
        from, fake::join({confirm(id, {2, 2}), confirm(id, {2}), failure(id, {2, 3}, 17),
                          confirm(id, {3}), confirm(id, {1, 2, 3, 4})}));
    return fake::verdict::handled;
  });
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  for (int i = 0; i < 4; i++) send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() >= 4; }));
  std::string refused = std::to_string(RSTREAM_BROKER_PRECONDITION_FAILED);
  EXPECT_EQ(log.summary(), "2:0 3:" + refused + " 1:0 4:0");
  rstream_producer_stats s;
  s.struct_size = sizeof s;
  ASSERT_EQ(rstream_producer_stats_get(p, &s), 0);
  EXPECT_EQ(s.unknown_confirms, 2 + 1 + 1 + 2u);
  EXPECT_EQ(s.messages_in_flight, 0u);
}

// The messages wait for the producer to be open: nobody but the application knows them.
TEST_F(scenario_7, outcomes_for_what_was_not_sent_yet_are_counted_and_ignored) {
  for (key step : {key::declare_publisher, key::query_publisher_sequence}) {
    SCOPED_TRACE(wire::command_name(raw(step)));
    node().hooks.clear();
    on_frame(node(), step, [](fake::peer &from, const fake::frame &fr) {
      fake::peer_send(from, fake::join({confirm(0, {1, 2}), failure(0, {3}, 17)}));
      fake::peer_handle(from, fr);
      return fake::verdict::handled;
    });
    create();
    producer_log &log = new_producer_log();
    rstream_producer_options o = log.options();
    o.name = wire::command_name(raw(step));
    o.max_batch_messages = 2;  // a frame is told of whole, another in part
    rstream_producer *p;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    for (int i = 0; i < 4; i++) send(p, "x");
    EXPECT_TRUE(run_until([&] { return log.outcomes.size() >= 4 || log.ended(); }));
    expect_all_confirmed(log, 4);
    rstream_producer_stats s;
    s.struct_size = sizeof s;
    ASSERT_EQ(rstream_producer_stats_get(p, &s), 0);
    EXPECT_EQ(s.unknown_confirms, 3u);
    renew();
  }
  EXPECT_EQ(invoices().next_offset, 8u);
}
