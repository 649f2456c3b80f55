// Offsets: which messages are finished, and which offset is stored for the consumer's
// name.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

// Another one may be active else, which stores its own.
bool may_store(const consumer *c) {
  if (!c->options.single_active) return true;
  bool subscribed = c->phase == consumer_phase::open || c->phase == consumer_phase::ended;
  return subscribed && !consumer_connection_gone(c) && update_has_turn(c);
}

// A connection that is being made takes nothing yet.
bool store_at_broker(consumer *c, uint64_t offset) {
  conn *link = c->phase == consumer_phase::open ? member_conn(c->member) : nullptr;
  return link && conn_send(link, wire::store_offset{c->name, c->stream, offset}) == 0;
}

void on_query_answered(conn_request *request, int status, wire::bytes body) {
  offset_query *q = RSTREAM_OWNER(request, offset_query, request);
  consumer *c = q->consumer;
  wire::query_offset_response response;
  wire::reader r = wire::reader_of(body);
  if (status == 0 && !decode(r, response)) status = RSTREAM_EPROTO;
  auto on_result = q->on_result;
  void *user = q->user;
  list_remove(q->node);
  memory_delete(env_memory(c->env), q);
  on_result(c, status, response.offset, user);
}

bool is_connected(const consumer *c) {
  return c->phase >= consumer_phase::starting && c->phase <= consumer_phase::open &&
         member_conn(c->member);
}

}  // namespace

bool tracker_resumes(const consumer *c) {
  return c->options.tracking != RSTREAM_TRACKING_NONE && !c->options.on_store_offset;
}

bool tracker_is_automatic(const consumer *c) {
  return c->options.tracking == RSTREAM_TRACKING_AUTOMATIC;
}

void tracker_finished(consumer *c, uint64_t end, uint64_t messages) {
  offset_tracker &t = c->tracker;
  t.has_finished = true;
  if (end > t.finished_end) t.finished_end = end;
  if (!tracker_is_automatic(c)) return;
  t.unstored_messages += messages;
  if (t.unstored_messages >= c->options.store_every_messages) {
    consumer_queue_task(c);
  } else if (!t.store_timer.active) {
    net_timer_start(*c->env->world, t.store_timer, c->options.store_interval_ms);
  }
}

void tracker_store_due(consumer *c) {
  if (tracker_is_automatic(c) &&
      c->tracker.unstored_messages >= c->options.store_every_messages) {
    tracker_store(c);
  }
}

void tracker_store(consumer *c) {
  offset_tracker &t = c->tracker;
  if (!tracker_is_automatic(c) || !t.has_finished || !may_store(c)) return;
  uint64_t last = t.finished_end - 1;
  if (t.has_stored && last <= t.stored) return;
  if (!c->options.on_store_offset && !store_at_broker(c, last)) {
    // No connection or no memory: the next attempt stores more.
    net_timer_start(*c->env->world, t.store_timer, c->options.store_interval_ms);
    return;
  }
  net_timer_stop(*c->env->world, t.store_timer);
  t.has_stored = t.by_us = true;
  t.stored = last;
  t.unstored_messages = 0;
  if (c->options.on_store_offset) c->options.on_store_offset(c, last, c->options.user);
}

void tracker_store_again(consumer *c) {
  offset_tracker &t = c->tracker;
  bool stored = t.has_stored && t.by_us && !c->options.on_store_offset;
  // In a group another one may have gone on from there.
  if (!stored || c->options.single_active) return;
  if (!store_at_broker(c, t.stored)) t.has_stored = false;  // the next store comes sooner
}

void tracker_reset(consumer *c) {
  net_timer_stop(*c->env->world, c->tracker.store_timer);
  c->tracker.has_finished = c->tracker.has_stored = c->tracker.by_us = false;
  c->tracker.finished_end = c->tracker.stored = c->tracker.unstored_messages = 0;
}

void tracker_found(consumer *c, uint64_t stored) {
  c->tracker.has_stored = true;
  c->tracker.stored = stored;
}

void tracker_stop(consumer *c) { net_timer_stop(*c->env->world, c->tracker.store_timer); }

int consumer_store_offset(consumer *c, uint64_t offset) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (!c->name) return env_error(c->env, RSTREAM_EINVAL, "the consumer has no name");
  conn *link = member_conn(c->member);
  if (c->phase != consumer_phase::open || !link) return RSTREAM_EBUSY;
  int rc = conn_send(link, wire::store_offset{c->name, c->stream, offset});
  if (rc == 0) {
    tracker_found(c, offset);
    c->tracker.by_us = true;
  }
  return rc;
}

int consumer_query_offset(consumer *c, rstream_consumer_offset_cb on_result, void *user) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (!c->name) return env_error(c->env, RSTREAM_EINVAL, "the consumer has no name");
  if (!is_connected(c)) return RSTREAM_EBUSY;
  auto *q = memory_new<offset_query>(env_memory(c->env));
  if (!q) return RSTREAM_ENOMEM;
  q->consumer = c;
  q->on_result = on_result;
  q->user = user;
  q->request.on_response = on_query_answered;
  wire::query_offset request{.reference = c->name, .stream = c->stream};
  int rc = conn_request_send(member_conn(c->member), q->request, wire::key::query_offset,
                             request);
  if (rc < 0) {
    memory_delete(env_memory(c->env), q);
    return rc;
  }
  list_push_back(c->queries, q->node);
  return 0;
}

void queries_fail(consumer *c, int status) {
  list failed;
  list_take_all(failed, c->queries);
  while (list_node *node = list_pop_front(failed)) {
    offset_query *q = RSTREAM_OWNER(node, offset_query, node);
    conn_request_cancel(q->request);
    auto on_result = q->on_result;
    void *user = q->user;
    memory_delete(env_memory(c->env), q);
    on_result(c, status, 0, user);
  }
}

}  // namespace rstream
