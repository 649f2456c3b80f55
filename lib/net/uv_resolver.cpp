// Name look-ups on libuv.
#include <cstdio>
#include <cstring>

#include "net/uv_world.h"

namespace rstream {

namespace {

// Lives until libuv is done with it, which may be long after the request was cancelled: a
// look-up that has begun can't be stopped.
struct lookup {
  uv_getaddrinfo_t uv;
  uv_world *world;
  resolve_request *request;  // nullptr once cancelled
};

size_t copy_addresses(const addrinfo *info, net_address *addresses) {
  size_t n = 0;
  for (; info && n < net_max_addresses; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    if (info->ai_addrlen > sizeof addresses[n].bytes) continue;
    memcpy(addresses[n].bytes, info->ai_addr, info->ai_addrlen);
    addresses[n].size = static_cast<uint8_t>(info->ai_addrlen);
    n++;
  }
  return n;
}

void on_resolved(uv_getaddrinfo_t *uv, int status, addrinfo *info) {
  lookup *l = RSTREAM_OWNER(uv, lookup, uv);
  uv_world *w = l->world;
  resolve_request *request = l->request;
  net_address addresses[net_max_addresses];
  size_t n = status == 0 ? copy_addresses(info, addresses) : 0;
  uv_freeaddrinfo(info);
  memory_delete(*w->base.mem, l);
  if (request) {
    callback_scope scope(w);
    request->backend = nullptr;
    if (status == 0 && n == 0) status = UV_EAI_NODATA;
    request->on_resolved(request, status, {addresses, n});
  }
  uv_world_release(w);
}

}  // namespace

int uv_world_resolve(net *world, resolve_request *request, const char *host,
                     uint16_t port) {
  uv_world *w = uv_world_of(world);
  auto *l = memory_new<lookup>(*world->mem);
  if (!l) return UV_ENOMEM;
  l->world = w;
  l->request = request;
  char service[8];
  snprintf(service, sizeof service, "%u", unsigned{port});
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  int rc = uv_getaddrinfo(w->loop, &l->uv, on_resolved, host, service, &hints);
  if (rc < 0) {
    memory_delete(*world->mem, l);
    return rc;
  }
  uv_world_hold(w);
  request->backend = l;
  return 0;
}

void uv_world_resolve_cancel(net *, resolve_request *request) {
  auto *l = static_cast<lookup *>(request->backend);
  request->backend = nullptr;
  l->request = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t *>(&l->uv));
}

}  // namespace rstream
