// What arrives, by key. Before the connection is ready only the handshake's own frames
// are legal; afterwards, what nobody knows is counted and ignored.
#include "conn/conn_internal.h"

namespace rstream {

namespace {

void ignore(conn *c, const wire::frame_header &h, const char *why) {
  c->counters->frames_ignored++;
  log_line(c->world->log, log_level::debug,
           "%s:%u: ignored %s (key 0x%04x version %u): %s", c->host, c->port,
           wire::command_name(h.key), unsigned{h.key}, unsigned{h.version}, why);
}

void malformed(conn *c, const wire::frame_header &h) {
  conn_fail(c, RSTREAM_EPROTO, "malformed %s", wire::command_name(h.key));
}

template <class X>
void hand_over(conn *c, const wire::frame_header &h, wire::bytes body,
               void (*handler)(conn *, const X &)) {
  wire::reader r = wire::reader_of(body);
  X x;
  if (!decode(r, x)) return malformed(c, h);
  handler(c, x);
}

void on_deliver(conn *c, const wire::frame_header &h, wire::bytes body, slab *owner) {
  wire::reader r = wire::reader_of(body);
  wire::deliver x;
  if (h.version != 1 && h.version != 2) return ignore(c, h, "unknown version");
  if (!decode(r, x, h.version)) return malformed(c, h);
  c->events->on_deliver(c, x, owner);
}

void on_close(conn *c, const wire::frame_header &h, wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  wire::close_request x;
  if (!decode(r, x)) return malformed(c, h);
  // Answered before anything is failed: the callbacks may take their time.
  wire::close_response response{x.correlation_id, wire::raw(wire::response::ok)};
  if (conn_send(c, response) == 0) conn_flush(c);
  bool too_large = x.code == wire::raw(wire::response::frame_too_large);
  int reason = too_large ? RSTREAM_BROKER_FRAME_TOO_LARGE : RSTREAM_ECLOSEDBYPEER;
  conn_fail(c, reason, "the broker closed the connection: %s (%u): %.*s%s",
            wire::response_name(x.code), unsigned{x.code},
            static_cast<int>(x.reason.size()), x.reason.data(),
            too_large ? " (see max_frame_bytes)" : "");
}

// Legal in every state after the handshake's start.
bool dispatch_any_state(conn *c, const wire::frame_header &h, wire::bytes body) {
  switch (static_cast<wire::key>(h.key)) {
  case wire::key::close: on_close(c, h, body); return true;
  case wire::key::heartbeat: return true;
  default: return false;
  }
}

void dispatch_handshake(conn *c, const wire::frame_header &h, wire::bytes body) {
  if (dispatch_any_state(c, h, body)) return;
  uint16_t key = wire::without_response_bit(h.key);
  if (key == wire::raw(wire::key::tune) && c->state == conn_state::tune) {
    conn_handshake_tune(c, body);
    return;
  }
  bool answered = wire::is_response(h.key) && c->state != conn_state::tune &&
                  conn_requests_answer(c, static_cast<wire::key>(key), body);
  if (!answered && conn_alive(c)) {
    conn_fail(c, RSTREAM_EPROTO, "unexpected %s in state %s", wire::command_name(h.key),
              conn_state_name(c->state));
  }
}

void dispatch_response(conn *c, const wire::frame_header &h, wire::bytes body) {
  auto key = static_cast<wire::key>(wire::without_response_bit(h.key));
  if (key == wire::key::credit) {
    return hand_over<wire::credit_error>(c, h, body, c->events->on_credit_error);
  }
  if (!conn_requests_answer(c, key, body)) ignore(c, h, "nobody waits for it");
}

void dispatch_ready(conn *c, const frame &fr, const wire::frame_header &h,
                    wire::bytes body) {
  if (wire::is_response(h.key)) return dispatch_response(c, h, body);
  switch (static_cast<wire::key>(h.key)) {
  case wire::key::deliver: return on_deliver(c, h, body, fr.owner);
  case wire::key::publish_confirm:
    return hand_over<wire::publish_confirm>(c, h, body, c->events->on_confirm);
  case wire::key::publish_error:
    return hand_over<wire::publish_error>(c, h, body, c->events->on_publish_error);
  case wire::key::metadata_update:
    return hand_over<wire::metadata_update>(c, h, body, c->events->on_metadata_update);
  case wire::key::consumer_update:
    return hand_over<wire::consumer_update>(c, h, body, c->events->on_consumer_update);
  default:
    if (!dispatch_any_state(c, h, body)) ignore(c, h, "not for a client");
  }
}

}  // namespace

void conn_dispatch(conn *c, const frame &fr) {
  wire::reader r = wire::reader_of(fr.bytes);
  wire::frame_header h;
  if (!decode(r, h)) {
    conn_fail(c, RSTREAM_EPROTO, "a frame without key and version");
    return;
  }
  wire::bytes body = r.rest();
  // While closing, requests are still answered; so is what was under way.
  if (c->state >= conn_state::ready) {
    dispatch_ready(c, fr, h, body);
  } else {
    dispatch_handshake(c, h, body);
  }
}

}  // namespace rstream
