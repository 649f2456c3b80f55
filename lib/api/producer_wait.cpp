// Sending and waiting, for programs that have no loop of their own.
#include "api/checks.h"
#include "client/producer.h"
#include "net/uv_net.h"

using namespace rstream;

namespace {

// Where the outcome goes; lives on the caller's stack while that waits.
struct waiting {
  bool done = false;
  int status = 0;
  rstream_outcome_cb on_outcome;  // the message's own
  void *user;
};

void on_outcome(rstream_producer *p, uint64_t id, int status, void *user) {
  auto *w = static_cast<waiting *>(user);
  w->done = true;
  w->status = status;
  if (w->on_outcome) w->on_outcome(p, id, status, w->user);
}

// Callbacks that come while the loop is stepped may close anything.
bool is_still_open(const env *e, const producer *p, uint64_t serial) {
  for (list_node *n = e->producers.next; n != &e->producers; n = n->next) {
    if (RSTREAM_OWNER(n, producer, node) == p) return p->serial == serial;
  }
  return false;
}

// Steps the loop once, until `due_ms` at the latest.
int step(env *e, uint64_t due_ms) {
  uint64_t now_ms = net_now_ms(*e->world);
  if (now_ms >= due_ms) return RSTREAM_ETIMEDOUT;
  uint64_t left_ms = due_ms - now_ms;
  return rstream_env_run(e, left_ms > INT32_MAX ? INT32_MAX : static_cast<int>(left_ms));
}

int send_when_there_is_room(producer *p, const rstream_message &m, uint64_t due_ms,
                            uint64_t *id) {
  env *e = p->env;
  uint64_t serial = p->serial;
  for (;;) {
    int rc = producer_send(p, m, id);
    if (rc != RSTREAM_EAGAIN) return rc;
    rc = step(e, due_ms);
    if (rc < 0) return rc;
    if (!is_still_open(e, p, serial)) return RSTREAM_ECLOSED;
  }
}

}  // namespace

int rstream_producer_send_wait(rstream_producer *p, const rstream_message *message,
                               uint32_t timeout_ms, uint64_t *id) {
  if (id) *id = 0;
  message_storage s;
  if (!p || !message || !message_read(s, message, message->struct_size))
    return RSTREAM_EINVAL;
  rstream_message &m = s.m;
  env *e = p->env;
  if (net_uv_is_busy(e->world))
    return env_error(e, RSTREAM_EBUSY, "waiting is not possible inside a callback");
  uint64_t due_ms = net_now_ms(*e->world) + timeout_ms;
  uint64_t serial = p->serial;
  uint64_t accepted_id = 0;
  waiting w{false, 0, m.on_outcome, m.outcome_user};
  m.on_outcome = on_outcome;
  m.outcome_user = &w;
  int rc = send_when_there_is_room(p, m, due_ms, &accepted_id);
  if (rc < 0) return rc;
  if (id) *id = accepted_id;
  while (!w.done && rc == 0) rc = step(e, due_ms);
  if (w.done) return w.status;
  // Its callback must not find this function gone. With RSTREAM_ECLOSED everything is.
  if (rc != RSTREAM_ECLOSED && is_still_open(e, p, serial))
    producer_replace_completion(p, accepted_id, w.on_outcome, w.user);
  return rc;
}
