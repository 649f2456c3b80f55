// What goes over TLS: whole, in pieces, much of it, and what comes when it ends.
// Scenarios 15, 43, 47, 62, 63 and 70 over TLS.
#include "names.h"
#include "tls_fixture.h"
#include "unresponsive.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct tls_link : tls_client {
  // Publishes and consumes; what came of it.
  std::string session() {
    create();
    producer_log &plog = new_producer_log();
    rstream_producer *p = open_producer(plog, plog.options());
    send(p, "hello");
    send(p, "");
    send(p, std::string(3000, 'x'));
    EXPECT_TRUE(run_until([&] { return plog.outcomes.size() >= 3 || plog.ended(); }));
    consumer_log &clog = new_consumer_log();
    rstream_consumer_options co = clog.message_options();
    co.offset_type = RSTREAM_OFFSET_FIRST;
    open_consumer(clog, co);
    EXPECT_TRUE(run_until([&] {
      return std::count(clog.messages.begin(), clog.messages.end(), '=') >= 3 ||
             clog.ended();
    }));
    std::string told = plog.summary() + '|' + clog.messages;
    told += '|' + std::to_string(stats().connections_lost);
    renew();
    fake::stream_delete(cluster(), "invoices");
    fake::stream_create(cluster(), "invoices");
    return told;
  }
};

std::string expected_session() {
  return "1:0 2:0 3:0|0=hello 1= 2=" + std::string(3000, 'x') + "|0";
}

}  // namespace

TEST_F(tls_link, publishes_and_consumes) {
  serve();
  EXPECT_EQ(session(), expected_session());
  EXPECT_EQ(front.handshakes, 3u);
  EXPECT_TRUE(run_until([&] { return front.ends_announced == 3; }))
      << "the end was not announced on each connection";
}

TEST_F(tls_link, scenario_15_in_pieces_of_any_size) {
  serve();
  std::string whole = session();
  EXPECT_EQ(whole, expected_session());
  for (size_t n = 1; n < 6000; n += n < 24 ? 1 : n / 5) {
    front.piece = n;
    ASSERT_EQ(session(), whole) << "in pieces of " << n;
  }
  EXPECT_GT(front.pieces_sent, 10000u);
}

TEST_F(tls_link, large_frames_there_and_back) {
  serve();
  create();
  producer_log &plog = new_producer_log();
  rstream_producer_options po = plog.options();
  po.max_messages_in_flight = 100000;
  rstream_producer *p = open_producer(plog, po);
  // 30 MB: more than any buffer between here and there.
  std::string body(300000, 0);
  for (size_t i = 0; i < body.size(); i++) body[i] = static_cast<char>(i * 7 + i / 251);
  for (int i = 0; i < 100; i++) send(p, body.substr(static_cast<size_t>(i)));
  for (int i = 0; i < 1000; i++) send(p, "small");
  ASSERT_TRUE(run_until([&] { return plog.outcomes.size() == 1100 || plog.ended(); }));
  EXPECT_EQ(plog.text, "");
  size_t n = 0;
  fake::stream_each(invoices(), [&](uint64_t, wire::bytes stored) {
    std::string expected = n < 100 ? body.substr(n) : "small";
    ASSERT_TRUE(text_of(stored) == expected) << n;
    n++;
  });
  EXPECT_EQ(n, 1100u);
  static size_t seen, wrong;
  static const std::string *original;
  seen = wrong = 0;
  original = &body;
  consumer_log &clog = new_consumer_log();
  rstream_consumer_options co = clog.options();
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.on_message = [](rstream_consumer *, const rstream_message_view *m, void *) {
    std::string expected = seen < 100 ? original->substr(seen) : "small";
    std::string_view got(reinterpret_cast<const char *>(m->body), m->body_size);
    if (got != expected) wrong++;
    seen++;
  };
  open_consumer(clog, co);
  ASSERT_TRUE(run_until([&] { return seen == 1100 || clog.ended(); }));
  EXPECT_EQ(wrong, 0u);
}

TEST_F(tls_link, small_frames_of_one_turn_share_a_record) {
  serve();
  create();
  producer_log &plog = new_producer_log();
  rstream_producer_options po = plog.options();
  po.max_batch_messages = 1;  // a frame for each message
  rstream_producer *p = open_producer(plog, po);
  uint64_t before = front.records_received;
  for (int i = 0; i < 500; i++) send(p, "a message of thirty-two bytes ..");
  ASSERT_TRUE(run_until([&] { return plog.outcomes.size() == 500 || plog.ended(); }));
  EXPECT_EQ(frames_of(key::publish), 500u);
  EXPECT_LT(front.records_received - before, 20u);
}

TEST_F(tls_link, steady_state_allocates_nothing_of_its_own) {
  serve();
  create();
  producer_log &plog = new_producer_log();
  rstream_producer *p = open_producer(plog, plog.options());
  auto round = [&](size_t until) {
    while (plog.outcomes.size() < until) {
      for (int i = 0; i < 100; i++) send(p, std::string(500, 'x'));
      size_t next = plog.outcomes.size() + 100;
      ASSERT_TRUE(run_until([&] { return plog.outcomes.size() >= next; }));
    }
  };
  round(2000);
  uint64_t before = stats().allocations;
  round(4000);
  EXPECT_EQ(stats().allocations, before);
}

