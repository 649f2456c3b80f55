// Closing an environment from every callback and in every phase of connecting.
#include "fixture.h"

using namespace rstream::test;

namespace {

struct scenario_43 : broker_test {
  // Publishes and consumes; the hooks of `p` and `c` may close the environment.
  void run(producer_probe &p, consumer_probe &c) {
    ASSERT_EQ(p.open(env, stream, [](auto &o) { o.close_timeout_ms = 5000; }), 0);
    ASSERT_EQ(c.open_first(env, stream), 0);
    rstream_env *e = env;
    for (int i = 0; i < 3000; i++) ASSERT_EQ(p.send_number(0), 0);
    ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
    EXPECT_TRUE(p.all_told());
  }

  void close() {
    if (closed++) return;
    EXPECT_EQ(begin_close_env(env), 0);
  }
  int closed = 0;
};

// Closes as soon as the log tells that the state was reached.
struct scenario_47 : broker_test {
  struct watcher {
    scenario_47 *test;
    std::string text;  // of the line waited for
    bool seen = false;
    uint64_t at = 0;
  };

  static void on_log(rstream_log_level, const char *text, void *user) {
    auto *w = static_cast<watcher *>(user);
    if (!w->seen && std::string(text).find(w->text) != std::string::npos) w->seen = true;
  }

  rstream_env *open_watched(watcher &w) {
    return open_env([&](auto &o) {
      o.on_log = on_log;
      o.user = &w;
    });
  }
};

const char *const conn_states[] = {"-> resolving",  "-> connecting", "-> properties",
                                   "-> mechanisms", "-> sasl",       "-> tune",
                                   "-> open",       "-> versions",   "-> ready"};

}  // namespace

TEST_F(scenario_43, environment_closed_inside_the_confirm_callback) {
  producer_probe p;
  consumer_probe c;
  p.on_confirm = [&](const rstream_confirms *) { close(); };
  run(p, c);
  EXPECT_EQ(p.confirmed(), 3000u);
}

TEST_F(scenario_43, environment_closed_inside_the_message_callback) {
  producer_probe p;
  consumer_probe c;
  c.on_message = [&](const rstream_message_view *) {
    EXPECT_EQ(closed, 0) << "a message after close";
    close();
  };
  run(p, c);
  EXPECT_EQ(p.confirmed(), 3000u);
  EXPECT_EQ(c.messages, 1u);
}

TEST_F(scenario_43, environment_closed_inside_the_chunk_callback) {
  publish(stream, 100);
  consumer_probe c;
  c.on_chunk = [&](rstream_chunk *chunk) {
    close();
    EXPECT_EQ(rstream_chunk_next(chunk), nullptr) << "a message after close";
  };
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  rstream_env *e = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
  EXPECT_EQ(c.chunks, 1u);
}

TEST_F(scenario_43, environment_closed_inside_the_open_callbacks) {
  for (bool by_producer : {true, false}) {
    if (!env) env = open_env();
    closed = 0;
    producer_probe p;
    consumer_probe c;
    auto hook = [&](const rstream_state *) { close(); };
    if (by_producer) p.on_state = hook;
    if (!by_producer) c.on_state = hook;
    run(p, c);
  }
}

TEST_F(scenario_43, environment_closed_inside_the_writable_callback) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_messages_in_flight = 100; }), 0);
  while (p.send_number(0) == 0) continue;
  p.on_writable = [&] { close(); };
  rstream_env *e = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
  EXPECT_EQ(p.confirmed(), 100u);
}

TEST_F(scenario_43, environment_closed_when_a_handle_ends) {
  for (bool by_producer : {true, false}) {
    if (!env) env = open_env();
    closed = 0;
    producer_probe p;
    consumer_probe c;
    auto hook = [&](const rstream_state *state) {
      if (state->state == RSTREAM_STATE_CLOSED) close();
    };
    if (by_producer) p.on_state = hook;
    if (!by_producer) c.on_state = hook;
    std::string missing = other_stream("missing");
    ASSERT_EQ(p.open(env, missing), 0);
    ASSERT_EQ(c.open_first(env, missing), 0);
    ASSERT_EQ(p.send_number(0), 0);
    rstream_env *e = env;
    ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
    EXPECT_TRUE(p.all_told());
  }
}

