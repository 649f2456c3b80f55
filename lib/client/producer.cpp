// The life of a producer: look up, connect, declare, publish, drain, leave.
#include "client/producer.h"

#include <cassert>
#include <cstring>

#include "client/env.h"
#include "client/producer_internal.h"

namespace rstream {

namespace {

constexpr const char *phase_names[] = {"recovering", "looking up", "connecting",
                                       "declaring",  "sequence",   "open",
                                       "ended",      "leaving",    "closed"};

void find_node(producer *p, int status, const char *text);
void recover(producer *p, int status, const char *text);
void retreat(producer *p, int status, const char *text);
void finish(producer *p);

bool transition_allowed(producer_phase from, producer_phase to) {
  if (from == producer_phase::closed) return false;
  if (to == producer_phase::recovering) return from < producer_phase::ended;
  // A broker that does not serve the stream after all sends us back to look again.
  if (to == producer_phase::looking_up) return from < producer_phase::open;
  return to > from;
}

void set_phase(producer *p, producer_phase phase) {
  assert(transition_allowed(p->phase, phase));
  log_line(p->env->log, log_level::debug, "producer on %s: %s -> %s", p->stream,
           producer_phase_name(p->phase), producer_phase_name(phase));
  p->phase = phase;
}

void tell_state(producer *p, rstream_state event, const char *text) {
  if (!p->options.on_state || p->closing) return;
  event.text = text;
  event.stream = p->stream;
  p->options.on_state(p, &event, p->options.user);
}

void tell_state(producer *p, rstream_handle_state state, int reason, const char *text) {
  tell_state(p, rstream_state{sizeof(rstream_state), state, reason, "", "", 0, 0}, text);
}

void queue_task(producer *p) {
  net_task_queue(*p->env->world, p->task, task_stage::gather);
}

// ---- opening

void become_open(producer *p) {
  set_phase(p, producer_phase::open);
  producer_set_limits(p, conn_frame_limit(p->member.link->link));
  bool filters = conn_supports(p->member.link->link, wire::key::publish, 2);
  if (!filters && p->options.on_filter_value) {
    producer_end(p, RSTREAM_ENOTSUP,
                 "the broker has no filtering, on_filter_value needs it");
    return;
  }
  // Outcomes are told meanwhile, and callbacks may send and flush.
  p->fitting = true;
  if (!filters) producer_fail_filtered(p, RSTREAM_ENOTSUP);
  bool fit = producer_recut(p);
  p->fitting = false;
  if (!fit) {
    retreat(p, RSTREAM_ENOMEM,
            "out of memory while fitting frames to the broker's limit");
    return;
  }
  log_line(p->env->log, log_level::info, "producer open on %s", p->stream);
  if (p->was_open) p->recoveries++;
  p->was_open = true;
  recovery_succeeded(p->recovery);
  producer_pump(p);
  tell_state(p, RSTREAM_STATE_OPEN, 0, "");
  producer_outcomes_told(p);
}

// The request failed because the connection did: producer_lost() follows.
bool connection_gone(const producer *p) {
  return p->member.link->link->state == conn_state::closed;
}

void on_sequence(conn_request *request, int status, wire::bytes body) {
  producer *p = RSTREAM_OWNER(request, producer, request);
  if (connection_gone(p)) return;
  wire::query_sequence_response response;
  wire::reader r = wire::reader_of(body);
  if (status == 0 && !decode(r, response)) status = RSTREAM_EPROTO;
  if (status < 0) return retreat(p, status, "the stored publishing id can't be had");
  p->stored_sequence = response.sequence;
  if (!p->options.ids_given) producer_shift_ids(p, response.sequence);
  become_open(p);
}

void ask_sequence(producer *p) {
  set_phase(p, producer_phase::sequence);
  p->request.on_response = on_sequence;
  wire::query_sequence request{.reference = p->name, .stream = p->stream};
  int rc = conn_request_send(p->member.link->link, p->request,
                             wire::key::query_publisher_sequence, request);
  if (rc < 0) retreat(p, rc, "can't ask for the stored publishing id");
}

void on_declared(conn_request *request, int status, wire::bytes) {
  producer *p = RSTREAM_OWNER(request, producer, request);
  if (connection_gone(p)) return;
  if (status == 0) {
    if (p->name && !p->was_open) return ask_sequence(p);
    return become_open(p);
  }
  // What was refused holds no id; what was not answered may yet be declared.
  connections_leave(p->member, status == RSTREAM_ETIMEDOUT ? leave_kind::unsettled
                                                           : leave_kind::released);
  find_node(p, status, rstream_error_text(status));
}

void declare(producer *p) {
  set_phase(p, producer_phase::declaring);
  p->request.on_response = on_declared;
  wire::declare_publisher request{.publisher_id = p->member.id,
                                  .reference = p->name ? p->name : "",
                                  .stream = p->stream};
  int rc = conn_request_send(p->member.link->link, p->request,
                             wire::key::declare_publisher, request);
  if (rc < 0) retreat(p, rc, "can't declare the publisher");
}

void on_node_found(stream_lookup *lookup, int status, const char *text) {
  producer *p = RSTREAM_OWNER(lookup, producer, lookup);
  if (status < 0) return recover(p, status, text);
  set_phase(p, producer_phase::connecting);
  int rc = connections_join(p->env, member_kind::producer, p->member, lookup->host,
                            lookup->port);
  if (rc < 0) {
    recover(p, rc, rstream_error_text(rc));
  } else if (rc == 1) {
    declare(p);
  }
}

// The node at hand can't serve: looks again while that may help.
void find_node(producer *p, int status, const char *text) {
  if (p->phase < producer_phase::open && lookup_again(p->lookup, status)) {
    set_phase(p, producer_phase::looking_up);
  } else {
    recover(p, status, text);
  }
}

// ---- recovering

bool recovers_from(const producer *p, int status) {
  if (p->options.recovery == RSTREAM_RECOVERY_NONE) return false;
  if (!p->was_open && !p->options.retry_opening) return false;
  // Sending the same frame again would only be refused again.
  if (status == RSTREAM_BROKER_FRAME_TOO_LARGE) return p->batches.count == p->unsent;
  return recovery_may_help(status);
}

void recover(producer *p, int status, const char *text) {
  if (!recovers_from(p, status)) return producer_end(p, status, text);
  log_line(p->env->log, log_level::warn, "producer on %s: %s: %s", p->stream,
           rstream_error_text(status), text);
  set_phase(p, producer_phase::recovering);
  lookup_cancel(p->lookup);
  rstream_state event = recovery_begin(p->recovery, p->options.recovery, status);
  if (p->options.unconfirmed == RSTREAM_UNCONFIRMED_FAIL) producer_fail_sent(p, status);
  producer_rewind(p);
  tell_state(p, event, text);
  producer_outcomes_told(p);
}

// The connection is all right, but this producer got no further on it.
void retreat(producer *p, int status, const char *text) {
  connections_leave(p->member, leave_kind::unsettled);
  recover(p, status, text);
}

void on_recovery_due(recovery *r) {
  producer *p = RSTREAM_OWNER(r, producer, recovery);
  set_phase(p, producer_phase::looking_up);
  int rc = lookup_start_once(p->lookup);
  if (rc < 0) recover(p, rc, rstream_error_text(rc));
}

// ---- closing

void leave_and_finish(producer *p, leave_kind how) {
  connections_leave(p->member, how);
  finish(p);
}

void on_left(conn_request *request, int, wire::bytes) {
  producer *p = RSTREAM_OWNER(request, producer, request);
  if (connection_gone(p)) return;
  leave_and_finish(p, leave_kind::released);
}

void leave(producer *p) {
  producer_phase from = p->phase;
  lookup_cancel(p->lookup);
  recovery_cancel(p->recovery);
  // Also while the answer to DeclarePublisher is awaited: the broker takes both in order.
  bool declared = from >= producer_phase::declaring && from <= producer_phase::open;
  conn_request_cancel(p->request);
  set_phase(p, producer_phase::leaving);
  p->request.on_response = on_left;
  wire::delete_publisher request{.publisher_id = p->member.id};
  if (declared && conn_request_send(p->member.link->link, p->request,
                                    wire::key::delete_publisher, request) == 0) {
    net_timer_start(*p->env->world, p->close_timer, leave_timeout_ms);
    return;
  }
  leave_and_finish(p, declared ? leave_kind::unsettled : leave_kind::released);
}

// The drain's time is over: what has no outcome gets one now.
void give_up(producer *p) {
  if (producer_in_flight(p) > 0) p->end_reason = RSTREAM_ECLOSED;
  producer_fail_all(p, RSTREAM_ECLOSED);
  producer_fail_waiters(p, RSTREAM_ECLOSED);
  leave(p);
}

void on_close_due(net_timer *timer) {
  producer *p = RSTREAM_OWNER(timer, producer, close_timer);
  if (p->phase == producer_phase::leaving) {
    conn_request_cancel(p->request);
    leave_and_finish(p, leave_kind::unsettled);
    return;
  }
  if (p->phase == producer_phase::ended) return;  // the task is under way
  give_up(p);
}

void look_how_far_closing_got(producer *p) {
  if (p->phase == producer_phase::ended) {
    finish(p);
  } else if (p->phase < producer_phase::ended && producer_in_flight(p) == 0) {
    leave(p);
  }
}

void on_task(net_task *task) {
  producer *p = RSTREAM_OWNER(task, producer, task);
  if (p->close_at_once && p->phase < producer_phase::ended) {
    give_up(p);
    return;
  }
  bool lingers = p->options.linger_ms > 0 && !p->closing &&
                 p->open_count < p->options.max_batch_messages;
  if (!lingers) producer_seal(p);
  producer_pump(p);
  if (!list_empty(p->flush_waiters) || (p->window_full && p->accepting))
    producer_outcomes_told(p);
  if (p->closing) look_how_far_closing_got(p);
}

void on_linger(net_timer *timer) {
  producer *p = RSTREAM_OWNER(timer, producer, linger_timer);
  producer_seal(p);
  producer_pump(p);
}

void on_confirms_due(net_timer *timer) {
  producer_expire(RSTREAM_OWNER(timer, producer, confirm_timer));
}

void on_retry(net_timer *timer) {
  producer_pump(RSTREAM_OWNER(timer, producer, retry_timer));
}

void release(producer *p) {
  memory &mem = env_memory(p->env);
  producer_release_frames(p);
  memory_release(mem, p->stream);
  memory_release(mem, p->name);
  memory_delete(mem, p);
}

// The end. Runs from tasks, timers and answers only, never inside a callback of this
// producer.
void finish(producer *p) {
  env *e = p->env;
  set_phase(p, producer_phase::closed);
  net_timer_stop(*e->world, p->close_timer);
  net_timer_stop(*e->world, p->linger_timer);
  net_timer_stop(*e->world, p->retry_timer);
  net_timer_stop(*e->world, p->confirm_timer);
  net_task_cancel(p->task);
  producer_fail_waiters(p, RSTREAM_ECLOSED);
  list_remove(p->budget_node);
  list_remove(p->node);
  e->producer_count--;
  if (p->on_closed) p->on_closed(p, p->end_reason, p->options.user);
  release(p);
  env_check_closing(e);
}

bool name_is_taken(const env *e, const char *name, const char *stream) {
  for (list_node *n = e->producers.next; n != &e->producers; n = n->next) {
    const producer *p = RSTREAM_OWNER(n, producer, node);
    if (p->name && strcmp(p->name, name) == 0 && strcmp(p->stream, stream) == 0)
      return true;
  }
  return false;
}

void init(producer *p, const producer_role *role) {
  if (role) {
    p->next_id = p->first_given = role->first_id;
    p->messages_settled = role->first_id - 1;
    p->id_base = 1 - role->first_id;  // publishing ids begin at 1 all the same
    p->copy_outcome = role->copy_outcome;
  }
  recovery_init(p->recovery, p->env, on_recovery_due);
  p->lookup.env = p->env;
  p->lookup.stream = p->member.stream = p->stream;
  p->lookup.choice = p->env->producer_choice;
  p->lookup.on_done = on_node_found;
  p->task.run = on_task;
  p->linger_timer.on_due = on_linger;
  p->close_timer.on_due = on_close_due;
  p->retry_timer.on_due = on_retry;
  p->confirm_timer.on_due = on_confirms_due;
  p->serial = ++p->env->producers_opened;
  p->window_end_id = p->next_id + p->options.max_messages_in_flight;
  producer_set_limits(p, p->env->config.max_frame_bytes);
}

}  // namespace

const char *producer_phase_name(producer_phase phase) {
  return phase_names[static_cast<int>(phase)];
}

int producer_open(producer **out, env *e, const rstream_producer_options &options,
                  const producer_role *role) {
  if (options.name && name_is_taken(e, options.name, options.stream)) {
    return env_error(e, RSTREAM_EBUSY, "a producer named %s is open on stream %s",
                     options.name, options.stream);
  }
  memory &mem = env_memory(e);
  auto *p = memory_new<producer>(mem);
  if (!p) return env_error(e, RSTREAM_ENOMEM, "no memory for a producer");
  p->env = e;
  p->options = options;
  p->stream = memory_copy_text(mem, options.stream);
  p->name = options.name ? memory_copy_text(mem, options.name) : nullptr;
  int rc = p->stream && (p->name || !options.name) ? 0 : RSTREAM_ENOMEM;
  if (rc == 0) {
    p->options.stream = p->stream;
    p->options.name = p->name;
    init(p, role);
    // Before anything is logged, as the log callback may close the environment.
    list_push_back(e->producers, p->node);
    e->producer_count++;
    rc = lookup_start(p->lookup);
    if (rc < 0) {
      net_task_cancel(p->task);
      net_timer_stop(*e->world, p->close_timer);
      list_remove(p->node);
      e->producer_count--;
    }
  }
  if (rc < 0) {
    release(p);
    return env_error(e, rc, "can't open a producer on %s", options.stream);
  }
  *out = p;
  return 0;
}

int producer_flush(producer *p, rstream_flushed_cb on_flushed, void *user) {
  if (!p->accepting) return RSTREAM_ECLOSED;
  if (on_flushed) {
    auto *waiter = memory_new<flush_waiter>(env_memory(p->env));
    if (!waiter) return RSTREAM_ENOMEM;
    waiter->last_id = p->next_id - 1;
    waiter->on_flushed = on_flushed;
    waiter->user = user;
    list_push_back(p->flush_waiters, waiter->node);
    queue_task(p);
  }
  producer_seal(p);
  producer_pump(p);
  return 0;
}

int producer_close(producer *p, uint32_t timeout_ms,
                   rstream_producer_closed_cb on_closed) {
  if (p->closing && on_closed) return RSTREAM_ECLOSED;
  if (p->phase == producer_phase::leaving || p->phase == producer_phase::closed) return 0;
  p->closing = true;
  p->accepting = false;
  producer_seal(p);  // nothing more goes in
  if (on_closed) p->on_closed = on_closed;
  p->close_at_once = timeout_ms == 0;
  if (timeout_ms) net_timer_start(*p->env->world, p->close_timer, timeout_ms);
  queue_task(p);
  return 0;
}

void producer_stats(const producer *p, rstream_producer_stats &stats) {
  stats.messages_sent = p->next_id - 1;
  stats.messages_confirmed = p->messages_confirmed;
  stats.messages_failed = p->messages_failed;
  stats.messages_in_flight = producer_in_flight(p);
  stats.bytes_in_flight = p->bytes_in_flight;
  stats.frames_sent = p->frames_sent;
  stats.unknown_confirms = p->unknown_confirms;
  stats.recoveries = p->recoveries;
  stats.messages_resent = p->messages_resent;
}

rstream_handle_state producer_state(const producer *p) {
  if (p->phase >= producer_phase::ended) {
    return p->closing && p->phase == producer_phase::leaving ? RSTREAM_STATE_DRAINING
                                                             : RSTREAM_STATE_CLOSED;
  }
  if (p->closing) return RSTREAM_STATE_DRAINING;
  if (p->phase == producer_phase::open) return RSTREAM_STATE_OPEN;
  return recovery_state(p->recovery, p->phase == producer_phase::recovering, p->was_open);
}

int producer_reconnect(producer *p) {
  if (p->closing || p->phase >= producer_phase::ended) return RSTREAM_ECLOSED;
  if (p->phase != producer_phase::recovering)
    return env_error(p->env, RSTREAM_EBUSY, "the producer is not disconnected");
  recovery_now(p->recovery);
  return 0;
}

void producer_connected(producer *p) { declare(p); }

void producer_lost(producer *p, int reason, const char *text) {
  conn_request_cancel(p->request);
  if (p->phase == producer_phase::leaving) {
    finish(p);
    return;
  }
  find_node(p, reason, text);
}

void producer_drained(producer *p) {
  if (p->unsent > 0) queue_task(p);
}

void producer_end(producer *p, int reason, const char *text) {
  log_line(p->env->log, log_level::error, "producer on %s ended: %s: %s", p->stream,
           rstream_error_text(reason), text);
  set_phase(p, producer_phase::ended);
  p->accepting = false;
  p->end_reason = reason;
  net_timer_stop(*p->env->world, p->linger_timer);
  net_timer_stop(*p->env->world, p->retry_timer);
  net_timer_stop(*p->env->world, p->confirm_timer);
  lookup_cancel(p->lookup);
  recovery_cancel(p->recovery);
  conn_request_cancel(p->request);
  connections_leave(p->member, leave_kind::unsettled);
  producer_fail_all(p, reason);
  producer_fail_waiters(p, reason);
  tell_state(p, RSTREAM_STATE_CLOSED, reason, text);
  if (p->closing) queue_task(p);
}

}  // namespace rstream
