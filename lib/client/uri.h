#pragma once

#include <cstdint>

#include "util/memory.h"

namespace rstream {

// The parts of rabbitmq-stream://user:password@host:port/vhost. Absent ones are nullptr,
// an absent port is 0.
struct uri {
  bool tls = false;
  const char *username = nullptr;
  const char *password = nullptr;
  const char *host = nullptr;
  const char *vhost = nullptr;
  uint16_t port = 0;
  char *storage = nullptr;  // holds the texts; memory_release() it
};

// 0, RSTREAM_EURI or RSTREAM_ENOMEM; on error `*reason` is a static text and nothing
// needs to be released.
[[nodiscard]] int uri_parse(memory &mem, const char *text, uri &parsed,
                            const char **reason);

}  // namespace rstream
