// A loop, a peer and an environment; everything must be gone in the end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "peer.h"
#include "rstream/rstream.h"
#include "unit/counting_memory.h"

namespace rstream::test {

// What a producer told.
struct producer_log {
  struct outcome {
    uint64_t id;
    int status;
  };
  std::vector<outcome> outcomes;
  std::vector<int> states;
  int reason = 0;
  std::string text;
  int writable = 0;
  int closed = 0;
  int closed_status = 1;
  rstream_recovery recovery = RSTREAM_RECOVERY_AUTOMATIC;

  // "1:0 2:-21017", in the order told.
  std::string summary() const {
    std::string s;
    for (const outcome &o : outcomes) {
      s += (s.empty() ? "" : " ") + std::to_string(o.id) + ':' + std::to_string(o.status);
    }
    return s;
  }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  bool ended() const { return !states.empty() && states.back() == RSTREAM_STATE_CLOSED; }

  static producer_log *of(void *user) { return static_cast<producer_log *>(user); }

  rstream_producer_options options(const char *stream = "invoices") {
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    o.stream = stream;
    o.user = this;
    o.recovery = recovery;
    o.on_confirm = [](rstream_producer *, const rstream_confirms *c, void *user) {
      for (size_t i = 0; i < c->count; i++)
        of(user)->outcomes.push_back({c->ids[i], c->status});
    };
    o.on_state = [](rstream_producer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
      of(user)->reason = s->reason;
      of(user)->text = s->text;
    };
    o.on_writable = [](rstream_producer *, void *user) { of(user)->writable++; };
    return o;
  }
  static void on_closed(rstream_producer *, int status, void *user) {
    of(user)->closed++;
    of(user)->closed_status = status;
  }
};

// The ways to consume.
enum class consume_way { by_message, by_chunk, streamed };

constexpr consume_way consume_ways_all[] = {consume_way::by_message,
                                            consume_way::by_chunk, consume_way::streamed};

constexpr const char *name_of(consume_way way) {
  constexpr const char *names[] = {"by_message", "by_chunk", "streamed"};
  return names[static_cast<int>(way)];
}

const auto every_consume_way = testing::ValuesIn(consume_ways_all);
inline std::string name_of_param(const testing::TestParamInfo<consume_way> &info) {
  return name_of(info.param);
}

struct consumer_log {
  std::string messages;  // "100=hi 101=x"
  std::vector<rstream_chunk *> kept;
  size_t chunks = 0;
  bool keeps = false;  // retains chunks
  std::vector<int> states;
  int reason = 0;
  std::string text;
  std::string entry_errors;  // "100+3 ", each
  std::string entry_text;    // of the last one
  int entry_status = 0;
  int closed = 0;
  rstream_recovery recovery = RSTREAM_RECOVERY_AUTOMATIC;

  static consumer_log *of(void *user) { return static_cast<consumer_log *>(user); }
  bool is_open() const { return !states.empty() && states.back() == RSTREAM_STATE_OPEN; }
  bool ended() const { return !states.empty() && states.back() == RSTREAM_STATE_CLOSED; }

  void add(const rstream_message_view &m) {
    messages += (messages.empty() ? "" : " ") + std::to_string(m.offset) + '=' +
                text_of({m.body, m.body_size});
  }

  rstream_consumer_options options() {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = "invoices";
    o.user = this;
    o.recovery = recovery;
    o.on_state = [](rstream_consumer *, const rstream_state *s, void *user) {
      of(user)->states.push_back(s->state);
      of(user)->reason = s->reason;
      of(user)->text = s->text;
    };
    o.on_entry_error = [](rstream_consumer *, const rstream_entry_error *e, void *user) {
      of(user)->entry_errors +=
          std::to_string(e->first_offset) + '+' + std::to_string(e->message_count) + ' ';
      of(user)->entry_text = e->text;
      of(user)->entry_status = e->status;
    };
    return o;
  }
  rstream_consumer_options message_options() {
    rstream_consumer_options o = options();
    o.on_message = [](rstream_consumer *, const rstream_message_view *m, void *user) {
      of(user)->add(*m);
    };
    return o;
  }
  rstream_consumer_options chunk_options() {
    rstream_consumer_options o = options();
    o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
      consumer_log *log = of(user);
      log->chunks++;
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) log->add(*m);
      if (!log->keeps) return;
      rstream_chunk_retain(chunk);
      log->kept.push_back(chunk);
    };
    return o;
  }
  rstream_consumer_options options_for(consume_way way) {
    if (way == consume_way::by_chunk) return chunk_options();
    rstream_consumer_options o = message_options();
    if (way == consume_way::streamed) o.streaming_min_bytes = 1;
    return o;
  }
  static void on_closed(rstream_consumer *, int, void *user) { of(user)->closed++; }
};

