// Clock, timers, turns of the loop, posted calls and the end of a world on libuv.
#include "net/uv_net.h"

#include <cstring>

#include "net/uv_world.h"

namespace rstream {

namespace {

uint64_t world_now_us(net *world) {
  // Not uv_now(): a callback that computes for long must not see old time.
  (void)world;
  return uv_hrtime() / 1000;
}

// xorshift128+: spreads retries, picks replicas; nothing secret hangs on it.
uint64_t world_random(net *world) {
  uint64_t *s = uv_world_of(world)->random_state;
  uint64_t a = s[0], b = s[1];
  s[0] = b;
  a ^= a << 23;
  s[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
  return s[1] + b;
}

void on_timer(uv_timer_t *timer) {
  auto *w = static_cast<uv_world *>(timer->data);
  callback_scope scope(w);
  net_run_timers(w->base);
}

void world_wake_at(net *world, uint64_t due_ms) {
  uv_world *w = uv_world_of(world);
  if (w->closing) return;
  if (due_ms == net_never) {
    uv_timer_stop(&w->timer);
    return;
  }
  uint64_t now = net_now_ms(*world);
  uint64_t delay = due_ms > now ? due_ms - now : 0;
  // libuv counts from its cached time, which may lag behind.
  uv_update_time(w->loop);
  // One more, as our clock counts the milliseconds that libuv's has only begun, and as a
  // timer of 0 that is started by a timer would run again before any socket is looked at.
  uv_timer_start(&w->timer, on_timer, delay + 1, 0);
}

void stop_turn_handles(uv_world *w) {
  uv_prepare_stop(&w->prepare);
  uv_check_stop(&w->check);
  uv_idle_stop(&w->idle);
}

void end_turn(uv_world *w) {
  callback_scope scope(w);
  bool left = net_end_turn(w->base);
  if (!left && !w->closing) stop_turn_handles(w);
}

void on_prepare(uv_prepare_t *handle) { end_turn(static_cast<uv_world *>(handle->data)); }
void on_check(uv_check_t *handle) { end_turn(static_cast<uv_world *>(handle->data)); }
void on_idle(uv_idle_t *) {}

void world_wake_soon(net *world) {
  uv_world *w = uv_world_of(world);
  if (w->closing) return;
  uv_prepare_start(&w->prepare, on_prepare);
  uv_check_start(&w->check, on_check);
  uv_idle_start(&w->idle, on_idle);
}

posted_call *take_posted(uv_world *w) {
  uv_mutex_lock(&w->posted_lock);
  posted_call *first = w->posted_first;
  w->posted_first = w->posted_last = nullptr;
  uv_mutex_unlock(&w->posted_lock);
  return first;
}

void run_posted(uv_world *w) {
  memory_functions functions = w->base.mem->functions;
  posted_call *call = take_posted(w);
  while (call) {
    posted_call *next = call->next;
    call->call(call->subject, call->fn, call->arg);
    functions.release(call, functions.user);
    call = next;
  }
}

void on_async(uv_async_t *async) {
  auto *w = static_cast<uv_world *>(async->data);
  callback_scope scope(w);
  run_posted(w);
}

// The world outlives on_closed, which may still ask it this and that; its memory does not
// come through `memory`, which may go in on_closed.
uv_world *allocate_world(const memory_functions &functions) {
  void *block = functions.allocate(sizeof(uv_world), functions.user);
  return block ? new (block) uv_world() : nullptr;
}

void release_world(uv_world *w, const memory_functions &functions) {
  w->~uv_world();
  functions.release(w, functions.user);
}

void free_world(uv_world *w) {
  if (w->gone) *w->gone = true;
  memory_functions functions = w->base.mem->functions;
  {
    callback_scope scope(w);
    w->on_closed(w->on_closed_arg);
  }
  uv_mutex_destroy(&w->posted_lock);
  release_world(w, functions);
}

void on_handle_closed(uv_handle_t *handle) {
  uv_world_release(static_cast<uv_world *>(handle->data));
}

template <class T>
void hold_handle(uv_world *w, T *handle) {
  handle->data = w;
  uv_world_hold(w);
}

template <class T>
void close_handle(T *handle) {
  uv_close(reinterpret_cast<uv_handle_t *>(handle), on_handle_closed);
}

constexpr net_ops ops = {world_now_us,    world_random,     world_wake_at,
                         world_wake_soon, uv_world_resolve, uv_world_resolve_cancel,
                         uv_world_connect};

int init_loop(uv_world *w, uv_loop_t *loop) {
  w->loop = loop;
  if (loop) return 0;
  const memory_functions &functions = w->base.mem->functions;
  w->loop =
      static_cast<uv_loop_t *>(functions.allocate(sizeof(uv_loop_t), functions.user));
  if (!w->loop) return UV_ENOMEM;
  int rc = uv_loop_init(w->loop);
  if (rc == 0) {
    w->owns_loop = true;
    return 0;
  }
  functions.release(w->loop, functions.user);
  return rc;
}

void release_loop(uv_loop_t *loop, const memory_functions &functions) {
  uv_loop_close(loop);
  functions.release(loop, functions.user);
}

// All of these only set members, except the async handle, which may need a descriptor and
// is therefore made first.
int init_handles(uv_world *w) {
  int rc = uv_async_init(w->loop, &w->async, on_async);
  if (rc < 0) return rc;
  uv_timer_init(w->loop, &w->timer);
  uv_timer_init(w->loop, &w->run_timer);
  uv_prepare_init(w->loop, &w->prepare);
  uv_check_init(w->loop, &w->check);
  uv_idle_init(w->loop, &w->idle);
  hold_handle(w, &w->async);
  hold_handle(w, &w->timer);
  hold_handle(w, &w->run_timer);
  hold_handle(w, &w->prepare);
  hold_handle(w, &w->check);
  hold_handle(w, &w->idle);
  return 0;
}

int init_world(uv_world *w, uv_loop_t *loop) {
  if (uv_random(nullptr, nullptr, w->random_state, sizeof w->random_state, 0, nullptr) <
      0) {
    w->random_state[0] = uv_hrtime();
  }
  w->random_state[1] |= 1;  // all zero would stay zero
  int rc = uv_mutex_init(&w->posted_lock);
  if (rc < 0) return rc;
  rc = init_loop(w, loop);
  if (rc == 0) {
    rc = init_handles(w);
    if (rc == 0) return 0;
    if (w->owns_loop) release_loop(w->loop, w->base.mem->functions);
  }
  uv_mutex_destroy(&w->posted_lock);
  return rc;
}

}  // namespace

void uv_world_release(uv_world *w) {
  if (--w->live == 0 && w->closing) free_world(w);
}

int net_uv_create(net **world, uv_loop_s *loop, memory &mem, const logger &log) {
  *world = nullptr;
  uv_world *w = allocate_world(mem.functions);
  if (!w) return UV_ENOMEM;
  w->base.ops = &ops;
  w->base.mem = &mem;
  w->base.log = log;
  int rc = init_world(w, loop);
  if (rc < 0) {
    release_world(w, mem.functions);
    return rc;
  }
  *world = &w->base;
  return 0;
}

void net_uv_close(net *world, void (*on_closed)(void *arg), void *arg) {
  uv_world *w = uv_world_of(world);
  uv_mutex_lock(&w->posted_lock);
  w->posting_ended = true;
  uv_mutex_unlock(&w->posted_lock);
  run_posted(w);
  w->on_closed = on_closed;
  w->on_closed_arg = arg;
  w->closing = true;
  stop_turn_handles(w);
  close_handle(&w->async);
  close_handle(&w->timer);
  close_handle(&w->run_timer);
  close_handle(&w->prepare);
  close_handle(&w->check);
  close_handle(&w->idle);
}

net_source net_uv_source(uv_loop_s *loop) {
  auto create = [](void *arg, net **world, memory &mem, const logger &log) {
    return net_uv_create(world, static_cast<uv_loop_s *>(arg), mem, log);
  };
  return {create, net_uv_close, loop};
}

bool net_uv_is_busy(const net *world) {
  const uv_world *w = uv_world_of(world);
  return w->callback_depth > 0 || w->gone;
}

int net_uv_run(net *world, int timeout_ms) {
  if (net_uv_is_busy(world)) return UV_EBUSY;
  uv_world *w = uv_world_of(world);
  uv_loop_t *loop = w->loop;
  bool owns_loop = w->owns_loop;
  memory_functions functions = w->base.mem->functions;
  bool gone = false;
  w->gone = &gone;
  if (timeout_ms > 0 && !w->closing) {
    uv_update_time(loop);
    uv_timer_start(
        &w->run_timer, [](uv_timer_t *) {}, static_cast<uint64_t>(timeout_ms), 0);
  }
  uv_run(loop, timeout_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  if (gone) {
    if (owns_loop) release_loop(loop, functions);
    return UV_ECANCELED;
  }
  w->gone = nullptr;
  if (!w->closing) uv_timer_stop(&w->run_timer);
  return 0;
}

bool net_uv_is_closed(int code) { return code == UV_ECANCELED; }

uv_loop_s *net_uv_loop(const net *world) { return uv_world_of(world)->loop; }
int net_uv_backend_fd(const net *world) {
  return uv_backend_fd(uv_world_of(world)->loop);
}
int net_uv_backend_timeout(const net *world) {
  return uv_backend_timeout(uv_world_of(world)->loop);
}

int net_uv_post(net *world, void (*call)(void *subject, void (*fn)(), void *arg),
                void *subject, void (*fn)(), void *arg) {
  uv_world *w = uv_world_of(world);
  // Not through `memory`, which counts and belongs to the loop's thread.
  const memory_functions &functions = w->base.mem->functions;
  void *block = functions.allocate(sizeof(posted_call), functions.user);
  if (!block) return UV_ENOMEM;
  auto *posted = new (block) posted_call{nullptr, call, subject, fn, arg};
  uv_mutex_lock(&w->posted_lock);
  bool ended = w->posting_ended;
  if (!ended) {
    if (w->posted_last) {
      w->posted_last->next = posted;
    } else {
      w->posted_first = posted;
    }
    w->posted_last = posted;
    uv_async_send(&w->async);
  }
  uv_mutex_unlock(&w->posted_lock);
  if (!ended) return 0;
  functions.release(block, functions.user);
  return UV_ECANCELED;
}

}  // namespace rstream
