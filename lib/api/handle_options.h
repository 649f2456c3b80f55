#pragma once

// Options of producers and consumers that super producers and super consumers have in
// them as well.

#include "client/env.h"

namespace rstream {

// Completes and checks all but the stream's name. RSTREAM_EINVAL, RSTREAM_ENOTSUP.
[[nodiscard]] int producer_options_read(env *e, const rstream_producer_options *from,
                                        rstream_producer_options &to);
[[nodiscard]] int consumer_options_read(env *e, const rstream_consumer_options *from,
                                        rstream_consumer_options &to);

}  // namespace rstream
