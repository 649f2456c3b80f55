// Consumers by a clock that a test turns: when offsets are stored, how long a single
// active consumer may think, and groups whose members come and go.
#include "sim/fixture.h"
#include "sim/random.h"

namespace rstream::sim {

namespace {

struct member {
  rstream_consumer *c = nullptr;
  bool open = false;
  bool closed = false;
  int reason = 0;
  std::string updates;
  rstream_update_reply reply = RSTREAM_UPDATE_DEFAULT;
  std::vector<uint64_t> *seen = nullptr;
};

struct consuming : simulated {
  std::deque<member> members;
  std::vector<uint64_t> seen;         // offsets handed out, by whomever
  std::vector<uint64_t> store_times;  // us, of StoreOffset

  void start(uint64_t seed) {
    simulated::start(seed);
    fake::on_frame(node(), wire::key::store_offset,
                   [this](fake::peer &, const fake::frame &) {
                     store_times.push_back(s.now_us);
                     return fake::verdict::pass;
                   });
  }
  // Returns the number of the hook.
  uint64_t leave_queries_unanswered() {
    return fake::on_frame(
        node(), wire::key::query_offset,
        [](fake::peer &, const fake::frame &) { return fake::verdict::handled; });
  }
  void store(uint64_t count = 1) {
    const uint8_t body[] = {'x'};
    for (uint64_t i = 0; i < count; i++) fake::stream_append(invoices(), body);
  }

