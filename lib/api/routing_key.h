#pragma once

#include "api/checks.h"
#include "client/super_producer.h"

namespace rstream {

// The key that the application gave; one without data() asks on_routing_key.
// RSTREAM_EINVAL.
[[nodiscard]] inline int routing_key_of(super_producer *s, const char *routing_key,
                                        size_t size, std::string_view &key) {
  if (routing_key) {
    key = {routing_key, size};
  } else if (size > 0 || !s->options.on_routing_key) {
    return env_error(s->env, RSTREAM_EINVAL, "the routing key is missing");
  }
  return 0;
}

}  // namespace rstream