TEST_F(tls_link, a_peer_that_never_answers_is_given_up) {
  serve();
  front.silent = true;
  options.connect_timeout_ms = 100;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ETIMEDOUT);
  EXPECT_NE(r.text.find("the peer does not finish the TLS handshake"), r.text.npos)
      << r.text;
}

// It takes the connection and is silent then: the next address has its turn all the same.
TEST_F(tls_link, scenario_63_an_address_that_does_not_shake_hands) {
  serve();
  deaf_listener deaf;
  ASSERT_TRUE(deaf.open("127.0.0.2", front.port));
  names_set("localhost", {.at = {"127.0.0.2", "127.0.0.1"}});
  options.host = "localhost";
  result r = attempt();
  EXPECT_EQ(r.status, 0) << r.text;
  EXPECT_EQ(front.handshakes, 1u);
  names_clear();
}

TEST_F(tls_link, scenario_47_closing_in_the_handshake) {
  serve();
  front.silent = true;
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  rstream_producer *p = nullptr;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return front.accepted > 0; }));
  renew();
  EXPECT_EQ(front.handshakes, 0u);
  EXPECT_TRUE(log.states.empty());
}

TEST_F(tls_link, scenario_47_closing_at_each_piece_of_the_handshake) {
  serve();
  front.piece = 97;
  size_t finished = 0;
  for (uint64_t pieces = 1; finished == 0 && pieces < 200; pieces++) {
    create();
    result r;
    ask(r);
    uint64_t until = front.pieces_sent + pieces;
    ASSERT_TRUE(run_until([&] { return front.pieces_sent >= until || r.calls > 0; }));
    if (r.calls > 0) finished++;
    renew();
    ASSERT_EQ(r.calls, 1);
  }
  EXPECT_EQ(finished, 1u);
  EXPECT_GT(front.accepted, 5u);
}

TEST_F(tls_link, scenario_43_closing_from_the_verify_callback) {
  serve();
  static tls_link *at;
  static int asked;
  at = this;
  asked = 0;
  tls.on_verify = [](const rstream_tls_certificate *c, void *) {
    if (asked++ == 0) {
      auto on_closed = [](rstream_env *, void *) { at->env_closed++; };
      EXPECT_EQ(rstream_env_close(at->env, on_closed, nullptr), 0);
    }
    return c->problems;
  };
  create();
  result r;
  ask(r);
  ASSERT_TRUE(run_until([&] { return env_closed > 0; }));
  EXPECT_EQ(r.calls, 1);
  EXPECT_EQ(r.status, RSTREAM_ECANCELED);
}

TEST_F(tls_link, scenario_62_a_peer_that_stops_reading) {
  serve();
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.max_bytes_in_flight = 20u << 20;
  rstream_producer *p = open_producer(log, o);
  front.pause(true);
  std::string body(100000, 'x');
  size_t sent = 0;
  uint64_t held = stats().bytes_allocated;
  while (rstream_producer_send_bytes(p, body.data(), body.size(), nullptr) == 0) {
    sent++;
    uv_run(&loop, UV_RUN_NOWAIT);
    ASSERT_LT(sent, 1000u);
  }
  EXPECT_GT(sent, 150u);
  EXPECT_LT(stats().bytes_allocated, held + (64u << 20));
  EXPECT_LT(log.outcomes.size(), sent);
  front.pause(false);
  EXPECT_TRUE(run_until([&] { return log.outcomes.size() == sent; }));
  EXPECT_GT(log.writable, 0);
  for (auto &x : log.outcomes) ASSERT_EQ(x.status, 0);
}

TEST_F(tls_link, scenario_70_a_peer_that_resets_while_it_is_written_to) {
  serve();
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  rstream_producer *p = open_producer(log, o);
  front.pause(true);
  std::string body(100000, 'x');
  uint64_t sent = 0;
  for (; sent < 100; sent++) send(p, body);
  for (int i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  front.reset_all();
  // The rest is written into a broken connection: no signal comes, only words.
  rstream_producer_close_within(p, 0, producer_log::on_closed);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.outcomes.size(), sent);
}

TEST_F(tls_link, scenario_38_each_allocation_of_a_connection_fails) {
  serve();
  size_t failures = 0, successes = 0;
  for (size_t n = 0; n < 200 && successes < 3; n++) {
    blocks.calls_left = n;
    int rc = rstream_env_create(&env, &loop, &options);
    if (rc < 0) {
      EXPECT_EQ(rc, RSTREAM_ENOMEM) << error_text;
      blocks.calls_left = SIZE_MAX;
      failures++;
      continue;
    }
    result r;
    auto on_result = [](rstream_env *, int status, const char *text, void *user) {
      *static_cast<result *>(user) = {1, status, text};
    };
    rc = rstream_stream_create(env, "invoices", nullptr, on_result, &r);
    if (rc == 0) {
      ASSERT_TRUE(run_until([&] { return r.calls > 0; })) << n;
      rc = r.status;
    }
    if (rc == RSTREAM_BROKER_STREAM_EXISTS) {
      successes++;
    } else {
      EXPECT_EQ(rc, RSTREAM_ENOMEM) << n << ' ' << r.text;
      failures++;
    }
    blocks.calls_left = SIZE_MAX;
    renew();
  }
  EXPECT_EQ(successes, 3u);
  EXPECT_GT(failures, 10u);
}
