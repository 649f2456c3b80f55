// The life of a consumer: look up, connect, subscribe, receive, leave.
#include "client/consumer.h"

#include <cassert>

#include "client/env.h"

namespace rstream {

namespace {

constexpr const char *phase_names[] = {"looking up", "connecting", "subscribing", "open",
                                       "ended",      "leaving",    "closed"};

// How long the broker's answer to Unsubscribe is waited for.
constexpr uint32_t leave_timeout_ms = 1000;
constexpr uint32_t memory_retry_ms = 10;

void find_node(consumer *c, int status, const char *text);
void finish(consumer *c);

bool transition_allowed(consumer_phase from, consumer_phase to) {
  if (from == consumer_phase::closed) return false;
  if (to == consumer_phase::looking_up) return from < consumer_phase::open;
  return to > from;
}

void set_phase(consumer *c, consumer_phase phase) {
  assert(transition_allowed(c->phase, phase));
  log_line(c->env->log, log_level::debug, "consumer on %s: %s -> %s", c->stream,
           consumer_phase_name(c->phase), consumer_phase_name(phase));
  c->phase = phase;
}

void tell_state(consumer *c, rstream_handle_state state, int reason, const char *text) {
  if (!c->options.on_state) return;
  rstream_state event{sizeof event, state, reason, text, c->stream};
  c->options.on_state(c, &event, c->options.user);
}

// ---- opening

bool connection_gone(const consumer *c) {
  return c->member.link->link->state == conn_state::closed;
}

void on_subscribed(conn_request *request, int status, wire::bytes) {
  consumer *c = RSTREAM_OWNER(request, consumer, request);
  if (connection_gone(c)) return;  // consumer_lost() follows
  if (status == 0) {
    set_phase(c, consumer_phase::open);
    log_line(c->env->log, log_level::info, "consumer open on %s", c->stream);
    if (!c->closing) tell_state(c, RSTREAM_STATE_OPEN, 0, "");
    return;
  }
  connections_leave(c->member, status == RSTREAM_ETIMEDOUT ? leave_kind::unsettled
                                                           : leave_kind::released);
  find_node(c, status, rstream_error_text(status));
}

wire::offset_spec spec_of(const consumer *c) {
  switch (c->options.offset_type) {
  case RSTREAM_OFFSET_FIRST: return wire::offset_first();
  case RSTREAM_OFFSET_LAST: return wire::offset_last();
  case RSTREAM_OFFSET_OFFSET: return wire::offset_at(c->options.offset_value);
  case RSTREAM_OFFSET_TIMESTAMP: return wire::offset_timestamp(c->options.timestamp_ms);
  default: return wire::offset_next();
  }
}

void subscribe(consumer *c) {
  set_phase(c, consumer_phase::subscribing);
  conn *link = c->member.link->link;
  const wire::property name[] = {{"name", c->name ? c->name : ""}};
  wire::subscribe request{.subscription_id = c->member.id,
                          .stream = c->stream,
                          .spec = spec_of(c),
                          .credit = c->options.initial_credit};
  // Brokers before 3.11 know no properties. StreamStats came with them.
  bool has_properties = conn_supports(link, wire::key::stream_stats);
  if (c->name && has_properties) request.properties = {name};
  c->request.on_response = on_subscribed;
  int rc = conn_request_send(link, c->request, wire::key::subscribe, request);
  if (rc < 0) consumer_end(c, rc, "can't subscribe");
}

void on_node_found(stream_lookup *lookup, int status, const char *text) {
  consumer *c = RSTREAM_OWNER(lookup, consumer, lookup);
  if (status < 0) {
    consumer_end(c, status, text);
    return;
  }
  set_phase(c, consumer_phase::connecting);
  int rc = connections_join(c->env, member_kind::consumer, c->member, lookup->host,
                            lookup->port);
  if (rc < 0) {
    consumer_end(c, rc, rstream_error_text(rc));
  } else if (rc == 1) {
    subscribe(c);
  }
}

void find_node(consumer *c, int status, const char *text) {
  if (c->phase < consumer_phase::open && lookup_again(c->lookup, status)) {
    set_phase(c, consumer_phase::looking_up);
  } else {
    consumer_end(c, status, text);
  }
}

// ---- closing

void leave_and_finish(consumer *c, leave_kind how) {
  connections_leave(c->member, how);
  finish(c);
}

void on_left(conn_request *request, int, wire::bytes) {
  consumer *c = RSTREAM_OWNER(request, consumer, request);
  if (connection_gone(c)) return;
  leave_and_finish(c, leave_kind::released);
}

void leave(consumer *c) {
  consumer_phase from = c->phase;
  lookup_cancel(c->lookup);
  conn_request_cancel(c->request);
  // Also while the answer to Subscribe is awaited: the broker takes both in order. A
  // consumer that ended over a bad chunk is still subscribed.
  bool subscribed = from >= consumer_phase::subscribing && c->member.link;
  set_phase(c, consumer_phase::leaving);
  c->request.on_response = on_left;
  wire::unsubscribe request{.subscription_id = c->member.id};
  if (subscribed && conn_request_send(c->member.link->link, c->request,
                                      wire::key::unsubscribe, request) == 0) {
    net_timer_start(*c->env->world, c->leave_timer, leave_timeout_ms);
    return;
  }
  leave_and_finish(c, subscribed ? leave_kind::unsettled : leave_kind::released);
}

void on_leave_due(net_timer *timer) {
  consumer *c = RSTREAM_OWNER(timer, consumer, leave_timer);
  conn_request_cancel(c->request);
  leave_and_finish(c, leave_kind::unsettled);
}

void send_credits(consumer *c) {
  if (c->credits_due == 0 || c->closing) return;
  if (c->phase != consumer_phase::open && c->phase != consumer_phase::subscribing) return;
  wire::credit frame{c->member.id, static_cast<int16_t>(c->credits_due)};
  if (conn_send(c->member.link->link, frame) == 0) {
    c->credits_due = 0;
  } else {
    net_timer_start(*c->env->world, c->retry_timer, memory_retry_ms);
  }
}

void on_task(net_task *task) {
  consumer *c = RSTREAM_OWNER(task, consumer, task);
  send_credits(c);
  if (c->closing && c->phase < consumer_phase::leaving) leave(c);
}

void on_retry(net_timer *timer) {
  send_credits(RSTREAM_OWNER(timer, consumer, retry_timer));
}

void release(consumer *c) {
  memory &mem = env_memory(c->env);
  memory_release(mem, c->stream);
  memory_release(mem, c->name);
  memory_delete(mem, c);
}

// The end. Runs from tasks, timers and answers only, never inside a callback of this
// consumer.
void finish(consumer *c) {
  env *e = c->env;
  set_phase(c, consumer_phase::closed);
  net_timer_stop(*e->world, c->leave_timer);
  net_timer_stop(*e->world, c->retry_timer);
  net_task_cancel(c->task);
  chunk_handles_orphan(c);
  list_remove(c->node);
  e->consumer_count--;
  if (c->on_closed) c->on_closed(c, c->end_reason, c->options.user);
  release(c);
  env_check_closing(e);
}

void init(consumer *c) {
  c->lookup.env = c->env;
  c->lookup.stream = c->member.stream = c->stream;
  c->lookup.choice = node_choice::replica;
  c->lookup.on_done = on_node_found;
  c->task.run = on_task;
  c->leave_timer.on_due = on_leave_due;
  c->retry_timer.on_due = on_retry;
  if (c->options.offset_type == RSTREAM_OFFSET_OFFSET)
    c->skip_below = c->options.offset_value;
}

}  // namespace

const char *consumer_phase_name(consumer_phase phase) {
  return phase_names[static_cast<int>(phase)];
}

int consumer_open(consumer **out, env *e, const rstream_consumer_options &options) {
  memory &mem = env_memory(e);
  auto *c = memory_new<consumer>(mem);
  if (!c) return env_error(e, RSTREAM_ENOMEM, "no memory for a consumer");
  c->env = e;
  c->options = options;
  c->stream = memory_copy_text(mem, options.stream);
  c->name = options.name ? memory_copy_text(mem, options.name) : nullptr;
  int rc = c->stream && (c->name || !options.name) ? 0 : RSTREAM_ENOMEM;
  if (rc == 0) {
    c->options.stream = c->stream;
    c->options.name = c->name;
    init(c);
    // Before anything is logged, as the log callback may close the environment.
    list_push_back(e->consumers, c->node);
    e->consumer_count++;
    rc = lookup_start(c->lookup);
    if (rc < 0) {
      net_task_cancel(c->task);
      list_remove(c->node);
      e->consumer_count--;
    }
  }
  if (rc < 0) {
    release(c);
    return env_error(e, rc, "can't open a consumer on %s", options.stream);
  }
  *out = c;
  return 0;
}

int consumer_close(consumer *c, rstream_consumer_closed_cb on_closed) {
  if (c->closing) return RSTREAM_ECLOSED;
  c->closing = true;
  c->on_closed = on_closed;
  net_task_queue(*c->env->world, c->task, task_stage::gather);
  return 0;
}

int consumer_store_offset(consumer *c, uint64_t offset) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (!c->name) return env_error(c->env, RSTREAM_EINVAL, "the consumer has no name");
  conn *link = member_conn(c->member);
  if (c->phase != consumer_phase::open || !link) return RSTREAM_EBUSY;
  return conn_send(link, wire::store_offset{c->name, c->stream, offset});
}

