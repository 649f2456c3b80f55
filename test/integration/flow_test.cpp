// How much the broker may send, and how much memory that takes.
#include <bit>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "consuming.h"

using namespace rstream::test;

namespace {

struct flow : consuming {
  using settings = std::function<void(rstream_consumer_options &)>;
  std::vector<rstream_chunk *> held;

  void open(consumer_probe &c, consumer_probe::mode how, const settings &more) {
    c.keep_numbers = true;
    ASSERT_EQ(c.open(env, stream, how,
                     [&](rstream_consumer_options &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       if (more) more(o);
                     }),
              0);
  }
  // Chunks stay in the application's hands.
  void hold_chunks(consumer_probe &c) {
    c.on_chunk = [&](rstream_chunk *chunk) {
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) c.saw(m);
      rstream_chunk_retain(chunk);
      held.push_back(chunk);
    };
  }
  void release_held() {
    for (rstream_chunk *chunk : held) rstream_chunk_release(chunk);
    held.clear();
  }
  void TearDown() override {
    release_held();
    consuming::TearDown();
  }
};

}  // namespace

// ---- credit

TEST_F(flow, every_policy_reads_everything) {
  publish_singly(40);
  struct policy {
    const char *name;
    rstream_credit_policy credit;
    uint16_t initial;
    uint16_t every;
    uint64_t bytes;
  };
  const policy all[] = {
      {"on finish", RSTREAM_CREDIT_ON_FINISH, 10, 1, 0},
      {"on finish, one", RSTREAM_CREDIT_ON_FINISH, 1, 1, 0},
      {"on finish, all at a time", RSTREAM_CREDIT_ON_FINISH, 9, 9, 0},
      {"on finish, some at a time", RSTREAM_CREDIT_ON_FINISH, 10, 4, 0},
      {"on arrival", RSTREAM_CREDIT_ON_ARRIVAL, 2, 1, 0},
      {"on arrival, all at a time", RSTREAM_CREDIT_ON_ARRIVAL, 5, 5, 0},
      {"manual", RSTREAM_CREDIT_MANUAL, 10, 1, 0},
      {"manual, all at a time", RSTREAM_CREDIT_MANUAL, 7, 7, 0},
      {"few bytes", RSTREAM_CREDIT_ON_FINISH, 10, 1, 1},
      {"few bytes, on arrival", RSTREAM_CREDIT_ON_ARRIVAL, 10, 10, 1},
  };
  for (const policy &each : all) {
    SCOPED_TRACE(each.name);
    consumer_probe c;
    c.on_message = [&](const rstream_message_view *) {
      if (each.credit != RSTREAM_CREDIT_MANUAL) return;
      EXPECT_EQ(rstream_consumer_grant_credit(c.handle, 1), 0);
    };
    open(c, consumer_probe::by_message, [&](auto &o) {
      o.credit_policy = each.credit;
      o.initial_credit = each.initial;
      o.credit_every = each.every;
      o.max_bytes_held = each.bytes;
    });
    ASSERT_TRUE(wait_for(c, 39));
    EXPECT_EQ(c.numbers, numbers(0, 39));
    EXPECT_EQ(c.stats().resubscribes, 0u);
  }
}

// The broker does not send before more than half of what Subscribe said is there.
TEST_F(flow, manual_credit_is_exact_and_never_stalls) {
  publish_singly(20);
  consumer_probe c;
  open(c, consumer_probe::by_message, [](auto &o) {
    o.credit_policy = RSTREAM_CREDIT_MANUAL;
    o.initial_credit = 10;
  });
  ASSERT_TRUE(wait_for(c, 9));
  for (uint64_t granted = 10; granted < 13; granted++) {
    // A round trip: had the broker sent more, that would have come before the answer.
    query("app");
    EXPECT_EQ(c.numbers, numbers(0, granted - 1));
    ASSERT_EQ(rstream_consumer_grant_credit(c.handle, 1), 0);
    ASSERT_TRUE(wait_for(c, granted));
  }
  ASSERT_EQ(rstream_consumer_grant_credit(c.handle, 7), 0);
  ASSERT_TRUE(wait_for(c, 19));
  EXPECT_EQ(c.numbers, numbers(0, 19));
}

