// Sending and waiting, for programs that have no loop of their own.
#include "api/checks.h"
#include "api/routing_key.h"
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
template <class Handle>
bool is_still_open(const list &handles, const Handle *h, uint64_t serial) {
  for (list_node *n = handles.next; n != &handles; n = n->next) {
    if (RSTREAM_OWNER(n, Handle, node) == h) return h->serial == serial;
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

template <class Send, class IsOpen>
int send_when_there_is_room(env *e, uint64_t due_ms, Send send, IsOpen is_open) {
  for (;;) {
    int rc = send();
    if (rc != RSTREAM_EAGAIN) return rc;
    rc = step(e, due_ms);
    if (rc < 0) return rc;
    if (!is_open()) return RSTREAM_ECLOSED;
  }
}

// `send(m, &id)` sends the message; `replace(id, &w, on_outcome, user)` gives it another
// callback than the one with `&w`.
template <class Handle, class Send, class Replace>
int send_and_wait(Handle *h, const list &handles, const rstream_message *message,
                  uint32_t timeout_ms, uint64_t *id, Send send, Replace replace) {
  message_storage s;
  if (!message || !message_read(s, message, message->struct_size)) return RSTREAM_EINVAL;
  rstream_message &m = s.m;
  env *e = h->env;
  if (net_uv_is_busy(e->world))
    return env_error(e, RSTREAM_EBUSY, "waiting is not possible inside a callback");
  uint64_t due_ms = net_now_ms(*e->world) + timeout_ms;
  auto is_open = [&, serial = h->serial] { return is_still_open(handles, h, serial); };
  uint64_t accepted_id = 0;
  waiting w{false, 0, m.on_outcome, m.outcome_user};
  m.on_outcome = on_outcome;
  m.outcome_user = &w;
  int rc = send_when_there_is_room(
      e, due_ms, [&] { return send(m, &accepted_id); }, is_open);
  if (rc < 0) return rc;
  if (id) *id = accepted_id;
  while (!w.done && rc == 0) rc = step(e, due_ms);
  if (w.done) return w.status;
  // Its callback must not find this function gone. With RSTREAM_ECLOSED everything is.
  if (rc != RSTREAM_ECLOSED && is_open()) replace(accepted_id, &w, w.on_outcome, w.user);
  return rc;
}

}  // namespace

int rstream_producer_send_wait(rstream_producer *p, const rstream_message *message,
                               uint32_t timeout_ms, uint64_t *id) {
  if (id) *id = 0;
  if (!p) return RSTREAM_EINVAL;
  return send_and_wait(
      p, p->env->producers, message, timeout_ms, id,
      [p](const rstream_message &m, uint64_t *to) { return producer_send(p, m, to); },
      [p](uint64_t sent, void *, rstream_outcome_cb cb, void *user) {
        producer_replace_completion(p, sent, cb, user);
      });
}

int rstream_super_producer_send_wait(rstream_super_producer *s,
                                     const rstream_message *message,
                                     const char *routing_key, size_t routing_key_size,
                                     uint32_t timeout_ms, uint64_t *id) {
  if (id) *id = 0;
  if (!s) return RSTREAM_EINVAL;
  std::string_view key;
  int rc = routing_key_of(s, routing_key, routing_key_size, key);
  if (rc < 0) return rc;
  return send_and_wait(
      s, s->env->super_producers, message, timeout_ms, id,
      [&](const rstream_message &m, uint64_t *to) { return super_send(s, m, key, to); },
      [s](uint64_t sent, void *waits, rstream_outcome_cb cb, void *user) {
        super_replace_completion(s, sent, waits, cb, user);
      });
}
