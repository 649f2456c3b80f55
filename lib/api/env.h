#pragma once

#include "net/net.h"
#include "rstream/env.h"

namespace rstream {

// rstream_env_create() on any world. On one that is not libuv's, the functions about the
// loop itself (run, post, backend, loop) must not be called.
[[nodiscard]] int env_create_on(rstream_env **env, const net_source &source,
                                const rstream_env_options *options);

}  // namespace rstream
