// A small cluster, and environments on hosts of their own, by a clock that a test turns.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "api/env.h"
#include "fake/script.h"
#include "rstream/rstream.h"
#include "sim/carrier.h"
#include "sim/world.h"

namespace rstream::sim {

constexpr uint64_t second_us = 1000000;
constexpr uint64_t look_every_us = 5000;
constexpr uint64_t most_events = 10000000;
// Timers count milliseconds that have begun: they may be early by less than this.
constexpr uint64_t tick_us = 1000;

// O opened, R recovering, C ended.
inline char letter_of(const rstream_state &state) {
  return state.state == RSTREAM_STATE_OPEN         ? 'O'
         : state.state == RSTREAM_STATE_RECOVERING ? 'R'
                                                   : 'C';
}

struct writer {
  rstream_producer *p = nullptr;
  std::string states;  // letters
  int reason = 0;
  std::string text;
  size_t confirmed = 0;
  bool closed = false;
};

struct reader {
  rstream_consumer *c = nullptr;
  std::string states;
  uint64_t messages = 0;
  bool closed = false;
};

struct simulated : testing::Test {
  simulation s;
  carried_cluster brokers;
  std::vector<rstream_env *> envs;
  std::deque<std::string> names;
  std::deque<host_source> sources;
  std::deque<writer> writers;
  std::deque<reader> readers;
  int envs_closed = 0;

  fake::stream &invoices() { return *fake::stream_find(*brokers.cluster, "invoices"); }
  fake::broker &node(int index = 0) { return fake::node(*brokers.cluster, index); }

  void start(uint64_t seed, int nodes = 1) {
    simulation_init(s, seed);
    cluster_start(brokers, s, nodes);
    name_add(s, "cluster", "node0");
    fake::stream_create(*brokers.cluster, "invoices");
  }
  // `change` may be given the options.
  template <class Change = void (*)(rstream_env_options &)>
  rstream_env *open_env(Change change = [](rstream_env_options &) {}) {
    names.push_back("env" + std::to_string(names.size()));
    sources.push_back({&s, names.back().c_str()});
    rstream_env_options o;
    rstream_env_options_init(&o);
    o.host = "cluster";
    o.user = this;
    change(o);
    rstream_env *e = nullptr;
    EXPECT_EQ(env_create_on(&e, source_of(sources.back()), &o), 0);
    envs.push_back(e);
    return e;
  }
  writer &open_writer(rstream_env *e, const char *stream, bool retries = false) {
    writer &w = writers.emplace_back();
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    o.stream = stream;
    o.user = &w;
    o.retry_opening = retries;
    o.on_state = [](rstream_producer *, const rstream_state *state, void *user) {
      auto *self = static_cast<writer *>(user);
      self->states += letter_of(*state);
      self->reason = state->reason;
      self->text = state->text;
    };
    o.on_confirm = [](rstream_producer *, const rstream_confirms *c, void *user) {
      if (c->status == 0) static_cast<writer *>(user)->confirmed += c->count;
    };
    EXPECT_EQ(rstream_producer_open(&w.p, e, &o), 0);
    return w;
  }
  void close(writer &w) {
    auto on_closed = [](rstream_producer *, int, void *user) {
      static_cast<writer *>(user)->closed = true;
    };
    ASSERT_EQ(rstream_producer_close_within(w.p, 0, on_closed), 0);
  }
  reader &open_reader(rstream_env *e, const char *stream) {
    reader &r = readers.emplace_back();
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = stream;
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.user = &r;
    o.on_state = [](rstream_consumer *, const rstream_state *state, void *user) {
      static_cast<reader *>(user)->states += letter_of(*state);
    };
    o.on_message = [](rstream_consumer *, const rstream_message_view *, void *user) {
      static_cast<reader *>(user)->messages++;
    };
    EXPECT_EQ(rstream_consumer_open(&r.c, e, &o), 0);
    return r;
  }
  void close(reader &r) {
    auto on_closed = [](rstream_consumer *, int, void *user) {
      static_cast<reader *>(user)->closed = true;
    };
    ASSERT_EQ(rstream_consumer_close(r.c, on_closed), 0);
  }
  void start_closing() {
    for (rstream_env *e : envs) {
      auto on_closed = [](rstream_env *, void *user) {
        static_cast<simulated *>(user)->envs_closed++;
      };
      ASSERT_EQ(rstream_env_close(e, on_closed, this), 0);
    }
  }
  bool all_closed() const { return envs_closed == static_cast<int>(envs.size()); }
  void finish() {
    if (!all_closed()) start_closing();
    ASSERT_TRUE(run_until([&] { return all_closed(); }));
    cluster_stop(brokers);
    ASSERT_TRUE(simulation_run(s, most_events));
    EXPECT_EQ(s.failure, "");
    simulation_release(s);
  }

  // Turns the clock on, in small steps, until `done`; at most so many seconds.
  bool run_until(const std::function<bool()> &done, uint64_t seconds = 120) {
    uint64_t end = s.now_us + seconds * second_us;
    while (!done() && s.now_us < end) run_for(look_every_us);
    return done();
  }
  void run_for(uint64_t us) {
    simulation_call(
        s, us, [](void *arg) { simulation_stop(*static_cast<simulation *>(arg)); }, &s);
    s.stopped = false;
    (void)simulation_run(s, most_events);
    s.stopped = false;
  }
};

}  // namespace rstream::sim
