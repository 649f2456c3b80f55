#include "session.h"

#include <cstdio>
#include <cstdlib>

namespace interop {

void fail(const char *what, const char *why) {
  fprintf(stderr, "rstream-interop: %s: %s\n", what, why);
  exit(1);
}

void check(int status, const char *what) {
  if (status != 0) fail(what, rstream_error_text(status));
}

rstream_env *session_open(const char *uri) {
  char error[256] = "";
  rstream_env_options options;
  rstream_env_options_init(&options);
  options.uri = uri;
  options.error_text = error;
  options.error_text_size = sizeof error;
  rstream_env *env = nullptr;
  if (rstream_env_create(&env, nullptr, &options) != 0) fail(uri, error);
  return env;
}

void session_close(rstream_env *env) {
  check(rstream_env_close(env, nullptr, nullptr), "closing");
  while (rstream_env_run(env, -1) == 0) continue;
}

namespace {

struct outcome {
  bool told;
  int status;
};

void on_result(rstream_env *, int status, const char *, void *user) {
  *static_cast<outcome *>(user) = {true, status};
}

void finish(rstream_env *env, const outcome &result, const char *what) {
  run_until(env, [&] { return result.told; });
  check(result.status, what);
  session_close(env);
}

}  // namespace

void create_stream(const char *uri, const char *stream) {
  outcome result = {};
  rstream_env *env = session_open(uri);
  check(rstream_stream_create(env, stream, nullptr, on_result, &result), "creating");
  finish(env, result, "creating the stream");
}

void delete_stream(const char *uri, const char *stream) {
  outcome result = {};
  rstream_env *env = session_open(uri);
  check(rstream_stream_delete(env, stream, on_result, &result), "deleting");
  finish(env, result, "deleting the stream");
}

}  // namespace interop
