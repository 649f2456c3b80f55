#include "client/env.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "client/consumer.h"
#include "client/producer.h"
#include "client/super_consumer.h"
#include "client/super_producer.h"
#include "client/uri.h"
#include "net/net_errors.h"

namespace rstream {

namespace {

constexpr const char default_host[] = "localhost";
constexpr const char default_user[] = "guest";
constexpr const char default_vhost[] = "/";
constexpr uint16_t default_port = 5552;
constexpr uint16_t default_tls_port = 5551;

void write_log(log_level level, const char *text, void *user) {
  auto *e = static_cast<env *>(user);
  e->on_log(static_cast<rstream_log_level>(level), text, e->user);
}

// Before there is an environment, the caller's own buffer takes the words.
int refuse(const rstream_env_options &o, int code, const char *text) {
  if (o.error_text && o.error_text_size)
    snprintf(o.error_text, o.error_text_size, "%s", text);
  return code;
}

const char *pick(const char *option, const char *of_uri, const char *otherwise) {
  return option ? option : of_uri ? of_uri : otherwise;
}

int copy_texts(env *e, const rstream_env_options &o, const uri &u) {
  memory &mem = env_memory(e);
  e->texts[0] = memory_copy_text(mem, pick(o.vhost, u.vhost, default_vhost));
  e->texts[1] = memory_copy_text(mem, o.connection_name);
  if (!e->texts[0] || !e->texts[1]) return RSTREAM_ENOMEM;
  e->config.vhost = e->texts[0];
  e->config.connection_name = e->texts[1];
  return login_init(e, o, pick(o.username, u.username, default_user),
                    pick(o.password, u.password, default_user));
}

node_choice choice_of(rstream_node_choice node, node_choice otherwise) {
  switch (node) {
  case RSTREAM_NODE_LEADER: return node_choice::leader;
  case RSTREAM_NODE_REPLICA: return node_choice::replica_always;
  default: return otherwise;
  }
}

void copy_numbers(env *e, const rstream_env_options &o) {
  e->config.connect_timeout_ms = o.connect_timeout_ms;
  e->config.request_timeout_ms = o.request_timeout_ms;
  e->config.heartbeat_s = o.heartbeat_off ? 0 : o.heartbeat_s;
  e->config.max_frame_bytes = o.max_frame_bytes;
  e->config.max_deliver_bytes = o.max_deliver_bytes;
  e->max_producers_per_connection = o.max_producers_per_connection;
  e->max_consumers_per_connection = o.max_consumers_per_connection;
  e->max_bytes_in_flight = o.max_bytes_in_flight;
  e->producer_choice = choice_of(o.producer_node, node_choice::leader);
  e->consumer_choice = choice_of(o.consumer_node, node_choice::replica);
  e->endpoints.load_balancer = o.load_balancer;
  e->endpoints.on_address = o.on_address;
  e->endpoints.user = o.address_user;
  e->recoveries.config = {o.recovery_first_ms, o.recovery_longest_ms, o.max_recoveries};
  e->on_connection_lost = o.on_connection_lost;
  e->user = o.user;
  e->on_log = o.on_log;
  if (o.on_log) e->log = {write_log, e, static_cast<log_level>(o.log_level)};
}

void free_env(env *e) {
  memory &mem = env_memory(e);
  slab_pool *pool = e->pool;
  object_pool_release(mem, e->batches);
  object_pool_release(mem, e->chunks);
  object_pool_release(mem, e->slab_holds);
  login_release(e);
  endpoints_release(e);
  for (char *text : e->texts) memory_release(mem, text);
  if (e->compression) compression_set_unref(e->compression);
  tls_config_release(e->tls);
  memory_delete(mem, e);
  slab_pool_leave(pool);
}

constexpr size_t max_part_bytes = 255;

bool uri_fits(const uri &u) {
  for (const char *part : {u.host, u.username, u.vhost}) {
    if (part && strlen(part) > max_part_bytes) return false;
  }
  return !u.password || strlen(u.password) <= max_secret_bytes;
}

int configure_tls(env *e, const rstream_env_options &o) {
  rstream_tls_options defaults{};
  std::span<char> why;
  if (o.error_text) why = {o.error_text, o.error_text_size};
  int rc = tls_config_create(&e->tls, env_memory(e), o.tls ? *o.tls : defaults, why);
  e->config.tls = e->tls;
  return rc;
}

int read_uri(env *e, const rstream_env_options &o, const char *text, uri &u) {
  const char *reason = nullptr;
  int rc = uri_parse(env_memory(e), text, u, &reason);
  if (rc < 0) return refuse(o, rc, reason);
  if (uri_fits(u)) return 0;
  memory_release(env_memory(e), u.storage);
  u = uri();
  return refuse(o, RSTREAM_EURI, "a part of the URI is longer than 255 bytes");
}

int add_endpoint(env *e, const rstream_env_options &o, const uri &u, bool tls) {
  uint16_t otherwise = tls ? default_tls_port : default_port;
  uint16_t port = o.port ? o.port : u.port ? u.port : otherwise;
  return endpoints_add(e, pick(o.host, u.host, default_host), port);
}

// What an earlier URI says, a later one need not, but must not contradict.
bool agree(const char *earlier, const char *later) {
  return !later || (earlier && strcmp(earlier, later) == 0);
}

int add_uri(env *e, const rstream_env_options &o, const uri &first, const char *text) {
  uri u;
  int rc = read_uri(e, o, text, u);
  if (rc < 0) return rc;
  bool fits = u.tls == first.tls && agree(first.username, u.username) &&
              agree(first.password, u.password) && agree(first.vhost, u.vhost);
  rc = fits ? add_endpoint(e, o, u, o.tls || u.tls) : RSTREAM_EURI;
  memory_release(env_memory(e), u.storage);
  if (rc == RSTREAM_EURI)
    return refuse(o, rc, "the URIs differ in more than host and port");
  return rc < 0 ? refuse(o, rc, "out of memory") : 0;
}

int configure_from(env *e, const rstream_env_options &o, const uri &first) {
  copy_numbers(e, o);
  size_t more = o.uri_count > 1 ? o.uri_count - 1 : 0;
  int rc = copy_texts(e, o, first);
  if (rc == 0) rc = endpoints_init(e, 1 + more);
  if (rc == 0) rc = add_endpoint(e, o, first, o.tls || first.tls);
  if (rc < 0) return refuse(o, rc, "out of memory");
  for (size_t i = 1; rc == 0 && i <= more; i++) rc = add_uri(e, o, first, o.uris[i]);
  if (rc < 0) return rc;
  if (o.tls && (o.uri || o.uri_count) && !first.tls)
    return refuse(o, RSTREAM_EINVAL,
                  "TLS options are given, but the URI begins with rabbitmq-stream://");
  return first.tls || o.tls ? configure_tls(e, o) : 0;
}

int configure(env *e, const rstream_env_options &o) {
  uri first;
  const char *text = o.uri_count ? o.uris[0] : o.uri;
  int rc = text ? read_uri(e, o, text, first) : 0;
  if (rc < 0) return rc;
  rc = configure_from(e, o, first);
  memory_release(env_memory(e), first.storage);
  return rc;
}

void on_world_closed(void *arg) {
  auto *e = static_cast<env *>(arg);
  if (e->on_closed) e->on_closed(e, e->on_closed_user);
  free_env(e);
}

void close_connections(env *e) {
  e->state = env_state::closing_connections;
  connections_close_idle(e);
  locator_close(e);
}

bool everything_closed(const env *e) {
  return connections_empty(e) && !e->locator.link && list_empty(e->locator.finished) &&
         list_empty(e->login.updates);
}

void on_close_task(net_task *task) {
  env *e = RSTREAM_OWNER(task, env, close_task);
  if (e->state == env_state::closing_handles && e->producer_count == 0 &&
      e->consumer_count == 0 && list_empty(e->super_producers) &&
      list_empty(e->super_consumers)) {
    close_connections(e);
  }
  if (e->state == env_state::closing_connections && everything_closed(e)) {
    e->state = env_state::closing_world;
    e->source.close(e->world, on_world_closed, e);
  }
}

void close_super_handles(env *e) {
  for (list_node *n = e->super_producers.next; n != &e->super_producers; n = n->next) {
    super_producer *s = RSTREAM_OWNER(n, super_producer, node);
    int rc = s->closing
                 ? 0
                 : super_producer_close(s, s->producer_options.close_timeout_ms, nullptr);
    (void)rc;
  }
  for (list_node *n = e->super_consumers.next; n != &e->super_consumers; n = n->next) {
    int rc = super_consumer_close(RSTREAM_OWNER(n, super_consumer, node), nullptr);
    (void)rc;
  }
}

void close_handles(env *e) {
  close_super_handles(e);
  for (list_node *n = e->producers.next; n != &e->producers; n = n->next) {
    producer *p = RSTREAM_OWNER(n, producer, node);
    // Those of partitions are closed by their super producer, when it has drained.
    bool others = p->closing || p->copy_outcome;
    int rc = others ? 0 : producer_close(p, p->options.close_timeout_ms, nullptr);
    (void)rc;  // those that are closing go on as they were told
  }
  for (list_node *n = e->consumers.next; n != &e->consumers; n = n->next) {
    consumer *c = RSTREAM_OWNER(n, consumer, node);
    int rc = c->partition ? 0 : consumer_close(c, nullptr);
    (void)rc;
  }
}

}  // namespace

int env_create(env **out, const env_settings &settings) {
  const rstream_env_options &o = settings.options;
  slab_pool *pool = slab_pool_create(settings.functions);
  if (!pool) return refuse(o, RSTREAM_ENOMEM, "out of memory");
  env *e = memory_new<env>(pool->mem);
  if (!e) {
    slab_pool_leave(pool);
    return refuse(o, RSTREAM_ENOMEM, "out of memory");
  }
  e->pool = pool;
  e->source = settings.source;
  e->close_task.run = on_close_task;
  locator_init(e);
  e->compression = compression_set_create(pool);
  int rc = e->compression ? configure(e, o) : refuse(o, RSTREAM_ENOMEM, "out of memory");
  if (rc == 0) {
    rc = e->source.create(e->source.arg, &e->world, pool->mem, e->log);
    if (rc < 0) {
      const char *text = net_error_text(rc);
      if (net_error_is_no_memory(rc)) rc = RSTREAM_ENOMEM;
      refuse(o, rc, text ? text : "the loop refused to start");
    }
  }
  if (rc < 0) {
    free_env(e);
    return rc;
  }
  *out = e;
  return 0;
}

void env_close(env *e, rstream_env_closed_cb on_closed, void *user) {
  e->state = env_state::closing_handles;
  e->on_closed = on_closed;
  e->on_closed_user = user;
  locator_cancel_application(e);
  login_cancel(e);
  close_handles(e);
  env_check_closing(e);
}

void env_check_closing(env *e) {
  if (e->state == env_state::open || e->state == env_state::closing_world) return;
  net_task_queue(*e->world, e->close_task, task_stage::gather);
}

int env_error(env *e, int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(e->error_text, sizeof e->error_text, format, arguments);
  va_end(arguments);
  log_line(e->log, log_level::warn, "refused: %s", e->error_text);
  return code;
}

void env_stats(const env *e, rstream_env_stats &s) {
  s.bytes_sent = e->world->bytes_sent;
  s.bytes_received = e->world->bytes_received;
  s.frames_received = e->counters.frames_received;
  s.frames_ignored = e->counters.frames_ignored;
  s.connections_opened = e->connections_opened;
  s.connections_lost = e->connections_lost;
  s.messages_sent = e->messages_sent;
  s.messages_confirmed = e->messages_confirmed;
  s.messages_failed = e->messages_failed;
  s.messages_consumed = e->messages_consumed;
  s.bytes_allocated = e->pool->mem.bytes_held;
  s.allocations = e->pool->mem.allocations;
  s.connections_for_locator = e->locator.link ? 1 : 0;
  s.connections_closed = e->connections_closed;
  connections_stats(e, s);
  s.producers = e->producer_count;
  s.consumers = e->consumer_count;
  s.recovery_attempts = e->recoveries.attempts;
  s.recoveries = e->recoveries.successes;
}

}  // namespace rstream
