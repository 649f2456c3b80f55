// Timers in a pairing heap made of the timers themselves: nothing to allocate, start in
// O(1), stop and next in O(log n) amortized.
#include <cassert>

#include "net/net.h"

namespace rstream {

namespace {

bool before(const net_timer *a, const net_timer *b) {
  return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

net_timer *meld(net_timer *a, net_timer *b) {
  if (!a) return b;
  if (!b) return a;
  if (before(b, a)) {
    net_timer *swap = a;
    a = b;
    b = swap;
  }
  b->back = a;
  b->sibling = a->child;
  if (a->child) a->child->back = b;
  a->child = b;
  return a;
}

net_timer *detach_first(net_timer *&rest) {
  net_timer *t = rest;
  if (!t) return nullptr;
  rest = t->sibling;
  t->sibling = t->back = nullptr;
  return t;
}

// Melds siblings two by two, then the pairs from the last to the first.
net_timer *meld_siblings(net_timer *first) {
  net_timer *pairs = nullptr;
  while (first) {
    net_timer *a = detach_first(first);
    net_timer *b = detach_first(first);
    net_timer *pair = meld(a, b);
    pair->sibling = pairs;
    pairs = pair;
  }
  net_timer *root = nullptr;
  while (net_timer *pair = detach_first(pairs)) root = meld(root, pair);
  return root;
}

void heap_remove(net &world, net_timer &timer) {
  net_timer *children = timer.child;
  timer.child = nullptr;
  if (world.timers == &timer) {
    world.timers = meld_siblings(children);
  } else {
    if (timer.back->child == &timer) {
      timer.back->child = timer.sibling;
    } else {
      timer.back->sibling = timer.sibling;
    }
    if (timer.sibling) timer.sibling->back = timer.back;
    world.timers = meld(world.timers, meld_siblings(children));
  }
  timer.sibling = timer.back = nullptr;
  timer.active = false;
}

void wake_for_first(net &world) {
  world.ops->wake_at(&world, world.timers ? world.timers->due_ms : net_never);
}

}  // namespace

void net_timer_start(net &world, net_timer &timer, uint64_t delay_ms) {
  assert(timer.on_due);
  if (timer.active) heap_remove(world, timer);
  uint64_t now = net_now_ms(world);
  timer.due_ms = delay_ms > net_never - 1 - now ? net_never - 1 : now + delay_ms;
  timer.order = world.timers_started++;
  timer.active = true;
  world.timers = meld(world.timers, &timer);
  if (world.timers == &timer) wake_for_first(world);
}

void net_timer_stop(net &world, net_timer &timer) {
  if (!timer.active) return;
  // The wake-up of a first timer that was stopped is left in place: it finds nothing due,
  // and the common pattern of one deadline replaced by the next stays cheap.
  heap_remove(world, timer);
  if (!world.timers) wake_for_first(world);
}

void net_run_timers(net &world) {
  uint64_t now = net_now_ms(world);
  // Timers started by these callbacks wait for the next turn, even with a delay of 0.
  uint64_t started_before = world.timers_started;
  while (world.timers && world.timers->due_ms <= now &&
         world.timers->order < started_before) {
    net_timer *timer = world.timers;
    heap_remove(world, *timer);
    timer->on_due(timer);
  }
  wake_for_first(world);
}

}  // namespace rstream