  rstream_consumer_options options_of(member &m) {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = "invoices";
    o.name = "app";
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.user = &m;
    o.on_message = [](rstream_consumer *, const rstream_message_view *v, void *user) {
      static_cast<member *>(user)->seen->push_back(v->offset);
    };
    o.on_state = [](rstream_consumer *, const rstream_state *state, void *user) {
      auto *self = static_cast<member *>(user);
      self->open = state->state == RSTREAM_STATE_OPEN;
      self->reason = state->reason;
    };
    o.on_update = [](rstream_consumer *, int active, void *user) {
      auto *self = static_cast<member *>(user);
      self->updates += active ? '+' : '-';
      return self->reply;
    };
    return o;
  }
  member &new_member() {
    member &m = members.emplace_back();
    m.seen = &seen;
    return m;
  }
  void close(member &m) {
    m.open = false;
    auto on_closed = [](rstream_consumer *, int, void *user) {
      static_cast<member *>(user)->closed = true;
    };
    ASSERT_EQ(rstream_consumer_close(m.c, on_closed), 0);
  }
  size_t active_members() {
    size_t n = 0;
    for (const member &m : members)
      n += m.open && rstream_consumer_activity(m.c) == RSTREAM_ACTIVITY_ACTIVE;
    return n;
  }
};

// Scenario 90: one message each second for a minute, stored every five seconds or ten
// thousand messages.
TEST_F(consuming, scenario_90_offsets_are_stored_every_five_seconds) {
  start(90);
  member &m = new_member();
  rstream_consumer_options o = options_of(m);
  ASSERT_EQ(rstream_consumer_open(&m.c, open_env(), &o), 0);
  ASSERT_TRUE(run_until([&] { return m.open; }));
  for (int i = 0; i < 60; i++) {
    store();
    run_for(second_us);
  }
  EXPECT_GE(store_times.size(), 9u);
  EXPECT_LE(store_times.size(), 12u);
  for (size_t i = 1; i < store_times.size(); i++) {
    uint64_t between = store_times[i] - store_times[i - 1];
    EXPECT_GE(between + tick_us, 5 * second_us) << i;
    // It begins anew with the next message.
    EXPECT_LE(between, 6 * second_us + 100000) << i;
  }
  // Without messages there is nothing to store.
  ASSERT_TRUE(run_until([&] { return invoices().offsets["app"] == 59; }));
  size_t stores = store_times.size();
  run_for(60 * second_us);
  EXPECT_EQ(store_times.size(), stores);
  // Many come before the interval is over.
  uint64_t began = s.now_us;
  store(10000);
  ASSERT_TRUE(run_until([&] { return invoices().offsets["app"] == 10059; }));
  EXPECT_LT(s.now_us - began, 5 * second_us);
  EXPECT_EQ(store_times.size(), stores + 1);
  finish();
}

// Scenario 81: an application that never answers, for as long as the options allow, or
// leaves it to the library, and a broker that does not tell the stored offset either: the
// answer still comes before the broker's patience of sixty seconds is over. It gives the
// turn away, as nobody knows where to begin, and comes back until the broker tells.
struct thinking_case {
  const char *name;
  rstream_update_reply reply;
  uint32_t timeout_ms;
  uint64_t expected_us;
};
constexpr thinking_case thinking_cases[] = {
    {"never_answered", RSTREAM_UPDATE_LATER, 0, 25 * second_us},
    {"never_answered_for_50_s", RSTREAM_UPDATE_LATER, 50000, 55 * second_us},
    {"by_default", RSTREAM_UPDATE_DEFAULT, 0, 5 * second_us},
};
struct thinking : consuming, testing::WithParamInterface<thinking_case> {};
TEST_P(thinking, scenario_81_an_update_is_answered_before_the_broker_gives_up) {
  const thinking_case &given = GetParam();
  start(81);
  store(3);
  uint64_t hook = leave_queries_unanswered();
  std::vector<uint64_t> answers;  // us
  fake::on_any_frame(node(), [&](fake::peer &, const fake::frame &fr) {
    if (fr.key == wire::response_key(wire::key::consumer_update))
      answers.push_back(s.now_us);
    return fake::verdict::pass;
  });
  member &m = new_member();
  m.reply = given.reply;
  rstream_consumer_options o = options_of(m);
  o.single_active = 1;
  o.update_timeout_ms = given.timeout_ms;
  ASSERT_EQ(rstream_consumer_open(&m.c, open_env(), &o), 0);
  ASSERT_TRUE(run_until([&] { return m.updates == "+"; }));
  uint64_t asked = s.now_us - look_every_us;
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  uint64_t took = answers[0] - asked;
  EXPECT_GE(took, given.expected_us);
  EXPECT_LT(took, given.expected_us + second_us);
  ASSERT_LT(took, 60 * second_us);
  ASSERT_TRUE(run_until([&] { return m.reason != 0; }));
  EXPECT_EQ(m.reason, RSTREAM_ETIMEDOUT);
  ASSERT_TRUE(run_until([&] { return m.updates == "++"; }));
  EXPECT_EQ(seen.size(), 0u);
  fake::hook_remove(node(), hook);
  ASSERT_TRUE(run_until([&] { return seen.size() == 3; }));
  EXPECT_TRUE(m.open);
  EXPECT_EQ(m.updates.find('-'), std::string::npos);
  EXPECT_EQ(fake::totals(*brokers.cluster).refused, 0u);
  finish();
}

// Nobody else waits for a consumer that opens: it does not begin without knowing where.
TEST_F(consuming,
       a_consumer_that_is_not_told_the_stored_offset_does_not_begin_elsewhere) {
  start(81);
  store(3);
  invoices().offsets["app"] = 0;
  uint64_t hook = leave_queries_unanswered();
  member &m = new_member();
  rstream_consumer_options o = options_of(m);
  o.retry_opening = 1;
  ASSERT_EQ(rstream_consumer_open(&m.c, open_env(), &o), 0);
  run_for(10 * second_us);
  EXPECT_FALSE(m.open);
  fake::hook_remove(node(), hook);
  ASSERT_TRUE(run_until([&] { return seen.size() >= 2; }));
  EXPECT_EQ(seen, std::vector<uint64_t>({1, 2}));
  finish();
}

// Scenario 82: twenty members come and go on a slow network.
struct groups : consuming, testing::WithParamInterface<uint64_t> {};
TEST_P(groups, scenario_82_one_of_many_members_is_active) {
  uint64_t seed = GetParam();
  start(seed);
  s.sky.latency_us_max = 50000;
  random chance = random_of(seed, 82);
  for (int i = 0; i < 3; i++) open_env();
  std::vector<member *> group;
  uint64_t stored = 0;
  for (int step = 0; step < 60; step++) {
    SCOPED_TRACE(step);
    bool joins = random_below(chance, 20) >= group.size();
    if (joins) {
      member &m = new_member();
      rstream_consumer_options o = options_of(m);
      o.single_active = 1;
      ASSERT_EQ(rstream_consumer_open(&m.c, envs[random_below(chance, envs.size())], &o),
                0);
      group.push_back(&m);
    } else {
      // Open or not, active or not; now and then several at once.
      size_t leaving = random_between(chance, 1, group.size());
      if (!random_chance(chance, 100)) leaving = 1;
      for (size_t i = 0; i < leaving; i++) {
        size_t index = random_below(chance, group.size());
        close(*group[index]);
        group.erase(group.begin() + static_cast<ptrdiff_t>(index));
      }
    }
    uint64_t n = random_below(chance, 5);
    store(n);
    stored += n;
    run_for(random_below(chance, 200000));
    ASSERT_LE(active_members(), 1u);
    if (random_chance(chance, 500)) continue;  // on top of each other
    ASSERT_TRUE(run_until([&] { return group.empty() || active_members() == 1; }, 30));
  }
  if (group.empty()) {
    member &m = new_member();
    rstream_consumer_options o = options_of(m);
    o.single_active = 1;
    ASSERT_EQ(rstream_consumer_open(&m.c, envs[0], &o), 0);
  }
  ASSERT_TRUE(run_until([&] { return seen.size() >= stored; })) << seen.size();
  ASSERT_EQ(seen.size(), stored);
  EXPECT_GT(stored, 50u);
  EXPECT_GT(members.size(), 20u);
  for (uint64_t i = 0; i < stored; i++) ASSERT_EQ(seen[i], i);
  finish();
}

INSTANTIATE_TEST_SUITE_P(reply, thinking, testing::ValuesIn(thinking_cases),
                         [](const auto &each) { return each.param.name; });
INSTANTIATE_TEST_SUITE_P(seed, groups, testing::Range<uint64_t>(1, 21));

}  // namespace

}  // namespace rstream::sim
