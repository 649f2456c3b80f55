#include "rstream/consumer.h"

#include "api/checks.h"
#include "api/options.h"
#include "client/consumer.h"

using namespace rstream;

namespace {

constexpr uint16_t default_credit = 10;
constexpr uint16_t most_credit = 32767;  // the protocol's number is signed
constexpr uint32_t default_sub_entry_bytes = 64u << 20;
constexpr uint32_t most_sub_entry_bytes = 1u << 30;
constexpr uint64_t default_chunk_decompressed_bytes = 1u << 30;

void set_defaults(rstream_consumer_options &o) {
  if (number_of(o.offset_type) == RSTREAM_OFFSET_DEFAULT)
    o.offset_type = RSTREAM_OFFSET_NEXT;
  default_to(o.initial_credit, default_credit);
  default_to(o.max_sub_entry_bytes, default_sub_entry_bytes);
  default_to(o.max_chunk_decompressed_bytes, default_chunk_decompressed_bytes);
}

int check_options(env *e, const rstream_consumer_options &o) {
  int rc = check_name(e, "the stream's name", o.stream);
  if (rc == 0) rc = check_optional_name(e, "the consumer's name", o.name);
  if (rc == 0) {
    rc = check_range(e, "offset_type", number_of(o.offset_type), RSTREAM_OFFSET_FIRST,
                     RSTREAM_OFFSET_TIMESTAMP);
  }
  if (rc == 0) rc = check_range(e, "initial_credit", o.initial_credit, 1, most_credit);
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
  return 0;
}

}  // namespace

void rstream_consumer_options_init_sized(rstream_consumer_options *options, size_t size) {
  sized_init(options, size);
}

int rstream_consumer_open(rstream_consumer **out, rstream_env *e,
                          const rstream_consumer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  rstream_consumer_options o;
  rstream_consumer_options_init(&o);
  if (!sized_read(o, options)) {
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  }
  set_defaults(o);
  rc = check_options(e, o);
  return rc < 0 ? rc : consumer_open(out, e, o);
}

int rstream_consumer_close(rstream_consumer *c, rstream_consumer_closed_cb on_closed) {
  return c ? consumer_close(c, on_closed) : RSTREAM_EINVAL;
}

int rstream_consumer_store_offset(rstream_consumer *c, uint64_t offset) {
  return c ? consumer_store_offset(c, offset) : RSTREAM_EINVAL;
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

void rstream_chunk_rewind(rstream_chunk *chunk) {
  if (chunk) chunk_handle_rewind(chunk);
}

void rstream_chunk_retain(rstream_chunk *chunk) {
  if (chunk) chunk->refs++;
}

void rstream_chunk_release(rstream_chunk *chunk) {
  if (chunk) chunk_handle_release(chunk);
}
