// Where to begin and when to stop: asked by the consumer itself when it opens, and by the
// broker of single active consumers. Each question is answered once, and in time.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

using step = update_state::step;

// The last word after the application's time is over.
constexpr uint32_t query_timeout_ms = 5000;

void find_default(consumer *c);

void answer_broker(consumer *c, const wire::offset_spec &spec) {
  conn *link = member_conn(c->member);
  if (!link) return;
  wire::consumer_update_response answer{.correlation_id = c->update.correlation_id,
                                        .code = wire::raw(wire::response::ok),
                                        .spec = spec};
  int rc = conn_send(link, answer);
  if (rc < 0) conn_fail(link, rc, "no memory to answer ConsumerUpdate");
}

void settle(consumer *c) {
  c->update.at = step::none;
  net_timer_stop(*c->env->world, c->update.deadline);
  conn_request_cancel(c->update.request);
}

// `none`: as Subscribe said.
void begin_at(consumer *c, const wire::offset_spec &spec) {
  bool keeps = spec.type == wire::raw(wire::offset_type::none);
  wire::offset_spec from = spec;
  if (keeps) from = c->update.by_broker ? c->subscribed_at : consumer_spec(c);
  c->began_at = from;
  c->skip_below = from.type == wire::raw(wire::offset_type::offset) ? from.value : 0;
  c->caught_up = false;
  if (c->update.by_broker) {
    chunks_go_astray(c);
    c->active = true;
    answer_broker(c, spec);
  } else {
    c->active = !c->options.single_active;
    consumer_subscribe(c, from);
  }
}

// Nothing more is handed out.
void stand_by(consumer *c) {
  c->active = false;
  chunks_drop_waiting(c);
}

// It still has the turn: the last store precedes the answer that ends it.
void stop(consumer *c) {
  log_line(c->env->log, log_level::info, "consumer on %s: stops", c->stream);
  tracker_store(c);
  settle(c);
  if (c->update.by_broker) answer_broker(c, wire::offset_none());
  if (c->resubscribe == resubscribe_step::stepping_down) flow_unsubscribe(c);
}

void finish(consumer *c, const wire::offset_spec &spec) {
  if (!c->update.to_active) return stop(c);
  settle(c);
  log_line(c->env->log, log_level::info, "consumer on %s: begins", c->stream);
  begin_at(c, spec);
}

// Without the stored offset it would begin where others have been, or leave out what
// nobody has seen, and store that. Somebody else may know better, or the broker later.
void give_up(consumer *c, int status) {
  const char *text = "the stored offset can't be had";
  log_line(c->env->log, log_level::warn, "consumer on %s: %s: %s", c->stream, text,
           rstream_error_text(status));
  bool by_broker = c->update.by_broker;
  settle(c);
  if (!by_broker) return consumer_retreat(c, status, text);
  answer_broker(c, wire::offset_none());
  flow_give_up(c, status, text);
}

void on_stored_offset(conn_request *request, int status, wire::bytes body) {
  consumer *c = RSTREAM_OWNER(request, consumer, update.request);
  if (consumer_connection_gone(c)) return;  // consumer_lost() follows
  wire::query_offset_response response;
  wire::reader r = wire::reader_of(body);
  if (status == 0 && !decode(r, response)) status = RSTREAM_EPROTO;
  if (status == 0) {
    tracker_reset(c);
    tracker_found(c, response.offset);
    finish(c, wire::offset_at(response.offset + 1));
  } else if (status == RSTREAM_BROKER_NO_OFFSET) {
    tracker_reset(c);
    finish(c, wire::offset_none());
  } else {
    give_up(c, status);
  }
}

void ask_stored_offset(consumer *c) {
  c->update.at = step::query;
  net_timer_stop(*c->env->world, c->update.deadline);
  // Nobody else is waiting: better late than somewhere else.
  if (c->update.by_broker)
    net_timer_start(*c->env->world, c->update.deadline, query_timeout_ms);
  c->update.request.on_response = on_stored_offset;
  wire::query_offset request{.reference = c->name, .stream = c->stream};
  int rc = conn_request_send(member_conn(c->member), c->update.request,
                             wire::key::query_offset, request);
  if (rc < 0) give_up(c, rc);
}

// Of what was handed out; of a chunk that was cut, once its CRC is known.
bool all_finished(const consumer *c) {
  return list_empty(c->chunks) && c->streamed.at != streamed_chunk::stage::passing;
}

