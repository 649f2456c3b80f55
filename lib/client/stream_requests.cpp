#include "client/stream_requests.h"

#include <cinttypes>
#include <cstdio>

#include "client/metadata_view.h"

namespace rstream {

namespace {

using done_fn = void (*)(locator_op *op, int status, wire::bytes body, const char *text);

// The application's callback travels as a bare function pointer; the on_done that belongs
// to the request knows its type.
template <class Callback>
Callback callback_of(const locator_op *op) {
  return reinterpret_cast<Callback>(op->callback);
}

template <class X, class Callback>
int submit(env *e, wire::key key, const X &x, done_fn on_done, Callback callback,
           void *user) {
  locator_op *op = locator_prepare(e, key, x);
  if (!op) return env_error(e, RSTREAM_ENOMEM, "no memory for a request");
  op->on_done = on_done;
  op->callback = reinterpret_cast<void (*)()>(callback);
  op->user = user;
  int rc = locator_submit(op);
  if (rc < 0) return env_error(e, rc, "can't ask the broker: %s", rstream_error_text(rc));
  return 0;
}

template <class X>
bool decode_body(wire::bytes body, X &x) {
  wire::reader r = wire::reader_of(body);
  return decode(r, x);
}

// ---- answers

void on_result_done(locator_op *op, int status, wire::bytes, const char *text) {
  auto callback = callback_of<rstream_result_cb>(op);
  if (callback) callback(op->env, status, text, op->user);
}

void on_exists_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::metadata_response response;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  int exists = 0;
  wire::seq_iter<wire::stream_info> it(response.streams);
  for (wire::stream_info info; it.next(info);) {
    // Refused access or no member at the moment: it is there.
    exists = info.code != wire::raw(wire::response::stream_does_not_exist);
  }
  callback_of<rstream_exists_cb>(op)(op->env, status, exists, op->user);
}

void on_metadata_done(locator_op *op, int status, wire::bytes body, const char *) {
  auto callback = callback_of<rstream_metadata_cb>(op);
  wire::metadata_response response;
  rstream_metadata view;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  if (status == 0) status = metadata_view_init(view, env_memory(op->env), response);
  callback(op->env, status, status == 0 ? &view : nullptr, op->user);
  if (status == 0) metadata_view_release(view);
}

void on_stats_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::stream_stats_response response;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  rstream_stream_statistics s{sizeof s, -1, -1, -1, -1};
  wire::seq_iter<wire::stat> it(response.stats);
  for (wire::stat stat; it.next(stat);) {
    if (stat.name == "first_chunk_id") s.first_chunk_id = stat.value;
    if (stat.name == "committed_chunk_id") s.committed_chunk_id = stat.value;
    if (stat.name == "last_chunk_id") s.last_chunk_id = stat.value;
    if (stat.name == "committed_offset") s.committed_offset = stat.value;
  }
  callback_of<rstream_stats_cb>(op)(op->env, status, status == 0 ? &s : nullptr,
                                    op->user);
}

void on_offset_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::query_offset_response response;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  callback_of<rstream_value_cb>(op)(op->env, status, response.offset, op->user);
}

void on_sequence_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::query_sequence_response response;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  callback_of<rstream_value_cb>(op)(op->env, status, response.sequence, op->user);
}

void on_resolved_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::resolve_offset_response response;
  if (status == 0 && !decode_body(body, response)) status = RSTREAM_EPROTO;
  bool is_offset = response.spec.type == wire::raw(wire::offset_type::offset);
  if (status == 0 && !is_offset) status = RSTREAM_EPROTO;
  callback_of<rstream_value_cb>(op)(op->env, status, response.spec.value, op->user);
}

// ---- arguments of Create

constexpr size_t digits_bytes = 24;

struct create_arguments {
  wire::property list[6];
  size_t count = 0;
  char digits[4][digits_bytes];
  size_t numbers = 0;

  void add(const char *key, std::string_view value) { list[count++] = {key, value}; }
  void add_number(const char *key, uint64_t value) {
    if (value == 0) return;  // the broker's default
    char *text = digits[numbers++];
    int n = snprintf(text, digits_bytes, "%" PRIu64, value);
    add(key, {text, static_cast<size_t>(n)});
  }
  void add_text(const char *key, const char *value) {
    if (value) add(key, value);
  }
};

}  // namespace

int request_create(env *e, const char *stream, const rstream_stream_options &o,
                   rstream_result_cb on_result, void *user) {
  create_arguments arguments;
  arguments.add_number("max-length-bytes", o.max_length_bytes);
  arguments.add_text("max-age", o.max_age);
  arguments.add_number("stream-max-segment-size-bytes", o.max_segment_bytes);
  arguments.add_number("initial-cluster-size", o.initial_cluster_size);
  arguments.add_text("queue-leader-locator", o.leader_locator);
  arguments.add_number("stream-filter-size-bytes", o.filter_size_bytes);
  wire::create_stream request{.stream = stream,
                              .arguments = {{arguments.list, arguments.count}}};
  return submit(e, wire::key::create, request, on_result_done, on_result, user);
}

int request_delete(env *e, const char *stream, rstream_result_cb on_result, void *user) {
  return submit(e, wire::key::delete_stream, wire::delete_stream{.stream = stream},
                on_result_done, on_result, user);
}

int request_exists(env *e, const char *stream, rstream_exists_cb on_result, void *user) {
  const std::string_view streams[] = {stream};
  return submit(e, wire::key::metadata, wire::metadata{.streams = {streams}},
                on_exists_done, on_result, user);
}

int request_metadata(env *e, const char *const *streams, size_t count,
                     rstream_metadata_cb on_result, void *user) {
  memory &mem = env_memory(e);
  auto *names = static_cast<std::string_view *>(
      memory_allocate(mem, count * sizeof(std::string_view)));
  if (!names) return env_error(e, RSTREAM_ENOMEM, "no memory for a request");
  for (size_t i = 0; i < count; i++) names[i] = streams[i];
  int rc = submit(e, wire::key::metadata, wire::metadata{.streams = {{names, count}}},
                  on_metadata_done, on_result, user);
  memory_release(mem, names);
  return rc;
}

int request_stats(env *e, const char *stream, rstream_stats_cb on_result, void *user) {
  return submit(e, wire::key::stream_stats, wire::stream_stats{.stream = stream},
                on_stats_done, on_result, user);
}

int request_query_offset(env *e, const char *name, const char *stream,
                         rstream_value_cb on_result, void *user) {
  return submit(e, wire::key::query_offset,
                wire::query_offset{.reference = name, .stream = stream}, on_offset_done,
                on_result, user);
}

int request_store_offset(env *e, const char *name, const char *stream, uint64_t offset,
                         rstream_result_cb on_result, void *user) {
  return submit(e, wire::key::store_offset, wire::store_offset{name, stream, offset},
                on_result_done, on_result, user);
}

int request_query_sequence(env *e, const char *name, const char *stream,
                           rstream_value_cb on_result, void *user) {
  return submit(e, wire::key::query_publisher_sequence,
                wire::query_sequence{.reference = name, .stream = stream},
                on_sequence_done, on_result, user);
}

int request_resolve_offset(env *e, const char *stream, const wire::offset_spec &spec,
                           rstream_value_cb on_result, void *user) {
  return submit(e, wire::key::resolve_offset_spec,
                wire::resolve_offset{.stream = stream, .spec = spec}, on_resolved_done,
                on_result, user);
}

}  // namespace rstream
