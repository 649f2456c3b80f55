#include <gtest/gtest.h>

#include <string>

#include "fake_net.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct named_task {
  net_task task;
  char name = 0;
  std::string *ran = nullptr;
  fake_net *world = nullptr;
  named_task *queues = nullptr;  // when it runs
  named_task *cancels = nullptr;
  task_stage stage{};
};

void run(net_task *task) {
  named_task *t = RSTREAM_OWNER(task, named_task, task);
  if (t->ran->size() < 100) *t->ran += t->name;
  if (t->queues) net_task_queue(t->world->base, t->queues->task, t->stage);
  if (t->cancels) net_task_cancel(t->cancels->task);
}

struct tasks_test : testing::Test {
  fake_net world;
  std::string ran;
  named_task t[4];

  tasks_test() {
    for (int i = 0; i < 4; i++) {
      t[i].name = static_cast<char>('a' + i);
      t[i].ran = &ran;
      t[i].world = &world;
      t[i].task.run = run;
    }
  }
  void queue(int i, task_stage stage) { net_task_queue(world.base, t[i].task, stage); }
};

}  // namespace

TEST_F(tasks_test, gather_comes_before_write_and_each_in_order) {
  queue(0, task_stage::write);
  queue(1, task_stage::gather);
  queue(2, task_stage::write);
  queue(3, task_stage::gather);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "bdac");
}

TEST_F(tasks_test, the_world_is_woken_once_for_many) {
  queue(0, task_stage::write);
  queue(1, task_stage::gather);
  EXPECT_EQ(world.wakes_soon, 1);
  EXPECT_FALSE(net_end_turn(world.base));
  queue(0, task_stage::write);
  EXPECT_EQ(world.wakes_soon, 2);
  net_task_cancel(t[0].task);
}

TEST_F(tasks_test, queued_twice_runs_once) {
  queue(0, task_stage::gather);
  queue(0, task_stage::gather);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "a");
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "a");
}

TEST_F(tasks_test, queued_again_keeps_its_place) {
  queue(0, task_stage::gather);
  queue(1, task_stage::gather);
  queue(0, task_stage::write);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "ab");
}

TEST_F(tasks_test, what_was_cancelled_does_not_run) {
  queue(0, task_stage::gather);
  queue(1, task_stage::gather);
  net_task_cancel(t[0].task);
  net_task_cancel(t[0].task);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "b");
}

TEST_F(tasks_test, a_task_may_cancel_a_later_one) {
  t[0].cancels = &t[1];
  queue(0, task_stage::gather);
  queue(1, task_stage::write);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "a");
}

TEST_F(tasks_test,
       what_a_task_queues_runs_in_the_same_turn_after_what_was_queued_before) {
  t[0].queues = &t[1];
  t[0].stage = task_stage::gather;
  queue(2, task_stage::write);
  queue(0, task_stage::gather);
  EXPECT_FALSE(net_end_turn(world.base));
  EXPECT_EQ(ran, "acb");
}

TEST_F(tasks_test, gathering_without_end_does_not_keep_anything_from_being_written) {
  t[0].queues = &t[0];
  t[0].stage = task_stage::gather;
  queue(0, task_stage::gather);
  queue(1, task_stage::write);
  EXPECT_TRUE(net_end_turn(world.base));
  EXPECT_EQ(ran.substr(0, 3), "aba");
  net_task_cancel(t[0].task);
}

TEST_F(tasks_test, a_task_that_queues_itself_for_ever_does_not_hold_the_loop) {
  t[0].queues = &t[0];
  t[0].stage = task_stage::gather;
  queue(0, task_stage::gather);
  EXPECT_TRUE(net_end_turn(world.base));
  EXPECT_TRUE(list_linked(t[0].task.node));
  net_task_cancel(t[0].task);
  EXPECT_FALSE(net_end_turn(world.base));
}
