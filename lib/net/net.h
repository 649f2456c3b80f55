#pragma once

// The only door to the outside. Everything above this layer sees time, timers, random
// numbers, name look-ups and sockets through what is declared here, so that the same code
// runs on libuv and in a simulation. The world is single-threaded: all calls and all
// callbacks come on one thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "util/list.h"
#include "util/log.h"
#include "util/memory.h"

namespace rstream {

struct net;
struct transport;

constexpr uint64_t net_never = UINT64_MAX;

// A one-shot timer, a member of what it is for. Starting and stopping cannot fail and
// allocate nothing, and stopping is immediate: nothing has to be closed.
struct net_timer {
  void (*on_due)(net_timer *timer) = nullptr;
  uint64_t due_ms = 0;
  uint64_t order = 0;  // start order, decides between equal due times
  // Links of the pairing heap; `back` is the parent or the left sibling.
  net_timer *child = nullptr;
  net_timer *sibling = nullptr;
  net_timer *back = nullptr;
  bool active = false;

  net_timer() = default;
  net_timer(const net_timer &) = delete;
  net_timer &operator=(const net_timer &) = delete;
};

// Work put off to the end of the loop's turn, before the loop waits. Tasks of the second
// stage run when none of the first is left: producers close their frames, then
// connections write.
enum class task_stage : uint8_t { gather = 0, write = 1 };

struct net_task {
  list_node node;
  void (*run)(net_task *task) = nullptr;
};

// An address as the name look-up gave it; only the implementation looks inside.
struct net_address {
  uint8_t bytes[32];
  uint8_t size;
};

constexpr size_t net_max_addresses = 16;

struct resolve_request {
  // `addresses` is borrowed until return; status is 0, and there is at least one, or a
  // negative code of libuv. They are in the order in which they are to be tried.
  void (*on_resolved)(resolve_request *request, int status,
                      std::span<const net_address> addresses) = nullptr;
  void *backend = nullptr;  // the implementation's; nullptr when idle
};

struct net_buffer {
  const uint8_t *data;
  size_t size;
};

// What a transport tells its owner. After an error or transport_close() nothing more
// comes.
struct transport_events {
  // 0, or a code of libuv or of rstream/error.h.
  void (*on_connected)(void *owner, int status);
  // Where to put received bytes. An empty span means out of memory: the transport then
  // reports on_read with an error.
  std::span<uint8_t> (*on_space)(void *owner);
  // n > 0: that many bytes were put there. n < 0: the end, a code as above.
  void (*on_read)(void *owner, ptrdiff_t n);
  // There is room again after transport_write() took less than all.
  void (*on_writable)(void *owner);
  // Before on_connected, of a transport that shakes hands before it is connected: the
  // peer took the connection. nullptr: not wanted.
  void (*on_reached)(void *owner) = nullptr;
};

// A byte stream to one peer. Implementations put this first. Who is told may change until
// on_connected returns.
struct transport {
  const struct transport_ops *ops;
  struct net *world;
  const transport_events *events;
  void *owner;
  // What an end or an error of now comes from, in words, where its code does not tell;
  // else nullptr. Borrowed until the transport is closed.
  const char *trouble;
};

struct transport_ops {
  ptrdiff_t (*write)(transport *t, std::span<const net_buffer> buffers);
  void (*close)(transport *t);
};

struct net_ops {
  uint64_t (*now_us)(net *world);
  uint64_t (*random)(net *world);
  void (*wake_at)(net *world, uint64_t due_ms);  // net_never: not needed any more
  void (*wake_soon)(net *world);  // call net_end_turn() before waiting again
  int (*resolve)(net *world, resolve_request *request, const char *host, uint16_t port);
  void (*resolve_cancel)(net *world, resolve_request *request);
  int (*connect)(net *world, transport **t, const net_address &address,
                 const transport_events *events, void *owner);
};

// What all implementations share. They put this first.
struct net {
  const net_ops *ops = nullptr;
  memory *mem = nullptr;
  logger log;
  net_timer *timers = nullptr;  // root of the heap
  uint64_t timers_started = 0;
  list tasks[2];
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
};

// Where an environment gets its world from, and how that ends: libuv's (uv_net.h), or a
// simulation.
struct net_source {
  // 0, or a negative code of libuv. `mem` outlives the world.
  int (*create)(void *arg, net **world, memory &mem, const logger &log);
  // Everything that was opened has been closed. The world is freed, then `on_closed`
  // comes; never from inside this call.
  void (*close)(net *world, void (*on_closed)(void *arg), void *arg);
  void *arg;
};

// Monotonic. Cached by implementations within a turn of the loop where that is cheaper.
inline uint64_t net_now_us(net &world) { return world.ops->now_us(&world); }
inline uint64_t net_now_ms(net &world) { return world.ops->now_us(&world) / 1000; }
inline uint64_t net_random(net &world) { return world.ops->random(&world); }

// (Re)starts a timer. on_due must be set.
void net_timer_start(net &world, net_timer &timer, uint64_t delay_ms);
void net_timer_stop(net &world, net_timer &timer);
// For implementations: runs what is due, then asks to be woken for the next.
void net_run_timers(net &world);

// Queues a task for the end of this turn; does nothing when it is queued already.
void net_task_queue(net &world, net_task &task, task_stage stage);
void net_task_cancel(net_task &task);
// For implementations: runs tasks until none is left, but not for ever: true when some
// are.
bool net_end_turn(net &world);

// Starts a name look-up. Errors are returned, or come as status, never both.
[[nodiscard]] inline int net_resolve(net &world, resolve_request &request,
                                     const char *host, uint16_t port) {
  return world.ops->resolve(&world, &request, host, port);
}
// The callback won't come. Harmless when idle.
inline void net_resolve_cancel(net &world, resolve_request &request) {
  if (request.backend) world.ops->resolve_cancel(&world, &request);
}

// Starts connecting; on_connected follows. On error *t is nullptr and nothing follows.
[[nodiscard]] inline int net_connect(net &world, transport **t,
                                     const net_address &address,
                                     const transport_events *events, void *owner) {
  return world.ops->connect(&world, t, address, events, owner);
}

// Writes what fits, without keeping the buffers. Returns how many bytes were taken; if
// that is less than all, on_writable follows once. A negative code of libuv is an error:
// the connection is unusable, and nothing follows but what was received before.
[[nodiscard]] inline ptrdiff_t transport_write(transport *t,
                                               std::span<const net_buffer> buffers) {
  return t->ops->write(t, buffers);
}

// Ends it at once, from any of its callbacks too. No callback follows; `t` is gone.
inline void transport_close(transport *t) { t->ops->close(t); }

}  // namespace rstream
