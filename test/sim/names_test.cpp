// Scenario 63 by a clock that a test turns: names that can't be looked up, that take
// long, or that lead to many addresses of which few are alive.
#include <uv.h>  // for its error codes alone

#include <algorithm>
#include <set>

#include "net/dial.h"
#include "sim/fixture.h"

namespace rstream::sim {

namespace {

constexpr uint64_t ms = 1000;  // in us
// Latency there and back, the system's and the test's own steps.
constexpr uint64_t slack_us = 20 * ms;
constexpr uint64_t pause_us = dial_pause_ms * ms;

struct answer {
  int calls = 0;
  int status = 1;
  std::string text;
};

struct scenario_63 : simulated {
  std::vector<uint64_t> looked_up_us;  // when the name was asked for

  // A name with an address of a host that nobody gets an answer from, for each '.', of
  // one where nobody listens, for each 'x', and of the broker, for each '!'.
  void name_leads_to(const char *name, const char *places) {
    host_create(s, "mute", s.host_memory, logger{})->silent = true;
    for (const char *at = places; *at; at++)
      name_add(s, name, *at == '.' ? "mute" : *at == '!' ? "node0" : "nobody");
  }
  // What the resolver says of a name, from the first question on.
  void name_answers(const char *name, std::function<void(lookup &l)> how) {
    s.on_lookup = [this, how, wanted = std::string(name)](lookup &l) {
      if (l.name != wanted) return;
      looked_up_us.push_back(s.now_us);
      how(l);
    };
  }
  rstream_env *env_at(const char *name, uint32_t timeout_ms = 0) {
    return open_env([&](rstream_env_options &o) {
      o.host = name;
      o.connect_timeout_ms = timeout_ms;
    });
  }
  void ask(rstream_env *e, answer &a) {
    auto on_result = [](rstream_env *, int status, const char *text, void *user) {
      auto *to = static_cast<answer *>(user);
      to->calls++;
      to->status = status;
      to->text = text;
    };
    ASSERT_EQ(rstream_stream_create(e, "another", nullptr, on_result, &a), 0);
  }
  void ask_and_wait(rstream_env *e, answer &a) {
    ask(e, a);
    ASSERT_TRUE(run_until([&] { return a.calls > 0; }));
  }
  void finish() {
    if (host *mute = host_find(s, "mute")) host_close(&mute->base, nullptr, nullptr);
    simulated::finish();
  }
  // Connections that their maker has not closed.
  size_t kept() const {
    size_t n = 0;
    for (const auto &c : s.connections) n += c->ends[0] != nullptr;
    return n;
  }
  // That each address was tried, one after another, so long apart.
  void expect_tried(size_t count, uint64_t apart_us) {
    ASSERT_EQ(s.connections.size(), count);
    for (size_t i = 1; i < count; i++) {
      uint64_t between = s.connections[i]->begun_us - s.connections[i - 1]->begun_us;
      EXPECT_GE(between + tick_us, apart_us) << i;
      EXPECT_LE(between, apart_us + slack_us) << i;
    }
  }
  // That all addresses of the name were tried before the last one was found alive.
  void expect_last_found(const char *name, size_t count, uint64_t apart_us) {
    answer a;
    ask_and_wait(env_at(name), a);
    EXPECT_EQ(a.status, 0) << a.text;
    expect_tried(count, apart_us);
    EXPECT_EQ(kept(), 1u) << "the others are closed";
  }
};

}  // namespace

TEST_F(scenario_63, five_addresses_and_only_the_last_is_alive) {
  start(63);
  name_leads_to("five", "....!");
  expect_last_found("five", 5, pause_us);
  EXPECT_LT(s.now_us, 4 * pause_us + 5 * slack_us);
  finish();
}

TEST_F(scenario_63, an_address_of_the_wrong_family_costs_no_more_than_its_head_start) {
  start(64);
  name_leads_to("two", ".!");
  expect_last_found("two", 2, pause_us);
  finish();
}

TEST_F(scenario_63, addresses_that_refuse_cost_nothing) {
  start(65);
  name_leads_to("five", "xxxx!");
  expect_last_found("five", 5, 0);
  finish();
}

TEST_F(scenario_63, all_addresses_together_have_one_deadline) {
  start(66);
  name_leads_to("five", ".....");
  answer a;
  ask_and_wait(env_at("five", 3000), a);
  EXPECT_EQ(a.status, RSTREAM_ETIMEDOUT);
  EXPECT_EQ(a.text, "can't connect to five:5552: the deadline passed");
  EXPECT_GE(s.now_us, 3000 * ms);
  EXPECT_LT(s.now_us, 3000 * ms + slack_us);
  expect_tried(5, pause_us);
  EXPECT_EQ(kept(), 0u);
  finish();
}

// The slower of two that are alive is not left behind.
TEST_F(scenario_63, an_address_that_answers_late_may_win) {
  start(67);
  s.sky.latency_us_min = s.sky.latency_us_max = 200 * ms;
  name_leads_to("three", "!..");
  answer a;
  ask_and_wait(env_at("three"), a);
  EXPECT_EQ(a.status, 0) << a.text;
  EXPECT_EQ(s.connections.size(), 2u) << "tried beside it";
  EXPECT_EQ(kept(), 1u);
  finish();
}

TEST_F(scenario_63, a_name_that_is_found_at_last) {
  start(68);
  int failing = 40;
  name_answers("late", [&](lookup &l) {
    if (failing-- > 0) l.status = UV_EAI_AGAIN;
  });
  name_add(s, "late", "node0");
  writer &w = open_writer(env_at("late"), "invoices", true);
  ASSERT_TRUE(run_until([&] { return w.states.ends_with('O'); }, 1000));
  EXPECT_EQ(w.states, std::string(40, 'R') + 'O');
  ASSERT_EQ(looked_up_us.size(), 41u);
  uint64_t longest = 0, limit_us = 100 * ms;
  for (size_t i = 1; i < looked_up_us.size(); i++) {
    uint64_t pause = looked_up_us[i] - looked_up_us[i - 1];
    EXPECT_LE(pause, limit_us + slack_us) << i;
    limit_us = std::min(2 * limit_us, 10 * second_us);
    longest = std::max(longest, pause);
  }
  EXPECT_GT(longest, 2 * second_us) << "the pauses do not grow";
  finish();
}

TEST_F(scenario_63, environments_do_not_ask_in_step) {
  start(69);
  name_answers("never", [&](lookup &l) {
    l.status = UV_EAI_AGAIN;
    l.delay_us = 0;
  });
  constexpr size_t count = 20;
  for (size_t i = 0; i < count; i++) open_writer(env_at("never"), "invoices", true);
  ASSERT_TRUE(run_until([&] { return looked_up_us.size() >= 20 * count; }, 1000));
  // The first questions come together, those later do not.
  uint64_t first = looked_up_us.front(), last = looked_up_us[count - 1];
  EXPECT_LT(last - first, slack_us);
  std::set<uint64_t> instants(looked_up_us.end() - count, looked_up_us.end());
  EXPECT_GT(*instants.rbegin() - *instants.begin(), 200 * ms);
  EXPECT_GT(instants.size(), count / 2);
  finish();
}

TEST_F(scenario_63, a_name_that_takes_a_minute) {
  start(70, 2);
  fake::stream_create(*brokers.cluster, "far", 1);
  name_answers("node1", [&](lookup &l) { l.delay_us = 60 * second_us; });
  rstream_env *e = env_at("cluster");
  writer &near = open_writer(e, "invoices", false);
  ASSERT_TRUE(run_until([&] { return near.states == "O"; }));
  writer &far = open_writer(e, "far", false);
  // Others on the same loop go on meanwhile.
  uint64_t sent = 0, slowest = 0;
  while (far.states.empty()) {
    uint64_t before = s.now_us;
    ASSERT_EQ(rstream_producer_send_bytes(near.p, "x", 1, nullptr), 0);
    sent++;
    ASSERT_TRUE(run_until([&] { return near.confirmed == sent; }));
    slowest = std::max(slowest, s.now_us - before);
  }
  EXPECT_EQ(far.states, "C");
  EXPECT_EQ(far.reason, RSTREAM_ETIMEDOUT);
  EXPECT_EQ(far.text, "not connected within 10000 ms: still in state resolving");
  // The stream's node is asked for once more, and tried again.
  ASSERT_EQ(looked_up_us.size(), 2u);
  uint64_t attempt = looked_up_us[1] - looked_up_us[0];
  EXPECT_GE(attempt, 10 * second_us);
  EXPECT_LT(attempt, 10 * second_us + 200 * ms + slack_us);
  EXPECT_GE(s.now_us - looked_up_us[1] + tick_us, 10 * second_us);
  EXPECT_LT(s.now_us - looked_up_us[1], 10 * second_us + slack_us);
  EXPECT_GT(sent, 100u);
  EXPECT_LE(slowest, slack_us);
  finish();
}

TEST_F(scenario_63, a_name_without_addresses) {
  start(71);
  name_clear(s, "empty");
  rstream_env *e = env_at("empty");
  answer a;
  ask_and_wait(e, a);
  EXPECT_LT(a.status, 0);
  EXPECT_TRUE(rstream_error_is_retriable(a.status)) << a.status;
  EXPECT_EQ(a.text.substr(0, 20), "can't resolve empty:") << a.text;
  writer &w = open_writer(e, "invoices", true);
  ASSERT_TRUE(run_until([&] { return w.states == "RRRRR"; }));
  name_add(s, "empty", "node0");
  ASSERT_TRUE(run_until([&] { return w.states.back() == 'O'; }));
  finish();
}

TEST_F(scenario_63, closing_while_a_name_is_looked_up) {
  start(72);
  name_answers("slow", [&](lookup &l) { l.delay_us = 60 * second_us; });
  rstream_env *e = env_at("slow");
  writer &w = open_writer(e, "invoices", true);
  answer a;
  ask(e, a);
  run_for(second_us);
  EXPECT_EQ(looked_up_us.size(), 1u);
  uint64_t began = s.now_us;
  close(w);
  ASSERT_TRUE(run_until([&] { return w.closed; }));
  start_closing();
  ASSERT_TRUE(run_until([&] { return all_closed(); }));
  EXPECT_LT(s.now_us - began, slack_us);
  EXPECT_EQ(w.states, "");
  EXPECT_EQ(a.calls, 1);
  EXPECT_EQ(a.status, RSTREAM_ECANCELED);
  simulated::finish();
}

TEST_F(scenario_63, closing_while_several_addresses_are_tried) {
  start(73);
  name_leads_to("five", ".....");
  rstream_env *e = env_at("five");
  writer &w = open_writer(e, "invoices", true);
  ASSERT_TRUE(run_until([&] { return s.connections.size() == 3; }));
  EXPECT_EQ(kept(), 3u);
  uint64_t began = s.now_us;
  close(w);
  ASSERT_TRUE(run_until([&] { return w.closed; }));
  start_closing();
  ASSERT_TRUE(run_until([&] { return all_closed(); }));
  EXPECT_LT(s.now_us - began, slack_us);
  EXPECT_EQ(kept(), 0u);
  EXPECT_EQ(w.states, "");
  finish();
}

}  // namespace rstream::sim
