#include "client/locator.h"

#include "client/env.h"

namespace rstream {

namespace {

locator_op *op_of(list_node *node) { return RSTREAM_OWNER(node, locator_op, node); }

void free_op(locator_op *op) {
  memory &mem = env_memory(op->env);
  memory_release(mem, op->frame);
  memory_delete(mem, op);
}

// Unlinked before it calls out; freed after, as `body` and `op` are used by the callback.
void finish(locator_op *op, int status, wire::bytes body, const char *text) {
  list_remove(op->node);
  op->on_done(op, status, body, text);
  free_op(op);
}

void finish_later(locator_op *op, int status) {
  env *e = op->env;
  list_remove(op->node);
  op->status = status;
  list_push_back(e->locator.finished, op->node);
  net_task_queue(*e->world, e->locator.finish_task, task_stage::gather);
}

void on_finish_task(net_task *task) {
  env *e = RSTREAM_OWNER(task, env, locator.finish_task);
  list finished;
  list_take_all(finished, e->locator.finished);
  while (list_node *node = list_pop_front(finished)) {
    locator_op *op = op_of(node);
    finish(op, op->status, {}, op->status ? rstream_error_text(op->status) : "");
  }
  env_check_closing(e);
}

void on_response(conn_request *request, int status, wire::bytes body) {
  locator_op *op = RSTREAM_OWNER(request, locator_op, request);
  finish(op, status, body, status ? rstream_error_text(status) : "");
}

// Over a connection that is ready.
int send(locator_op *op) {
  env *e = op->env;
  conn *c = e->locator.link;
  if (op->key == wire::key::store_offset) {  // never answered
    uint8_t *at = send_queue_append(c->queue, op->frame_bytes);
    if (!at) return RSTREAM_ENOMEM;
    memcpy(at, op->frame, op->frame_bytes);
    conn_flush_later(c);
    finish_later(op, 0);
    return 0;
  }
  if (!conn_supports(c, op->key)) {
    finish_later(op, RSTREAM_ENOTSUP);
    return 0;
  }
  // Names may be many. The broker ends the connection over a frame that is too large.
  if (op->frame_bytes - wire::frame_size_bytes > conn_frame_limit(c)) {
    finish_later(op, RSTREAM_EMSGSIZE);
    return 0;
  }
  op->request.on_response = on_response;
  int rc = conn_request_send_frame(c, op->request, op->key, {op->frame, op->frame_bytes});
  if (rc < 0) return rc;
  list_remove(op->node);
  list_push_back(e->locator.sent, op->node);
  return 0;
}

void on_ready(conn *c) {
  env *e = static_cast<env *>(c->owner);
  e->connections_opened++;
  e->locator.opened = true;
  endpoints_reached(e);
  list waiting;
  list_take_all(waiting, e->locator.waiting);
  while (!list_empty(waiting)) {
    locator_op *op = op_of(waiting.next);
    int rc = send(op);
    if (rc < 0) finish_later(op, rc);
  }
}

int connect(env *e);

// What callbacks asked for while the old connection went down.
void connect_postponed(env *e) {
  list postponed;
  list_take_all(postponed, e->locator.postponed);
  if (list_empty(postponed)) return;
  bool open = e->state != env_state::closing_connections;
  int rc = !open ? RSTREAM_ECANCELED : e->locator.link ? 0 : connect(e);
  if (rc == 0) {
    list_take_all(e->locator.waiting, postponed);
    return;
  }
  while (!list_empty(postponed)) finish_later(op_of(postponed.next), rc);
}

// Requests that have waited for this connection wait for the next, unless the broker has
// spoken for all of them, or each endpoint had its turn.
bool try_next_endpoint(env *e, int reason) {
  bool spoken = reason <= RSTREAM_EBROKER_BASE;
  if (reason == 0 || e->state == env_state::closing_connections || spoken) return false;
  if (list_empty(e->locator.waiting) || !endpoints_next(e)) return false;
  if (e->locator.link) return true;  // a callback was quicker
  int rc = connect(e);
  (void)rc;  // those who waited have been told
  connect_postponed(e);
  return true;
}

void on_closed(conn *c, int reason, const char *text) {
  env *e = static_cast<env *>(c->owner);
  e->locator.link = nullptr;
  if (reason) e->connections_lost++;
  if (e->locator.opened) e->connections_closed++;
  e->locator.opened = false;
  login_progress(e);
  if (try_next_endpoint(e, reason)) return;
  list waiting;
  list_take_all(waiting, e->locator.waiting);
  while (!list_empty(waiting)) {
    finish(op_of(waiting.next), reason ? reason : RSTREAM_ECANCELED, {}, text);
  }
  connect_postponed(e);
  env_check_closing(e);
}

// Nothing else is expected on this connection.
template <class X>
void ignore(conn *c, const X &) {
  c->counters->frames_ignored++;
}
void ignore_deliver(conn *c, const wire::deliver &, slab *) {
  c->counters->frames_ignored++;
}

void on_renewed(conn *c, int status, const char *text) {
  login_renewed(static_cast<env *>(c->owner), status, text);
}

constexpr conn_events events = {on_ready,
                                on_closed,
                                ignore<wire::publish_confirm>,
                                ignore<wire::publish_error>,
                                ignore_deliver,
                                ignore<wire::credit_error>,
                                ignore<wire::metadata_update>,
                                ignore<wire::consumer_update>,
                                nullptr,
                                on_renewed};

int connect(env *e) {
  locator &l = e->locator;
  const endpoint &at = e->endpoints.all[e->endpoints.current];
  dialled to;
  endpoint_resolve(e, at.host, at.port, to);
  int rc = conn_open(&l.link, *e->world, *e->pool, e->config, {to.host, to.port, at.host},
                     "locator", events, e, e->counters);
  // What a log callback has asked for meanwhile counted on it.
  while (rc < 0 && !list_empty(l.waiting)) finish_later(op_of(l.waiting.next), rc);
  return rc;
}

void cancel_application(list &ops) {
  for (list_node *n = ops.next; n != &ops;) {
    locator_op *op = op_of(n);
    n = n->next;
    if (op->owner != op_owner::application) continue;
    conn_request_cancel(op->request);
    finish_later(op, RSTREAM_ECANCELED);
  }
}

}  // namespace

void locator_init(env *e) { e->locator.finish_task.run = on_finish_task; }

locator_op *locator_op_create(env *e, wire::key key, size_t frame_bytes) {
  memory &mem = env_memory(e);
  auto *op = memory_new<locator_op>(mem);
  if (!op) return nullptr;
  op->frame = static_cast<uint8_t *>(memory_allocate(mem, frame_bytes));
  if (!op->frame) {
    memory_delete(mem, op);
    return nullptr;
  }
  op->env = e;
  op->key = key;
  op->frame_bytes = static_cast<uint32_t>(frame_bytes);
  return op;
}

int locator_submit(locator_op *op) {
  env *e = op->env;
  locator &l = e->locator;
  if (l.link && l.link->state >= conn_state::closing) {
    list_push_back(l.postponed, op->node);
    return 0;
  }
  int rc = l.link ? 0 : connect(e);
  if (rc == 0) {
    list_push_back(l.waiting, op->node);
    if (l.link->state == conn_state::ready) rc = send(op);
  }
  if (rc < 0) locator_op_cancel(op);
  return rc;
}

void locator_op_cancel(locator_op *op) {
  list_remove(op->node);
  conn_request_cancel(op->request);
  free_op(op);
}

void locator_cancel_application(env *e) {
  cancel_application(e->locator.waiting);
  cancel_application(e->locator.postponed);
  cancel_application(e->locator.sent);
}

void locator_close(env *e) {
  if (e->locator.link) conn_close(e->locator.link);
}

}  // namespace rstream