struct client_test : testing::Test {
  uv_loop_t loop;
  counting_memory blocks;
  rstream_allocator allocator{counting_memory::allocate, counting_memory::resize,
                              counting_memory::release, &blocks};
  peer broker;
  rstream_env *env = nullptr;
  int env_closed = 0;
  rstream_env_options options;
  char error_text[256] = "";
  std::vector<std::string> lines;  // of the log
  std::string awaited_line;
  std::function<void()> on_awaited_line;

  void SetUp() override {
    ASSERT_EQ(uv_loop_init(&loop), 0);
    broker.open(&loop);
    rstream_env_options_init(&options);
    options.host = "127.0.0.1";
    options.port = broker.port;
    options.allocator = &allocator;
    options.user = this;
    options.on_log = on_log;
    options.log_level = RSTREAM_LOG_DEBUG;
    options.error_text = error_text;
    options.error_text_size = sizeof error_text;
  }

  void TearDown() override {
    close_env();
    broker.close();
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop), 0);
    EXPECT_EQ(blocks.bytes, 0u);
    if (HasFailure()) {
      for (const std::string &line : lines) printf("  log: %s\n", line.c_str());
    }
  }

  static void on_log(rstream_log_level, const char *text, void *user) {
    auto *t = static_cast<client_test *>(user);
    t->lines.push_back(text);
    if (!t->on_awaited_line || !strstr(text, t->awaited_line.c_str())) return;
    auto act = std::move(t->on_awaited_line);
    t->on_awaited_line = nullptr;
    act();
  }
  bool logged(const char *part) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string &l) { return l.find(part) != l.npos; });
  }

  void create() { ASSERT_EQ(rstream_env_create(&env, &loop, &options), 0) << error_text; }

  // Turns the loop until `done`. The timer only keeps a broken test from hanging.
  template <class Done>
  [[nodiscard]] bool run_until(Done done) {
    uv_timer_t guard;
    bool expired = false;
    guard.data = &expired;
    uv_timer_init(&loop, &guard);
    uv_timer_start(
        &guard, [](uv_timer_t *t) { *static_cast<bool *>(t->data) = true; }, 15000, 0);
    while (!done() && !expired) uv_run(&loop, UV_RUN_ONCE);
    bool gone = false;
    guard.data = &gone;
    uv_close(reinterpret_cast<uv_handle_t *>(&guard),
             [](uv_handle_t *h) { *static_cast<bool *>(h->data) = true; });
    while (!gone) uv_run(&loop, UV_RUN_NOWAIT);
    return done();
  }

  void start_closing() {
    auto on_closed = [](rstream_env *, void *user) {
      static_cast<client_test *>(user)->env_closed++;
    };
    ASSERT_EQ(rstream_env_close(env, on_closed, this), 0);
  }
  void close_env() {
    if (!env) return;
    if (rstream_env *e = env; env_closed == 0) {
      auto on_closed = [](rstream_env *, void *user) {
        static_cast<client_test *>(user)->env_closed++;
      };
      rstream_env_close(e, on_closed, this);  // unless it closes already
    }
    EXPECT_TRUE(run_until([&] { return env_closed > 0; }))
        << "the environment does not close";
    EXPECT_EQ(env_closed, 1);
    env = nullptr;
  }

  rstream_env_stats stats() const {
    rstream_env_stats s;
    s.struct_size = sizeof s;
    rstream_env_stats_get(env, &s);
    return s;
  }

  // A request of its own, to make the locator connect.
  struct result {
    int calls = 0;
    int status = 1;
    std::string text;
  };
  void ask(result &r) {
    auto on_result = [](rstream_env *, int status, const char *text, void *user) {
      auto *to = static_cast<result *>(user);
      to->calls++;
      to->status = status;
      to->text = text;
    };
    ASSERT_EQ(rstream_stream_create(env, "invoices", nullptr, on_result, &r), 0);
  }
  int ask_and_wait(result &r) {
    ask(r);
    EXPECT_TRUE(run_until([&] { return r.calls > 0; }));
    EXPECT_EQ(r.calls, 1);
    return r.status;
  }

  rstream_producer *open_producer(producer_log &log, const rstream_producer_options &o) {
    rstream_producer *p = nullptr;
    EXPECT_EQ(rstream_producer_open(&p, env, &o), 0) << rstream_env_error_text(env);
    EXPECT_TRUE(run_until([&] { return log.is_open() || log.ended(); }));
    EXPECT_TRUE(log.is_open()) << log.text;
    return p;
  }
  rstream_consumer *open_consumer(consumer_log &log, const rstream_consumer_options &o) {
    rstream_consumer *c = nullptr;
    EXPECT_EQ(rstream_consumer_open(&c, env, &o), 0) << rstream_env_error_text(env);
    EXPECT_TRUE(run_until([&] { return log.is_open() || log.ended(); }));
    EXPECT_TRUE(log.is_open()) << log.text;
    return c;
  }
  void send(rstream_producer *p, std::string_view body) {
    ASSERT_EQ(rstream_producer_send_bytes(p, body.data(), body.size(), nullptr), 0)
        << rstream_env_error_text(env);
  }
};

}  // namespace rstream::test
