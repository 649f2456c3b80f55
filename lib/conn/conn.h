#pragma once

// One connection to one broker: it resolves, connects, shakes hands, keeps the connection
// alive, matches answers to requests, and closes in order. It knows nothing about
// streams, producers or consumers; their frames are handed to its owner.

#include <array>
#include <cstdint>

#include "net/dial.h"
#include "net/frame_reader.h"
#include "net/net.h"
#include "net/send_queue.h"
#include "net/tls.h"
#include "rstream/error.h"
#include "util/list.h"
#include "util/slab.h"
#include "wire/command.h"
#include "wire/consume.h"
#include "wire/handshake.h"
#include "wire/publish.h"
#include "wire/topology.h"

namespace rstream {

struct conn;

// In the order they are passed through.
enum class conn_state : uint8_t {
  idle,
  resolving,
  connecting,  // to whichever address answers first, and shaking hands for TLS
  properties,  // PeerProperties sent
  mechanisms,  // SaslHandshake sent
  sasl,        // SaslAuthenticate sent
  tune,        // waiting for the broker's Tune
  open,        // Tune answered, Open sent
  versions,    // ExchangeCommandVersions sent
  ready,
  closing,  // Close sent
  closed
};

const char *conn_state_name(conn_state state);

// One step of a login.
struct conn_login {
  const char *host;
  uint16_t port;
  bool renewal;           // of a connection that is ready
  uint32_t step;          // 0, then one more for each challenge
  wire::bytes challenge;  // of the broker
};

// How to log in.
struct conn_auth {
  const char *mechanism;  // of SASL
  // Writes what the client has to say. Bytes, or a negative code.
  ptrdiff_t (*respond)(void *arg, const conn_login &login, std::span<uint8_t> to);
  void *arg;
};

// What a connection is made with. Borrowed: must outlive the connection.
struct conn_config {
  conn_auth auth;
  uint64_t secret;  // grows with each new one that `auth` has; see conn_renew_login()
  const char *vhost;
  const char *connection_name;
  uint32_t connect_timeout_ms;  // from the look-up of the name until it is ready
  uint32_t request_timeout_ms;
  uint32_t heartbeat_s;  // 0: off
  uint32_t max_frame_bytes;
  uint32_t max_deliver_bytes;
  tls_config *tls;  // nullptr: plain text
};

// How long an orderly Close waits for its answer. Nothing can be lost by cutting it
// short: what matters was answered before Close is sent.
constexpr uint32_t conn_close_timeout_ms = 1000;

// The largest frame a broker may send before the connection is open. Brokers hold clients
// to the same number.
constexpr uint32_t conn_handshake_frame_bytes = 8192;

// A request that waits for its answer: a member of whatever asks. Exactly one call of
// on_response follows a request that was sent, unless it is cancelled.
struct conn_request {
  // status: 0, the broker's refusal, or why there is no answer. `body` is what follows
  // the frame's version, from the correlation id on; empty when there is no answer.
  void (*on_response)(conn_request *request, int status, wire::bytes body) = nullptr;
  conn *owner = nullptr;  // nullptr when idle
  list_node node;
  net_timer deadline;
  uint32_t correlation_id = 0;
  wire::key key{};
};

// A Deliver frame on its way, with all of its chunk that has arrived and was not taken.
struct deliver_piece {
  wire::deliver frame;
  uint32_t left;  // bytes of the chunk from there to its end, arrived or not
  bool is_first;  // nothing was taken yet
};

// What was done with a piece: so many bytes of it are not needed any more. What is left
// comes again, once there are `wanted` bytes.
struct piece_taken {
  uint32_t bytes;
  uint32_t wanted;
};

// Told to the owner. All but on_closed may come several times; none after on_closed.
struct conn_events {
  void (*on_ready)(conn *c);
  // The last one; requests have been answered by then. `c` is gone when it returns.
  // `text` is never nullptr; the reason is 0 after an orderly close by conn_close().
  void (*on_closed)(conn *c, int reason, const char *text);
  void (*on_confirm)(conn *c, const wire::publish_confirm &frame);
  void (*on_publish_error)(conn *c, const wire::publish_error &frame);
  // slab_ref(owner) keeps the frame's bytes.
  void (*on_deliver)(conn *c, const wire::deliver &frame, slab *owner);
  void (*on_credit_error)(conn *c, const wire::credit_error &frame);
  void (*on_metadata_update)(conn *c, const wire::metadata_update &frame);
  void (*on_consumer_update)(conn *c, const wire::consumer_update &frame);
  // conn_is_full() is not true any more. nullptr: not wanted.
  void (*on_drained)(conn *c) = nullptr;
  // conn_renew_login() came to its end. nullptr: not wanted.
  void (*on_renewed)(conn *c, int status, const char *text) = nullptr;
  // Whether a Deliver frame comes in pieces; see conn_expect_pieces(). From then on all
  // of it does.
  bool (*wants_pieces)(conn *c, uint8_t subscription_id, uint32_t chunk_bytes) = nullptr;
  piece_taken (*on_deliver_piece)(conn *c, const deliver_piece &piece) = nullptr;
};

struct conn_counters {
  uint64_t frames_received = 0;
  uint64_t frames_ignored = 0;  // unknown keys, ids and correlation ids
};

struct conn {
  net *world = nullptr;
  slab_pool *pool = nullptr;
  const conn_config *config = nullptr;
  const conn_events *events = nullptr;
  void *owner = nullptr;
  conn_counters *counters = nullptr;
  const char *purpose = "";  // shown by the broker behind the connection's name

