#include "rstream/env.h"

#include <cstdarg>
#include <cstdio>

#include "api/checks.h"
#include "api/env.h"
#include "api/options.h"
#include "client/env.h"
#include "net/uv_net.h"

using namespace rstream;

namespace {

constexpr uint32_t default_connect_timeout_ms = 10000;
constexpr uint32_t default_request_timeout_ms = 15000;
constexpr uint32_t max_timeout_ms = 24u * 3600 * 1000;
constexpr uint32_t default_heartbeat_s = 60;
constexpr uint32_t max_heartbeat_s = 3600;
constexpr uint32_t default_frame_bytes = 1u << 20;
constexpr uint32_t smallest_frame_bytes = 256;  // the handshake's own frames must fit
constexpr uint32_t largest_frame_bytes = 1u << 30;
constexpr uint32_t default_deliver_bytes = 128u << 20;
constexpr uint32_t smallest_deliver_bytes = 8192;
constexpr uint16_t default_per_connection = 256;
constexpr size_t max_uris = 256;
constexpr uint32_t default_recovery_first_ms = 100;
constexpr uint32_t default_recovery_longest_ms = 10000;
constexpr uint32_t default_recoveries = 64;
constexpr const char default_connection_name[] = "rstream";

[[gnu::format(printf, 3, 4)]] int refuse(const rstream_env_options &o, int code,
                                         const char *format, ...) {
  if (o.error_text && o.error_text_size) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(o.error_text, o.error_text_size, format, arguments);
    va_end(arguments);
  }
  return code;
}

int check_number(const rstream_env_options &o, const char *what, uint32_t value,
                 uint32_t low, uint32_t high) {
  if (value >= low && value <= high) return 0;
  return refuse(o, RSTREAM_EINVAL, "%s is %u, allowed are %u to %u", what, value, low,
                high);
}

void set_defaults(rstream_env_options &o) {
  default_to(o.connection_name, default_connection_name);
  default_to(o.connect_timeout_ms, default_connect_timeout_ms);
  default_to(o.request_timeout_ms, default_request_timeout_ms);
  default_to(o.heartbeat_s, default_heartbeat_s);
  default_to(o.max_frame_bytes, default_frame_bytes);
  default_to(o.max_deliver_bytes, default_deliver_bytes);
  default_to(o.max_producers_per_connection, default_per_connection);
  default_to(o.max_consumers_per_connection, default_per_connection);
  default_to(o.recovery_first_ms, default_recovery_first_ms);
  default_to(o.recovery_longest_ms, default_recovery_longest_ms);
  default_to(o.max_recoveries, default_recoveries);
}

int check_numbers(const rstream_env_options &o) {
  const struct {
    const char *what;
    uint32_t value, low, high;
  } limits[] = {
      {"connect_timeout_ms", o.connect_timeout_ms, 1, max_timeout_ms},
      {"request_timeout_ms", o.request_timeout_ms, 1, max_timeout_ms},
      {"heartbeat_s", o.heartbeat_s, 1, max_heartbeat_s},
      {"max_frame_bytes", o.max_frame_bytes, smallest_frame_bytes, largest_frame_bytes},
      {"max_deliver_bytes", o.max_deliver_bytes, smallest_deliver_bytes,
       largest_frame_bytes},
      {"max_producers_per_connection", o.max_producers_per_connection, 1,
       ids_per_connection},
      {"max_consumers_per_connection", o.max_consumers_per_connection, 1,
       ids_per_connection},
      {"recovery_first_ms", o.recovery_first_ms, 1, max_timeout_ms},
      {"recovery_longest_ms", o.recovery_longest_ms, 1, max_timeout_ms},
      {"log_level", number_of(o.log_level), 0, RSTREAM_LOG_OFF},
      {"auth", number_of(o.auth), 0, RSTREAM_AUTH_CUSTOM},
      {"producer_node", number_of(o.producer_node), 0, RSTREAM_NODE_REPLICA},
      {"consumer_node", number_of(o.consumer_node), 0, RSTREAM_NODE_REPLICA},
  };
  for (const auto &limit : limits) {
    int rc = check_number(o, limit.what, limit.value, limit.low, limit.high);
    if (rc < 0) return rc;
  }
  return 0;
}