TEST_F(flow, finished_chunks_alone_bring_more) {
  publish_singly(12);
  consumer_probe c;
  hold_chunks(c);
  open(c, consumer_probe::by_chunk, [](auto &o) { o.initial_credit = 4; });
  ASSERT_TRUE(wait_for(c, 3));
  publish_more(1);
  EXPECT_EQ(c.numbers, numbers(0, 3));
  EXPECT_EQ(c.stats().chunks_held, 4u);
  // It takes three of four to get beyond the half.
  for (int i = 0; i < 3; i++) rstream_chunk_release(held[static_cast<size_t>(i)]);
  held.erase(held.begin(), held.begin() + 3);
  ASSERT_TRUE(wait_for(c, 6));
  EXPECT_EQ(c.stats().chunks_held, 4u);
}

TEST_F(flow, paused_nothing_is_handed_out_and_the_broker_stops) {
  publish_singly(5);
  consumer_probe c;
  open(c, consumer_probe::by_message, [](auto &o) { o.initial_credit = 3; });
  ASSERT_TRUE(wait_for(c, 4));
  ASSERT_EQ(rstream_consumer_pause(c.handle), 0);
  publish_singly(20);
  ASSERT_TRUE(run_until([&] { return c.stats().chunks_held >= 2; }));
  EXPECT_EQ(c.messages, 5u);
  EXPECT_LE(c.stats().chunks_held, 3u);
  ASSERT_EQ(rstream_consumer_resume(c.handle), 0);
  ASSERT_TRUE(wait_for(c, 24));
  EXPECT_EQ(c.numbers, numbers(0, 24));
  EXPECT_EQ(c.stats().chunks_held, 0u);
}

// ---- chunks finished elsewhere

namespace {

// A thread that reads the bodies of chunks, in no order, and posts when one is done.
struct worker {
  struct job {
    worker *to;
    rstream_chunk *chunk;
    std::vector<const uint8_t *> bodies;
    std::vector<size_t> sizes;
  };
  rstream_env *env;
  std::mutex lock;
  std::condition_variable more;
  std::vector<job *> jobs;
  bool stops = false;
  uint64_t messages = 0;  // read, of chunks released
  size_t released = 0;
  std::thread thread;

  explicit worker(rstream_env *e) : env(e), thread([this] { work(); }) {}
  ~worker() {
    {
      std::lock_guard guard(lock);
      stops = true;
    }
    more.notify_one();
    thread.join();
  }
  void take(rstream_chunk *chunk) {
    auto *j = new job{this, chunk, {}, {}};
    constexpr size_t most = 64;
    const uint8_t *bodies[most];
    size_t sizes[most];
    while (size_t n = rstream_chunk_read(chunk, bodies, sizes, nullptr, most)) {
      j->bodies.insert(j->bodies.end(), bodies, bodies + n);
      j->sizes.insert(j->sizes.end(), sizes, sizes + n);
    }
    rstream_chunk_retain(chunk);
    std::lock_guard guard(lock);
    jobs.push_back(j);
    more.notify_one();
  }
  void work() {
    std::mt19937 random(5);
    for (;;) {
      std::unique_lock guard(lock);
      more.wait(guard, [this] { return stops || !jobs.empty(); });
      if (jobs.empty()) return;
      std::swap(jobs[random() % jobs.size()], jobs.back());
      job *j = jobs.back();
      jobs.pop_back();
      guard.unlock();
      for (size_t i = 0; i < j->bodies.size(); i++) {
        std::string_view body(reinterpret_cast<const char *>(j->bodies[i]), j->sizes[i]);
        EXPECT_TRUE(body.starts_with("message ")) << body;
      }
      EXPECT_EQ(rstream_env_post(env, done, j), 0);
    }
  }
  static void done(rstream_env *, void *arg) {
    auto *j = static_cast<job *>(arg);
    j->to->messages += j->bodies.size();
    j->to->released++;
    rstream_chunk_release(j->chunk);
    delete j;
  }
};

}  // namespace

TEST_F(flow, chunks_are_worked_on_in_another_thread_and_finished_in_any_order) {
  for (int i = 0; i < 30; i++) publish_more(100);
  worker w(env);
  consumer_probe c;
  c.on_chunk = [&](rstream_chunk *chunk) { w.take(chunk); };
  open(c, consumer_probe::by_chunk, [](auto &o) {
    o.name = "app";
    o.store_every_messages = 500;
  });
  ASSERT_TRUE(run_until([&] { return w.messages == 3000; }));
  EXPECT_EQ(w.released, c.chunks);
  EXPECT_EQ(c.stats().chunks_held, 0u);
  EXPECT_EQ(c.stats().finished_offset, c.stats().next_offset);
  uint64_t last = c.stats().finished_offset - 1;
  close(c);
  wait_stored("app", last);
}

