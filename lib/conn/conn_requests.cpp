// Requests and their answers. The broker handles the requests of a connection strictly in
// order, so the one answered next is nearly always the first in the list.
#include <cassert>
#include <cstring>

#include "conn/conn_internal.h"

namespace rstream {

namespace {

constexpr size_t correlation_id_at = wire::frame_size_bytes + wire::frame_header_bytes;

// Out of the list first: the callback may send the next request with the same struct, or
// free it.
void answer(conn_request &request, int status, wire::bytes body) {
  conn_request_cancel(request);
  request.on_response(&request, status, body);
}

void on_deadline(net_timer *timer) {
  conn_request *request = RSTREAM_OWNER(timer, conn_request, deadline);
  conn *c = request->owner;
  conn_pin pin(c);
  log_line(c->world->log, log_level::warn, "%s:%u did not answer %s within %u ms",
           c->host, c->port, wire::command_name(wire::raw(request->key)),
           c->config->request_timeout_ms);
  answer(*request, RSTREAM_ETIMEDOUT, {});
}

conn_request *find(conn *c, uint32_t correlation_id) {
  for (list_node *n = c->requests.next; n != &c->requests; n = n->next) {
    conn_request *request = RSTREAM_OWNER(n, conn_request, node);
    if (request->correlation_id == correlation_id) return request;
  }
  return nullptr;
}

// Metadata is the one answer without a code of its own: each stream has one.
int status_of(wire::key key, wire::bytes body, bool &malformed) {
  if (key == wire::key::metadata) return 0;
  wire::reader r = wire::reader_of(body);
  wire::response_frame response;
  malformed = !decode(r, response);
  return wire::is_ok(response.code) ? 0 : RSTREAM_EBROKER_BASE - response.code;
}

}  // namespace

void conn_request_begin(conn *c, conn_request &request, wire::key key) {
  assert(!request.owner && request.on_response);
  request.owner = c;
  request.key = key;
  request.correlation_id = c->next_correlation_id++;
  request.deadline.on_due = on_deadline;
  list_push_back(c->requests, request.node);
  // Close has the deadline of its state, the handshake that of connecting.
  if (&request != &c->handshake) {
    net_timer_start(*c->world, request.deadline, c->config->request_timeout_ms);
  }
}

void conn_request_cancel(conn_request &request) {
  if (!request.owner) return;
  list_remove(request.node);
  net_timer_stop(*request.owner->world, request.deadline);
  request.owner = nullptr;
}

int conn_request_send_frame(conn *c, conn_request &request, wire::key key,
                            wire::bytes frame) {
  uint8_t *at = send_queue_append(c->queue, static_cast<uint32_t>(frame.size()));
  if (!at) return RSTREAM_ENOMEM;
  memcpy(at, frame.data(), frame.size());
  conn_request_begin(c, request, key);
  wire::store_u32be(at + correlation_id_at, request.correlation_id);
  conn_flush_later(c);
  return 0;
}

void conn_requests_fail(conn *c, int reason) {
  while (!list_empty(c->requests)) {
    answer(*RSTREAM_OWNER(c->requests.next, conn_request, node), reason, {});
  }
}

bool conn_requests_answer(conn *c, wire::key key, wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  conn_request *request = find(c, r.u32());
  if (r.failed || !request || request->key != key) return false;
  bool malformed = false;
  int status = status_of(key, body, malformed);
  if (malformed) {
    conn_fail(c, RSTREAM_EPROTO, "malformed answer to %s",
              wire::command_name(wire::raw(key)));
    return true;
  }
  answer(*request, status, body);
  return true;
}

}  // namespace rstream
