#include "rstream/consumer.h"

#include "api/checks.h"
#include "api/handle_options.h"
#include "api/options.h"
#include "client/consumer.h"

using namespace rstream;

namespace {

constexpr uint16_t default_credit = 10;
constexpr uint16_t most_credit = 32767;  // the protocol's number is signed
constexpr uint32_t default_store_every = 10000;
constexpr uint32_t default_store_interval_ms = 5000;
constexpr uint32_t default_update_timeout_ms = 20000;
constexpr uint32_t most_update_timeout_ms = 50000;  // the broker waits for 60 s
constexpr uint32_t most_interval_ms = 24u * 3600 * 1000;
constexpr size_t most_filter_values = 255;
constexpr uint32_t default_sub_entry_bytes = 64u << 20;
constexpr uint32_t most_sub_entry_bytes = 1u << 30;
constexpr uint64_t default_chunk_decompressed_bytes = 1u << 30;

void set_defaults(rstream_consumer_options &o) {
  if (number_of(o.offset_type) == RSTREAM_OFFSET_DEFAULT)
    o.offset_type = RSTREAM_OFFSET_NEXT;
  default_to(o.initial_credit, default_credit);
  default_to(o.store_every_messages, default_store_every);
  default_to(o.store_interval_ms, default_store_interval_ms);
  default_to(o.update_timeout_ms, default_update_timeout_ms);
  default_to(o.credit_every, uint16_t{1});
  bool tracks = o.name || o.on_store_offset;
  default_to(o.tracking, tracks ? RSTREAM_TRACKING_AUTOMATIC : RSTREAM_TRACKING_NONE);
  default_to(o.max_sub_entry_bytes, default_sub_entry_bytes);
  default_to(o.max_chunk_decompressed_bytes, default_chunk_decompressed_bytes);
}

int check_tracking(env *e, const rstream_consumer_options &o) {
  int rc = check_range(e, "tracking", number_of(o.tracking), RSTREAM_TRACKING_NONE,
                       RSTREAM_TRACKING_MANUAL);
  if (rc == 0) {
    rc = check_range(e, "store_interval_ms", o.store_interval_ms, 1, most_interval_ms);
  }
  if (rc == 0) {
    rc = check_range(e, "update_timeout_ms", o.update_timeout_ms, 1,
                     most_update_timeout_ms);
  }
  if (rc < 0) return rc;
  bool needs_name = o.tracking != RSTREAM_TRACKING_NONE && !o.on_store_offset;
  if (needs_name && !o.name)
    return env_error(e, RSTREAM_EINVAL, "tracking offsets needs a name");
  if (o.single_active && !o.name)
    return env_error(e, RSTREAM_EINVAL, "a single active consumer needs a name");
  return 0;
}

int check_filters(env *e, const rstream_consumer_options &o) {
  int rc =
      check_range(e, "filter_value_count", o.filter_value_count, 0, most_filter_values);
  if (rc == 0 && o.filter_value_count && !o.filter_values)
    rc = env_error(e, RSTREAM_EINVAL, "the filter values are missing");
  for (size_t i = 0; rc == 0 && i < o.filter_value_count; i++)
    rc = check_name(e, "a filter value", o.filter_values[i]);
  return rc;
}

int check_flow(env *e, const rstream_consumer_options &o) {
  int rc = check_range(e, "credit_policy", number_of(o.credit_policy),
                       RSTREAM_CREDIT_ON_FINISH, RSTREAM_CREDIT_MANUAL);
  if (rc == 0) rc = check_range(e, "credit_every", o.credit_every, 1, o.initial_credit);
  if (rc == 0) {
    rc = check_range(e, "bad_chunk", number_of(o.bad_chunk),
                     RSTREAM_BAD_CHUNK_RESUBSCRIBE, RSTREAM_BAD_CHUNK_END);
  }
  return rc;
}

int check_options(env *e, const rstream_consumer_options &o) {
  int rc = check_optional_name(e, "the consumer's name", o.name);
  if (rc == 0) {
    rc = check_range(e, "offset_type", number_of(o.offset_type), RSTREAM_OFFSET_FIRST,
                     RSTREAM_OFFSET_TIMESTAMP);
  }
  if (rc == 0) rc = check_range(e, "initial_credit", o.initial_credit, 1, most_credit);
  if (rc == 0) rc = check_tracking(e, o);
  if (rc == 0) rc = check_filters(e, o);
  if (rc == 0) rc = check_flow(e, o);
  if (rc == 0) rc = check_recovery(e, o.recovery);
  if (rc == 0) {
    rc = check_range(e, "codec", number_of(o.codec), RSTREAM_CODEC_RAW,
                     RSTREAM_CODEC_AMQP);
  }
  if (rc == 0) {
    rc = check_range(e, "max_sub_entry_bytes", o.max_sub_entry_bytes, 1,
                     most_sub_entry_bytes);
  }
  if (rc < 0) return rc;
  if (!o.on_chunk == !o.on_message) {
    return env_error(e, RSTREAM_EINVAL,
                     "exactly one of on_chunk and on_message is needed");
  }
  if (o.streaming_min_bytes > 0 && !o.on_message) {
    return env_error(e, RSTREAM_EINVAL,
                     "streaming_min_bytes needs on_message: a chunk that is handed out "
                     "while it arrives is never there as a whole");
  }
  return 0;
}

}  // namespace

void rstream_consumer_options_init_sized(rstream_consumer_options *options, size_t size) {
  sized_init(options, size);
}

