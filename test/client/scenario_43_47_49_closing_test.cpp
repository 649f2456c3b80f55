// Scenarios 43, 47 and 49: closing, from wherever and whenever.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct scenario_43 : fake_client {
  static inline scenario_43 *at = nullptr;
  int closes = 0;  // calls of rstream_env_close() that were accepted

  void SetUp() override {
    fake_client::SetUp();
    at = this;
  }
  static void close_from_callback() {
    auto on_closed = [](rstream_env *, void *) { at->env_closed++; };
    if (rstream_env_close(at->env, on_closed, nullptr) == 0) at->closes++;
  }
  void expect_closed() {
    EXPECT_TRUE(run_until([&] { return env_closed > 0; }));
    EXPECT_EQ(env_closed, 1);
    EXPECT_EQ(closes, 1);
    EXPECT_TRUE(run_until([&] { return node().peers.empty(); }));
  }
};
struct scenario_47 : fake_client {
  byte_vector held;            // the frame nobody answers,
  fake::peer *from = nullptr;  // and whose it is

  // Nobody answers at this step.
  void hold_at(key step) {
    held.clear();
    node().hooks.clear();
    on_frame(node(), step, [this](fake::peer &p, const fake::frame &fr) {
      held.assign(fr.whole.begin(), fr.whole.end());
      from = &p;
      return fake::verdict::handled;
    });
  }
  // When it is too late, somebody does.
  void answer_late() {
    node().hooks.clear();
    auto &peers = node().peers;
    if (std::find(peers.begin(), peers.end(), from) == peers.end()) return;
    fake::frame late = {.key = wire::load_u16be(&held[4]),
                        .version = 1,
                        .body = wire::bytes(held).subspan(8),
                        .whole = held};
    fake::peer_handle(*from, late);
  }

  void close_producer_at(key step) {
    SCOPED_TRACE(wire::command_name(raw(step)));
    hold_at(step);
    create();
    producer_log &log = new_producer_log();
    rstream_producer_options o = log.options();
    rstream_producer *p = nullptr;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    send(p, "never sent");
    ASSERT_TRUE(run_until([&] { return !held.empty(); }));
    ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
    answer_late();
    EXPECT_TRUE(run_until([&] { return log.closed > 0; }));
    renew();
    EXPECT_EQ(log.closed, 1);
    EXPECT_TRUE(log.states.empty());
    EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_ECLOSED));
  }
  void close_consumer_at(key step) {
    SCOPED_TRACE(wire::command_name(raw(step)));
    hold_at(step);
    create();
    consumer_log &log = new_consumer_log();
    rstream_consumer_options o = log.message_options();
    rstream_consumer *c = nullptr;
    ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
    ASSERT_TRUE(run_until([&] { return !held.empty(); }));
    ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    answer_late();
    EXPECT_TRUE(run_until([&] { return log.closed > 0; }));
    renew();
    EXPECT_EQ(log.closed, 1);
    EXPECT_TRUE(log.states.empty());
  }
};
struct scenario_49 : fake_client {};

// The broker falls silent at this step of a connection.
constexpr key handshake_steps[] = {key::peer_properties, key::sasl_handshake,
                                   key::sasl_authenticate, key::open,
                                   key::exchange_command_versions};

}  // namespace

TEST_F(scenario_43, from_the_confirm_callback) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.on_confirm = [](rstream_producer *, const rstream_confirms *c, void *user) {
    for (size_t i = 0; i < c->count; i++) {
      producer_log::of(user)->outcomes.push_back({c->ids[i], c->status});
    }
    close_from_callback();
  };
  rstream_producer *p = open_producer(log, o);
  for (int i = 0; i < 3; i++) send(p, "x");
  expect_closed();
  EXPECT_EQ(log.summary(), "1:0 2:0 3:0");
}

TEST_F(scenario_43, from_the_message_callback) {
  fake::stream_fill(invoices(), 5, bytes_of("x"));
  create();
  static int messages;
  messages = 0;
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_message = [](rstream_consumer *, const rstream_message_view *, void *) {
    messages++;
    close_from_callback();
  };
  rstream_consumer *c;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  expect_closed();
  EXPECT_EQ(messages, 1);
}

TEST_F(scenario_43, from_the_chunk_callback_while_the_chunk_is_kept) {
  fake::stream_fill(invoices(), 5, bytes_of("x"));
  create();
  static rstream_chunk *kept;
  kept = nullptr;
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *) {
    ASSERT_EQ(kept, nullptr);
    rstream_chunk_retain(chunk);
    kept = chunk;
    close_from_callback();
  };
  rstream_consumer *c;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  expect_closed();
  ASSERT_NE(kept, nullptr);
  for (uint64_t offset = 0; offset < 5; offset++) {
    const rstream_message_view *m = rstream_chunk_next(kept);
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(m->offset, offset);
  }
  rstream_chunk_release(kept);
}

