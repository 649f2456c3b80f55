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

bool net_end_turn(net &world) {
  for (int i = 0; i < tasks_per_turn; i++) {
    list_node *node = list_pop_front(world.tasks[0]);
    if (!node) node = list_pop_front(world.tasks[1]);
    if (!node) return false;
    net_task *task = RSTREAM_OWNER(node, net_task, node);
    task->run(task);
  }
  return true;
}

}  // namespace rstream
