// The life of a connection: states, connecting, reading, writing, closing.
#include "conn/conn.h"

#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "conn/conn_internal.h"
#include "net/net_errors.h"

namespace rstream {

namespace {

constexpr const char *state_names[] = {
    "idle", "resolving", "connecting", "properties", "mechanisms", "sasl",
    "tune", "open",      "versions",   "ready",      "closing",    "closed"};

// More than this in the queue is written without waiting for the end of the turn.
constexpr uint64_t flush_at_bytes = 256u << 10;

uint32_t deadline_of(const conn *c, conn_state state) {
  switch (state) {
  case conn_state::resolving: return c->config->connect_timeout_ms;
  case conn_state::closing: return conn_close_timeout_ms;
  default: return 0;  // keeps the one that runs: all until ready share one
  }
}

void free_conn(conn *c) {
  frame_reader_release(c->reader);
  send_queue_release(c->queue);
  memory_delete(c->pool->mem, c);
}

// Ends everything below and tells everybody above. The caller holds a pin.
void finish(conn *c) {
  conn_set_state(c, conn_state::closed);
  net_timer_stop(*c->world, c->state_timer);
  net_timer_stop(*c->world, c->heartbeat_timer);
  net_task_cancel(c->flush_task);
  net_task_cancel(c->renewal_task);
  net_resolve_cancel(*c->world, c->resolving);
  dial_stop(c->dialling);
  if (c->link) transport_close(c->link);
  c->link = nullptr;
  conn_requests_fail(c, c->close_reason ? c->close_reason : RSTREAM_ECANCELED);
  c->events->on_closed(c, c->close_reason, c->close_text);
  c->freed = true;
}

void on_state_deadline(net_timer *timer) {
  conn *c = RSTREAM_OWNER(timer, conn, state_timer);
  conn_pin pin(c);
  if (c->state == conn_state::connecting) {
    dial_give_up(c->dialling, RSTREAM_ETIMEDOUT);
  } else if (c->state == conn_state::closing) {
    log_line(c->world->log, log_level::debug, "%s:%u did not answer Close", c->host,
             c->port);
    finish(c);
  } else {
    conn_fail(c, RSTREAM_ETIMEDOUT, "not connected within %u ms: still in state %s",
              c->config->connect_timeout_ms, conn_state_name(c->state));
  }
}

// ---- transport events

int lost_reason(int code) {
  return net_error_is_about_peer(code) ? code : RSTREAM_ECONNLOST;
}

// An alert is what a port with TLS answers plain text with.
bool looks_like_tls(const conn *c) {
  const frame_reader &r = c->reader;
  if (c->state != conn_state::properties || r.end - r.begin < 2) return false;
  const uint8_t *at = r.current->data() + r.begin;
  return at[0] == 0x15 && at[1] == 0x03;
}

void fail_over_size(conn *c) {
  if (looks_like_tls(c)) {
    conn_fail(c, RSTREAM_EPROTO, "the peer speaks TLS: its port is not for plain text");
  } else {
    conn_fail(c, RSTREAM_EPROTO, "a frame's size is below %u or above %u bytes",
              frame_smallest_bytes, c->reader.max_frame_bytes);
  }
}

std::span<uint8_t> on_space(void *owner) {
  return frame_reader_space(static_cast<conn *>(owner)->reader);
}

void on_read(void *owner, ptrdiff_t n) {
  auto *c = static_cast<conn *>(owner);
  conn_pin pin(c);
  if (n < 0) {
    int code = static_cast<int>(n);
    if (c->state == conn_state::closing) {
      finish(c);  // closing crossed with the peer's own end
    } else if (net_error_is_no_memory(code)) {
      conn_fail(c, RSTREAM_ENOMEM, "out of memory for a frame of %s:%u", c->host,
                c->port);
    } else {
      bool first = c->state == conn_state::properties && !c->config->tls;
      conn_fail(c, lost_reason(code), "%s in state %s%s", transport_words(c->link, code),
                conn_state_name(c->state),
                first ? ": maybe its port is one for TLS" : "");
    }
    return;
  }
  c->last_read_ms = net_now_ms(*c->world);
  frame_reader_filled(c->reader, static_cast<size_t>(n));
  frame fr;
  while (conn_alive(c)) {
    switch (frame_reader_next(c->reader, fr)) {
    case frame_result::none: return;
    case frame_result::ready:
      c->counters->frames_received++;
      conn_dispatch(c, fr);
      break;
    case frame_result::asked: conn_frame_asked(c, fr); break;
    case frame_result::piece: conn_frame_piece(c, fr); break;
    case frame_result::malformed: fail_over_size(c); return;
    }
  }
}

void on_writable(void *owner) {
  auto *c = static_cast<conn *>(owner);
  conn_pin pin(c);
  bool was_full = conn_is_full(c);
  c->queue.blocked = false;
  conn_flush(c);
  if (was_full && !conn_is_full(c) && conn_alive(c) && c->events->on_drained)
    c->events->on_drained(c);
}

// Told by dialling.
constexpr transport_events link_events = {nullptr, on_space, on_read, on_writable};

// ---- connecting

void on_dialled(dial *d, transport *link, int status) {
  conn *c = RSTREAM_OWNER(d, conn, dialling);
  conn_pin pin(c);
  if (status < 0) {
    conn_fail(c, status, "can't connect to %s:%u: %s", c->host, c->port, d->text);
    return;
  }
  c->link = link;
  c->last_read_ms = c->last_written_ms = net_now_ms(*c->world);
  conn_handshake_start(c);
}

void on_resolved(resolve_request *request, int status,
                 std::span<const net_address> found) {
  conn *c = RSTREAM_OWNER(request, conn, resolving);
  conn_pin pin(c);
  if (c->state != conn_state::resolving) return;  // closing already
  if (status < 0) {
    const char *text = net_error_text(status);
    conn_fail(c, status, "can't resolve %s: %s", c->host, text ? text : "unknown error");
    return;
  }
  conn_set_state(c, conn_state::connecting);
  dial_start(c->dialling, *c->world, found);
}

void dialling_init(conn *c) {
  c->dialling.on_done = on_dialled;
  c->dialling.events = &link_events;
  c->dialling.owner = c;
  c->dialling.tls = c->config->tls;
  c->dialling.name = c->name;
}

void on_flush_task(net_task *task) {
  conn *c = RSTREAM_OWNER(task, conn, flush_task);
  conn_pin pin(c);
  conn_flush(c);
}

// conn_close() before there was anything to close in order.
void on_close_at_once(net_timer *timer) {
  conn *c = RSTREAM_OWNER(timer, conn, state_timer);
  conn_pin pin(c);
  finish(c);
}

void on_close_answered(conn_request *request, int, wire::bytes) {
  conn *c = RSTREAM_OWNER(request, conn, handshake);
  if (c->state != conn_state::closing) return;  // failed meanwhile, told already
  finish(c);
}

}  // namespace

conn_pin::~conn_pin() {
  if (--c->pins == 0 && c->freed) free_conn(c);
}

const char *conn_state_name(conn_state state) {
  return state_names[static_cast<int>(state)];
}

void conn_set_state(conn *c, conn_state state) {
  assert(state > c->state);
  log_line(c->world->log, log_level::debug, "connection %s:%u: %s -> %s", c->host,
           c->port, conn_state_name(c->state), conn_state_name(state));
  c->state = state;
  if (state == conn_state::ready) net_timer_stop(*c->world, c->state_timer);
  if (uint32_t ms = deadline_of(c, state)) net_timer_start(*c->world, c->state_timer, ms);
}

int conn_open(conn **out, net &world, slab_pool &pool, const conn_config &config,
              const conn_target &target, const char *purpose, const conn_events &events,
              void *owner, conn_counters &counters) {
  *out = nullptr;
  if (strlen(target.host) >= sizeof conn::host) return RSTREAM_EINVAL;
  if (strlen(target.name) >= sizeof conn::name) return RSTREAM_EINVAL;
  conn *c = memory_new<conn>(pool.mem);
  if (!c) return RSTREAM_ENOMEM;
  c->world = &world;
  c->pool = &pool;
  c->config = &config;
  c->events = &events;
  c->owner = owner;
  c->purpose = purpose;
  c->counters = &counters;
  c->port = target.port;
  memcpy(c->host, target.host, strlen(target.host) + 1);
  memcpy(c->name, target.name, strlen(target.name) + 1);
  c->state_timer.on_due = on_state_deadline;
  c->flush_task.run = on_flush_task;
  c->resolving.on_resolved = on_resolved;
  dialling_init(c);
  frame_reader_init(c->reader, pool, conn_handshake_frame_bytes);
  send_queue_init(c->queue, pool);
  *out = c;  // before anything is logged: the log callback may ask for a connection
  conn_set_state(c, conn_state::resolving);
  int rc = net_resolve(world, c->resolving, c->host, c->port);
  if (rc == 0) return 0;
  *out = nullptr;
  net_timer_stop(world, c->state_timer);
  free_conn(c);
  return net_error_is_no_memory(rc) ? RSTREAM_ENOMEM : rc;
}

void conn_close(conn *c) {
  if (c->state >= conn_state::closing) return;
  bool in_order = c->state == conn_state::ready;
  dial_stop(c->dialling);
  conn_set_state(c, conn_state::closing);
  if (in_order) {
    wire::close_request request{.code = wire::raw(wire::response::ok), .reason = "OK"};
    conn_request_cancel(c->handshake);
    c->handshake.on_response = on_close_answered;
    if (conn_request_send(c, c->handshake, wire::key::close, request) == 0) return;
  }
  // on_closed must not come from inside this call.
  c->state_timer.on_due = on_close_at_once;
  net_timer_start(*c->world, c->state_timer, 0);
}

void conn_fail(conn *c, int reason, const char *format, ...) {
  if (c->state == conn_state::closed) return;
  conn_pin pin(c);
  c->close_reason = reason;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(c->close_text, sizeof c->close_text, format, arguments);
  va_end(arguments);
  log_line(c->world->log, log_level::warn, "connection %s:%u ended: %s", c->host, c->port,
           c->close_text);
  finish(c);
}

void conn_flush(conn *c) {
  if (!c->link || !conn_alive(c)) return;
  ptrdiff_t written = send_queue_flush(c->queue, c->link);
  if (written < 0) {
    int code = static_cast<int>(written);
    conn_fail(c, lost_reason(code), "writing failed: %s", transport_words(c->link, code));
  } else if (written > 0) {
    c->last_written_ms = net_now_ms(*c->world);
  }
}

int conn_send_slice(conn *c, slab *owner, const uint8_t *data, uint32_t size) {
  if (!send_queue_push(c->queue, owner, data, size)) return RSTREAM_ENOMEM;
  conn_flush_later(c);
  // What can be written now need not wait. An error is left to the task, which may call
  // back.
  if (c->queue.bytes >= flush_at_bytes && !c->queue.blocked &&
      c->state == conn_state::ready) {
    if (send_queue_flush(c->queue, c->link) > 0)
      c->last_written_ms = net_now_ms(*c->world);
  }
  return 0;
}

}  // namespace rstream
