// The life of a consumer: look up, connect, subscribe, receive, leave.
#include <cassert>
#include <cstdio>
#include <cstring>

#include "client/consumer_internal.h"
#include "client/env.h"
#include "client/super_consumer.h"

namespace rstream {

namespace {

constexpr const char *phase_names[] = {"recovering", "looking up",  "connecting",
                                       "starting",   "subscribing", "open",
                                       "ended",      "leaving",     "closed"};

void finish(consumer *c);
void recover(consumer *c, int status, const char *text);

bool transition_allowed(consumer_phase from, consumer_phase to) {
  if (from == consumer_phase::closed) return false;
  if (to == consumer_phase::recovering) return from < consumer_phase::ended;
  if (to == consumer_phase::looking_up) return from < consumer_phase::open;
  return to > from;
}

void set_phase(consumer *c, consumer_phase phase) {
  assert(transition_allowed(c->phase, phase));
  log_line(c->env->log, log_level::debug, "consumer on %s: %s -> %s", c->stream,
           consumer_phase_name(c->phase), consumer_phase_name(phase));
  c->phase = phase;
}

void tell_state(consumer *c, rstream_state event, const char *text) {
  if (!c->options.on_state || c->closing) return;
  event.text = text;
  event.stream = c->stream;
  c->options.on_state(c, &event, c->options.user);
}

void tell_state(consumer *c, rstream_handle_state state, int reason, const char *text) {
  tell_state(c, rstream_state{sizeof(rstream_state), state, reason, "", "", 0, 0}, text);
}

// ---- opening

void become_open(consumer *c) {
  set_phase(c, consumer_phase::open);
  log_line(c->env->log, log_level::info, "consumer open on %s", c->stream);
  recovery_succeeded(c->recovery);
  if (c->was_open) {
    c->stats.recoveries++;
    tracker_store_again(c);
  }
  c->was_open = true;
  tell_state(c, RSTREAM_STATE_OPEN, 0, "");
}

void on_subscribed(conn_request *request, int status, wire::bytes) {
  consumer *c = RSTREAM_OWNER(request, consumer, request);
  if (consumer_connection_gone(c)) return;  // consumer_lost() follows
  if (status == 0) {
    c->resubscribe = resubscribe_step::none;
    if (c->phase != consumer_phase::open) become_open(c);  // else begun anew
    return;
  }
  connections_leave(c->member, status == RSTREAM_ETIMEDOUT ? leave_kind::unsettled
                                                           : leave_kind::released);
  consumer_find_node(c, status, rstream_error_text(status));
}

// What the broker lacks for this consumer; nullptr: nothing.
const char *missing_feature(const consumer *c) {
  const conn *link = c->member.link->link;
  // Brokers before 3.11 know no properties. StreamStats came with them.
  if (c->options.single_active && !conn_supports(link, wire::key::stream_stats))
    return "the broker has no single active consumers";
  if (c->options.filter_value_count > 0 && !conn_supports(link, wire::key::publish, 2))
    return "the broker has no filtering";
  return nullptr;
}

void start(consumer *c) {
  set_phase(c, consumer_phase::starting);
  if (const char *text = missing_feature(c)) {
    consumer_end(c, RSTREAM_ENOTSUP, text);
    return;
  }
  if (!c->was_open) return update_start(c);
  c->active = !c->options.single_active;
  consumer_subscribe(c, consumer_resume_point(c));
}

void on_node_found(stream_lookup *lookup, int status, const char *text) {
  consumer *c = RSTREAM_OWNER(lookup, consumer, lookup);
  if (status < 0) return recover(c, status, text);
  set_phase(c, consumer_phase::connecting);
  int rc = connections_join(c->env, member_kind::consumer, c->member, lookup->host,
                            lookup->port);
  if (rc < 0) {
    recover(c, rc, rstream_error_text(rc));
  } else if (rc == 1) {
    start(c);
  }
}

// ---- recovering

bool recovers_from(const consumer *c, int status) {
  return c->options.recovery != RSTREAM_RECOVERY_NONE &&
         (c->was_open || c->options.retry_opening) &&
         (recovery_may_help(status) || status == RSTREAM_BROKER_FRAME_TOO_LARGE);
}

// What belonged to the subscription goes with it.
void forget_subscription(consumer *c) {
  chunks_drop_waiting(c);
  flow_stop(c);
  c->caught_up = false;
  if (!c->options.single_active) return;
  // Who is active, and where that one begins, is for the broker to say.
  c->active = false;
  chunks_go_astray(c);
}

void recover(consumer *c, int status, const char *text) {
  if (!recovers_from(c, status)) return consumer_end(c, status, text);
  log_line(c->env->log, log_level::warn, "consumer on %s: %s: %s", c->stream,
           rstream_error_text(status), text);
  set_phase(c, consumer_phase::recovering);
  lookup_cancel(c->lookup);
  forget_subscription(c);
  tell_state(c, recovery_begin(c->recovery, c->options.recovery, status), text);
}

void on_recovery_due(recovery *r) {
  consumer *c = RSTREAM_OWNER(r, consumer, recovery);
  set_phase(c, consumer_phase::looking_up);
  int rc = lookup_start_once(c->lookup);
  if (rc < 0) recover(c, rc, rstream_error_text(rc));
}

// ---- closing

void leave_and_finish(consumer *c, leave_kind how) {
  connections_leave(c->member, how);
  finish(c);
}

void on_left(conn_request *request, int, wire::bytes) {
  consumer *c = RSTREAM_OWNER(request, consumer, request);
  if (consumer_connection_gone(c)) return;
  leave_and_finish(c, leave_kind::released);
}

void leave(consumer *c) {
  consumer_phase from = c->phase;
  lookup_cancel(c->lookup);
  recovery_cancel(c->recovery);
  update_cancel(c);
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

void on_task(net_task *task) {
  consumer *c = RSTREAM_OWNER(task, consumer, task);
  if (!c->closing) chunks_hand_out_waiting(c);
  flow_check_resubscribe(c);
  flow_send(c);
  tracker_store_due(c);
  update_go_on(c);
  if (!c->closing || c->phase >= consumer_phase::leaving) return;
  tracker_store(c);
  leave(c);
}

void on_retry(net_timer *timer) {
  flow_send(RSTREAM_OWNER(timer, consumer, retry_timer));
}

void on_store_due(net_timer *timer) {
  tracker_store(RSTREAM_OWNER(timer, consumer, tracker.store_timer));
}

void release(consumer *c) {
  memory &mem = env_memory(c->env);
  memory_release(mem, c->stream);
  memory_release(mem, c->name);
  memory_release(mem, c->filter_texts);
  memory_release(mem, c->properties);
  memory_delete(mem, c);
}

// The end. Runs from tasks, timers and answers only, never inside a callback of this
// consumer.
void finish(consumer *c) {
  env *e = c->env;
  set_phase(c, consumer_phase::closed);
  net_timer_stop(*e->world, c->leave_timer);
  net_timer_stop(*e->world, c->retry_timer);
  tracker_stop(c);
  update_cancel(c);
  streaming_stop(c);
  chunk_handles_orphan(c);
  net_task_cancel(c->task);
  queries_fail(c, RSTREAM_ECANCELED);
  list_remove(c->node);
  e->consumer_count--;
  if (c->on_closed) c->on_closed(c, c->end_reason, c->options.user);
  release(c);
  env_check_closing(e);
}

void init(consumer *c) {
  recovery_init(c->recovery, c->env, on_recovery_due);
  c->lookup.env = c->env;
  c->lookup.stream = c->member.stream = c->stream;
  c->lookup.choice = c->env->consumer_choice;
  c->lookup.on_done = on_node_found;
  c->task.run = on_task;
  c->leave_timer.on_due = on_leave_due;
  c->retry_timer.on_due = on_retry;
  c->tracker.store_timer.on_due = on_store_due;
}

// ---- the properties of Subscribe

constexpr size_t filter_key_bytes = 32;  // "filter.255" and room to spare

size_t filter_text_bytes(const rstream_consumer_options &o) {
  size_t bytes = 0;
  for (size_t i = 0; i < o.filter_value_count; i++)
    bytes += filter_key_bytes + strlen(o.filter_values[i]) + 1;
  return bytes;
}

void add_property(consumer *c, const char *key, const char *value) {
  c->properties[c->property_count++] = {key, value};
}

void add_filters(consumer *c) {
  char *at = c->filter_texts;
  for (size_t i = 0; i < c->options.filter_value_count; i++) {
    char *key = at;
    snprintf(key, filter_key_bytes, "filter.%zu", i);
    char *value = key + filter_key_bytes;
    size_t bytes = strlen(c->options.filter_values[i]) + 1;
    memcpy(value, c->options.filter_values[i], bytes);
    at = value + bytes;
    add_property(c, key, value);
  }
  if (c->options.filter_value_count > 0 && c->options.match_unfiltered)
    add_property(c, "match-unfiltered", "true");
}

// The application's texts are copied, so they need not outlive the call.
bool make_properties(consumer *c, const char *super_stream) {
  memory &mem = env_memory(c->env);
  const rstream_consumer_options &o = c->options;
  // name, single-active-consumer, super-stream, match-unfiltered
  size_t most = o.filter_value_count + 4;
  c->properties =
      static_cast<wire::property *>(memory_allocate(mem, most * sizeof(wire::property)));
  if (!c->properties) return false;
  if (size_t bytes = filter_text_bytes(o)) {
    c->filter_texts = static_cast<char *>(memory_allocate(mem, bytes));
    if (!c->filter_texts) return false;
  }
  if (c->name) add_property(c, "name", c->name);
  if (o.single_active) add_property(c, "single-active-consumer", "true");
  // With it the broker spreads the partitions over the members of the group.
  if (o.single_active && super_stream) add_property(c, "super-stream", super_stream);
  add_filters(c);
  c->options.filter_values = nullptr;
  return true;
}

}  // namespace

const char *consumer_phase_name(consumer_phase phase) {
  return phase_names[static_cast<int>(phase)];
}

int consumer_open(consumer **out, env *e, const rstream_consumer_options &options,
                  const consumer_role *role) {
  memory &mem = env_memory(e);
  auto *c = memory_new<consumer>(mem);
  if (!c) return env_error(e, RSTREAM_ENOMEM, "no memory for a consumer");
  c->env = e;
  c->options = options;
  c->stream = memory_copy_text(mem, options.stream);
  c->name = options.name ? memory_copy_text(mem, options.name) : nullptr;
  const char *super_stream = role ? role->super->super_stream : nullptr;
  c->partition = role ? role->partition : nullptr;
  bool copied =
      c->stream && (c->name || !options.name) && make_properties(c, super_stream);
  int rc = copied ? 0 : RSTREAM_ENOMEM;
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

rstream_handle_state consumer_state(const consumer *c) {
  if (c->closing) return RSTREAM_STATE_DRAINING;
  if (c->phase >= consumer_phase::ended) return RSTREAM_STATE_CLOSED;
  if (c->phase == consumer_phase::open) return RSTREAM_STATE_OPEN;
  return recovery_state(c->recovery, c->phase == consumer_phase::recovering, c->was_open);
}

int consumer_reconnect(consumer *c) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (c->phase != consumer_phase::recovering)
    return env_error(c->env, RSTREAM_EBUSY, "the consumer is not disconnected");
  recovery_now(c->recovery);
  return 0;
}

void consumer_connected(consumer *c) { start(c); }

void consumer_lost(consumer *c, int reason, const char *text) {
  conn_request_cancel(c->request);
  update_cancel(c);
  streaming_stop(c);
  if (c->phase == consumer_phase::leaving) {
    finish(c);
  } else if (c->phase != consumer_phase::ended) {
    consumer_find_node(c, reason, text);
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
  recovery_cancel(c->recovery);
  conn_request_cancel(c->request);
  update_cancel(c);
  tracker_stop(c);
  tell_state(c, RSTREAM_STATE_CLOSED, reason, text);
}

void consumer_queue_task(consumer *c) {
  net_task_queue(*c->env->world, c->task, task_stage::gather);
}

void consumer_find_node(consumer *c, int status, const char *text) {
  if (c->phase < consumer_phase::open && lookup_again(c->lookup, status)) {
    set_phase(c, consumer_phase::looking_up);
  } else {
    recover(c, status, text);
  }
}

void consumer_retreat(consumer *c, int status, const char *text) {
  connections_leave(c->member, leave_kind::released);
  consumer_find_node(c, status, text);
}

wire::offset_spec consumer_resume_point(const consumer *c) {
  return c->skip_below > 0 ? wire::offset_at(c->skip_below) : c->began_at;
}

wire::offset_spec consumer_spec(const consumer *c) {
  switch (c->options.offset_type) {
  case RSTREAM_OFFSET_FIRST: return wire::offset_first();
  case RSTREAM_OFFSET_LAST: return wire::offset_last();
  case RSTREAM_OFFSET_OFFSET: return wire::offset_at(c->options.offset_value);
  case RSTREAM_OFFSET_TIMESTAMP: return wire::offset_timestamp(c->options.timestamp_ms);
  default: return wire::offset_next();
  }
}

void consumer_subscribe(consumer *c, const wire::offset_spec &spec) {
  if (c->resubscribe == resubscribe_step::none) set_phase(c, consumer_phase::subscribing);
  c->subscribed_at = spec;
  conn *link = c->member.link->link;
  wire::subscribe request{.subscription_id = c->member.id,
                          .stream = c->stream,
                          .spec = spec,
                          .credit = flow_first_credit(c)};
  // Brokers before 3.11 know no properties. StreamStats came with them.
  if (conn_supports(link, wire::key::stream_stats))
    request.properties = {{c->properties, c->property_count}};
  if (uint32_t least = c->options.streaming_min_bytes) conn_expect_pieces(link, least);
  c->request.on_response = on_subscribed;
  int rc = conn_request_send(link, c->request, wire::key::subscribe, request);
  if (rc < 0) consumer_retreat(c, rc, "can't subscribe");
}

}  // namespace rstream
