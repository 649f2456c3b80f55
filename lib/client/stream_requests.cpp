#include "client/stream_requests.h"

#include "client/metadata_view.h"
#include "client/request_answers.h"

namespace rstream {

namespace {

// ---- answers

void on_exists_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::metadata_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  int exists = 0;
  wire::seq_iter<wire::stream_info> it(response.streams);
  for (wire::stream_info info; it.next(info);) {
    // Refused access or no member at the moment: it is there.
    exists = info.code != wire::raw(wire::response::stream_does_not_exist);
  }
  request_callback<rstream_exists_cb>(op)(op->env, status, exists, op->user);
}

void on_metadata_done(locator_op *op, int status, wire::bytes body, const char *) {
  auto callback = request_callback<rstream_metadata_cb>(op);
  wire::metadata_response response;
  rstream_metadata view;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  if (status == 0) status = metadata_view_init(view, env_memory(op->env), response);
  callback(op->env, status, status == 0 ? &view : nullptr, op->user);
  if (status == 0) metadata_view_release(view);
}

void on_stats_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::stream_stats_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  rstream_stream_statistics s{sizeof s, -1, -1, -1, -1};
  wire::seq_iter<wire::stat> it(response.stats);
  for (wire::stat stat; it.next(stat);) {
    if (stat.name == "first_chunk_id") s.first_chunk_id = stat.value;
    if (stat.name == "committed_chunk_id") s.committed_chunk_id = stat.value;
    if (stat.name == "last_chunk_id") s.last_chunk_id = stat.value;
    if (stat.name == "committed_offset") s.committed_offset = stat.value;
  }
  request_callback<rstream_stats_cb>(op)(op->env, status, status == 0 ? &s : nullptr,
                                         op->user);
}

void on_offset_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::query_offset_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  request_callback<rstream_value_cb>(op)(op->env, status, response.offset, op->user);
}

void on_sequence_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::query_sequence_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  request_callback<rstream_value_cb>(op)(op->env, status, response.sequence, op->user);
}

void on_resolved_done(locator_op *op, int status, wire::bytes body, const char *) {
  wire::resolve_offset_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  bool is_offset = response.spec.type == wire::raw(wire::offset_type::offset);
  if (status == 0 && !is_offset) status = RSTREAM_EPROTO;
  request_callback<rstream_value_cb>(op)(op->env, status, response.spec.value, op->user);
}

}  // namespace

int request_create(env *e, const char *stream, const rstream_stream_options &o,
                   rstream_result_cb on_result, void *user) {
  create_arguments arguments;
  create_arguments_of(arguments, o);
  wire::create_stream request{.stream = stream,
                              .arguments = {{arguments.list, arguments.count}}};
  return request_submit(e, wire::key::create, request, request_on_result, on_result,
                        user);
}

int request_delete(env *e, const char *stream, rstream_result_cb on_result, void *user) {
  return request_submit(e, wire::key::delete_stream,
                        wire::delete_stream{.stream = stream}, request_on_result,
                        on_result, user);
}

int request_exists(env *e, const char *stream, rstream_exists_cb on_result, void *user) {
  const std::string_view streams[] = {stream};
  return request_submit(e, wire::key::metadata, wire::metadata{.streams = {streams}},
                        on_exists_done, on_result, user);
}

int request_metadata(env *e, const char *const *streams, size_t count,
                     rstream_metadata_cb on_result, void *user) {
  memory &mem = env_memory(e);
  auto *names = static_cast<std::string_view *>(
      memory_allocate(mem, count * sizeof(std::string_view)));
  if (!names) return env_error(e, RSTREAM_ENOMEM, "no memory for a request");
  for (size_t i = 0; i < count; i++) names[i] = streams[i];
  int rc =
      request_submit(e, wire::key::metadata, wire::metadata{.streams = {{names, count}}},
                     on_metadata_done, on_result, user);
  memory_release(mem, names);
  return rc;
}

int request_stats(env *e, const char *stream, rstream_stats_cb on_result, void *user) {
  return request_submit(e, wire::key::stream_stats, wire::stream_stats{.stream = stream},
                        on_stats_done, on_result, user);
}

int request_query_offset(env *e, const char *name, const char *stream,
                         rstream_value_cb on_result, void *user) {
  return request_submit(e, wire::key::query_offset,
                        wire::query_offset{.reference = name, .stream = stream},
                        on_offset_done, on_result, user);
}

int request_store_offset(env *e, const char *name, const char *stream, uint64_t offset,
                         rstream_result_cb on_result, void *user) {
  return request_submit(e, wire::key::store_offset,
                        wire::store_offset{name, stream, offset}, request_on_result,
                        on_result, user);
}

int request_query_sequence(env *e, const char *name, const char *stream,
                           rstream_value_cb on_result, void *user) {
  return request_submit(e, wire::key::query_publisher_sequence,
                        wire::query_sequence{.reference = name, .stream = stream},
                        on_sequence_done, on_result, user);
}

int request_resolve_offset(env *e, const char *stream, const wire::offset_spec &spec,
                           rstream_value_cb on_result, void *user) {
  return request_submit(e, wire::key::resolve_offset_spec,
                        wire::resolve_offset{.stream = stream, .spec = spec},
                        on_resolved_done, on_result, user);
}

}  // namespace rstream