TEST_F(scenario_43, from_the_entry_error_callback) {
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.on_entry_error = [](rstream_consumer *, const rstream_entry_error *, void *user) {
    consumer_log::of(user)->entry_errors += '!';
    close_from_callback();
  };
  open_consumer(log, o);
  fake::chunk_parts parts;
  fake::chunk_add_batch(parts, {"a", "b"}, 3);  // there is no third
  fake::chunk_add(parts, "c");
  fake::peer_send(subscribed_peer(), fake::deliver_frame(0, 2, parts));
  expect_closed();
  EXPECT_EQ(log.entry_errors, "!");
  EXPECT_EQ(log.messages, "0=a 1=b");
}

TEST_F(scenario_43, from_the_writable_callback) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.max_messages_in_flight = 2;
  o.on_writable = [](rstream_producer *, void *user) {
    producer_log::of(user)->writable++;
    close_from_callback();
  };
  rstream_producer *p = open_producer(log, o);
  send(p, "x");
  send(p, "x");
  ASSERT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_EAGAIN);
  expect_closed();
  EXPECT_EQ(log.writable, 1);
  EXPECT_EQ(log.summary(), "1:0 2:0");
}

TEST_F(scenario_43, from_the_flushed_callback_while_another_flush_waits) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  static int flushed;
  flushed = 0;
  auto on_flushed = [](rstream_producer *, int, void *) {
    if (flushed++ == 0) close_from_callback();
  };
  for (int i = 0; i < 2; i++) {
    send(p, "x");
    ASSERT_EQ(rstream_producer_flush(p, on_flushed, nullptr), 0);
  }
  expect_closed();
  EXPECT_EQ(flushed, 2);
  EXPECT_EQ(log.summary(), "1:0 2:0");
}

TEST_F(scenario_43, from_the_closed_callbacks_of_handles) {
  for (bool by_producer : {true, false}) {
    create();
    closes = 0;
    producer_log &plog = new_producer_log();
    consumer_log &clog = new_consumer_log();
    rstream_producer *p = open_producer(plog, plog.options());
    rstream_consumer *c = open_consumer(clog, clog.message_options());
    if (by_producer) {
      auto on_closed = [](rstream_producer *, int, void *) { close_from_callback(); };
      ASSERT_EQ(rstream_producer_close(p, on_closed), 0);
    } else {
      auto on_closed = [](rstream_consumer *, int, void *) { close_from_callback(); };
      ASSERT_EQ(rstream_consumer_close(c, on_closed), 0);
    }
    expect_closed();
    env_closed = 0;
    env = nullptr;
  }
}

TEST_F(scenario_43, from_the_state_callback_when_open) {
  create();
  static int states;
  states = 0;
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.on_state = [](rstream_producer *, const rstream_state *, void *) {
    states++;
    close_from_callback();
  };
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  expect_closed();
  EXPECT_EQ(states, 1);
}

TEST_F(scenario_43, from_the_state_callback_that_tells_of_a_lost_connection) {
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.message_options();
  o.on_state = [](rstream_consumer *, const rstream_state *s, void *user) {
    consumer_log::of(user)->states.push_back(s->state);
    if (s->state != RSTREAM_STATE_OPEN) close_from_callback();
  };
  open_consumer(log, o);
  fake::peer_reset(subscribed_peer());
  expect_closed();
  EXPECT_EQ(log.states.size(), 2u);
}

TEST_F(scenario_43, from_the_callback_of_a_request) {
  create();
  ASSERT_EQ(
      rstream_query_offset(
          env, "reader", "invoices",
          [](rstream_env *, int, uint64_t, void *) { close_from_callback(); }, nullptr),
      0);
  expect_closed();
}

TEST_F(scenario_43, from_every_line_of_the_log) {
  // Each line of one session in turn is where it closes.
  static size_t line, close_at;
  options.user = nullptr;
  options.on_log = [](rstream_log_level, const char *, void *) {
    if (line++ == close_at) close_from_callback();
  };
  size_t sessions = 0;
  for (close_at = 0;; close_at++) {
    line = 0;
    closes = 0;
    create();
    producer_log &log = new_producer_log();
    rstream_producer_options o = log.options();
    rstream_producer *p = nullptr;
    if (rstream_producer_open(&p, env, &o) == 0 && env_closed == 0) {
      rstream_producer_send_bytes(p, "x", 1, nullptr);
    }
    EXPECT_TRUE(run_until([&] { return env_closed > 0 || log.outcomes.size() > 0; }));
    bool from_log = closes > 0;
    if (env_closed == 0 && closes == 0) close_from_callback();
    EXPECT_TRUE(run_until([&] { return env_closed > 0; })) << "at line " << close_at;
    EXPECT_EQ(env_closed, 1);
    EXPECT_LE(log.outcomes.size(), 1u);
    env = nullptr;
    env_closed = 0;
    sessions++;
    if (!from_log) break;
    ASSERT_LT(sessions, 500u);
  }
  EXPECT_GT(sessions, 10u);
}

