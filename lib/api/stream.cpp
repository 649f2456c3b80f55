#include "rstream/stream.h"

#include <cstring>

#include "api/checks.h"
#include "api/options.h"
#include "client/metadata_view.h"
#include "client/stream_requests.h"
#include "rstream/consumer.h"

using namespace rstream;

namespace {

constexpr size_t max_metadata_streams = 1000;

int check_stream(env *e, const char *stream, bool has_callback) {
  if (!e) return RSTREAM_EINVAL;
  if (!has_callback) return env_error(e, RSTREAM_EINVAL, "the callback is missing");
  int rc = check_open(e);
  return rc < 0 ? rc : check_name(e, "the stream's name", stream);
}

int check_name_and_stream(env *e, const char *name, const char *stream,
                          bool has_callback) {
  int rc = check_stream(e, stream, has_callback);
  return rc < 0 ? rc : check_name(e, "the name", name);
}

}  // namespace

void rstream_stream_options_init_sized(rstream_stream_options *options, size_t size) {
  sized_init(options, size);
}

int rstream_stream_create(rstream_env *e, const char *stream,
                          const rstream_stream_options *options,
                          rstream_result_cb on_result, void *user) {
  int rc = check_stream(e, stream, on_result);
  if (rc < 0) return rc;
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  if (options && !sized_read(o, options)) {
    return env_error(e, RSTREAM_EINVAL, "the options were not initialised");
  }
  rc = check_stream_options(e, o);
  return rc < 0 ? rc : request_create(e, stream, o, on_result, user);
}

int rstream_stream_delete(rstream_env *e, const char *stream, rstream_result_cb on_result,
                          void *user) {
  int rc = check_stream(e, stream, on_result);
  return rc < 0 ? rc : request_delete(e, stream, on_result, user);
}

int rstream_stream_exists(rstream_env *e, const char *stream, rstream_exists_cb on_result,
                          void *user) {
  int rc = check_stream(e, stream, on_result);
  return rc < 0 ? rc : request_exists(e, stream, on_result, user);
}

int rstream_stream_metadata(rstream_env *e, const char *const *streams, size_t count,
                            rstream_metadata_cb on_result, void *user) {
  if (!e) return RSTREAM_EINVAL;
  if (!streams) return env_error(e, RSTREAM_EINVAL, "the streams are missing");
  int rc = check_range(e, "the number of streams", count, 1, max_metadata_streams);
  for (size_t i = 0; rc == 0 && i < count; i++)
    rc = check_stream(e, streams[i], on_result);
  return rc < 0 ? rc : request_metadata(e, streams, count, on_result, user);
}

size_t rstream_metadata_count(const rstream_metadata *metadata) {
  return metadata ? metadata->stream_count : 0;
}

int rstream_metadata_get(const rstream_metadata *metadata, size_t index,
                         rstream_stream_info *info) {
  if (!metadata || index >= metadata->stream_count) return RSTREAM_EINVAL;
  rstream_stream_info filled{};
  metadata_view_stream(*metadata, index, filled);
  return sized_write(info, filled) ? 0 : RSTREAM_EINVAL;
}

int rstream_metadata_replica(const rstream_metadata *metadata, size_t index,
                             size_t replica, rstream_node *node) {
  if (!metadata || !node || index >= metadata->stream_count) return RSTREAM_EINVAL;
  return metadata_view_replica(*metadata, index, replica, *node) ? 0 : RSTREAM_EINVAL;
}

int rstream_stream_stats(rstream_env *e, const char *stream, rstream_stats_cb on_result,
                         void *user) {
  int rc = check_stream(e, stream, on_result);
  return rc < 0 ? rc : request_stats(e, stream, on_result, user);
}

int rstream_query_offset(rstream_env *e, const char *name, const char *stream,
                         rstream_value_cb on_result, void *user) {
  int rc = check_name_and_stream(e, name, stream, on_result);
  return rc < 0 ? rc : request_query_offset(e, name, stream, on_result, user);
}

int rstream_store_offset(rstream_env *e, const char *name, const char *stream,
                         uint64_t offset, rstream_result_cb on_result, void *user) {
  int rc = check_name_and_stream(e, name, stream, true);
  return rc < 0 ? rc : request_store_offset(e, name, stream, offset, on_result, user);
}

int rstream_query_publisher_sequence(rstream_env *e, const char *name, const char *stream,
                                     rstream_value_cb on_result, void *user) {
  int rc = check_name_and_stream(e, name, stream, on_result);
  return rc < 0 ? rc : request_query_sequence(e, name, stream, on_result, user);
}

int rstream_resolve_offset(rstream_env *e, const char *stream, rstream_offset_type type,
                           uint64_t value, rstream_value_cb on_result, void *user) {
  int rc = check_stream(e, stream, on_result);
  if (rc == 0) {
    rc = check_range(e, "type", number_of(type), RSTREAM_OFFSET_FIRST,
                     RSTREAM_OFFSET_TIMESTAMP);
  }
  // The numbers are those of the protocol.
  wire::offset_spec spec{static_cast<uint16_t>(number_of(type)), value};
  return rc < 0 ? rc : request_resolve_offset(e, stream, spec, on_result, user);
}