  conn_state state = conn_state::idle;
  uint32_t pins = 0;   // being worked on: must not be freed yet
  bool freed = false;  // free it when the last pin goes
  uint16_t port = 0;
  char host[256] = {};
  char name[256] = {};  // that the certificate is for

  resolve_request resolving;
  dial dialling;
  transport *link = nullptr;  // once connected

  frame_reader reader;
  wire::deliver in_pieces;  // the frame that comes in pieces, but for its chunk
  bool is_first_piece = false;
  send_queue queue;
  net_task flush_task;
  net_timer state_timer;  // the deadline of the state at hand
  net_timer heartbeat_timer;
  uint64_t last_read_ms = 0;
  uint64_t last_written_ms = 0;

  list requests;  // in the order they were sent, which is the order of their answers
  uint32_t next_correlation_id = 1;
  conn_request handshake;

  conn_request renewal;  // a login when ready
  net_task renewal_task;
  uint32_t login_step = 0;
  uint64_t login_secret = 0;  // config->secret when it logged in last

  // Negotiated or told by the broker.
  uint32_t frame_max = 0;  // of what we send; 0: no limit
  uint32_t heartbeat_s = 0;
  std::array<uint16_t, wire::last_key + 1> max_version = {};  // 0: the broker lacks it
  char broker_version[32] = {};
  char advertised_host[256] = {};
  uint16_t advertised_port = 0;

  int close_reason = 0;  // filled when it fails, told once
  char close_text[256] = {};
};

// Whom to connect to.
struct conn_target {
  const char *host;
  uint16_t port;
  const char *name;  // that its certificate is for
};

// Starts connecting. `purpose` is static text, shown by the broker. Errors:
// RSTREAM_ENOMEM, RSTREAM_EINVAL; *c is nullptr then.
[[nodiscard]] int conn_open(conn **c, net &world, slab_pool &pool,
                            const conn_config &config, const conn_target &target,
                            const char *purpose, const conn_events &events, void *owner,
                            conn_counters &counters);

// Closes in order once ready, else at once. on_closed follows, never from inside this
// call.
void conn_close(conn *c);

// config->secret has grown: logs in again, now or once ready, unless the login has yet to
// begin. on_renewed follows, never from inside this call, unless the connection ends.
void conn_renew_login(conn *c);
// Whether nothing more comes of the secrets up to this one.
inline bool conn_has_secret(const conn *c, uint64_t secret) {
  return c->state < conn_state::sasl || c->state >= conn_state::closing ||
         (c->login_secret >= secret && !c->renewal.owner);
}

// Gives up at once, from inside callbacks of this connection too: requests are answered
// with `reason`, then on_closed comes, from inside this call.
[[gnu::format(printf, 3, 4)]] void conn_fail(conn *c, int reason, const char *format,
                                             ...);

// Whether the broker takes `version` of a command.
inline bool conn_supports(const conn *c, wire::key key, uint16_t version = 1) {
  return c->max_version[wire::raw(key)] >= version;
}

// The largest frame we may send, in bytes after the size field.
inline uint32_t conn_frame_limit(const conn *c) {
  return c->frame_max ? c->frame_max : UINT32_MAX / 4;
}

// More than this is not queued for a broker that does not read: the rest stays with the
// producers, bounded by their windows, and given up there when its time is over. Enough
// for several writes.
constexpr uint64_t conn_backlog_bytes = 1u << 20;

inline bool conn_is_full(const conn *c) {
  return c->queue.blocked && c->queue.bytes >= conn_backlog_bytes;
}

// Deliver frames with chunks of at least so many bytes are asked about from here on.
// Calling again can only lower it.
void conn_expect_pieces(conn *c, uint32_t chunk_bytes);

// Writes what is queued at the end of this turn.
inline void conn_flush_later(conn *c) {
  net_task_queue(*c->world, c->flush_task, task_stage::write);
}

// Queues a slice of a slab as it is: a batch. RSTREAM_ENOMEM.
[[nodiscard]] int conn_send_slice(conn *c, slab *owner, const uint8_t *data,
                                  uint32_t size);

// Queues a small frame. RSTREAM_ENOMEM, or RSTREAM_EINVAL when it can't be encoded.
template <class X>
[[nodiscard]] int conn_send(conn *c, const X &x) {
  size_t size = wire::encoded_size(x);
  if (size == 0) return RSTREAM_EINVAL;
  uint8_t *at = send_queue_append(c->queue, static_cast<uint32_t>(size));
  if (!at) return RSTREAM_ENOMEM;
  wire::writer w = wire::writer_of({at, size});
  encode(w, x);
  conn_flush_later(c);
  return 0;
}

// Books a request before its frame is queued; sets its correlation id.
void conn_request_begin(conn *c, conn_request &request, wire::key key);
// The answer won't be told any more. Harmless when idle.
void conn_request_cancel(conn_request &request);

// Sends a request; request.on_response must be set. RSTREAM_ENOMEM, RSTREAM_EINVAL: then
// nothing follows.
template <class X>
[[nodiscard]] int conn_request_send(conn *c, conn_request &request, wire::key key, X &x) {
  conn_request_begin(c, request, key);
  x.correlation_id = request.correlation_id;
  int rc = conn_send(c, x);
  if (rc < 0) conn_request_cancel(request);
  return rc;
}

// The same for a frame encoded earlier, with room for the correlation id.
[[nodiscard]] int conn_request_send_frame(conn *c, conn_request &request, wire::key key,
                                          wire::bytes frame);

}  // namespace rstream
