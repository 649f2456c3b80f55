#include "rstream/super_producer.h"

#include "api/checks.h"
#include "api/handle_options.h"
#include "api/options.h"
#include "api/routing_key.h"

using namespace rstream;

namespace {

constexpr uint32_t default_refresh_ms = 60000;
constexpr uint32_t least_refresh_ms = 1000;
constexpr uint32_t most_refresh_ms = 24u * 3600 * 1000;
constexpr uint32_t default_routes = 10000;
constexpr uint32_t most_routes = 1u << 24;

void set_defaults(rstream_super_producer_options &o) {
  default_to(o.refresh_interval_ms, default_refresh_ms);
  default_to(o.max_routes, default_routes);
}

int check_options(env *e, const rstream_super_producer_options &o) {
  int rc = check_name(e, "the super stream's name", o.super_stream);
  if (rc == 0) {
    rc = check_range(e, "routing", number_of(o.routing), RSTREAM_ROUTING_HASH,
                     RSTREAM_ROUTING_PYTHON_HASH);
  }
  if (rc == 0) {
    rc = check_range(e, "refresh_interval_ms", o.refresh_interval_ms, least_refresh_ms,
                     most_refresh_ms);
  }
  return rc < 0 ? rc : check_range(e, "max_routes", o.max_routes, 1, most_routes);
}

int read_of_partitions(env *e, const rstream_producer_options *from,
                       rstream_producer_options &o) {
  rstream_producer_options defaults;
  rstream_producer_options_init(&defaults);
  int rc = producer_options_read(e, from ? from : &defaults, o);
  if (rc < 0) return rc;
  if (o.stream || o.on_confirm || o.on_writable || o.on_state) {
    return env_error(e, RSTREAM_EINVAL,
                     "the producer options of a super producer have neither a stream nor "
                     "callbacks but on_filter_value");
  }
  // There is no handle to tell it to.
  if (o.recovery == RSTREAM_RECOVERY_MANUAL)
    return env_error(e, RSTREAM_EINVAL, "partitions can't be recovered by hand");
  return 0;
}

// Out of line, so that the usual case has nothing to save.
[[gnu::noinline]] int send_any_body(super_producer *s, const void *body, size_t body_size,
                                    const char *routing_key, size_t routing_key_size,
                                    uint64_t *id) {
  if (!s) return RSTREAM_EINVAL;
  std::string_view key;
  int rc = routing_key_of(s, routing_key, routing_key_size, key);
  return rc < 0 ? rc : super_send_body(s, body, body_size, key, id);
}

// The keys of rstream_super_producer_send_many().
struct key_array {
  const char *const *keys;
  const size_t *sizes;
};

int key_at(super_producer *s, const key_array &all, size_t i, std::string_view &key) {
  const char *text = all.keys ? all.keys[i] : nullptr;
  size_t size = all.sizes && text ? all.sizes[i] : 0;
  if (text && !all.sizes) size = strlen(text);
  return routing_key_of(s, text, size, key);
}

int send_one(super_producer *s, const rstream_message &m, std::string_view key,
             uint64_t *id) {
  if (message_is_bare(m) && key.data())
    return super_send_bare(s, m.body, m.body_size, key, id);
  return super_send(s, m, key, id);
}

}  // namespace

void rstream_super_producer_options_init_sized(rstream_super_producer_options *options,
                                               size_t size) {
  sized_init(options, size);
}

int rstream_super_producer_open(rstream_super_producer **out, rstream_env *e,
                                const rstream_super_producer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  rstream_super_producer_options o;
  rstream_super_producer_options_init(&o);
  if (!sized_read(o, options)) {
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  }
  set_defaults(o);
  rstream_producer_options of_partitions;
  rc = check_options(e, o);
  if (rc == 0) rc = read_of_partitions(e, o.producer, of_partitions);
  return rc < 0 ? rc : super_producer_open(out, e, o, of_partitions);
}

int rstream_super_producer_send(rstream_super_producer *s, const rstream_message *message,
                                const char *routing_key, size_t routing_key_size,
                                uint64_t *id) {
  if (!s || !message) return RSTREAM_EINVAL;
  message_storage storage;
  const rstream_message *m = message_whole(storage, message, message->struct_size);
  if (!m) return RSTREAM_EINVAL;
  std::string_view key;
  int rc = routing_key_of(s, routing_key, routing_key_size, key);
  return rc < 0 ? rc : super_send(s, *m, key, id);
}