rstream_handle_state consumer_state(const consumer *c) {
  if (c->closing) return RSTREAM_STATE_DRAINING;
  if (c->phase >= consumer_phase::ended) return RSTREAM_STATE_CLOSED;
  return c->phase == consumer_phase::open ? RSTREAM_STATE_OPEN : RSTREAM_STATE_OPENING;
}

void consumer_connected(consumer *c) { subscribe(c); }

void consumer_lost(consumer *c, int reason, const char *text) {
  conn_request_cancel(c->request);
  if (c->phase == consumer_phase::leaving) {
    finish(c);
  } else if (c->phase != consumer_phase::ended) {
    find_node(c, reason, text);
  }
}

void consumer_end(consumer *c, int reason, const char *text) {
  log_line(c->env->log, log_level::error, "consumer on %s ended: %s: %s", c->stream,
           rstream_error_text(reason), text);
  // The subscription, if there is one, is given up when the application closes the
  // consumer. Until then the broker sends no more than the credits it has.
  set_phase(c, consumer_phase::ended);
  c->end_reason = reason;
  lookup_cancel(c->lookup);
  conn_request_cancel(c->request);
  if (!c->closing) tell_state(c, RSTREAM_STATE_CLOSED, reason, text);
}

void consumer_return_credit(consumer *c) {
  c->credits_due++;
  net_task_queue(*c->env->world, c->task, task_stage::gather);
}

}  // namespace rstream
