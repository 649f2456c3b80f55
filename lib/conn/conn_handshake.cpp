// From the connected socket to the state ready: PeerProperties, SaslHandshake, the login,
// Tune, Open, ExchangeCommandVersions.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "conn/conn_internal.h"
#include "rstream/version.h"

namespace rstream {

namespace {

conn *conn_of(conn_request *request) { return RSTREAM_OWNER(request, conn, handshake); }

void copy_text(char *to, size_t size, std::string_view from) {
  size_t n = from.size() < size ? from.size() : size - 1;
  if (n) memcpy(to, from.data(), n);
  to[n] = 0;
}

void malformed(conn *c, const char *what) {
  conn_fail(c, RSTREAM_EPROTO, "malformed answer to %s", what);
}

// Sends the next request of the handshake and enters the state that waits for its answer.
template <class X>
void step(conn *c, conn_state state, wire::key key, X &x,
          void (*on_response)(conn_request *, int, wire::bytes)) {
  conn_set_state(c, state);
  c->handshake.on_response = on_response;
  int rc = conn_request_send(c, c->handshake, key, x);
  if (rc < 0) conn_fail(c, rc, "can't send %s", wire::command_name(wire::raw(key)));
}

// ---- ExchangeCommandVersions

constexpr int first_release_with_versions = 311;

void become_ready(conn *c) {
  conn_set_state(c, conn_state::ready);
  c->reader.max_frame_bytes = c->config->max_deliver_bytes;
  conn_heartbeat_start(c);
  log_line(c->world->log, log_level::info,
           "connected to %s:%u (RabbitMQ %s, frame limit %u, heartbeat %u s)", c->host,
           c->port, c->broker_version, c->frame_max, c->heartbeat_s);
  conn_renew_login(c);
  c->events->on_ready(c);
}

void on_versions(conn_request *request, int status, wire::bytes body) {
  conn *c = conn_of(request);
  if (!conn_step_succeeded(c, status, "ExchangeCommandVersions")) return;
  wire::command_versions_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) return malformed(c, "ExchangeCommandVersions");
  c->max_version.fill(0);
  wire::seq_iter<wire::version_range> it(response.commands);
  wire::version_range range;
  while (it.next(range)) {
    if (range.key <= wire::last_key) c->max_version[range.key] = range.max;
  }
  become_ready(c);
}

// Brokers before 3.11 do not know the command; what they have is version 1 of the
// commands up to Close and Heartbeat.
void assume_oldest_versions(conn *c) {
  c->max_version.fill(0);
  for (uint16_t k = wire::first_key; k <= wire::raw(wire::key::heartbeat); k++) {
    c->max_version[k] = 1;
  }
}

void exchange_versions(conn *c) {
  if (conn_broker_release(c) < first_release_with_versions) {
    assume_oldest_versions(c);
    become_ready(c);
    return;
  }
  // Only what the broker sends to us, and only what every broker that answers this knows:
  // a key it doesn't know crashes its side of the connection.
  static constexpr wire::version_range receivable[] = {
      {wire::raw(wire::key::publish_confirm), 1, 1},
      {wire::raw(wire::key::publish_error), 1, 1},
      {wire::raw(wire::key::deliver), 1, 2},
      {wire::raw(wire::key::metadata_update), 1, 1},
      {wire::raw(wire::key::close), 1, 1},
      {wire::raw(wire::key::consumer_update), 1, 1},
  };
  wire::command_versions versions{.commands = {receivable}};
  step(c, conn_state::versions, wire::key::exchange_command_versions, versions,
       on_versions);
}

// ---- Open

void remember_advertised(conn *c, const wire::seq<wire::property> &properties) {
  wire::seq_iter<wire::property> it(properties);
  wire::property p;
  while (it.next(p)) {
    if (p.key == "advertised_host") {
      copy_text(c->advertised_host, sizeof c->advertised_host, p.value);
    } else if (p.key == "advertised_port") {
      char digits[8];
      copy_text(digits, sizeof digits, p.value);
      c->advertised_port = static_cast<uint16_t>(strtoul(digits, nullptr, 10));
    }
  }
}

void on_open(conn_request *request, int status, wire::bytes body) {
  conn *c = conn_of(request);
  if (!conn_step_succeeded(c, status, "Open of the virtual host")) return;
  wire::open_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) return malformed(c, "Open");
  remember_advertised(c, response.properties);
  exchange_versions(c);
}

