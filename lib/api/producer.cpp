#include "rstream/producer.h"

#include "api/checks.h"
#include "api/handle_options.h"
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
constexpr uint32_t default_confirm_timeout_ms = 30000;
constexpr uint32_t most_confirm_timeout_ms = 24u * 3600 * 1000;

void set_defaults(rstream_producer_options &o) {
  default_to(o.max_messages_in_flight, default_messages_in_flight);
  default_to(o.max_bytes_in_flight, default_bytes_in_flight);
  default_to(o.max_batch_messages, UINT32_MAX);
  default_to(o.close_timeout_ms, default_close_timeout_ms);
  default_to(o.confirm_timeout_ms, default_confirm_timeout_ms);
}

int check_sub_entries(env *e, const rstream_producer_options &o) {
  int rc = check_range(e, "sub_entry_messages", o.sub_entry_messages, 0,
                       most_sub_entry_messages);
  if (rc == 0) rc = check_compression(e, o.compression);
  if (rc < 0) return rc;
  if (o.sub_entry_messages > 1 && o.on_filter_value)
    return env_error(e, RSTREAM_EINVAL, "sub-entries can't have filter values");
  if (o.sub_entry_messages <= 1 && o.compression)
    return env_error(e, RSTREAM_EINVAL, "compression needs sub_entry_messages");
  return 0;
}

int check_options(env *e, const rstream_producer_options &o) {
  int rc = check_optional_name(e, "the producer's name", o.name);
  if (rc == 0) {
    rc = check_range(e, "max_messages_in_flight", o.max_messages_in_flight, 1,
                     most_messages_in_flight);
  }
  if (rc == 0 && o.max_batch_bytes) {
    rc = check_range(e, "max_batch_bytes", o.max_batch_bytes, smallest_batch_bytes,
                     largest_batch_bytes);
  }
  if (rc == 0) rc = check_range(e, "linger_ms", o.linger_ms, 0, most_linger_ms);
  if (rc == 0) {
    rc = check_range(e, "confirm_timeout_ms", o.confirm_timeout_ms, 1,
                     most_confirm_timeout_ms);
  }
  if (rc == 0) {
    rc = check_range(e, "codec", number_of(o.codec), RSTREAM_CODEC_RAW,
                     RSTREAM_CODEC_AMQP);
  }
  if (rc == 0) rc = check_recovery(e, o.recovery);
  if (rc == 0) {
    rc = check_range(e, "unconfirmed", number_of(o.unconfirmed),
                     RSTREAM_UNCONFIRMED_RESEND, RSTREAM_UNCONFIRMED_FAIL);
  }
  if (rc == 0 && o.ids_given && !o.name)
    rc = env_error(e, RSTREAM_EINVAL, "ids_given needs a name");
  return rc < 0 ? rc : check_sub_entries(e, o);
}

int send_one(producer *p, const rstream_message &m, uint64_t *id) {
  if (message_is_bare(m)) return producer_send_bare(p, m.body, m.body_size, id);
  return producer_send(p, m, id);
}

}  // namespace

void rstream_producer_options_init_sized(rstream_producer_options *options, size_t size) {
  sized_init(options, size);
}

void rstream_message_init_sized(rstream_message *message, size_t size) {
  sized_init(message, size);
}

int rstream::producer_options_read(env *e, const rstream_producer_options *from,
                                   rstream_producer_options &o) {
  rstream_producer_options_init(&o);
  if (!sized_read(o, from))
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  set_defaults(o);
  return check_options(e, o);
}

int rstream_producer_open(rstream_producer **out, rstream_env *e,
                          const rstream_producer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  rstream_producer_options o;
  int rc = check_open(e);
  if (rc == 0) rc = producer_options_read(e, options, o);
  if (rc == 0) rc = check_name(e, "the stream's name", o.stream);
  return rc < 0 ? rc : producer_open(out, e, o);
}

int rstream_producer_send_bytes(rstream_producer *p, const void *body, size_t body_size,
                                uint64_t *id) {
  if (!p) return RSTREAM_EINVAL;
  if (!body && body_size) return producer_send_elsewhere(p, body, body_size, id);
  return producer_send_bare(p, body, body_size, id);
}

int rstream_producer_send(rstream_producer *p, const rstream_message *message,
                          uint64_t *id) {
  message_storage s;
  if (!p || !message) return RSTREAM_EINVAL;
  const rstream_message *m = message_whole(s, message, message->struct_size);
  return m ? send_one(p, *m, id) : RSTREAM_EINVAL;
}

int rstream_producer_send_many(rstream_producer *p, const rstream_message *messages,
                               size_t count, uint64_t *first_id) {
  message_array array{};
  if (p && count == 0) return 0;
  if (!p || count > INT32_MAX || !message_array_of(messages, count, array))
    return RSTREAM_EINVAL;
  uint64_t id = 0;
  for (size_t i = 0; i < count; i++) {
    message_storage s;
    const rstream_message *m = message_at(array, i, s);
    int rc = m ? send_one(p, *m, &id) : RSTREAM_EINVAL;
    if (rc < 0) return i > 0 ? static_cast<int>(i) : rc;
    if (i == 0 && first_id) *first_id = id;
  }
  return static_cast<int>(count);
}

int rstream_producer_send_sub_entry(rstream_producer *p, const rstream_message *messages,
                                    size_t count, rstream_compression compression,
                                    uint64_t *first_id) {
  message_array array{};
  if (!p || !message_array_of(messages, count, array)) return RSTREAM_EINVAL;
  int rc = check_sub_entry(p->env, count, compression);
  return rc < 0 ? rc
                : producer_send_sub_entry(p, array, static_cast<uint8_t>(compression),
                                          first_id);
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

int rstream_producer_reconnect(rstream_producer *p) {
  return p ? producer_reconnect(p) : RSTREAM_EINVAL;
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
uint64_t rstream_producer_stored_sequence(const rstream_producer *p) {
  return p ? p->stored_sequence : 0;
}

int rstream_producer_stats_get(const rstream_producer *p, rstream_producer_stats *stats) {
  if (!p) return RSTREAM_EINVAL;
  rstream_producer_stats filled{};
  producer_stats(p, filled);
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}
