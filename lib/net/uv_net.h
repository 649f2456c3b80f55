#pragma once

// The world as libuv gives it. Only the API includes this: to create it, and for what is
// about the loop itself. What the library does with it goes through net.h.

#include "net/net.h"

struct uv_loop_s;

namespace rstream {

// `loop` nullptr: makes a loop of its own. Errors: codes of libuv.
[[nodiscard]] int net_uv_create(net **world, uv_loop_s *loop, memory &mem,
                                const logger &log);

// Everything that was opened must have been closed. Once libuv has let go of the last
// handle, `on_closed` comes, and then the world is freed.
void net_uv_close(net *world, void (*on_closed)(void *arg), void *arg);

// These two, for an environment on `loop`.
net_source net_uv_source(uv_loop_s *loop);

// Steps the loop; see rstream_env_run(). 0; UV_EBUSY from inside a callback of this
// world; UV_ECANCELED when the world was closed meanwhile.
[[nodiscard]] int net_uv_run(net *world, int timeout_ms);

// Whether a callback of this world is running, or the loop is being stepped by
// net_uv_run().
bool net_uv_is_busy(const net *world);

// Tells "the world is closed" from the other errors of net_uv_run() and net_uv_post().
bool net_uv_is_closed(int code);

uv_loop_s *net_uv_loop(const net *world);
int net_uv_backend_fd(const net *world);
int net_uv_backend_timeout(const net *world);

// Thread-safe. Calls call(subject, fn, arg) on the loop's thread. 0, UV_ENOMEM or
// UV_ECANCELED.
[[nodiscard]] int net_uv_post(net *world,
                              void (*call)(void *subject, void (*fn)(), void *arg),
                              void *subject, void (*fn)(), void *arg);

}  // namespace rstream