TEST_F(scenario_43, environment_closed_when_the_connection_is_lost) {
  NEEDS_DISTURBANCE();
  producer_probe a, b;
  consumer_probe c;
  a.on_state = [&](const rstream_state *state) {
    if (state->state == RSTREAM_STATE_RECOVERING) close();
  };
  ASSERT_EQ(a.open(env, stream), 0);
  ASSERT_EQ(b.open(env, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return a.opened && b.opened && c.opened; }));
  ASSERT_EQ(a.send_number(0), 0);
  ASSERT_EQ(b.send_number(0), 0);
  broker_eval("length([exit(P, kill) || P <- " + connections_named(name) + "]).");
  rstream_env *e = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
  EXPECT_TRUE(a.all_told());
  EXPECT_TRUE(b.all_told());
}

TEST_F(scenario_43, environment_closed_inside_a_result_callback) {
  result_reply first;
  exists_reply second;
  first.then = [&] { close(); };
  ASSERT_EQ(rstream_stream_create(env, stream.c_str(), nullptr, result_reply::on, &first),
            0);
  ASSERT_EQ(rstream_stream_exists(env, stream.c_str(), exists_reply::on, &second), 0);
  rstream_env *e = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(second.status, RSTREAM_ECANCELED);
}

TEST_F(scenario_43, environment_closed_inside_the_close_and_flush_callbacks) {
  for (bool in_flush : {true, false}) {
    if (!env) env = open_env();
    closed = 0;
    producer_probe p;
    ASSERT_EQ(p.open(env, stream), 0);
    ASSERT_EQ(p.send_number(0), 0);
    auto on_flushed = [](rstream_producer *, int, void *user) {
      static_cast<scenario_43 *>(user)->close();
    };
    if (in_flush) {
      ASSERT_EQ(rstream_producer_flush(p.handle, on_flushed, this), 0);
    } else {
      p.on_closed = [&] { close(); };
      ASSERT_EQ(p.close(), 0);
    }
    rstream_env *e = env;
    ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
    EXPECT_EQ(p.confirmed(), 1u);
  }
}

// Each line of the log in turn: also those written while a handle is being opened. When a
// connection ends just as it was made, brokers may take 5 s to look at the next one.
TEST_F(scenario_43, environment_closed_inside_the_log_callback) {
  struct closer {
    scenario_43 *test;
    rstream_env *env = nullptr;
    int wait;
    int lines = 0;
    std::string last;  // line
  };
  auto on_log = [](rstream_log_level, const char *text, void *user) {
    auto *c = static_cast<closer *>(user);
    c->last = text;
    if (c->lines++ == c->wait && c->env) {
      EXPECT_EQ(c->test->begin_close_env(c->env), 0);
    }
  };
  for (int wait = 0;; wait++) {
    SCOPED_TRACE(wait);
    closer closer{this, nullptr, wait};
    rstream_env *e = open_env([&](auto &o) {
      o.on_log = on_log;
      o.user = &closer;
    });
    closer.env = e;
    producer_probe p;
    consumer_probe c;
    bool opened = p.open(e, stream) == 0;
    bool sent = opened && p.send_number(0) == 0;
    if (sent) {
      c.open_first(e, stream);
      ASSERT_TRUE(run_until([&] { return c.messages > 0 || !env_is_open(e); }))
          << "after " << closer.last;
    }
    bool all_lines_seen = sent && env_is_open(e) && closer.lines <= wait;
    if (env_is_open(e) && closer.lines <= wait) {
      ASSERT_EQ(begin_close_env(e), 0);
    }
    closer.env = nullptr;
    ASSERT_TRUE(run_until([&] { return !env_is_open(e); })) << "after " << closer.last;
    EXPECT_TRUE(p.all_told());
    if (all_lines_seen) break;
  }
}

