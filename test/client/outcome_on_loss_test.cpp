// Every accepted message has exactly one outcome, wherever the connection is cut.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct loss_case {
  const char *name;
  key at;       // the frame over which the peer closes the connection
  size_t link;  // 0 is the locator, 1 the producer's connection
};

constexpr loss_case cases[] = {
    {"locator, PeerProperties", key::peer_properties, 0},
    {"locator, SaslAuthenticate", key::sasl_authenticate, 0},
    {"locator, Open", key::open, 0},
    {"locator, Metadata", key::metadata, 0},
    {"PeerProperties", key::peer_properties, 1},
    {"SaslHandshake", key::sasl_handshake, 1},
    {"SaslAuthenticate", key::sasl_authenticate, 1},
    {"Open", key::open, 1},
    {"ExchangeCommandVersions", key::exchange_command_versions, 1},
    {"DeclarePublisher", key::declare_publisher, 1},
    {"QueryPublisherSequence", key::query_publisher_sequence, 1},
    {"Publish", key::publish, 1},
};

struct outcome_on_loss : client_test {
  producer_log log = ending();

  static producer_log ending() {
    producer_log ends;
    ends.recovery = RSTREAM_RECOVERY_NONE;
    return ends;
  }

  void expect_one_outcome_each(uint64_t count, const char *name) {
    std::vector<int> seen(count + 1);
    for (auto &o : log.outcomes) {
      ASSERT_GE(o.id, 1u) << name;
      ASSERT_LE(o.id, count) << name;
      seen[o.id]++;
    }
    for (uint64_t id = 1; id <= count; id++)
      EXPECT_EQ(seen[id], 1) << name << ", message " << id;
  }
};

}  // namespace

TEST_F(outcome_on_loss, cut_at_every_stage) {
  options.request_timeout_ms = 300;  // after it, looking again is given up
  for (const loss_case &c : cases) {
    log = ending();
    broker.links.clear();
    broker.on_frame = [&c](peer_link &link, const peer_frame &f) {
      bool at = f.key == raw(c.at) && (c.link == 0) == (link.index == 0);
      if (at) link.close();
      return at;
    };
    create();
    rstream_producer_options o = log.options();
    o.name = "app";
    o.max_batch_messages = 3;
    rstream_producer *p;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    for (int i = 0; i < 10; i++) send(p, "body");
    ASSERT_TRUE(run_until([&] { return log.ended(); })) << c.name;
    EXPECT_EQ(log.reason, RSTREAM_ECONNLOST) << c.name;
    expect_one_outcome_each(10, c.name);
    for (auto &outcome : log.outcomes)
      EXPECT_EQ(outcome.status, RSTREAM_ECONNLOST) << c.name;
    EXPECT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_ECLOSED);
    EXPECT_EQ(rstream_producer_state(p), RSTREAM_STATE_CLOSED);
    ASSERT_EQ(rstream_producer_close(p, producer_log::on_closed), 0);
    ASSERT_TRUE(run_until([&] { return log.closed > 0; })) << c.name;
    EXPECT_EQ(log.closed_status, RSTREAM_ECONNLOST) << c.name;
    EXPECT_EQ(log.outcomes.size(), 10u) << c.name;
    close_env();
    env_closed = 0;
    // The peer's handles must be gone before their memory is.
    for (auto &link : broker.links) link->close();
    for (int i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  }
}

TEST_F(outcome_on_loss, messages_confirmed_before_the_cut_stay_confirmed) {
  create();
  rstream_producer *p = open_producer(log, log.options());
  for (int i = 0; i < 6; i++) send(p, "body");
  ASSERT_TRUE(run_until([&] { return broker.count(key::publish) == 1; }));
  const uint64_t ids[] = {2, 5};
  broker.last().send_frame(wire::publish_confirm{0, {ids}});
  broker.last().close();
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.summary(), "2:0 5:0 1:-20009 3:-20009 4:-20009 6:-20009");
}

TEST_F(outcome_on_loss,
       a_stream_that_becomes_unavailable_ends_the_producer_with_that_reason) {
  create();
  rstream_producer *p = open_producer(log, log.options());
  send(p, "body");
  ASSERT_TRUE(run_until([&] { return broker.count(key::publish) == 1; }));
  broker.last().send_frame(wire::metadata_update{6, "another"});
  broker.last().send_frame(wire::metadata_update{6, "invoices"});
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_EUNAVAILABLE));
}

TEST_F(outcome_on_loss,
       a_close_of_the_broker_is_answered_first_and_its_words_reach_the_producer) {
  create();
  rstream_producer_options o = log.options();
  static size_t answers_when_told;
  static peer_link *link;
  o.on_state = [](rstream_producer *p, const rstream_state *s, void *user) {
    producer_log::of(user)->states.push_back(s->state);
    producer_log::of(user)->reason = s->reason;
    producer_log::of(user)->text = s->text;
    // Handed to the socket before anybody is told: what follows would come behind it.
    if (s->state == RSTREAM_STATE_CLOSED) {
      rstream_env_stats stats;
      stats.struct_size = sizeof stats;
      rstream_env_stats_get(rstream_producer_env(p), &stats);
      answers_when_told = stats.bytes_sent;
    }
  };
  open_producer(log, o);
  link = &broker.last();
  uint64_t before = stats().bytes_sent;
  link->send_frame(wire::close_request{1, 14, "Frame size exceeds maximum"});
  ASSERT_TRUE(run_until([&] { return link->ended; }));
  ASSERT_TRUE(log.ended());
  EXPECT_EQ(log.reason, RSTREAM_BROKER_FRAME_TOO_LARGE);
  EXPECT_EQ(log.text,
            "the broker closed the connection: frame too large (14): Frame size "
            "exceeds maximum (see max_frame_bytes)");
  ASSERT_EQ(link->frames.back().key, 0x8016);
  EXPECT_EQ(answers_when_told - before, link->frames.back().bytes.size());
}
