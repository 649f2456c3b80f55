#pragma once

// The broker on real sockets: a cluster whose nodes listen on 127.0.0.1, each on a port
// the system chose, on a loop that somebody else runs: the same one as the client's.

#include "fake/broker.h"

struct uv_loop_s;

namespace rstream::fake {

struct uv_cluster;

// nullptr when sockets can't be had. The nodes advertise 127.0.0.1 and their port.
uv_cluster *uv_cluster_open(uv_loop_s *loop, int node_count = 1);
cluster &uv_cluster_of(uv_cluster *c);
uint16_t uv_cluster_port(const uv_cluster *c, int node = 0);
// "rabbitmq-stream://guest:guest@127.0.0.1:port/%2f"
std::string uv_cluster_uri(const uv_cluster *c, int node = 0);

// Stops listening and resets what is still connected. When libuv has let go of
// everything, all is freed and `on_closed` comes; the loop has to be run until then.
void uv_cluster_close(uv_cluster *c, void (*on_closed)(void *arg) = nullptr,
                      void *arg = nullptr);

}  // namespace rstream::fake
