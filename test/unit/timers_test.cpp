#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fake_net.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct named_timer {
  net_timer timer;
  char name = 0;
  std::string *fired = nullptr;
  void (*then)(named_timer *t) = nullptr;
  fake_net *world = nullptr;
  named_timer *other = nullptr;
};

void on_due(net_timer *timer) {
  named_timer *t = RSTREAM_OWNER(timer, named_timer, timer);
  *t->fired += t->name;
  if (t->then) t->then(t);
}

struct timers_test : testing::Test {
  fake_net world;
  std::string fired;
  named_timer t[8];

  timers_test() {
    for (int i = 0; i < 8; i++) {
      t[i].name = static_cast<char>('a' + i);
      t[i].fired = &fired;
      t[i].world = &world;
      t[i].timer.on_due = on_due;
    }
  }
  void start(int i, uint64_t delay_ms) {
    net_timer_start(world.base, t[i].timer, delay_ms);
  }
  void stop(int i) { net_timer_stop(world.base, t[i].timer); }
};

}  // namespace

TEST_F(timers_test, fire_when_they_are_due_not_before) {
  start(0, 10);
  EXPECT_EQ(world.wake_at_ms, 1010u);
  world.advance(9);
  EXPECT_EQ(fired, "");
  world.advance(1);
  EXPECT_EQ(fired, "a");
  EXPECT_FALSE(t[0].timer.active);
  EXPECT_EQ(world.wake_at_ms, net_never);
}

TEST_F(timers_test, fire_in_order_of_due_time) {
  start(0, 30);
  start(1, 10);
  start(2, 20);
  world.advance(100);
  EXPECT_EQ(fired, "bca");
}

TEST_F(timers_test, with_equal_due_times_fire_in_start_order) {
  for (int i : {3, 1, 4, 0, 5, 2}) start(i, 10);
  world.advance(10);
  EXPECT_EQ(fired, "dbeafc");
}

TEST_F(timers_test, can_be_stopped_at_any_position) {
  for (int victim = 0; victim < 8; victim++) {
    fired.clear();
    for (int i = 0; i < 8; i++) start(i, static_cast<uint64_t>((i * 5) % 8));
    stop(victim);
    stop(victim);
    EXPECT_FALSE(t[victim].timer.active);
    world.advance(10);
    std::vector<std::pair<int, char>> order;
    for (int i = 0; i < 8; i++) {
      if (i != victim) order.push_back({(i * 5) % 8, t[i].name});
    }
    std::sort(order.begin(), order.end());
    std::string expected;
    for (auto &o : order) expected += o.second;
    EXPECT_EQ(fired, expected) << "without " << t[victim].name;
  }
}

TEST_F(timers_test, a_restart_replaces_the_earlier_start) {
  start(0, 10);
  start(1, 15);
  start(0, 20);
  world.advance(15);
  EXPECT_EQ(fired, "b");
  world.advance(5);
  EXPECT_EQ(fired, "ba");
  world.advance(100);
  EXPECT_EQ(fired, "ba");
}

TEST_F(timers_test, a_restart_with_the_same_due_time_goes_behind) {
  start(0, 10);
  start(1, 10);
  start(0, 10);
  world.advance(10);
  EXPECT_EQ(fired, "ba");
}

TEST_F(timers_test, the_world_is_asked_to_wake_for_the_earliest) {
  start(0, 50);
  start(1, 20);
  EXPECT_EQ(world.wake_at_ms, 1020u);
  world.advance(20);
  EXPECT_EQ(world.wake_at_ms, 1050u);
  stop(0);
  EXPECT_EQ(world.wake_at_ms, net_never);
}

TEST_F(timers_test, a_delay_without_end_does_not_wrap_around) {
  start(0, UINT64_MAX);
  start(1, 5);
  world.advance(1000);
  EXPECT_EQ(fired, "b");
  EXPECT_TRUE(t[0].timer.active);
}

TEST_F(timers_test, started_from_a_callback_with_delay_0_waits_for_the_next_turn) {
  t[0].then = [](named_timer *self) {
    net_timer_start(self->world->base, self->timer, 0);
  };
  start(0, 5);
  start(1, 5);
  world.advance(5);
  EXPECT_EQ(fired, "ab");
  EXPECT_EQ(world.wake_at_ms, world.now_ms);
  world.advance(0);
  EXPECT_EQ(fired, "aba");
  stop(0);
}

TEST_F(timers_test, a_callback_may_stop_one_that_is_due_as_well) {
  t[0].other = &t[1];
  t[0].then = [](named_timer *self) {
    net_timer_stop(self->world->base, self->other->timer);
  };
  start(0, 5);
  start(1, 5);
  start(2, 5);
  world.advance(5);
  EXPECT_EQ(fired, "ac");
}

TEST(timers, behave_like_a_sorted_list_over_thousands_of_changes) {
  constexpr int timers = 200;
  struct entry {
    uint64_t due, order;
    int index;
    bool operator<(const entry &o) const {
      return due != o.due ? due < o.due : order < o.order;
    }
  };
  static std::vector<int> fired;
  struct numbered {
    net_timer timer;
    int index;
  };
  fake_net world;
  auto all = std::make_unique<numbered[]>(timers);
  for (int i = 0; i < timers; i++) {
    all[i].index = i;
    all[i].timer.on_due = [](net_timer *t) {
      fired.push_back(RSTREAM_OWNER(t, numbered, timer)->index);
    };
  }
  fired.clear();
  std::vector<entry> expected;
  auto forget = [&](int i) {
    std::erase_if(expected, [&](const entry &e) { return e.index == i; });
  };
  std::mt19937 random(20260805);
  uint64_t order = 0;
  for (int step = 0; step < 20000; step++) {
    int i = static_cast<int>(random() % timers);
    switch (random() % 5) {
    case 0:
      forget(i);
      net_timer_stop(world.base, all[i].timer);
      break;
    case 1: {
      world.now_ms += random() % 20;
      std::sort(expected.begin(), expected.end());
      std::vector<int> due;
      for (auto &e : expected) {
        if (e.due <= world.now_ms) due.push_back(e.index);
      }
      for (int d : due) forget(d);
      fired.clear();
      net_run_timers(world.base);
      ASSERT_EQ(fired, due) << "step " << step;
      break;
    }
    default: {
      uint64_t delay = random() % 100;
      forget(i);
      expected.push_back({world.now_ms + delay, order++, i});
      net_timer_start(world.base, all[i].timer, delay);
    }
    }
  }
  EXPECT_GT(order, 10000u);
  for (int i = 0; i < timers; i++) net_timer_stop(world.base, all[i].timer);
  EXPECT_EQ(world.base.timers, nullptr);
}
