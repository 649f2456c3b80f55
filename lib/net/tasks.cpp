#include <cassert>

#include "net/net.h"

namespace rstream {

// After so many tasks in one go the loop gets to look at its sockets again.
constexpr int tasks_per_turn = 100000;

void net_task_queue(net &world, net_task &task, task_stage stage) {
  assert(task.run);
  if (list_linked(task.node)) return;
  bool idle = list_empty(world.tasks[0]) && list_empty(world.tasks[1]);
  list_push_back(world.tasks[static_cast<int>(stage)], task.node);
  if (idle) world.ops->wake_soon(&world);
}

void net_task_cancel(net_task &task) { list_remove(task.node); }

// What tasks queue again waits for the next round, so that gathering which never ends
// can't keep anything from being written.
static int run_stage(list &stage) {
  list now;
  list_take_all(now, stage);
  int count = 0;
  while (list_node *node = list_pop_front(now)) {
    net_task *task = RSTREAM_OWNER(node, net_task, node);
    task->run(task);
    count++;
  }
  return count;
}

bool net_end_turn(net &world) {
  for (int run = 0; run < tasks_per_turn;) {
    int gathered = run_stage(world.tasks[0]);
    int written = run_stage(world.tasks[1]);
    if (gathered + written == 0) return false;
    run += gathered + written;
  }
  return true;
}

}  // namespace rstream
