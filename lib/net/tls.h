#pragma once

// TLS over a transport of any world: a transport around a transport. mbedTLS is seen in
// tls.cpp alone.

#include "net/net.h"
#include "rstream/tls.h"

namespace rstream {

// What connections of an environment have in common: authorities, certificate, key,
// random numbers, scratch memory.
struct tls_config;

// Copies `options`, whose struct_size must be whole; reads files. 0, or a code of
// rstream/error.h with the reason in `why`: RSTREAM_EINVAL, RSTREAM_ENOTSUP,
// RSTREAM_ENOMEM.
[[nodiscard]] int tls_config_create(tls_config **config, memory &mem,
                                    const rstream_tls_options &options,
                                    std::span<char> why);
// Its connections must have been closed. nullptr is fine.
void tls_config_release(tls_config *config);

// Like net_connect(); on_connected comes once hands are shaken. `host` is what the
// broker's certificate is checked against unless the options name another; copied.
// Besides codes of libuv, status and on_read may tell RSTREAM_ETLS, RSTREAM_ECERT and
// RSTREAM_ECLIENTCERT, with transport.trouble in words.
[[nodiscard]] int tls_connect(net &world, transport **t, const net_address &address,
                              tls_config &config, const char *host,
                              const transport_events *events, void *owner);

}  // namespace rstream