void find_default(consumer *c) {
  if (!c->update.to_active) {
    // Their offsets belong into what is stored before the next one begins.
    if (all_finished(c)) return finish(c, {});
    c->update.at = step::finishing;
  } else if (c->name && tracker_resumes(c) && !consumer_connection_gone(c)) {
    ask_stored_offset(c);
  } else {
    finish(c, wire::offset_none());
  }
}

void on_deadline(net_timer *timer) {
  consumer *c = RSTREAM_OWNER(timer, consumer, update.deadline);
  switch (c->update.at) {
  case step::application:
    log_line(c->env->log, log_level::warn, "consumer on %s: on_update was not answered",
             c->stream);
    find_default(c);
    if (c->update.at == step::finishing) finish(c, {});
    break;
  case step::query: give_up(c, RSTREAM_ETIMEDOUT); break;
  case step::finishing: finish(c, {}); break;
  case step::answered:
  case step::none: break;
  }
}

// Asks the application, else itself.
void ask(consumer *c) {
  update_state &u = c->update;
  u.deadline.on_due = on_deadline;
  u.at = step::application;
  net_timer_start(*c->env->world, u.deadline, c->options.update_timeout_ms);
  uint32_t number = ++u.number;
  auto reply = RSTREAM_UPDATE_DEFAULT;
  if (c->options.on_update)
    reply = c->options.on_update(c, u.to_active ? 1 : 0, c->options.user);
  bool open = u.at == step::application && u.number == number;
  if (open && reply == RSTREAM_UPDATE_DEFAULT) find_default(c);
}

}  // namespace

void update_step_down(consumer *c) {
  c->update.to_active = false;
  c->update.by_broker = false;
  stand_by(c);
  ask(c);
}

void update_start(consumer *c) {
  c->update.to_active = true;
  c->update.by_broker = false;
  // The broker asks a single active consumer itself, once it is subscribed.
  bool nothing_to_ask = !c->options.on_update && !tracker_resumes(c);
  if (c->options.single_active || nothing_to_ask) {
    begin_at(c, wire::offset_none());
  } else {
    ask(c);
  }
}

void consumer_updated(consumer *c, const wire::consumer_update &frame) {
  if (!c->options.single_active) {
    // Not asked for: it gets an answer, and offsets go on in their order.
    log_line(c->env->log, log_level::warn, "consumer on %s: ConsumerUpdate ignored",
             c->stream);
    c->update.correlation_id = frame.correlation_id;
    return answer_broker(c, wire::offset_none());
  }
  update_state &u = c->update;
  bool steps_down = c->resubscribe == resubscribe_step::stepping_down;
  // The broker has thought better of what it asked before.
  if (u.at != step::none && u.by_broker) {
    if (!steps_down) settle(c);
    answer_broker(c, wire::offset_none());
  }
  u.by_broker = true;
  u.correlation_id = frame.correlation_id;
  if (steps_down) return;  // it is on its way to what is asked
  u.to_active = frame.active;
  bool leaves = c->closing || c->phase != consumer_phase::open || flow_is_stopping(c);
  if (leaves && !frame.active) tracker_store(c);
  if (!frame.active) stand_by(c);
  if (leaves) return answer_broker(c, wire::offset_none());
  ask(c);
}

// Acted on in a task: what follows may call the application.
int consumer_update_done(consumer *c, const wire::offset_spec *spec) {
  if (c->closing || c->phase >= consumer_phase::ended) return RSTREAM_ECLOSED;
  if (c->update.at != step::application)
    return env_error(c->env, RSTREAM_EBUSY, "on_update is not waiting for an answer");
  c->update.at = step::answered;
  c->update.by_default = !spec;
  if (spec) c->update.spec = *spec;
  consumer_queue_task(c);
  return 0;
}

void update_go_on(consumer *c) {
  update_state &u = c->update;
  if (u.at == step::finishing && all_finished(c)) finish(c, {});
  if (u.at != step::answered) return;
  if (u.by_default || !u.to_active) {
    find_default(c);
  } else {
    tracker_reset(c);
    finish(c, u.spec);
  }
}

void update_cancel(consumer *c) {
  bool owed = c->update.at != step::none && c->update.by_broker;
  settle(c);
  if (owed) answer_broker(c, wire::offset_none());
}

rstream_activity consumer_activity(const consumer *c) {
  if (c->phase != consumer_phase::open) return RSTREAM_ACTIVITY_NONE;
  return c->active ? RSTREAM_ACTIVITY_ACTIVE : RSTREAM_ACTIVITY_STANDBY;
}

}  // namespace rstream