int rstream_super_producer_send_bytes(rstream_super_producer *s, const void *body,
                                      size_t body_size, const char *routing_key,
                                      size_t routing_key_size, uint64_t *id) {
  if (!s || !routing_key)
    return send_any_body(s, body, body_size, routing_key, routing_key_size, id);
  return super_send_bare(s, body, body_size, {routing_key, routing_key_size}, id);
}

int rstream_super_producer_send_many(rstream_super_producer *s,
                                     const rstream_message *messages, size_t count,
                                     const char *const *routing_keys,
                                     const size_t *routing_key_sizes, uint64_t *ids) {
  message_array array{};
  if (s && count == 0) return 0;
  if (!s || count > INT32_MAX || !message_array_of(messages, count, array))
    return RSTREAM_EINVAL;
  key_array keys{routing_keys, routing_key_sizes};
  for (size_t i = 0; i < count; i++) {
    message_storage storage;
    std::string_view key;
    const rstream_message *m = message_at(array, i, storage);
    int rc = m ? key_at(s, keys, i, key) : RSTREAM_EINVAL;
    if (rc == 0) rc = send_one(s, *m, key, ids ? ids + i : nullptr);
    if (rc < 0) return i > 0 ? static_cast<int>(i) : rc;
  }
  return static_cast<int>(count);
}

int rstream_super_producer_send_sub_entry(rstream_super_producer *s,
                                          const rstream_message *messages, size_t count,
                                          rstream_compression compression,
                                          const char *routing_key,
                                          size_t routing_key_size, uint64_t *first_id) {
  message_array array{};
  if (!s || !message_array_of(messages, count, array)) return RSTREAM_EINVAL;
  int rc = check_sub_entry(s->env, count, compression);
  std::string_view key;
  if (rc == 0) rc = routing_key_of(s, routing_key, routing_key_size, key);
  return rc < 0 ? rc
                : super_send_sub_entry(s, array, static_cast<uint8_t>(compression), key,
                                       first_id);
}

int rstream_super_producer_flush(rstream_super_producer *s,
                                 rstream_super_flushed_cb on_flushed, void *user) {
  return s ? super_flush_all(s, on_flushed, user) : RSTREAM_EINVAL;
}

int rstream_super_producer_close(rstream_super_producer *s,
                                 rstream_super_producer_closed_cb on_closed) {
  if (!s) return RSTREAM_EINVAL;
  if (s->closing) return RSTREAM_ECLOSED;
  return super_producer_close(s, s->producer_options.close_timeout_ms, on_closed);
}

int rstream_super_producer_close_within(rstream_super_producer *s, uint32_t timeout_ms,
                                        rstream_super_producer_closed_cb on_closed) {
  return s ? super_producer_close(s, timeout_ms, on_closed) : RSTREAM_EINVAL;
}

rstream_handle_state rstream_super_producer_state(const rstream_super_producer *s) {
  return s ? super_producer_state(s) : RSTREAM_STATE_CLOSED;
}
rstream_env *rstream_super_producer_env(const rstream_super_producer *s) {
  return s ? s->env : nullptr;
}
void *rstream_super_producer_user(const rstream_super_producer *s) {
  return s ? s->options.user : nullptr;
}

size_t rstream_super_producer_partition_count(const rstream_super_producer *s) {
  return s ? s->count : 0;
}

const char *rstream_super_producer_partition(const rstream_super_producer *s,
                                             size_t index) {
  return s && index < s->count ? s->names[index] : nullptr;
}

int rstream_super_producer_partition_stats(const rstream_super_producer *s, size_t index,
                                           rstream_producer_stats *stats) {
  if (!s || index >= s->count) return RSTREAM_EINVAL;
  rstream_producer_stats filled{};
  super_partition_stats(s->by_index[index], filled);
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}

int rstream_super_producer_stats_get(const rstream_super_producer *s,
                                     rstream_super_producer_stats *stats) {
  if (!s) return RSTREAM_EINVAL;
  rstream_super_producer_stats filled{};
  super_producer_stats(s, filled);
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}
