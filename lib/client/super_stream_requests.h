#pragma once

// What the application asks the broker about super streams. Arguments are checked; see
// include/rstream/super_stream.h for what they mean.

#include "client/env.h"
#include "rstream/super_stream.h"

namespace rstream {

[[nodiscard]] int request_create_super(env *e, const char *name,
                                       const rstream_super_stream_options &options,
                                       const rstream_stream_options &arguments,
                                       rstream_result_cb on_result, void *user);
[[nodiscard]] int request_delete_super(env *e, const char *name,
                                       rstream_result_cb on_result, void *user);
[[nodiscard]] int request_partitions(env *e, const char *name,
                                     rstream_partitions_cb on_result, void *user);
[[nodiscard]] int request_route(env *e, const char *name, std::string_view routing_key,
                                rstream_partitions_cb on_result, void *user);

}  // namespace rstream