int rstream::consumer_options_read(env *e, const rstream_consumer_options *from,
                                   rstream_consumer_options &o) {
  rstream_consumer_options_init(&o);
  if (!sized_read(o, from))
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  set_defaults(o);
  return check_options(e, o);
}

int rstream_consumer_open(rstream_consumer **out, rstream_env *e,
                          const rstream_consumer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  rstream_consumer_options o;
  int rc = check_open(e);
  if (rc == 0) rc = consumer_options_read(e, options, o);
  if (rc == 0) rc = check_name(e, "the stream's name", o.stream);
  return rc < 0 ? rc : consumer_open(out, e, o);
}

int rstream_consumer_close(rstream_consumer *c, rstream_consumer_closed_cb on_closed) {
  if (!c) return RSTREAM_EINVAL;
  if (c->partition)
    return env_error(c->env, RSTREAM_EINVAL,
                     "the consumer of a partition is closed by its super consumer");
  return consumer_close(c, on_closed);
}

int rstream_consumer_store_offset(rstream_consumer *c, uint64_t offset) {
  return c ? consumer_store_offset(c, offset) : RSTREAM_EINVAL;
}

int rstream_consumer_query_offset(rstream_consumer *c,
                                  rstream_consumer_offset_cb on_result, void *user) {
  if (!c || !on_result) return RSTREAM_EINVAL;
  return consumer_query_offset(c, on_result, user);
}

int rstream_consumer_update_done(rstream_consumer *c, rstream_offset_type type,
                                 uint64_t value) {
  if (!c) return RSTREAM_EINVAL;
  int rc = check_range(c->env, "type", number_of(type), RSTREAM_OFFSET_DEFAULT,
                       RSTREAM_OFFSET_TIMESTAMP);
  if (rc < 0) return rc;
  // The numbers are those of the protocol.
  wire::offset_spec spec{static_cast<uint16_t>(number_of(type)), value};
  return consumer_update_done(c, type == RSTREAM_OFFSET_DEFAULT ? nullptr : &spec);
}

rstream_activity rstream_consumer_activity(const rstream_consumer *c) {
  return c ? consumer_activity(c) : RSTREAM_ACTIVITY_NONE;
}

int rstream_consumer_pause(rstream_consumer *c) {
  return c ? consumer_pause(c) : RSTREAM_EINVAL;
}

int rstream_consumer_resume(rstream_consumer *c) {
  return c ? consumer_resume(c) : RSTREAM_EINVAL;
}

int rstream_consumer_grant_credit(rstream_consumer *c, uint16_t chunks) {
  if (!c) return RSTREAM_EINVAL;
  int rc = check_range(c->env, "chunks", chunks, 1, most_credit);
  return rc < 0 ? rc : consumer_grant_credit(c, chunks);
}

int rstream_consumer_reconnect(rstream_consumer *c) {
  return c ? consumer_reconnect(c) : RSTREAM_EINVAL;
}

rstream_handle_state rstream_consumer_state(const rstream_consumer *c) {
  return c ? consumer_state(c) : RSTREAM_STATE_CLOSED;
}

rstream_env *rstream_consumer_env(const rstream_consumer *c) {
  return c ? c->env : nullptr;
}
void *rstream_consumer_user(const rstream_consumer *c) {
  return c ? c->options.user : nullptr;
}
const char *rstream_consumer_stream(const rstream_consumer *c) {
  return c ? c->stream : "";
}

int rstream_consumer_stats_get(const rstream_consumer *c, rstream_consumer_stats *stats) {
  if (!c) return RSTREAM_EINVAL;
  rstream_consumer_stats filled = c->stats;
  if (filled.committed_chunk_id > filled.next_offset)
    filled.messages_behind = filled.committed_chunk_id - filled.next_offset;
  filled.has_finished = c->tracker.has_finished;
  filled.finished_offset = c->tracker.finished_end;
  filled.has_stored = c->tracker.has_stored;
  filled.stored_offset = c->tracker.stored;
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}

int rstream_chunk_info_get(const rstream_chunk *chunk, rstream_chunk_info *info) {
  if (!chunk) return RSTREAM_EINVAL;
  rstream_chunk_info filled{};
  filled.first_offset = chunk->header.first_offset;
  filled.message_count = chunk->header.record_count;
  filled.entry_count = chunk->header.entry_count;
  filled.timestamp_ms = chunk->header.timestamp_ms;
  filled.epoch = chunk->header.epoch;
  filled.committed_offset = chunk->committed_offset;
  filled.size_bytes = chunk->header.data_bytes;
  return sized_write(info, filled) ? 0 : RSTREAM_EINVAL;
}

const rstream_message_view *rstream_chunk_next(rstream_chunk *chunk) {
  return chunk ? chunk_handle_next(chunk) : nullptr;
}

size_t rstream_chunk_read(rstream_chunk *chunk, const uint8_t **bodies,
                          size_t *body_sizes, uint64_t *offsets, size_t most) {
  return chunk ? chunk_handle_read(chunk, bodies, body_sizes, offsets, most) : 0;
}

void rstream_chunk_rewind(rstream_chunk *chunk) {
  if (chunk) chunk_handle_rewind(chunk);
}

void rstream_chunk_retain(rstream_chunk *chunk) {
  if (chunk) chunk->refs++;
}

void rstream_chunk_release(rstream_chunk *chunk) {
  if (chunk) chunk_handle_release(chunk);
}