// ---- bytes

namespace {

constexpr uint64_t budget = 4u << 20;
constexpr size_t body_bytes = 5000;

struct scenario_98 : flow {
  uint64_t stored = 0;    // messages
  uint64_t baseline = 0;  // bytes of memory without a consumer
  uint64_t most_held = 0;
  uint32_t largest_frame = 0;
  producer_probe p;

  // Several times the budget, in chunks of many sizes.
  void fill() {
    std::string body(body_bytes, 'x');
    ASSERT_EQ(p.open(env, stream), 0);
    for (int piece = 1; stored < 8 * budget / body_bytes; piece++) {
      for (int i = 0; i < piece % 50; i++, stored++) ASSERT_EQ(p.send(body), 0);
      ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    }
    ASSERT_EQ(p.confirmed(), stored);
    // The rest of what publishing took goes with its environment; what a connection takes
    // that has seen all this is not the consumer's.
    close_env(env);
    env = open_env();
    consumer_probe c;
    ASSERT_EQ(c.open_first(env, stream), 0);
    ASSERT_TRUE(run_until([&] { return c.messages == stored; }));
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
    baseline = memory.bytes;
    memory.most_bytes = baseline;
  }
  void watch(consumer_probe &c) {
    c.on_chunk = [&](rstream_chunk *chunk) {
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) c.saw(m);
      rstream_chunk_retain(chunk);
      held.push_back(chunk);
      uint32_t frame = c.infos.back().size_bytes + 100;
      if (frame > largest_frame) largest_frame = frame;
      uint64_t now = c.stats().bytes_held;
      if (now > most_held) most_held = now;
    };
  }
  void open_budgeted(consumer_probe &c, rstream_credit_policy policy) {
    watch(c);
    ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                     [&](auto &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       o.max_bytes_held = budget;
                       o.name = "slow";
                       o.initial_credit = 1000;
                       o.credit_policy = policy;
                     }),
              0);
  }
  // Until the broker sends no more: the budget is used up. Chunks for credits that it has
  // come before its answer to a question asked later.
  void wait_full(consumer_probe &c) {
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
    uint64_t before = UINT64_MAX;
    while (c.chunks != before) {
      before = c.chunks;
      auto on_result = [](rstream_consumer *, int, uint64_t, void *user) {
        *static_cast<bool *>(user) = true;
      };
      bool answered = false;
      ASSERT_EQ(rstream_consumer_query_offset(c.handle, on_result, &answered), 0);
      ASSERT_TRUE(run_until([&] { return answered; }));
    }
    EXPECT_GT(most_held, budget / 2);
    EXPECT_LT(c.messages, stored / 2);
  }
  void expect_bounded() {
    EXPECT_LE(most_held, budget + largest_frame);
    EXPECT_LE(memory.most_bytes, baseline + budget + block);
  }
  // What one frame takes.
  static constexpr uint64_t block = 256u << 10;
};

}  // namespace

TEST_F(scenario_98, a_consumer_that_finishes_nothing_holds_its_budget_and_one_frame) {
  fill();
  for (auto policy : {RSTREAM_CREDIT_ON_FINISH, RSTREAM_CREDIT_ON_ARRIVAL}) {
    SCOPED_TRACE(policy);
    consumer_probe c;
    open_budgeted(c, policy);
    wait_full(c);
    expect_bounded();
    release_held();
  }
}

TEST_F(scenario_98, a_slow_consumer_starves_nobody_and_gets_everything) {
  fill();
  consumer_probe c;
  open_budgeted(c, RSTREAM_CREDIT_ON_FINISH);
  wait_full(c);
  expect_bounded();
  publish(stream, 2000);
  stored += 2000;
  size_t before = memory.bytes;
  memory.most_bytes = before;
  size_t released = 0;
  ASSERT_TRUE(run_until([&] {
    // One at a time, the oldest first.
    if (released < held.size()) rstream_chunk_release(held[released++]);
    return c.messages == stored;
  })) << c.messages;
  held.erase(held.begin(), held.begin() + static_cast<ptrdiff_t>(released));
  EXPECT_LE(most_held, budget + largest_frame);
  EXPECT_LE(memory.most_bytes, before + block);
}
