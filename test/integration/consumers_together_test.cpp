// Consumers of one connection that close while others open, from the loop's thread and
// posted from others.
#include <thread>

#include "consuming.h"

using namespace rstream::test;

namespace {

struct scenario_46 : consuming {
  static constexpr uint64_t count = 2000;
  consumer_probe a, b, third;

  void SetUp() override {
    consuming::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    publish(stream, count);
  }
  // Two that are receiving.
  void open_two() {
    for (consumer_probe *c : {&a, &b}) {
      c->opened = c->closed = 0;
      c->messages = 0;
      ASSERT_EQ(c->open_first(env, stream), 0);
    }
    third.closed = third.opened = 0;
    third.messages = 0;
  }
  void open_third() {
    third.numbered = true;
    EXPECT_EQ(third.open_first(env, stream), 0);
  }
  // The two are gone, each told once, and the third one gets everything on the same
  // connection.
  void expect_third_alone() {
    ASSERT_TRUE(run_until(
        [&] { return a.closed > 0 && b.closed > 0 && third.messages == count; }));
    EXPECT_EQ(a.closed + b.closed, 2);
    EXPECT_EQ(a.close_status + b.close_status, 0);
    EXPECT_EQ(third.wrong_bodies, 0u);
    EXPECT_EQ(stats().connections_for_consumers, 1u);
    EXPECT_EQ(stats().consumers, 1u);
    close(third);
  }
};

}  // namespace

TEST_F(scenario_46, closed_at_once_while_a_third_opens) {
  for (int round = 0; round < 10; round++) {
    SCOPED_TRACE(round);
    open_two();
    ASSERT_TRUE(run_until([&] { return a.opened && b.opened; }));
    EXPECT_EQ(a.close(), 0);
    open_third();
    EXPECT_EQ(b.close(), 0);
    expect_third_alone();
  }
}

TEST_F(scenario_46, closed_at_once_inside_a_message_callback) {
  for (uint64_t when : {uint64_t{1}, count / 2, count}) {
    SCOPED_TRACE(when);
    a.on_message = [&](const rstream_message_view *) {
      if (a.messages != when) return;
      EXPECT_EQ(b.close(), 0);
      open_third();
      EXPECT_EQ(a.close(), 0);
    };
    open_two();
    expect_third_alone();
    EXPECT_EQ(a.messages, when);
  }
}

// Each step is posted by a thread of its own; all of them run on the loop's.
TEST_F(scenario_46, closed_at_once_by_two_threads_while_a_third_one_opens) {
  struct step {
    scenario_46 *t;
    consumer_probe *closes;
    static void run(rstream_env *, void *arg) {
      auto *s = static_cast<step *>(arg);
      if (s->closes) {
        EXPECT_EQ(s->closes->close(), 0);
      } else {
        s->t->open_third();
      }
    }
  };
  for (int round = 0; round < 10; round++) {
    SCOPED_TRACE(round);
    open_two();
    // In every second round they are not even open yet.
    if (round % 2) ASSERT_TRUE(run_until([&] { return a.messages && b.messages; }));
    step steps[] = {{this, &a}, {this, &b}, {this, nullptr}};
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (step &s : steps) {
      threads.emplace_back([&, e = env] {
        ready++;
        while (ready < 3) continue;
        EXPECT_EQ(rstream_env_post(e, step::run, &s), 0);
      });
    }
    for (std::thread &t : threads) t.join();
    expect_third_alone();
  }
}
