#pragma once

// What the application asks the broker about streams, each one request through the
// locator. Arguments are checked; see include/rstream/stream.h for what they mean.

#include "client/env.h"
#include "rstream/stream.h"
#include "wire/consume.h"

namespace rstream {

[[nodiscard]] int request_create(env *e, const char *stream,
                                 const rstream_stream_options &options,
                                 rstream_result_cb on_result, void *user);
[[nodiscard]] int request_delete(env *e, const char *stream, rstream_result_cb on_result,
                                 void *user);
[[nodiscard]] int request_exists(env *e, const char *stream, rstream_exists_cb on_result,
                                 void *user);
[[nodiscard]] int request_metadata(env *e, const char *const *streams, size_t count,
                                   rstream_metadata_cb on_result, void *user);
[[nodiscard]] int request_stats(env *e, const char *stream, rstream_stats_cb on_result,
                                void *user);
[[nodiscard]] int request_query_offset(env *e, const char *name, const char *stream,
                                       rstream_value_cb on_result, void *user);
[[nodiscard]] int request_store_offset(env *e, const char *name, const char *stream,
                                       uint64_t offset, rstream_result_cb on_result,
                                       void *user);
[[nodiscard]] int request_query_sequence(env *e, const char *name, const char *stream,
                                         rstream_value_cb on_result, void *user);
[[nodiscard]] int request_resolve_offset(env *e, const char *stream,
                                         const wire::offset_spec &spec,
                                         rstream_value_cb on_result, void *user);

}  // namespace rstream