// ---- 47: closed in each phase

TEST_F(scenario_47, environment_closed_in_each_state_of_the_locator) {
  for (const char *state : conn_states) {
    SCOPED_TRACE(state);
    watcher w{this, state};
    rstream_env *e = open_watched(w);
    result_reply reply;
    ASSERT_EQ(rstream_stream_delete(e, "nothing", result_reply::on, &reply), 0);
    ASSERT_TRUE(run_until([&] { return w.seen; }));
    ASSERT_EQ(begin_close_env(e), 0);
    ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
    EXPECT_EQ(reply.calls, 1);
    EXPECT_TRUE(reply.status == RSTREAM_ECANCELED ||
                reply.status == RSTREAM_BROKER_STREAM_DOES_NOT_EXIST)
        << rstream_error_name(reply.status);
  }
}

TEST_F(scenario_47, handles_closed_in_each_of_their_phases) {
  for (const char *phase :
       {"-> connecting", "-> properties", "-> sasl", "-> open", "-> versions", "-> ready",
        "producer on", "producer on %: looking up -> connecting",
        "producer on %: connecting -> declaring", "producer on %: declaring -> sequence",
        "producer on %: sequence -> open", "consumer on %: looking up -> connecting",
        "consumer on %: connecting -> starting", "consumer on %: starting -> subscribing",
        "consumer on %: subscribing -> open"}) {
    SCOPED_TRACE(phase);
    std::string text = phase;
    if (size_t at = text.find('%'); at != std::string::npos) text.replace(at, 1, stream);
    watcher w{this, text};
    rstream_env *e = open_watched(w);
    producer_probe p;
    consumer_probe c;
    ASSERT_EQ(p.open(e, stream, [](auto &o) { o.name = "app"; }), 0);
    ASSERT_EQ(c.open_first(e, stream), 0);
    ASSERT_TRUE(run_until([&] { return w.seen; }));
    int opened_before = p.opened;
    ASSERT_EQ(p.close(), 0);
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return p.closed && c.closed; }));
    EXPECT_EQ(p.closed, 1);
    EXPECT_EQ(c.closed, 1);
    EXPECT_EQ(p.close_status, 0);
    EXPECT_EQ(c.close_status, 0);
    EXPECT_EQ(p.opened, opened_before) << "a late open";
    EXPECT_EQ(p.ended + c.ended, 0);
    close_env(e);
  }
}

TEST_F(scenario_47, messages_of_a_producer_that_never_opened) {
  for (const char *phase : {"-> resolving", "-> sasl", "-> ready", "-> declaring"}) {
    SCOPED_TRACE(phase);
    watcher w{this, phase};
    rstream_env *e = open_watched(w);
    producer_probe p;
    ASSERT_EQ(p.open(e, stream), 0);
    for (int i = 0; i < 1000; i++) ASSERT_EQ(p.send_number(0), 0);
    ASSERT_TRUE(run_until([&] { return w.seen; }));
    ASSERT_EQ(p.close_within(0), 0);
    ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
    EXPECT_EQ(p.told, 1000u);
    EXPECT_EQ(p.close_status, RSTREAM_ECLOSED);
    close_env(e);
  }
}

// Nobody answers at these addresses, so that connecting takes as long as it may.
TEST_F(scenario_47, closed_while_connecting_to_nowhere) {
  rstream_env *e = open_env([](auto &o) { o.host = "192.0.2.1"; });
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  run_ready(10);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  ASSERT_EQ(begin_close_env(e), 0);
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
}

TEST_F(scenario_47, closed_while_a_wrong_password_is_answered) {
  watcher w{this, "-> sasl"};
  rstream_env *e = open_env([&](auto &o) {
    o.password = "wrong";
    o.on_log = on_log;
    o.user = &w;
  });
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return w.seen; }));
  ASSERT_EQ(begin_close_env(e), 0);
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
}
