// Scenarios 7, 34 and 35: what nobody waits for is counted, and the connection stays.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct ignored : client_test {
  producer_log log;
  rstream_producer *producer = nullptr;
  peer_link *link = nullptr;

  void open() {
    broker.confirms = true;
    create();
    log.recovery = RSTREAM_RECOVERY_NONE;
    producer = open_producer(log, log.options());
    link = &broker.last();
  }

  // Whether the producer's connection still works.
  void expect_alive() {
    size_t before = log.outcomes.size();
    send(producer, "alive");
    EXPECT_TRUE(run_until([&] { return log.outcomes.size() > before || log.ended(); }));
    EXPECT_FALSE(log.ended()) << log.text;
    EXPECT_EQ(stats().connections_lost, 0u);
  }

  void expect_ignored(const byte_vector &frame, const char *what) {
    uint64_t before = stats().frames_ignored;
    link->send(frame);
    expect_alive();
    EXPECT_EQ(stats().frames_ignored, before + 1) << what;
  }
};

}  // namespace

TEST_F(ignored, unknown_keys) {
  open();
  expect_ignored(from_hex("00000004 0000 0001"), "key 0");
  expect_ignored(from_hex("00000004 0063 0001"), "key 99");
  expect_ignored(from_hex("00000008 7fff 0001 00000000"), "key 32767");
  expect_ignored(from_hex("00000004 8000 0001"), "response 0");
  expect_ignored(from_hex("0000000a 8063 0001 00000001 0001"), "response 99");
  expect_ignored(from_hex("00000004 ffff 0001"), "response 32767");
}

TEST_F(ignored, keys_that_are_not_for_a_client) {
  open();
  expect_ignored(encoded(wire::declare_publisher{1, 0, "", "s"}), "DeclarePublisher");
  expect_ignored(encoded(wire::tune{100, 1}), "Tune");
  expect_ignored(encoded(wire::credit{0, 1}), "Credit");
}

TEST_F(ignored, an_unknown_version_of_deliver) {
  open();
  byte_vector frame = encoded(wire::deliver{0, 1, 0, {}});
  frame[7] = 9;
  expect_ignored(frame, "version 9");
}

TEST_F(ignored, unknown_correlation_ids_and_answers_of_another_kind) {
  open();
  expect_ignored(encoded(wire::response_frame{4711, 1}, key::declare_publisher),
                 "unknown id");
  // Answered already.
  uint32_t id = link->of(key::declare_publisher).at(0).correlation_id();
  expect_ignored(encoded(wire::response_frame{id, 1}, key::declare_publisher),
                 "a second time");
  expect_ignored(encoded(wire::response_frame{id, 17}, key::subscribe), "another kind");
  expect_ignored(from_hex("00000006 8001 0001 0000"), "without a whole id");
}

TEST_F(ignored, an_answer_of_another_kind_does_not_answer_a_request) {
  open();
  broker.on_frame = [&](peer_link &l, const peer_frame &f) {
    if (f.key != raw(key::create)) return false;
    l.send(encoded(wire::response_frame{f.correlation_id(), 17}, key::delete_stream));
    l.answer(f, wire::response::ok);
    return true;
  };
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  EXPECT_EQ(stats().frames_ignored, 1u);
}

TEST_F(ignored, outcomes_for_an_unknown_publisher) {
  open();
  const uint64_t ids[] = {1, 2};
  const wire::failed_id failed[] = {{1, 17}};
  expect_ignored(encoded(wire::publish_confirm{77, {ids}}), "PublishConfirm");
  expect_ignored(encoded(wire::publish_error{77, {failed}}), "PublishError");
  EXPECT_EQ(log.summary(), "1:0 2:0");
}

TEST_F(ignored, a_deliver_for_an_unknown_subscription) {
  open();
  expect_ignored(encoded(wire::deliver{3, 2, 0, from_hex("50000000")}),
                 "on a producer's link");
  consumer_log clog;
  open_consumer(clog, clog.message_options());
  link = &broker.last();
  uint64_t before = stats().frames_ignored;
  link->send(encoded(wire::deliver{3, 1, 0, from_hex("50000000")}));
  EXPECT_TRUE(run_until([&] { return stats().frames_ignored == before + 1; }));
  EXPECT_EQ(link->of(key::credit).size(), 0u);
}

// Ids of publishers and of subscriptions are numbers of the same kind.
TEST_F(ignored, frames_for_a_consumer_on_a_producers_connection_and_the_reverse) {
  open();
  expect_ignored(encoded(wire::deliver{0, 2, 0, from_hex("50000000")}), "Deliver");
  consumer_log clog;
  open_consumer(clog, clog.message_options());
  const uint64_t ids[] = {1, 2};
  const wire::failed_id failed[] = {{1, 17}};
  uint64_t before = stats().frames_ignored;
  broker.last().send_frame(wire::publish_confirm{0, {ids}});
  broker.last().send_frame(wire::publish_error{0, {failed}});
  EXPECT_TRUE(run_until([&] { return stats().frames_ignored == before + 2; }));
  EXPECT_FALSE(clog.ended()) << clog.text;
}

TEST_F(ignored, a_refused_credit) {
  open();
  expect_ignored(encoded(wire::credit_error{4, 1}), "credit error");
}

TEST_F(ignored, frames_in_one_piece_with_an_unknown_one_between_are_all_seen) {
  open();
  broker.confirms = false;
  send(producer, "one");
  ASSERT_TRUE(run_until([&] { return broker.count(key::publish) == 1; }));
  const uint64_t ids[] = {1};
  byte_vector bytes = encoded(wire::heartbeat{});
  for (const byte_vector &more :
       {from_hex("00000004 0063 0001"), encoded(wire::publish_confirm{0, {ids}})}) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  link->send(bytes);
  EXPECT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  EXPECT_EQ(stats().frames_ignored, 1u);
}

TEST_F(ignored, malformed_frames_of_known_keys_end_the_connection) {
  const char *frames[] = {
      "00000004 0003 0001",              // PublishConfirm without a publisher
      "00000009 0003 0001 00 7fffffff",  // more ids than there are
      "00000009 0004 0001 00 00000001",
      "00000006 0010 0001 0006",  // MetadataUpdate without a stream
      "00000004 0008 0001",       // Deliver without a subscription
      "00000006 0008 0002 00 00",
      "00000006 0016 0001 0000",  // Close
      "00000006 001a 0001 0000",  // ConsumerUpdate
      "00000005 8009 0001 00",    // refused Credit
      "00000000",
      "00000003",
      "80000000",
      "ffffffff",
  };
  for (const char *frame : frames) {
    log = {};
    open();
    link->send(from_hex(frame));
    ASSERT_TRUE(run_until([&] { return log.ended(); })) << frame;
    EXPECT_EQ(log.reason, RSTREAM_EPROTO) << frame;
    EXPECT_EQ(stats().connections_lost, 1u);
    close_env();
    env_closed = 0;
  }
}

TEST_F(ignored, a_consumer_update_is_answered_although_nobody_asked_for_it) {
  open();
  link->send_frame(wire::consumer_update{0, 0, true});
  ASSERT_TRUE(run_until([&] { return !link->of_raw(0x801a).empty(); }));
  EXPECT_EQ(to_hex(link->of_raw(0x801a).at(0).bytes), "0000000c801a00010000000000010000");
}
