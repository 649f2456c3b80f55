// Scenarios 23 and 24: no frame is larger than what was negotiated.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

constexpr uint32_t limit = 1024;

struct frame_split : client_test {
  producer_log log;

  void SetUp() override {
    client_test::SetUp();
    broker.frame_max = limit;
    broker.confirms = true;
  }

  bool wait_for(size_t outcomes) {
    return run_until([&] { return log.outcomes.size() >= outcomes || log.ended(); });
  }

  // All frames fit, all messages came once, in order.
  void expect_messages(const std::vector<std::string> &bodies) {
    std::vector<std::string> seen;
    uint64_t last_id = 0;
    for (auto &f : broker.last().of(key::publish)) {
      EXPECT_LE(f.bytes.size() - 4, limit);
      auto frame = decoded<wire::publish>(f);
      for (wire::publish_entry entry; frame.entries.next(entry);) {
        EXPECT_GT(entry.id, last_id);
        last_id = entry.id;
        seen.push_back(text_of(entry.body));
      }
    }
    EXPECT_EQ(seen, bodies);
  }
};

std::vector<std::string> one_byte_messages() {
  std::vector<std::string> bodies;
  for (int i = 0; i < 70; i++)
    bodies.push_back(std::string(1, static_cast<char>('0' + i)));
  return bodies;
}

}  // namespace

TEST_F(frame_split, seventy_small_messages_are_split) {
  create();
  rstream_producer *p = open_producer(log, log.options());
  auto bodies = one_byte_messages();
  for (auto &b : bodies) send(p, b);
  ASSERT_TRUE(wait_for(70));
  EXPECT_EQ(broker.count(key::publish), 1u);
  expect_messages(bodies);
  for (int i = 0; i < 5; i++) {
    for (auto &b : one_byte_messages()) {
      send(p, b);
      bodies.push_back(b);
    }
  }
  ASSERT_TRUE(wait_for(420));
  EXPECT_GE(broker.count(key::publish), 6u);
  expect_messages(bodies);
}

TEST_F(frame_split, messages_sent_before_the_connection_is_open_are_cut_to_the_limit) {
  create();
  rstream_producer *p;
  rstream_producer_options o = log.options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::vector<std::string> bodies;
  for (int i = 0; i < 500; i++) {
    bodies.push_back(
        std::string(static_cast<size_t>(i % 90), static_cast<char>('a' + i % 26)));
    send(p, bodies.back());
  }
  ASSERT_TRUE(wait_for(500));
  EXPECT_FALSE(log.ended()) << log.text;
  expect_messages(bodies);
  rstream_producer_stats s;
  s.struct_size = sizeof s;
  rstream_producer_stats_get(p, &s);
  EXPECT_EQ(s.bytes_in_flight, 0u);
  EXPECT_EQ(s.messages_in_flight, 0u);
}

TEST_F(frame_split, named_messages_sent_before_the_connection_is_open_keep_their_order) {
  broker.sequence = 1000;
  create();
  rstream_producer *p;
  rstream_producer_options o = log.options();
  o.name = "app";
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::vector<std::string> bodies;
  for (int i = 0; i < 300; i++) {
    bodies.push_back(std::to_string(i));
    send(p, bodies.back());
  }
  ASSERT_TRUE(wait_for(300));
  expect_messages(bodies);
  for (size_t i = 0; i < 300; i++) ASSERT_EQ(log.outcomes[i].id, i + 1);
}

TEST_F(frame_split, the_largest_message_fills_a_frame_exactly) {
  create();
  rstream_producer *p = open_producer(log, log.options());
  std::string largest(limit - 21, 'x');
  send(p, largest);
  send(p, "y");
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(broker.last().of(key::publish).at(0).bytes.size(), limit + 4);
  expect_messages({largest, "y"});
}

// Scenario 24.
TEST_F(frame_split,
       a_message_larger_than_a_frame_is_refused_and_the_producer_stays_usable) {
  create();
  rstream_producer *p = open_producer(log, log.options());
  std::string too_large(limit - 20, 'x');
  uint64_t id = 0;
  EXPECT_EQ(rstream_producer_send_bytes(p, too_large.data(), too_large.size(), &id),
            RSTREAM_EMSGSIZE);
  EXPECT_EQ(id, 0u);
  EXPECT_STREQ(rstream_env_error_text(env),
               "a message of 1004 bytes does not fit a frame of 1028 bytes");
  send(p, "small");
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log.summary(), "1:0");
}

TEST_F(frame_split,
       too_large_messages_accepted_before_the_limit_was_known_fail_with_emsgsize) {
  create();
  rstream_producer *p;
  rstream_producer_options o = log.options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::string large(2000, 'x');
  send(p, large);
  send(p, "a");
  send(p, large);
  send(p, large);
  send(p, "b");
  send(p, std::string(100000, 'y'));
  ASSERT_TRUE(wait_for(6));
  ASSERT_TRUE(log.is_open()) << log.text;
  std::map<uint64_t, int> outcome;
  for (auto &x : log.outcomes)
    EXPECT_TRUE(outcome.insert({x.id, x.status}).second) << x.id;
  for (uint64_t large_id : {1, 3, 4, 6})
    EXPECT_EQ(outcome[large_id], RSTREAM_EMSGSIZE) << large_id;
  EXPECT_EQ(outcome[2], 0);
  EXPECT_EQ(outcome[5], 0);
  expect_messages({"a", "b"});
  rstream_producer_stats s;
  s.struct_size = sizeof s;
  rstream_producer_stats_get(p, &s);
  EXPECT_EQ(s.bytes_in_flight, 0u);
  send(p, "c");
  ASSERT_TRUE(wait_for(7));
  EXPECT_EQ(log.outcomes.back().status, 0);
}

TEST_F(frame_split, only_too_large_messages_all_fail_and_a_flush_is_answered) {
  create();
  rstream_producer *p;
  rstream_producer_options o = log.options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::string large(2000, 'x');
  for (int i = 0; i < 3; i++) send(p, large);
  static int flushed;
  flushed = 0;
  auto on_flushed = [](rstream_producer *, int status, void *) { flushed += 1 - status; };
  ASSERT_EQ(rstream_producer_flush(p, on_flushed, nullptr), 0);
  ASSERT_TRUE(wait_for(3));
  ASSERT_TRUE(run_until([&] { return flushed > 0; }));
  EXPECT_EQ(flushed, 1);
  EXPECT_EQ(broker.count(key::publish), 0u);
}
