#pragma once

#include <uv.h>

#include <cstdint>

namespace perf {

// Wakes a loop at a point in time, to the microsecond where the system can: a timer of
// libuv, which counts milliseconds, would add up to one to every latency measured under
// --rate.
struct pacer {
  uv_poll_t poll;
  uv_timer_t timer;
  int fd = -1;
  bool open = false;
  void (*on_due)(void *user) = nullptr;
  void *user = nullptr;
};

[[nodiscard]] int pacer_init(pacer &p, uv_loop_t *loop, void (*on_due)(void *user),
                             void *user);
void pacer_wake_at(pacer &p,
                   uint64_t due_us);  // by the clock of now_us(); replaces the last one
void pacer_close(pacer &p);

}  // namespace perf
