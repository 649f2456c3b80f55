// Streams and what is asked about them. Whatever the answer: there must be one.
#include "sim/model.h"

namespace rstream::sim {

namespace {

void answered(void *user, int status) {
  auto *q = static_cast<request_model *>(user);
  run &r = *q->env->r;
  check_callback(r, q->env, q->what);
  SIM_CHECK(r, !q->refused, "%s was refused, and answered", q->what);
  SIM_CHECK(r, q->calls++ == 0, "%s was answered twice", q->what);
  SIM_CHECK(r, status <= 0, "%s was answered with status %d", q->what, status);
  maybe_act(r);
}

void on_result(rstream_env *, int status, const char *, void *user) {
  answered(user, status);
}
void on_exists(rstream_env *, int status, int, void *user) { answered(user, status); }
void on_value(rstream_env *, int status, uint64_t, void *user) { answered(user, status); }
void on_stats(rstream_env *, int status, const rstream_stream_statistics *, void *user) {
  answered(user, status);
}

void on_metadata(rstream_env *, int status, const rstream_metadata *metadata,
                 void *user) {
  for (size_t i = 0; metadata && i < rstream_metadata_count(metadata); i++) {
    rstream_stream_info info;
    info.struct_size = sizeof info;
    int rc = rstream_metadata_get(metadata, i, &info);
    rstream_node node;
    for (size_t k = 0; rc == 0 && k < info.replica_count; k++) {
      if (rstream_metadata_replica(metadata, i, k, &node) < 0) break;
    }
  }
  answered(user, status);
}

request_model *new_request(env_model &env, const char *what) {
  run &r = *env.r;
  r.requests.push_back(std::make_unique<request_model>());
  request_model *q = r.requests.back().get();
  q->env = &env;
  q->what = what;
  r.report.requests++;
  return q;
}

int ask(env_model &env, request_model *q, const char *stream, uint64_t kind) {
  run &r = *env.r;
  rstream_env *e = env.env;
  switch (kind) {
  case 0: return rstream_stream_exists(e, stream, on_exists, q);
  case 1: {
    const char *streams[] = {stream, "nobody's"};
    return rstream_stream_metadata(e, streams, 2, on_metadata, q);
  }
  case 2: return rstream_stream_stats(e, stream, on_stats, q);
  case 3: return rstream_query_offset(e, "c1", stream, on_value, q);
  case 4:
    return rstream_store_offset(e, "c1", stream, random_below(r.chance, 100), on_result,
                                q);
  case 5: return rstream_query_publisher_sequence(e, "s0-0", stream, on_value, q);
  case 6: return rstream_stream_create(e, stream, nullptr, on_result, q);
  default: return rstream_stream_delete(e, stream, on_result, q);
  }
}

constexpr const char *names[] = {"exists",       "metadata",     "stats",
                                 "query offset", "store offset", "query sequence",
                                 "create",       "delete"};

}  // namespace

void ask_something(env_model &env) {
  run &r = *env.r;
  size_t stream = random_below(r.chance, r.streams.size());
  uint64_t kind = random_below(r.chance, std::size(names));
  if (kind == 7 && r.streams[stream].stable) kind = 6;
  request_model *q = new_request(env, names[kind]);
  trace_line(r.s, nullptr, "application asks %s: %s of %s", env.name.c_str(), names[kind],
             r.streams[stream].name.c_str());
  calling inside(r);
  int rc = ask(env, q, r.streams[stream].name.c_str(), kind);
  if (rc == 0) return;
  q->refused = true;
  SIM_CHECK(r, rc == RSTREAM_ECLOSED, "%s: %s", names[kind], rstream_error_text(rc));
}

}  // namespace rstream::sim
