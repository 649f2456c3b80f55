#include "perf/requests.h"

#include <cstdio>

namespace perf {

namespace {

struct waiting {
  answer result;
  bool answered = false;
};

void settle(void *user, int status, uint64_t value, const char *text) {
  waiting &w = *static_cast<waiting *>(user);
  w.answered = true;
  w.result.status = status;
  w.result.value = value;
  snprintf(w.result.text, sizeof w.result.text, "%s", text);
}

void on_result(rstream_env *, int status, const char *text, void *user) {
  settle(user, status, 0, text);
}

void on_value(rstream_env *, int status, uint64_t value, void *user) {
  settle(user, status, value, rstream_error_text(status));
}

void on_stats(rstream_env *, int status, const rstream_stream_statistics *statistics,
              void *user) {
  bool empty =
      status == 0 && statistics->last_chunk_id < 0 && statistics->first_chunk_id < 0;
  settle(user, status, empty ? 1 : 0, rstream_error_text(status));
}

// `rc` is what the request returned.
answer await_answer(rstream_env *env, const waiting &w, int rc) {
  answer none;
  none.status = rc;
  if (rc != 0) snprintf(none.text, sizeof none.text, "%s", rstream_env_error_text(env));
  while (none.status == 0 && !w.answered) {
    none.status = rstream_env_run(env, -1);
    if (none.status != 0)
      snprintf(none.text, sizeof none.text, "the environment is gone");
  }
  return none.status == 0 ? w.result : none;
}

}  // namespace

answer ask_create(rstream_env *env, const char *stream) {
  waiting w;
  return await_answer(env, w, rstream_stream_create(env, stream, nullptr, on_result, &w));
}

answer ask_delete(rstream_env *env, const char *stream) {
  waiting w;
  return await_answer(env, w, rstream_stream_delete(env, stream, on_result, &w));
}

answer ask_create_super(rstream_env *env, const char *name, uint32_t partitions) {
  waiting w;
  rstream_super_stream_options options;
  rstream_super_stream_options_init(&options);
  options.partitions = partitions;
  return await_answer(env, w,
                      rstream_super_stream_create(env, name, &options, on_result, &w));
}

answer ask_delete_super(rstream_env *env, const char *name) {
  waiting w;
  return await_answer(env, w, rstream_super_stream_delete(env, name, on_result, &w));
}

answer ask_empty(rstream_env *env, const char *stream) {
  waiting w;
  return await_answer(env, w, rstream_stream_stats(env, stream, on_stats, &w));
}

answer ask_stored_offset(rstream_env *env, const char *name, const char *stream) {
  waiting w;
  return await_answer(env, w, rstream_query_offset(env, name, stream, on_value, &w));
}

}  // namespace perf
