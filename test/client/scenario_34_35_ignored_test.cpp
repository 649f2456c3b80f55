// Scenarios 34 and 35: frames for nobody.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct scenario_34 : fake_client {};
struct scenario_35 : fake_client {};

fake::chunk_parts chunk_of_one(uint64_t offset) {
  fake::chunk_parts parts = {.first_offset = offset};
  fake::chunk_add(parts, "stray");
  return parts;
}

}  // namespace

TEST_F(scenario_34, a_chunk_for_an_unknown_subscription_is_dropped_and_gives_no_credit) {
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  open_consumer(log, o);
  fake::peer &p = subscribed_peer();
  fake::peer_send(p, fake::deliver_frame(77, p.deliver_version, chunk_of_one(5)));
  store("mine");
  EXPECT_TRUE(run_until([&] { return frames_of(key::credit) >= 1; }));
  EXPECT_EQ(log.messages, "0=mine");
  EXPECT_EQ(frames_of(key::credit), 1u);
  EXPECT_EQ(fake::subscription_of(cluster(), "invoices")->credit, 10);
  EXPECT_EQ(totals(cluster()).credit_errors, 0u);
  EXPECT_EQ(stats().frames_ignored, 1u);
}

TEST_F(scenario_34,
       chunks_around_the_answer_to_unsubscribe_are_dropped_and_give_no_credit) {
  create();
  consumer_log &first = new_consumer_log();
  consumer_log &second = new_consumer_log();
  rstream_consumer *c = open_consumer(first, first.message_options());
  open_consumer(second, second.message_options());
  ASSERT_EQ(invoices().subscriptions.size(), 2u);
  on_frame(node(), key::unsubscribe, [](fake::peer &from, const fake::frame &fr) {
    uint8_t id = fr.body[4];
    fake::peer_send(from, fake::deliver_frame(id, from.deliver_version, chunk_of_one(1)));
    fake::peer_handle(from, fr);
    fake::peer_send(from, fake::deliver_frame(id, from.deliver_version, chunk_of_one(2)));
    return fake::verdict::handled;
  });
  ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
  EXPECT_TRUE(run_until([&] { return first.closed > 0; }));
  store("for the other");
  EXPECT_TRUE(run_until([&] { return frames_of(key::credit) >= 1; }));
  EXPECT_EQ(first.messages, "");
  EXPECT_EQ(second.messages, "0=for the other");
  EXPECT_EQ(frames_of(key::credit), 1u);
  EXPECT_EQ(totals(cluster()).credit_errors, 0u);
  EXPECT_EQ(stats().frames_ignored, 1u) << "the one behind the answer";
  EXPECT_EQ(fake::subscription_of(cluster(), "invoices")->credit, 10);
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_EQ(frames_of(key::unsubscribe), 1u);
}

TEST_F(scenario_35,
       answers_nobody_waits_for_and_unknown_keys_leave_the_connection_alone) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  fake::peer &peer = publishing_peer();
  byte_vector code = fake::frame_of(wire::response_frame{4711, 1}, key::delete_publisher);
  const byte_vector strays[] = {
      code,  // an unknown correlation id,
      code,  // twice,
      fake::frame_of(wire::query_offset_response{4712, 1, 5}),
      fake::frame_of(wire::response_frame{4711, 1}, key::subscribe),
      fake::raw_frame(0x0063, 1, {}),                          // an unknown key,
      fake::raw_frame(0x8063, 1, {}),                          // as an answer,
      fake::raw_frame(raw(key::deliver), 9, {}),               // an unknown version,
      fake::frame_of(wire::declare_publisher{1, 0, "", "s"}),  // keys that clients send
      fake::frame_of(wire::credit{0, 1}),
  };
  for (const byte_vector &stray : strays) fake::peer_send(peer, stray);
  send(p, "still there");
  EXPECT_TRUE(run_until([&] { return log.outcomes.size() >= 1 || log.ended(); }));
  EXPECT_EQ(log.summary(), "1:0");
  EXPECT_EQ(stats().frames_ignored, std::size(strays));
  EXPECT_EQ(
      static_cast<size_t>(std::count_if(
          lines.begin(), lines.end(),
          [](const std::string &line) { return line.find(": ignored ") != line.npos; })),
      std::size(strays));
  EXPECT_EQ(stats().connections_lost, 0u);
}

TEST_F(scenario_35,
       an_answer_of_the_wrong_kind_or_that_comes_twice_answers_nothing_else) {
  // Before its true answer, each request gets one with its correlation id but of another
  // command; after it, the same once more.
  on_frame(node(), key::query_offset, [](fake::peer &from, const fake::frame &fr) {
    uint32_t id = fake::correlation_of(fr);
    fake::peer_send(from, fake::frame_of(wire::response_frame{id, 5}, key::create));
    fake::peer_handle(from, fr);
    fake::peer_handle(from, fr);
    return fake::verdict::handled;
  });
  invoices().offsets["reader"] = 42;
  create();
  struct value {
    int calls = 0, status = 1;
    uint64_t number = 0;
  } values[3];
  for (value &v : values) {
    auto on_value = [](rstream_env *, int status, uint64_t number, void *user) {
      auto *to = static_cast<value *>(user);
      *to = {to->calls + 1, status, number};
    };
    ASSERT_EQ(rstream_query_offset(env, "reader", "invoices", on_value, &v), 0);
  }
  EXPECT_TRUE(run_until([&] { return values[2].calls > 0; }));
  result r;
  ask_and_wait(r);
  EXPECT_EQ(r.status, RSTREAM_BROKER_STREAM_EXISTS);
  for (value &v : values) {
    EXPECT_EQ(v.calls, 1);
    EXPECT_EQ(v.status, 0);
    EXPECT_EQ(v.number, 42u);
  }
  EXPECT_EQ(stats().frames_ignored, 3 * 2u);
  EXPECT_EQ(stats().connections_lost, 0u);
}