int check_texts(const rstream_env_options &o) {
  const struct {
    const char *what;
    const char *text;
  } texts[] = {{"host", o.host},
               {"username", o.username},
               {"password", o.password},
               {"vhost", o.vhost},
               {"connection_name", o.connection_name},
               {"auth_mechanism", o.auth_mechanism}};
  for (const auto &t : texts) {
    // Passwords may be long: OAuth 2 tokens travel in them.
    size_t limit = t.text == o.password ? max_secret_bytes : max_name_bytes;
    size_t bytes = t.text ? strlen(t.text) : 0;
    if (bytes > limit) {
      return refuse(o, RSTREAM_EINVAL, "%s is %zu bytes long, at most %zu are allowed",
                    t.what, bytes, limit);
    }
  }
  return 0;
}

int check_uris(const rstream_env_options &o) {
  if (!o.uris != (o.uri_count == 0))
    return refuse(o, RSTREAM_EINVAL, "uris and uri_count do not go together");
  if (o.uri_count > max_uris)
    return refuse(o, RSTREAM_EINVAL, "there are %zu URIs, at most %zu are allowed",
                  o.uri_count, max_uris);
  if (o.uri_count && o.uri)
    return refuse(o, RSTREAM_EINVAL, "uri and uris are both given");
  if (o.uri_count > 1 && (o.host || o.port))
    return refuse(o, RSTREAM_EINVAL, "host and port are given besides several URIs");
  for (size_t i = 0; i < o.uri_count; i++) {
    if (!o.uris[i]) return refuse(o, RSTREAM_EINVAL, "one of the URIs is NULL");
  }
  return 0;
}

int check_auth(const rstream_env_options &o) {
  bool custom = o.auth == RSTREAM_AUTH_CUSTOM;
  bool named = o.auth_mechanism && *o.auth_mechanism;
  if (custom && (!named || !o.on_login))
    return refuse(o, RSTREAM_EINVAL,
                  "RSTREAM_AUTH_CUSTOM needs auth_mechanism and on_login");
  if (!custom && (o.auth_mechanism || o.on_login))
    return refuse(o, RSTREAM_EINVAL,
                  "auth_mechanism and on_login are for RSTREAM_AUTH_CUSTOM");
  if (o.on_credentials && (o.auth != RSTREAM_AUTH_PLAIN || o.password))
    return refuse(o, RSTREAM_EINVAL,
                  "on_credentials is for PLAIN, and stands for a password");
  return 0;
}

int check_tls(const rstream_env_options &o, const rstream_tls_options &tls) {
  if (tls.server_name && strlen(tls.server_name) > max_name_bytes)
    return refuse(o, RSTREAM_EINVAL, "the server name of TLS is longer than %zu bytes",
                  max_name_bytes);
  const uint32_t versions[] = {number_of(tls.min_version), number_of(tls.max_version)};
  for (uint32_t version : versions) {
    if (version != RSTREAM_TLS_DEFAULT && version != RSTREAM_TLS_1_2 &&
        version != RSTREAM_TLS_1_3)
      return refuse(o, RSTREAM_EINVAL, "there is no version %u of TLS", version);
  }
  return 0;
}

// A whole struct in the place of the caller's, which may be shorter.
int read_tls(env_settings &settings) {
  rstream_env_options &o = settings.options;
  if (!o.tls) return 0;
  rstream_tls_options_init(&settings.tls);
  if (!sized_read(settings.tls, o.tls))
    return refuse(o, RSTREAM_EINVAL, "the TLS options were not initialized");
  o.tls = &settings.tls;
  return check_tls(o, settings.tls);
}

int memory_of(const rstream_env_options &o, memory_functions &functions) {
  functions = memory_functions_default();
  const rstream_allocator *a = o.allocator;
  if (!a) return 0;
  if (!a->allocate || !a->resize || !a->release) {
    return refuse(o, RSTREAM_EINVAL, "an allocator needs all three of its functions");
  }
  functions = {a->allocate, a->resize, a->release, a->user};
  return 0;
}

int loop_result(int rc) {
  if (rc == 0) return 0;
  return net_uv_is_closed(rc) ? RSTREAM_ECLOSED : RSTREAM_EBUSY;
}

