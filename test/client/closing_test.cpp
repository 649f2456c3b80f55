// Scenario 47: closing at every step calls back exactly once and leaves nothing on the
// loop.
#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct closing_case {
  const char *state;  // to be reached
  key silent;         // what the peer does not answer
};

constexpr closing_case cases[] = {
    {"-> resolving", key::peer_properties},
    {"-> connecting", key::peer_properties},
    {"-> properties", key::peer_properties},
    {"-> mechanisms", key::sasl_handshake},
    {"-> sasl", key::sasl_authenticate},
    {"-> tune", key::sasl_authenticate},
    {"-> open", key::open},
    {"-> versions", key::exchange_command_versions},
    {"-> ready", key::create},
};

struct closing : client_test {
  void be_silent(key at) {
    broker.on_frame = [at](peer_link &link, const peer_frame &f) {
      bool silent = f.key == raw(at);
      // The one step the broker takes by itself: the login's answer without Tune.
      if (silent && at == key::sasl_authenticate && link.owner->version == "tune") {
        link.answer(f, wire::response::ok);
      }
      return silent;
    };
  }
};

}  // namespace

TEST_F(closing, with_a_request_under_way_at_any_step_cancels_it_once) {
  for (const closing_case &c : cases) {
    broker.version = strstr(c.state, "tune") ? "tune" : "4.0.5";
    be_silent(c.silent);
    create();
    lines.clear();
    result r;
    ask(r);
    ASSERT_TRUE(run_until([&] { return logged(c.state); })) << c.state;
    EXPECT_EQ(r.calls, 0);
    start_closing();
    EXPECT_EQ(r.calls, 0) << "from inside the call";
    close_env();
    EXPECT_EQ(r.calls, 1) << c.state;
    EXPECT_EQ(r.status, RSTREAM_ECANCELED) << c.state;
    env_closed = 0;
  }
}

TEST_F(closing, from_the_log_callback_at_any_step_works_as_well) {
  for (const closing_case &c : cases) {
    broker.version = strstr(c.state, "tune") ? "tune" : "4.0.5";
    be_silent(c.silent);
    create();
    awaited_line = c.state;
    on_awaited_line = [&] { start_closing(); };
    result r;
    ask(r);
    ASSERT_TRUE(run_until([&] { return r.calls > 0; })) << c.state;
    close_env();
    EXPECT_EQ(r.calls, 1) << c.state;
    EXPECT_EQ(r.status, RSTREAM_ECANCELED) << c.state;
    env_closed = 0;
  }
}

TEST_F(closing, with_a_producer_at_any_step_tells_its_end_once) {
  for (const closing_case &c : cases) {
    broker.version = strstr(c.state, "tune") ? "tune" : "4.0.5";
    be_silent(c.silent == key::create ? key::metadata : c.silent);
    create();
    lines.clear();
    producer_log log;
    rstream_producer_options o = log.options();
    rstream_producer *p;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    send(p, "one");
    ASSERT_TRUE(run_until([&] { return logged(c.state); })) << c.state;
    ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
    ASSERT_TRUE(run_until([&] { return log.closed > 0; })) << c.state;
    close_env();
    EXPECT_EQ(log.closed, 1) << c.state;
    EXPECT_EQ(log.closed_status, RSTREAM_ECLOSED) << c.state;
    EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_ECLOSED)) << c.state;
    EXPECT_TRUE(log.states.empty()) << c.state;
    env_closed = 0;
  }
}

TEST_F(closing, at_once_leaves_nothing) {
  create();
  start_closing();
  EXPECT_EQ(env_closed, 0);
}

TEST_F(closing, an_idle_connection_sends_close_and_waits_for_the_answer) {
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  close_env();
  auto frames = broker.last().of(key::close);
  ASSERT_EQ(frames.size(), 1u);
  auto request = decoded<wire::close_request>(frames[0]);
  EXPECT_EQ(request.code, 1);
  EXPECT_EQ(request.reason, "OK");
}

// Scenario 49.
TEST_F(closing, a_peer_that_never_answers_close_does_not_hold_it) {
  be_silent(key::close);
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  close_env();
  EXPECT_TRUE(logged("did not answer Close"));
  EXPECT_TRUE(run_until([&] { return broker.last().ended; }));
}

TEST_F(closing, a_peer_that_ends_the_connection_instead_of_answering_close_does_no_harm) {
  broker.on_frame = [](peer_link &link, const peer_frame &f) {
    if (f.key == raw(key::close)) link.close();
    return f.key == raw(key::close);
  };
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
}

TEST_F(closing, the_peers_close_may_cross_ours) {
  broker.on_frame = [](peer_link &link, const peer_frame &f) {
    if (f.key == raw(key::close)) link.send_frame(wire::close_request{1, 1, "bye"});
    return f.key == raw(key::close);
  };
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
}

TEST_F(closing, from_a_requests_own_callback_is_legal) {
  create();
  static client_test *self;
  self = this;
  auto on_result = [](rstream_env *, int, const char *, void *) {
    self->start_closing();
  };
  ASSERT_EQ(rstream_stream_delete(env, "s", on_result, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return env_closed > 0; }));
}

TEST_F(closing, with_open_handles_closes_them_first) {
  broker.confirms = true;
  create();
  producer_log plog;
  rstream_producer *p = open_producer(plog, plog.options());
  consumer_log clog;
  open_consumer(clog, clog.message_options());
  send(p, "one");
  close_env();
  EXPECT_EQ(plog.summary(), "1:0");
  EXPECT_EQ(broker.count(key::delete_publisher), 1u);
  EXPECT_EQ(broker.count(key::unsubscribe), 1u);
  EXPECT_EQ(broker.count(key::close), 3u);
}

TEST_F(closing, a_request_may_be_repeated_from_the_callback_that_told_of_its_loss) {
  int closes = 1;
  broker.on_frame = [&](peer_link &link, const peer_frame &f) {
    if (f.key != raw(key::delete_stream) || closes-- <= 0) return false;
    link.close();
    return true;
  };
  create();
  static int calls, first, last, repeated;
  calls = repeated = 0;
  first = last = 1;
  static rstream_result_cb on_result;
  on_result = [](rstream_env *e, int status, const char *, void *) {
    if (calls++ == 0) first = status;
    last = status;
    if (status < 0 && calls < 5)
      repeated = rstream_stream_delete(e, "s", on_result, nullptr);
  };
  ASSERT_EQ(rstream_stream_delete(env, "s", on_result, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return calls > 0 && (last == 0 || repeated < 0); }));
  EXPECT_EQ(first, RSTREAM_ECONNLOST);
  EXPECT_EQ(repeated, 0);
  EXPECT_EQ(last, 0);
}