// ---- SaslHandshake; the login is in conn_login.cpp

void on_mechanisms(conn_request *request, int status, wire::bytes body) {
  conn *c = conn_of(request);
  if (!conn_step_succeeded(c, status, "SaslHandshake")) return;
  wire::sasl_handshake_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) return malformed(c, "SaslHandshake");
  conn_login_start(c, response);
}

// ---- PeerProperties

void on_properties(conn_request *request, int status, wire::bytes body) {
  conn *c = conn_of(request);
  if (!conn_step_succeeded(c, status, "PeerProperties")) return;
  wire::peer_properties_response response;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, response)) return malformed(c, "PeerProperties");
  wire::seq_iter<wire::property> it(response.properties);
  wire::property p;
  while (it.next(p)) {
    if (p.key == "version")
      copy_text(c->broker_version, sizeof c->broker_version, p.value);
  }
  wire::sasl_handshake handshake;
  step(c, conn_state::mechanisms, wire::key::sasl_handshake, handshake, on_mechanisms);
}

}  // namespace

bool conn_step_succeeded(conn *c, int status, const char *what) {
  if (!conn_alive(c) || c->state == conn_state::closing) return false;
  if (status == 0) return true;
  uint16_t code = static_cast<uint16_t>(RSTREAM_EBROKER_BASE - status);
  conn_fail(c, status, "%s: %s (%u)", what, wire::response_name(code), unsigned{code});
  return false;
}

int conn_broker_release(const conn *c) {
  char *rest;
  long major = strtol(c->broker_version, &rest, 10);
  if (rest == c->broker_version || *rest != '.') return 0;
  long minor = strtol(rest + 1, &rest, 10);
  if (major < 0 || major > 99 || minor < 0 || minor > 99) return 0;
  return static_cast<int>(major * 100 + minor);
}

void conn_handshake_start(conn *c) {
  char name[300];
  snprintf(name, sizeof name, "%s %s", c->config->connection_name, c->purpose);
  const wire::property properties[] = {
      {"product", "rstream"},    {"version", RSTREAM_VERSION_TEXT},
      {"platform", "C"},         {"information", "Licensed under the MIT license"},
      {"connection_name", name},
  };
  wire::peer_properties request{.properties = {properties}};
  step(c, conn_state::properties, wire::key::peer_properties, request, on_properties);
}

// Tune comes by itself once the login succeeded; it and Open go out in one write.
void conn_handshake_tune(conn *c, wire::bytes body) {
  wire::tune offer;
  wire::reader r = wire::reader_of(body);
  if (!decode(r, offer)) return malformed(c, "SaslAuthenticate (Tune)");
  c->frame_max = wire::tune_negotiate(c->config->max_frame_bytes, offer.frame_max);
  // 0 asked for means off, whatever the broker would like: it adopts what we answer.
  c->heartbeat_s = c->config->heartbeat_s
                       ? wire::tune_negotiate(c->config->heartbeat_s, offer.heartbeat_s)
                       : 0;
  int rc = conn_send(c, wire::tune_response{c->frame_max, c->heartbeat_s});
  if (rc < 0) {
    conn_fail(c, rc, "can't send Tune");
    return;
  }
  wire::open request{.vhost = c->config->vhost};
  step(c, conn_state::open, wire::key::open, request, on_open);
}

}  // namespace rstream
