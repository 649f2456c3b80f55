#include "client/endpoints.h"

#include <cassert>
#include <cstring>

#include "client/env.h"

namespace rstream {

int endpoints_init(env *e, size_t count) {
  endpoints &p = e->endpoints;
  p.all = static_cast<endpoint *>(memory_allocate(env_memory(e), count * sizeof *p.all));
  return p.all ? 0 : RSTREAM_ENOMEM;
}

int endpoints_add(env *e, const char *host, uint16_t port) {
  endpoints &p = e->endpoints;
  p.all[p.count] = {memory_copy_text(env_memory(e), host), port};
  return p.all[p.count++].host ? 0 : RSTREAM_ENOMEM;
}

void endpoints_release(env *e) {
  endpoints &p = e->endpoints;
  for (uint32_t i = 0; i < p.count; i++) memory_release(env_memory(e), p.all[i].host);
  memory_release(env_memory(e), p.all);
}

bool endpoints_next(env *e) {
  endpoints &p = e->endpoints;
  p.current = (p.current + 1) % p.count;
  if (++p.failed < p.count) return true;
  p.failed = 0;
  return false;
}

void endpoints_reached(env *e) { e->endpoints.failed = 0; }

void endpoint_resolve(env *e, const char *host, uint16_t port, dialled &to) {
  strncpy(to.host, host, sizeof to.host - 1);
  to.host[sizeof to.host - 1] = 0;
  to.port = port;
  if (!e->endpoints.on_address) return;
  rstream_address address{sizeof address, to.host, sizeof to.host, port};
  e->endpoints.on_address(e, &address, e->endpoints.user);
  to.port = address.port;
  to.host[sizeof to.host - 1] = 0;
}

void endpoint_of_node(env *e, const char *host, uint16_t port, dialled &to) {
  const endpoints &p = e->endpoints;
  if (!p.load_balancer) return endpoint_resolve(e, host, port, to);
  endpoint_resolve(e, p.all[p.current].host, p.all[p.current].port, to);
}

}  // namespace rstream
