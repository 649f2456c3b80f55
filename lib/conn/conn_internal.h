#pragma once

// Private to lib/conn.

#include "conn/conn.h"

namespace rstream {

// Asserts that the transition is legal, logs it, and sets the state's deadline.
void conn_set_state(conn *c, conn_state state);

// The handshake's own answers and frames.
void conn_handshake_start(conn *c);
void conn_handshake_tune(conn *c, wire::bytes body);

// SaslHandshake was answered: chooses the mechanism and logs in; then Tune is awaited.
void conn_login_start(conn *c, const wire::sasl_handshake_response &offer);

// True when a step of the handshake succeeded; else the connection has been failed with
// what the broker said.
bool conn_step_succeeded(conn *c, int status, const char *what);

// The broker's release as one number, 3.13.7 as 313; 0 when it can't be read.
int conn_broker_release(const conn *c);

// One frame, after its size field.
void conn_dispatch(conn *c, const frame &fr);

// A large frame has begun, and shall come in pieces or not.
void conn_frame_asked(conn *c, const frame &head);
// The next piece of it.
void conn_frame_piece(conn *c, const frame &fr);

// Answers every request that waits.
void conn_requests_fail(conn *c, int reason);
// Finds the request a response belongs to and tells it. False: nobody waits for it.
[[nodiscard]] bool conn_requests_answer(conn *c, wire::key key, wire::bytes body);

void conn_heartbeat_start(conn *c);

// Writes what it can now.
void conn_flush(conn *c);

// Keeps a connection from being freed while it is worked on.
struct conn_pin {
  conn *c;
  explicit conn_pin(conn *pinned) : c(pinned) { c->pins++; }
  ~conn_pin();
  conn_pin(const conn_pin &) = delete;
  conn_pin &operator=(const conn_pin &) = delete;
};

inline bool conn_alive(const conn *c) { return c->state != conn_state::closed; }

}  // namespace rstream
