// In place of tls*.cpp in a build without TLS: no configuration is ever made.
#include <cstdio>

#include "net/net_errors.h"
#include "net/tls.h"
#include "rstream/error.h"

namespace rstream {

int tls_config_create(tls_config **config, memory &, const rstream_tls_options &,
                      std::span<char> why) {
  *config = nullptr;
  if (!why.empty()) snprintf(why.data(), why.size(), "this build of rstream has no TLS");
  return RSTREAM_ENOTSUP;
}

void tls_config_release(tls_config *) {}

int tls_connect(net &, transport **t, const net_address &, tls_config &, const char *,
                const transport_events *, void *) {
  *t = nullptr;
  return net_error_lost();
}

}  // namespace rstream
