#pragma once

// Where an environment may begin: the addresses it was given, or a load balancer in front
// of all nodes; and how what a node calls itself becomes what is dialled.

#include "conn/conn.h"
#include "rstream/env.h"

struct rstream_env;

namespace rstream {

struct endpoint {
  char *host = nullptr;
  uint16_t port = 0;
};

struct endpoints {
  endpoint *all = nullptr;
  uint32_t count = 0;
  uint32_t current = 0;  // the one in use, or to be tried next
  uint32_t failed = 0;   // in a row
  bool load_balancer = false;
  rstream_address_cb on_address = nullptr;
  void *user = nullptr;
};

// Room for that many, to be filled in order. RSTREAM_ENOMEM.
[[nodiscard]] int endpoints_init(rstream_env *env, size_t count);
[[nodiscard]] int endpoints_add(rstream_env *env, const char *host, uint16_t port);
void endpoints_release(rstream_env *env);

// The current one could not be reached. True: another one is current now, and has not
// been tried since one worked.
bool endpoints_next(rstream_env *env);
// The current one works.
void endpoints_reached(rstream_env *env);

// What is dialled for a node, or for an endpoint: what the application makes of it.
struct dialled {
  char host[256];
  uint16_t port;
};
void endpoint_resolve(rstream_env *env, const char *host, uint16_t port, dialled &to);
// A load balancer stands for every node.
void endpoint_of_node(rstream_env *env, const char *host, uint16_t port, dialled &to);

}  // namespace rstream