// The world knows functions without type; this is the one place that knows it again.
void call_posted(void *subject, void (*fn)(), void *arg) {
  reinterpret_cast<rstream_post_cb>(fn)(static_cast<env *>(subject), arg);
}

}  // namespace

void rstream_env_options_init_sized(rstream_env_options *options, size_t size) {
  sized_init(options, size);
  rstream_log_level level = RSTREAM_LOG_INFO;
  if (size >= offsetof(rstream_env_options, log_level) + sizeof level)
    options->log_level = level;
}

void rstream_tls_options_init_sized(rstream_tls_options *options, size_t size) {
  sized_init(options, size);
}

int rstream::env_create_on(rstream_env **out, const net_source &source,
                           const rstream_env_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  env_settings settings{};
  settings.source = source;
  rstream_env_options &o = settings.options;
  rstream_env_options_init(&o);
  if (options && !sized_read(o, options)) return RSTREAM_EINVAL;
  set_defaults(o);
  int rc = check_numbers(o);
  if (rc == 0) rc = check_texts(o);
  if (rc == 0) rc = check_uris(o);
  if (rc == 0) rc = check_auth(o);
  if (rc == 0) rc = read_tls(settings);
  if (rc == 0) rc = memory_of(o, settings.functions);
  return rc < 0 ? rc : env_create(out, settings);
}

int rstream_env_create(rstream_env **out, struct uv_loop_s *loop,
                       const rstream_env_options *options) {
  return env_create_on(out, net_uv_source(loop), options);
}

int rstream_env_close(rstream_env *e, rstream_env_closed_cb on_closed, void *user) {
  if (!e) return RSTREAM_EINVAL;
  if (e->state != env_state::open) return RSTREAM_ECLOSED;
  env_close(e, on_closed, user);
  return 0;
}

int rstream_env_update_secret(rstream_env *e, const char *secret,
                              rstream_secret_cb on_done, void *user) {
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  bool asked = e->login.on_credentials || e->login.on_login;
  if (!asked && e->login.auth != RSTREAM_AUTH_PLAIN)
    return env_error(e, RSTREAM_EINVAL, "this mechanism of SASL has no secret");
  if (asked == (secret != nullptr))
    return env_error(e, RSTREAM_EINVAL, "a secret is either given or asked for");
  if (secret && strlen(secret) > max_secret_bytes)
    return env_error(e, RSTREAM_EINVAL, "the secret is longer than %zu bytes",
                     max_secret_bytes);
  rc = login_update(e, secret, on_done, user);
  return rc < 0 ? env_error(e, rc, "out of memory") : 0;
}

int rstream_env_run(rstream_env *e, int timeout_ms) {
  return e ? loop_result(net_uv_run(e->world, timeout_ms)) : RSTREAM_EINVAL;
}

int rstream_env_backend_fd(const rstream_env *e) {
  return e ? net_uv_backend_fd(e->world) : RSTREAM_EINVAL;
}

int rstream_env_backend_timeout(const rstream_env *e) {
  return e ? net_uv_backend_timeout(e->world) : RSTREAM_EINVAL;
}

struct uv_loop_s *rstream_env_loop(const rstream_env *e) {
  return e ? net_uv_loop(e->world) : nullptr;
}

void *rstream_env_user(const rstream_env *e) { return e ? e->user : nullptr; }

int rstream_env_post(rstream_env *e, rstream_post_cb fn, void *arg) {
  if (!e || !fn) return RSTREAM_EINVAL;
  int rc = net_uv_post(e->world, call_posted, e, reinterpret_cast<void (*)()>(fn), arg);
  if (rc == 0) return 0;
  return net_uv_is_closed(rc) ? RSTREAM_ECLOSED : RSTREAM_ENOMEM;
}

const char *rstream_env_error_text(const rstream_env *e) {
  return e ? e->error_text : "";
}

int rstream_env_stats_get(const rstream_env *e, rstream_env_stats *stats) {
  if (!e) return RSTREAM_EINVAL;
  rstream_env_stats filled{};
  env_stats(e, filled);
  return sized_write(stats, filled) ? 0 : RSTREAM_EINVAL;
}
