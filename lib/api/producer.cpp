#include "rstream/producer.h"

#include "api/checks.h"
#include "api/options.h"
#include "client/producer.h"

using namespace rstream;

namespace {

constexpr uint32_t default_messages_in_flight = 10000;
constexpr uint32_t most_messages_in_flight = 1u << 24;
constexpr uint64_t default_bytes_in_flight = 64u << 20;
constexpr uint32_t smallest_batch_bytes = 256;
constexpr uint32_t largest_batch_bytes = 4u << 20;
constexpr uint32_t most_linger_ms = 60000;
constexpr uint32_t default_close_timeout_ms = 30000;

void set_defaults(rstream_producer_options &o) {
  default_to(o.max_messages_in_flight, default_messages_in_flight);
  default_to(o.max_bytes_in_flight, default_bytes_in_flight);
  default_to(o.max_batch_messages, UINT32_MAX);
  default_to(o.close_timeout_ms, default_close_timeout_ms);
}

int check_options(env *e, const rstream_producer_options &o) {
  int rc = check_name(e, "the stream's name", o.stream);
  if (rc == 0) rc = check_optional_name(e, "the producer's name", o.name);
  if (rc == 0) {
    rc = check_range(e, "max_messages_in_flight", o.max_messages_in_flight, 1,
                     most_messages_in_flight);
  }
  if (rc == 0 && o.max_batch_bytes) {
    rc = check_range(e, "max_batch_bytes", o.max_batch_bytes, smallest_batch_bytes,
                     largest_batch_bytes);
  }
  if (rc == 0) rc = check_range(e, "linger_ms", o.linger_ms, 0, most_linger_ms);
  return rc;
}

// Kept out of the way of the usual case.
[[gnu::noinline]] int send_slow(producer *p, const void *body, size_t body_size,
                                uint64_t *id) {
  if (!p || (!body && body_size)) return RSTREAM_EINVAL;
  int rc = producer_send_slow(p, body, body_size, id);
  if (rc != RSTREAM_EMSGSIZE) return rc;
  return env_error(p->env, rc, "a message of %zu bytes does not fit a frame of %u bytes",
                   body_size, p->frame_limit);
}

}  // namespace

void rstream_producer_options_init_sized(rstream_producer_options *options, size_t size) {
  sized_init(options, size);
}

void rstream_message_init_sized(rstream_message *message, size_t size) {
  sized_init(message, size);
}

int rstream_producer_open(rstream_producer **out, rstream_env *e,
                          const rstream_producer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  rstream_producer_options o;
  rstream_producer_options_init(&o);
  if (!sized_read(o, options)) {
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  }
  set_defaults(o);
  rc = check_options(e, o);
  return rc < 0 ? rc : producer_open(out, e, o);
}

int rstream_producer_send_bytes(rstream_producer *p, const void *body, size_t body_size,
                                uint64_t *id) {
  bool valid = p && (body || !body_size);
  if (valid && producer_send_fast(p, body, body_size, id)) return 0;
  return send_slow(p, body, body_size, id);
}

int rstream_producer_send(rstream_producer *p, const rstream_message *message,
                          uint64_t *id) {
  rstream_message m;
  rstream_message_init(&m);
  if (!sized_read(m, message)) return RSTREAM_EINVAL;
  return rstream_producer_send_bytes(p, m.body, m.body_size, id);
}

int rstream_producer_flush(rstream_producer *p, rstream_flushed_cb on_flushed,
                           void *user) {
  return p ? producer_flush(p, on_flushed, user) : RSTREAM_EINVAL;
}

int rstream_producer_close(rstream_producer *p, rstream_producer_closed_cb on_closed) {
  if (!p) return RSTREAM_EINVAL;
  if (p->closing) return RSTREAM_ECLOSED;
  return producer_close(p, p->options.close_timeout_ms, on_closed);
}

int rstream_producer_close_within(rstream_producer *p, uint32_t timeout_ms,
                                  rstream_producer_closed_cb on_closed) {
  return p ? producer_close(p, timeout_ms, on_closed) : RSTREAM_EINVAL;
}

rstream_handle_state rstream_producer_state(const rstream_producer *p) {
  return p ? producer_state(p) : RSTREAM_STATE_CLOSED;
}

rstream_env *rstream_producer_env(const rstream_producer *p) {
  return p ? p->env : nullptr;
}
void *rstream_producer_user(const rstream_producer *p) {
  return p ? p->options.user : nullptr;
}
const char *rstream_producer_stream(const rstream_producer *p) {
  return p ? p->stream : "";
}
uint64_t rstream_producer_id_base(const rstream_producer *p) {
  return p ? p->id_base : 0;
}

int rstream_producer_stats_get(const rstream_producer *p, rstream_producer_stats *stats) {
  if (!p) return RSTREAM_EINVAL;
  rstream_producer_stats filled{};
  filled.messages_sent = p->next_id - 1;
  filled.messages_confirmed = p->messages_confirmed;
  filled.messages_failed = p->messages_failed;
  filled.messages_in_flight = producer_in_flight(p);
  filled.bytes_in_flight = p->bytes_in_flight;
  filled.frames_sent = p->frames_sent;
  filled.unknown_confirms = p->unknown_confirms;
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}