TEST_F(scenario_47, a_handle_closed_at_any_step_of_its_opening_never_opens) {
  struct opening {
    key step;
    bool producer, consumer;
  };
  std::vector<opening> openings;
  for (key step : handshake_steps) openings.push_back({step, true, true});
  openings.push_back({key::metadata, true, true});
  openings.push_back({key::declare_publisher, true, false});
  openings.push_back({key::subscribe, false, true});
  for (const opening &one : openings) {
    if (one.producer) close_producer_at(one.step);
    if (one.consumer) close_consumer_at(one.step);
  }
}

TEST_F(scenario_47, handles_closed_while_the_name_is_looked_up_never_open) {
  options.host = "localhost";
  create();
  producer_log &plog = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer_options po = plog.options();
  rstream_consumer_options co = clog.message_options();
  rstream_producer *p;
  rstream_consumer *c;
  ASSERT_EQ(rstream_producer_open(&p, env, &po), 0);
  ASSERT_EQ(rstream_consumer_open(&c, env, &co), 0);
  ASSERT_TRUE(logged("-> resolving"));
  ASSERT_FALSE(logged("-> connecting"));
  ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
  ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
  close_env();
  EXPECT_EQ(plog.closed, 1);
  EXPECT_EQ(clog.closed, 1);
  EXPECT_TRUE(plog.states.empty());
  EXPECT_TRUE(clog.states.empty());
  EXPECT_EQ(frames_of(key::open), 0u);
}

TEST_F(scenario_47, handles_closed_while_connecting_never_open) {
  create();
  producer_log &plog = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer_options po = plog.options();
  rstream_consumer_options co = clog.message_options();
  rstream_producer *p = nullptr;
  rstream_consumer *c = nullptr;
  bool closed = false;
  awaited_line = "-> connecting";
  on_awaited_line = [&] {
    ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
    ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    closed = true;
  };
  ASSERT_EQ(rstream_producer_open(&p, env, &po), 0);
  ASSERT_EQ(rstream_consumer_open(&c, env, &co), 0);
  EXPECT_TRUE(run_until([&] { return plog.closed > 0 && clog.closed > 0; }));
  close_env();
  EXPECT_TRUE(closed);
  EXPECT_EQ(plog.closed, 1);
  EXPECT_EQ(clog.closed, 1);
  EXPECT_TRUE(plog.states.empty());
  EXPECT_TRUE(clog.states.empty());
}

TEST_F(scenario_47, an_environment_closed_at_any_step_of_the_handshake_is_gone) {
  for (key step : handshake_steps) {
    bool reached = false;
    node().hooks.clear();
    on_frame(node(), step, [&](fake::peer &, const fake::frame &) {
      reached = true;
      return fake::verdict::handled;
    });
    create();
    result r;
    ask(r);
    ASSERT_TRUE(run_until([&] { return reached; })) << wire::command_name(raw(step));
    close_env();
    env_closed = 0;
    EXPECT_EQ(r.calls, 1);
    EXPECT_EQ(r.status, RSTREAM_ECANCELED);
    EXPECT_TRUE(run_until([&] { return node().peers.empty(); }))
        << wire::command_name(raw(step));
  }
}

TEST_F(scenario_49, a_broker_that_never_answers_close_is_left_at_the_deadline) {
  on_frame(node(), key::close,
           [](fake::peer &, const fake::frame &) { return fake::verdict::handled; });
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  size_t connections = node().peers.size();
  EXPECT_GE(connections, 2u);
  close_env();
  EXPECT_GE(frames_of(key::close), connections) << "every connection said good-bye";
  EXPECT_TRUE(run_until([&] { return node().peers.empty(); })) << "a descriptor is left";
}

TEST_F(scenario_49, the_others_do_not_pass_over_one_that_gets_no_answer_to_close) {
  on_frame(node(), key::close, [](fake::peer &from, const fake::frame &) {
    bool silent = from.properties["connection_name"].ends_with("producers");
    return silent ? fake::verdict::handled : fake::verdict::pass;
  });
  create();
  producer_log &plog = new_producer_log();
  consumer_log &clog = new_consumer_log();
  open_producer(plog, plog.options());
  open_consumer(clog, clog.message_options());
  ASSERT_EQ(node().peers.size(), 3u);
  close_env();
  EXPECT_EQ(frames_of(key::close), 3u);
  EXPECT_TRUE(logged("did not answer Close"));
  EXPECT_TRUE(run_until([&] { return node().peers.empty(); })) << "a descriptor is left";
}

TEST_F(scenario_49, a_broker_that_stops_reading_does_not_hold_it_either) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.close_timeout_ms = 50;
  o.max_messages_in_flight = 100000;
  rstream_producer *p = open_producer(log, o);
  fake::peer_stop_reading(publishing_peer());
  std::string body(10000, 'x');
  for (int i = 0; i < 3000; i++) send(p, body);
  close_env();
  EXPECT_EQ(log.outcomes.size(), 3000u);
  for (const producer_log::outcome &one : log.outcomes)
    EXPECT_EQ(one.status, RSTREAM_ECLOSED);
  // What was written before stands in the way of the end.
  for (fake::peer *peer : node().peers) fake::peer_resume_reading(*peer);
  EXPECT_TRUE(run_until([&] { return node().peers.empty(); }));
}
