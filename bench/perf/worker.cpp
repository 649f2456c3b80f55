#include "perf/worker.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace perf {

namespace {

void on_log(rstream_log_level level, const char *text, void *) {
  fprintf(stderr, "rstream-perf: %s: %s\n",
          level == RSTREAM_LOG_ERROR ? "error" : "warning", text);
}

void on_env_closed(rstream_env *, void *user) {
  worker &w = *static_cast<worker *>(user);
  uv_close(reinterpret_cast<uv_handle_t *>(&w.hold), nullptr);
}

void on_stop(rstream_env *env, void *arg) {
  worker &w = *static_cast<worker *>(arg);
  worker_finish(w);  // if it is ended early, the figures count up to here
  w.stop(w);
  rstream_env_close(env, on_env_closed, &w);
}

void thread_main(void *arg) {
  worker &w = *static_cast<worker *>(arg);
  w.open(w);
  uv_run(&w.loop, UV_RUN_DEFAULT);
  w.leaked = uv_loop_close(&w.loop) != 0;
  w.at.store(stage::gone, std::memory_order_release);
}

// Several stand between commas.
void fill_uris(rstream_env_options &eo, env_texts &texts, const options &o) {
  eo.uri = o.uri;
  if (!o.uri || !strchr(o.uri, ',')) return;
  snprintf(texts.uris, sizeof texts.uris, "%s", o.uri);
  char *rest = texts.uris;
  char *next = nullptr;
  while (eo.uri_count < uris_most && (next = strtok_r(rest, ",", &rest)))
    texts.each[eo.uri_count++] = next;
  eo.uri = nullptr;
  eo.uris = texts.each;
}

}  // namespace

void fill_env_options(rstream_env_options &eo, env_texts &texts, const options &o,
                      const char *connection_name) {
  rstream_env_options_init(&eo);
  fill_uris(eo, texts, o);
  rstream_tls_options &tls = texts.tls;
  rstream_tls_options_init(&tls);
  tls.ca_file = o.tls_ca;
  tls.certificate_file = o.tls_cert;
  tls.key_file = o.tls_key;
  tls.insecure = o.tls_insecure;
  if (o.tls_ca || o.tls_cert || o.tls_insecure) eo.tls = &tls;
  if (o.external) eo.auth = RSTREAM_AUTH_EXTERNAL;
  eo.load_balancer = o.load_balancer;
  eo.heartbeat_s = o.heartbeat_s;
  eo.connection_name = connection_name;
  eo.on_log = on_log;
  eo.log_level = RSTREAM_LOG_WARN;
}

bool worker_start(worker &w, const char *connection_name) {
  int rc = uv_loop_init(&w.loop);
  if (rc == 0) rc = uv_async_init(&w.loop, &w.hold, nullptr);
  rstream_env_options eo;
  env_texts texts;
  fill_env_options(eo, texts, *w.opt, connection_name);
  if (rc == 0) rc = rstream_env_create(&w.env, &w.loop, &eo);
  if (rc == 0) rc = uv_thread_create(&w.thread, thread_main, &w);
  if (rc != 0) worker_fail(w, "%s: %s", connection_name, rstream_error_text(rc));
  return rc == 0;
}

void worker_stop(worker &w) {
  if (rstream_env_post(w.env, on_stop, &w) != 0)
    fputs("rstream-perf: can't stop a worker\n", stderr);
}

void worker_clock(worker &w) {
  w.cpu_start = cpu_now();
  w.start_us = now_us();
}

void worker_run(worker &w) {
  if (stage_of(w) == stage::opening)
    w.at.store(stage::running, std::memory_order_release);
}

void worker_finish(worker &w) { worker_finish_at(w, now_us()); }

void worker_finish_at(worker &w, uint64_t end_us) {
  if (stage_of(w) >= stage::finished) return;
  w.end_us = end_us;
  if (w.start_us == 0)
    w.start_us = w.end_us;  // never came to work
  else
    w.cpu = cpu_now() - w.cpu_start;
  w.at.store(stage::finished, std::memory_order_release);
}

void worker_fail(worker &w, const char *format, ...) {
  if (!w.failed) {
    va_list args;
    va_start(args, format);
    vsnprintf(w.error, sizeof w.error, format, args);
    va_end(args);
  }
  w.failed = true;
  worker_finish(w);
}

}  // namespace perf
