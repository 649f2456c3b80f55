#pragma once

// Requests that any broker can answer (metadata, create, delete, offsets ...) go over one
// connection, the locator, to the address the environment was given. It is opened by the
// first request; what is asked meanwhile waits for it.

#include "conn/conn.h"
#include "util/list.h"

struct rstream_env;

namespace rstream {

struct locator {
  conn *link = nullptr;
  bool opened = false;  // the link was ready
  list waiting;         // until the connection is ready
  list postponed;       // asked for while the connection was ending: goes to the next one
  list sent;            // until the answer
  list finished;        // until the end of the turn: done without an answer to wait for
  net_task finish_task;
};

enum class op_owner : uint8_t { application, library };

// One request. Allocated, and freed after on_done or when cancelled.
struct locator_op {
  list_node node;
  conn_request request;
  rstream_env *env = nullptr;
  wire::key key{};
  op_owner owner = op_owner::application;
  int status = 0;            // when finished without an answer
  uint8_t *frame = nullptr;  // encoded, all but the correlation id
  uint32_t frame_bytes = 0;
  // Exactly once. `body` is what follows the frame's version. `text` explains a failure.
  void (*on_done)(locator_op *op, int status, wire::bytes body,
                  const char *text) = nullptr;
  void *subject = nullptr;       // the library's own: who asked
  void (*callback)() = nullptr;  // the application's: what on_done casts and calls
  void *user = nullptr;
};

void locator_init(rstream_env *env);

// Makes an op that is not submitted yet, with room for a frame. nullptr when out of
// memory.
[[nodiscard]] locator_op *locator_op_create(rstream_env *env, wire::key key,
                                            size_t frame_bytes);
// Sends it, now or when the locator is connected. On error (RSTREAM_ENOMEM, or no
// connection can be started) the op is gone and on_done won't come. It never comes from
// inside this call.
[[nodiscard]] int locator_submit(locator_op *op);
// on_done won't come; the op is gone.
void locator_op_cancel(locator_op *op);

// Encodes and submits in one go.
template <class X>
[[nodiscard]] locator_op *locator_prepare(rstream_env *env, wire::key key, const X &x) {
  size_t bytes = wire::encoded_size(x);
  locator_op *op = bytes ? locator_op_create(env, key, bytes) : nullptr;
  if (!op) return nullptr;
  wire::writer w = wire::writer_of({op->frame, bytes});
  encode(w, x);
  return op;
}

// Answers what the application asked with RSTREAM_ECANCELED, and closes the connection;
// it is gone when `link` is nullptr.
void locator_cancel_application(rstream_env *env);
void locator_close(rstream_env *env);

}  // namespace rstream
