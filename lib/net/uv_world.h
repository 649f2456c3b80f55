#pragma once

// Private to the files uv_*.cpp.

#include <uv.h>

#include "net/uv_net.h"

namespace rstream {

struct posted_call {
  posted_call *next;
  void (*call)(void *subject, void (*fn)(), void *arg);
  void *subject;
  void (*fn)();
  void *arg;
};

struct uv_world {
  net base;
  uv_loop_t *loop = nullptr;
  bool owns_loop = false;
  bool closing = false;
  bool *gone = nullptr;    // of the net_uv_run() at work: set when the world is freed
  int callback_depth = 0;  // inside callbacks of this world
  uint32_t live = 0;       // handles and requests libuv still knows
  uint64_t random_state[2] = {};

  uv_timer_t timer;      // the one under all net_timers
  uv_timer_t run_timer;  // the limit of net_uv_run()
  uv_prepare_t prepare;  // end of turn: before waiting,
  uv_check_t check;      // after reading,
  uv_idle_t idle;        // and not waiting while tasks are left
  uv_async_t async;      // posted calls

  list lookups;  // of names, that may be joined

  uv_mutex_t posted_lock;
  posted_call *posted_first = nullptr;
  posted_call *posted_last = nullptr;
  bool posting_ended = false;

  void (*on_closed)(void *arg) = nullptr;
  void *on_closed_arg = nullptr;
};

inline uv_world *uv_world_of(net *world) { return reinterpret_cast<uv_world *>(world); }
inline const uv_world *uv_world_of(const net *world) {
  return reinterpret_cast<const uv_world *>(world);
}

// Marks that a callback of this world runs, so that stepping the loop from it can be
// refused. The world can't be freed meanwhile.
struct callback_scope {
  uv_world *w;
  explicit callback_scope(uv_world *world) : w(world) { w->callback_depth++; }
  ~callback_scope() { w->callback_depth--; }
  callback_scope(const callback_scope &) = delete;
  callback_scope &operator=(const callback_scope &) = delete;
};

// A handle or request of libuv came to life, or is gone; the last one ends a closing
// world.
inline void uv_world_hold(uv_world *w) { w->live++; }
void uv_world_release(uv_world *w);

int uv_world_resolve(net *world, resolve_request *request, const char *host,
                     uint16_t port);
void uv_world_resolve_cancel(net *world, resolve_request *request);
int uv_world_connect(net *world, transport **t, const net_address &address,
                     const transport_events *events, void *owner);

}  // namespace rstream
