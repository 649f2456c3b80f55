// SaslAuthenticate: the login of a new connection, and the same again with a new secret.
#include <cstring>

#include "conn/conn_internal.h"

namespace rstream {

namespace {

// A mechanism that is not done by then goes round in circles.
constexpr uint32_t most_steps = 16;

// What fits the frames that brokers accept before a connection is open.
constexpr size_t response_bytes = 7680;

constexpr int first_release_with_renewal = 313;

// Sends what the client has to say to a challenge, empty at first. 0, or why not.
int send_response(conn *c, conn_request &request, bool renewal, wire::bytes challenge) {
  const conn_auth &auth = c->config->auth;
  uint8_t response[response_bytes];
  conn_login login = {c->host, c->port, renewal, c->login_step, challenge};
  ptrdiff_t n = auth.respond(auth.arg, login, {response, sizeof response});
  int rc = static_cast<int>(n);
  // Callbacks of the application may have ended it.
  if (n >= 0 && c->state < conn_state::closing) {
    wire::sasl_authenticate frame{.mechanism = auth.mechanism,
                                  .data = {response, static_cast<size_t>(n)}};
    rc = conn_request_send(c, request, wire::key::sasl_authenticate, frame);
  }
  memory_wipe(response, sizeof response);
  return rc < 0 ? rc : 0;
}

// The next step, if the broker wants one; else false.
bool answer_challenge(conn *c, conn_request &request, bool renewal, int status,
                      wire::bytes body) {
  if (status != RSTREAM_BROKER_SASL_CHALLENGE || c->state >= conn_state::closing)
    return false;
  wire::sasl_authenticate_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) {
    conn_fail(c, RSTREAM_EPROTO, "malformed answer to SaslAuthenticate");
    return true;
  }
  if (++c->login_step >= most_steps) {
    conn_fail(c, RSTREAM_BROKER_SASL_ERROR, "the login does not end after %u steps",
              most_steps);
    return true;
  }
  int rc = send_response(c, request, renewal, response.challenge);
  if (rc < 0) conn_fail(c, rc, "no answer to the challenge of the login");
  return true;
}

void on_authenticated(conn_request *request, int status, wire::bytes body) {
  conn *c = RSTREAM_OWNER(request, conn, handshake);
  if (answer_challenge(c, *request, false, status, body)) return;
  if (!conn_step_succeeded(c, status, "login")) return;
  conn_set_state(c, conn_state::tune);
}

bool offers(const wire::sasl_handshake_response &offer, std::string_view wanted) {
  wire::seq_iter<std::string_view> it(offer.mechanisms);
  std::string_view mechanism;
  while (it.next(mechanism)) {
    if (mechanism == wanted) return true;
  }
  return false;
}

// ---- a new secret

void renew(conn *c);

void tell_renewed(conn *c, int status, const char *text) {
  if (c->events->on_renewed) c->events->on_renewed(c, status, text);
}

void on_renewed(conn_request *request, int status, wire::bytes body) {
  conn *c = RSTREAM_OWNER(request, conn, renewal);
  conn_pin pin(c);
  if (answer_challenge(c, *request, true, status, body)) return;
  if (c->state >= conn_state::closing) return;
  if (status < 0) {
    tell_renewed(c, status, rstream_error_text(status));
    // The broker ends it, too; but in its own time.
    conn_fail(c, status, "renewal of the login: %s", rstream_error_text(status));
    return;
  }
  log_line(c->world->log, log_level::info, "logged in again at %s:%u", c->host, c->port);
  // Another one may have come meanwhile.
  if (c->login_secret < c->config->secret) return renew(c);
  tell_renewed(c, 0, "");
}

void on_renewal_due(net_task *task) {
  conn *c = RSTREAM_OWNER(task, conn, renewal_task);
  conn_pin pin(c);
  bool due = c->login_secret < c->config->secret && !c->renewal.owner;
  if (due && c->state == conn_state::ready) renew(c);
}

void renew(conn *c) {
  c->login_secret = c->config->secret;
  if (conn_broker_release(c) < first_release_with_renewal)
    return tell_renewed(c, RSTREAM_ENOTSUP, "brokers before 3.13 can't renew a login");
  c->login_step = 0;
  c->renewal.on_response = on_renewed;
  int rc = send_response(c, c->renewal, true, {});
  if (rc < 0) tell_renewed(c, rc, "the application gave no secret");
}

}  // namespace

void conn_login_start(conn *c, const wire::sasl_handshake_response &offer) {
  const char *mechanism = c->config->auth.mechanism;
  if (!offers(offer, mechanism)) {
    conn_fail(c, RSTREAM_BROKER_SASL_MECHANISM,
              "the broker does not offer the mechanism %s", mechanism);
    return;
  }
  conn_set_state(c, conn_state::sasl);
  c->login_secret = c->config->secret;
  c->handshake.on_response = on_authenticated;
  int rc = send_response(c, c->handshake, false, {});
  if (rc < 0) conn_fail(c, rc, "no credentials for the login");
}

void conn_renew_login(conn *c) {
  c->renewal_task.run = on_renewal_due;
  if (c->state == conn_state::ready && c->login_secret < c->config->secret)
    net_task_queue(*c->world, c->renewal_task, task_stage::gather);
}

}  // namespace rstream
