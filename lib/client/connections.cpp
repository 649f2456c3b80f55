#include "client/connections.h"

#include <cassert>
#include <cstring>

#include "client/consumer.h"
#include "client/env.h"
#include "client/producer.h"

namespace rstream {

namespace {

shared_conn *shared_of(conn *c) { return static_cast<shared_conn *>(c->owner); }
shared_conn *shared_of(list_node *node) { return RSTREAM_OWNER(node, shared_conn, node); }

void ignore(conn *c, const char *what, unsigned id) {
  c->counters->frames_ignored++;
  log_line(c->world->log, log_level::debug, "%s:%u: ignored %s for unknown id %u",
           c->host, c->port, what, id);
}

member *member_of(conn *c, member_kind kind, uint8_t id, const char *what) {
  shared_conn *s = shared_of(c);
  if (s->kind == kind && s->by_id[id]) return s->by_id[id];
  ignore(c, what, id);
  return nullptr;
}

void tell_ready(shared_conn *s, member &m) {
  if (s->kind == member_kind::producer) {
    producer_connected(producer_of(m));
  } else {
    consumer_connected(consumer_of(m));
  }
}

// The member has left by then.
void tell_lost(shared_conn *s, member &m, int reason, const char *text) {
  if (s->kind == member_kind::producer) {
    producer_lost(producer_of(m), reason, text);
  } else {
    consumer_lost(consumer_of(m), reason, text);
  }
}

// ---- through a load balancer

constexpr uint32_t most_tries = 30;
constexpr uint32_t longest_pause_ms = 1000;

// Whether the connection leads to the node that is wanted. Brokers that do not tell who
// they are have to be believed.
bool is_wanted(const shared_conn *s, const conn *c) {
  return !s->env->endpoints.load_balancer || !c->advertised_host[0] ||
         (c->advertised_port == s->port && strcmp(c->advertised_host, s->host) == 0);
}

void led_elsewhere(shared_conn *s, conn *c) {
  log_line(c->world->log, log_level::debug, "%s:%u led to %s:%u, not to %s:%u", c->host,
           c->port, c->advertised_host, c->advertised_port, s->host, s->port);
  if (++s->tries >= most_tries) {
    conn_fail(c, RSTREAM_EUNAVAILABLE,
              "the load balancer did not lead to %s:%u in %u tries", s->host, s->port,
              s->tries);
    return;
  }
  s->elsewhere = true;
  conn_close(c);
}

// The pauses grow, so that a balancer with many nodes is not stormed, and differ, so that
// many clients do not go round in step.
void redial_later(shared_conn *s) {
  uint32_t most = 10 * s->tries < longest_pause_ms ? 10 * s->tries : longest_pause_ms;
  s->elsewhere = false;
  net_timer_start(*s->env->world, s->redial_timer,
                  net_random(*s->env->world) % (most + 1));
}

// Of its members, each once. Returns how many.
size_t streams_of(const shared_conn *s, const char **streams) {
  size_t count = 0;
  for (const member *m : s->by_id) {
    bool known = !m;
    for (size_t i = 0; !known && i < count; i++) known = !strcmp(streams[i], m->stream);
    if (!known) streams[count++] = m->stream;
  }
  return count;
}

void tell_environment(shared_conn *s, int reason, const char *text) {
  env *e = s->env;
  if (!e->on_connection_lost) return;
  const char *streams[ids_per_connection];
  size_t count = streams_of(s, streams);
  rstream_connection_loss loss{sizeof loss, s->host, s->port, reason,
                               text,        streams, count,   s->members};
  e->on_connection_lost(e, &loss, e->user);
}

// ---- events of a connection

void on_ready(conn *c) {
  shared_conn *s = shared_of(c);
  if (!is_wanted(s, c)) return led_elsewhere(s, c);
  s->env->connections_opened++;
  s->opened = true;
  s->tries = 0;
  for (member *m : s->by_id) {
    if (m) tell_ready(s, *m);
  }
}

// The members, if there are any, are told.
void end_shared(shared_conn *s, int reason, const char *text) {
  env *e = s->env;
  list_remove(s->node);
  e->connections.count[static_cast<int>(s->kind)]--;
  if (reason) tell_environment(s, reason, text);
  for (member *&place : s->by_id) {
    member *m = place;
    if (!m) continue;
    place = nullptr;
    m->link = nullptr;
    tell_lost(s, *m, reason ? reason : RSTREAM_ECONNLOST, text);
  }
  net_timer_stop(*e->world, s->idle_timer);
  net_timer_stop(*e->world, s->redial_timer);
  memory_delete(env_memory(e), s);
  login_progress(e);
  env_check_closing(e);
}

void on_closed(conn *c, int reason, const char *text) {
  shared_conn *s = shared_of(c);
  env *e = s->env;
  s->link = nullptr;
  if (s->elsewhere && s->members > 0 && e->state == env_state::open) {
    login_progress(e);
    return redial_later(s);
  }
  if (reason) e->connections_lost++;
  if (s->opened) e->connections_closed++;
  end_shared(s, reason, text);
}

void on_confirm(conn *c, const wire::publish_confirm &frame) {
  member *m = member_of(c, member_kind::producer, frame.publisher_id, "PublishConfirm");
  if (m) producer_confirmed(producer_of(*m), frame);
}

void on_publish_error(conn *c, const wire::publish_error &frame) {
  member *m = member_of(c, member_kind::producer, frame.publisher_id, "PublishError");
  if (m) producer_refused(producer_of(*m), frame);
}

void on_deliver(conn *c, const wire::deliver &frame, slab *owner) {
  member *m = member_of(c, member_kind::consumer, frame.subscription_id, "Deliver");
  if (m) consumer_delivered(consumer_of(*m), frame, owner);
}

void on_credit_error(conn *c, const wire::credit_error &frame) {
  // Harmless when an unsubscribe has crossed it.
  ignore(c, "a refused Credit", frame.subscription_id);
}

// DeclarePublisher or Subscribe is on its way.
bool is_declaring(const shared_conn *s, member &m) {
  return s->kind == member_kind::producer ? producer_is_declaring(producer_of(m))
                                          : consumer_is_subscribing(consumer_of(m));
}

// The broker has dropped what this connection had on the stream: the ids are free.
void on_metadata_update(conn *c, const wire::metadata_update &frame) {
  shared_conn *s = shared_of(c);
  for (member *m : s->by_id) {
    if (!m || frame.stream != m->stream) continue;
    // What is not answered yet comes to the broker after it has said this: it concerns
    // those before. Left alone, the broker would have one that nobody knows of.
    if (is_declaring(s, *m)) continue;
    connections_leave(*m, leave_kind::released);
    tell_lost(s, *m, RSTREAM_EUNAVAILABLE,
              "the broker reports the stream as unavailable");
  }
}

// No answer would cost the connection after 60 s.
void on_consumer_update(conn *c, const wire::consumer_update &frame) {
  member *m =
      member_of(c, member_kind::consumer, frame.subscription_id, "ConsumerUpdate");
  if (m) return consumer_updated(consumer_of(*m), frame);
  wire::consumer_update_response answer{.correlation_id = frame.correlation_id,
                                        .code = wire::raw(wire::response::ok),
                                        .spec = wire::offset_none()};
  int rc = conn_send(c, answer);
  if (rc < 0) conn_fail(c, rc, "no memory to answer ConsumerUpdate");
}

// Each time another one is the first to fill the queue again.
void on_drained(conn *c) {
  shared_conn *s = shared_of(c);
  if (s->kind != member_kind::producer) return;
  uint32_t first = s->first_drained++;
  for (uint32_t i = 0; i < ids_per_connection; i++) {
    member *m = s->by_id[(first + i) % ids_per_connection];
    if (m) producer_drained(producer_of(*m));
  }
}

void on_renewed(conn *c, int status, const char *text) {
  login_renewed(shared_of(c)->env, status, text);
}

// For whoever is gone already, no memory need be found.
bool wants_pieces(conn *c, uint8_t subscription_id, uint32_t chunk_bytes) {
  member *m = member_of(c, member_kind::consumer, subscription_id, "Deliver");
  return !m || consumer_streams(consumer_of(*m), chunk_bytes);
}

piece_taken on_deliver_piece(conn *c, const deliver_piece &piece) {
  member *m = shared_of(c)->by_id[piece.frame.subscription_id];
  if (m) return consumer_delivered_piece(consumer_of(*m), piece);
  return {static_cast<uint32_t>(piece.frame.chunk.size()), 1};
}

constexpr conn_events events = {on_ready,           on_closed,          on_confirm,
                                on_publish_error,   on_deliver,         on_credit_error,
                                on_metadata_update, on_consumer_update, on_drained,
                                on_renewed,         wants_pieces,       on_deliver_piece};

void on_idle(net_timer *timer) {
  shared_conn *s = RSTREAM_OWNER(timer, shared_conn, idle_timer);
  if (!s->link) return end_shared(s, 0, "");
  if (s->env->state == env_state::open && s->opened) s->env->connections.closed_idle++;
  conn_close(s->link);
}

// Comes to the broker behind whatever was asked about the id before: what it makes of
// that yet does not stay. A name would not be free again else on this connection, nor the
// turn of a single active consumer. Nobody waits for the answer; without memory for it,
// all is as before.
void give_up_id(const shared_conn *s, uint8_t id) {
  conn *link = s->link;
  if (!link || link->state != conn_state::ready) return;
  uint32_t correlation_id = link->next_correlation_id++;
  if (s->kind == member_kind::producer) {
    (void)conn_send(link, wire::delete_publisher{correlation_id, id});
  } else {
    (void)conn_send(link, wire::unsubscribe{correlation_id, id});
  }
}

uint32_t count_of(const env *e, member_kind kind) {
  return e->connections.count[static_cast<int>(kind)];
}

uint32_t capacity_of(const env *e, member_kind kind) {
  return kind == member_kind::producer ? e->max_producers_per_connection
                                       : e->max_consumers_per_connection;
}

shared_conn *find(env *e, member_kind kind, const char *host, uint16_t port) {
  list &all = e->connections.of_kind[static_cast<int>(kind)];
  for (list_node *n = all.next; n != &all; n = n->next) {
    shared_conn *s = shared_of(n);
    bool alive = !s->link || s->elsewhere || s->link->state < conn_state::closing;
    if (alive && s->used < capacity_of(e, kind) && s->port == port &&
        strcmp(s->host, host) == 0) {
      return s;
    }
  }
  return nullptr;
}

int dial(shared_conn *s) {
  env *e = s->env;
  dialled to;
  endpoint_of_node(e, s->host, s->port, to);
  const endpoints &p = e->endpoints;
  const char *name = p.load_balancer ? p.all[p.current].host : s->host;
  return conn_open(&s->link, *e->world, *e->pool, e->config, {to.host, to.port, name},
                   s->kind == member_kind::producer ? "producers" : "consumers", events,
                   s, e->counters);
}

void on_redial(net_timer *timer) {
  shared_conn *s = RSTREAM_OWNER(timer, shared_conn, redial_timer);
  if (s->members == 0) return end_shared(s, 0, "");  // nobody wants it any more
  int rc = dial(s);
  if (rc < 0) end_shared(s, rc, rstream_error_text(rc));
}

int create(env *e, member_kind kind, const char *host, uint16_t port, shared_conn **out) {
  auto *s = memory_new<shared_conn>(env_memory(e));
  if (!s) return RSTREAM_ENOMEM;
  s->env = e;
  s->kind = kind;
  s->idle_timer.on_due = on_idle;
  s->redial_timer.on_due = on_redial;
  strncpy(s->host, host, sizeof s->host - 1);
  s->port = port;
  int rc = dial(s);
  if (rc < 0) {
    memory_delete(env_memory(e), s);
    return rc;
  }
  list_push_back(e->connections.of_kind[static_cast<int>(kind)], s->node);
  e->connections.count[static_cast<int>(kind)]++;
  *out = s;
  return 0;
}

void take_id(shared_conn *s, member &m) {
  while (s->by_id[s->next_id] || s->abandoned[s->next_id]) s->next_id++;
  m.link = s;
  m.id = s->next_id++;
  s->by_id[m.id] = &m;
  s->used++;
  s->members++;
  net_timer_stop(*s->env->world, s->idle_timer);
}

}  // namespace

int connections_join(env *e, member_kind kind, member &m, const char *host,
                     uint16_t port) {
  assert(!m.link);
  shared_conn *s = find(e, kind, host, port);
  if (!s) {
    int rc = create(e, kind, host, port, &s);
    if (rc < 0) return rc;
  }
  take_id(s, m);
  return s->link && s->link->state == conn_state::ready ? 1 : 0;
}

void connections_leave(member &m, leave_kind how) {
  shared_conn *s = m.link;
  if (!s) return;
  s->by_id[m.id] = nullptr;
  s->members--;
  m.link = nullptr;
  if (how == leave_kind::released) {
    s->used--;
  } else {
    s->abandoned[m.id] = true;
    give_up_id(s, m.id);
  }
  if (s->members > 0) return;
  uint32_t keep_ms = s->env->state == env_state::open ? idle_connection_ms : 0;
  net_timer_start(*s->env->world, s->idle_timer, keep_ms);
}

void connections_close_idle(env *e) {
  for (list &all : e->connections.of_kind) {
    for (list_node *n = all.next; n != &all; n = n->next) {
      shared_conn *s = shared_of(n);
      if (s->members == 0) net_timer_start(*e->world, s->idle_timer, 0);
    }
  }
}

bool connections_empty(const env *e) {
  return list_empty(e->connections.of_kind[0]) && list_empty(e->connections.of_kind[1]);
}

void connections_stats(const env *e, rstream_env_stats &stats) {
  uint32_t members[member_kinds] = {};
  for (int kind = 0; kind < member_kinds; kind++) {
    const list &all = e->connections.of_kind[kind];
    for (list_node *n = all.next; n != &all; n = n->next) {
      const shared_conn *s = shared_of(n);
      members[kind] += s->members;
      if (s->members == 0) stats.connections_idle++;
    }
  }
  stats.connections_for_producers = count_of(e, member_kind::producer);
  stats.connections_for_consumers = count_of(e, member_kind::consumer);
  stats.producers_connected = members[static_cast<int>(member_kind::producer)];
  stats.consumers_connected = members[static_cast<int>(member_kind::consumer)];
  stats.connections_closed_idle = e->connections.closed_idle;
}

}  // namespace rstream
