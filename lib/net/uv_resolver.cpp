// Name look-ups on libuv, which has the system do them on its thread pool.
#include <netinet/in.h>
#include <cstring>

#include "net/uv_world.h"

namespace rstream {

namespace {

// Of one name, for all that want it. Lives until libuv is done with it, which may be long
// after the last of them gave up: a look-up that has begun can't be stopped. Whoever asks
// again meanwhile joins it. Each holds a thread that others need as well, so there must
// not be one more for each attempt.
struct lookup {
  uv_getaddrinfo_t uv;
  uv_world *world = nullptr;
  list_node node;  // of those that may be joined
  list waiters;
  char *host = nullptr;
};

struct waiter {
  list_node node;
  lookup *of = nullptr;  // nullptr: it is being answered
  resolve_request *request = nullptr;
  uint16_t port = 0;
};

waiter *waiter_of(list_node *node) { return RSTREAM_OWNER(node, waiter, node); }
memory &memory_of(lookup *l) { return *l->world->base.mem; }

bool is_usable(const addrinfo *info) {
  return (info->ai_family == AF_INET || info->ai_family == AF_INET6) &&
         info->ai_addrlen <= sizeof net_address::bytes;
}

// The next usable address of that family, or of any other one.
const addrinfo *next_of(const addrinfo *info, int family, bool same) {
  while (info && (!is_usable(info) || (info->ai_family == family) != same))
    info = info->ai_next;
  return info;
}

void copy_address(const addrinfo *info, uint16_t port, net_address &to) {
  memcpy(to.bytes, info->ai_addr, info->ai_addrlen);
  to.size = static_cast<uint8_t>(info->ai_addrlen);
  // At the same place in both.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  uint16_t wire = htons(port);
  memcpy(to.bytes + offsetof(sockaddr_in, sin_port), &wire, sizeof wire);
}

// The system has put them in order (RFC 6724). Families take turns, as RFC 8305 has it:
// where one does not work, the first address of the other is not far.
size_t copy_addresses(const addrinfo *info, uint16_t port, net_address *addresses) {
  while (info && !is_usable(info)) info = info->ai_next;
  if (!info) return 0;
  int family = info->ai_family;
  const addrinfo *turn[] = {info, next_of(info, family, false)};
  size_t n = 0;
  for (int side = 0; n < net_max_addresses && (turn[0] || turn[1]); side = 1 - side) {
    if (!turn[side]) continue;
    copy_address(turn[side], port, addresses[n++]);
    turn[side] = next_of(turn[side]->ai_next, family, side == 0);
  }
  return n;
}

void answer(memory &mem, waiter *w, int status, const addrinfo *info) {
  resolve_request *request = w->request;
  net_address addresses[net_max_addresses];
  size_t n = status == 0 ? copy_addresses(info, w->port, addresses) : 0;
  memory_delete(mem, w);
  request->backend = nullptr;
  if (status == 0 && n == 0) status = UV_EAI_NODATA;
  request->on_resolved(request, status, {addresses, n});
}

void free_lookup(lookup *l) {
  memory &mem = memory_of(l);
  memory_release(mem, l->host);
  memory_delete(mem, l);
}

// Those that are told may ask anew, which is another look-up, and may give up others that
// have not been told yet.
void on_resolved(uv_getaddrinfo_t *uv, int status, addrinfo *info) {
  lookup *l = RSTREAM_OWNER(uv, lookup, uv);
  uv_world *w = l->world;
  list waiters;
  list_take_all(waiters, l->waiters);
  for (list_node *n = waiters.next; n != &waiters; n = n->next)
    waiter_of(n)->of = nullptr;
  list_remove(l->node);
  free_lookup(l);
  {
    callback_scope scope(w);
    while (list_node *node = list_pop_front(waiters))
      answer(*w->base.mem, waiter_of(node), status, info);
  }
  uv_freeaddrinfo(info);
  uv_world_release(w);
}

lookup *find(uv_world *w, const char *host) {
  for (list_node *n = w->lookups.next; n != &w->lookups; n = n->next) {
    lookup *l = RSTREAM_OWNER(n, lookup, node);
    if (strcmp(l->host, host) == 0) return l;
  }
  return nullptr;
}

int begin(uv_world *w, const char *host, lookup **out) {
  auto *l = memory_new<lookup>(*w->base.mem);
  if (!l) return UV_ENOMEM;
  l->world = w;
  l->host = memory_copy_text(*w->base.mem, host);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  int rc = l->host ? uv_getaddrinfo(w->loop, &l->uv, on_resolved, host, nullptr, &hints)
                   : UV_ENOMEM;
  if (rc < 0) {
    free_lookup(l);
    return rc;
  }
  uv_world_hold(w);
  list_push_back(w->lookups, l->node);
  *out = l;
  return 0;
}

}  // namespace

int uv_world_resolve(net *world, resolve_request *request, const char *host,
                     uint16_t port) {
  uv_world *w = uv_world_of(world);
  auto *mine = memory_new<waiter>(*world->mem);
  if (!mine) return UV_ENOMEM;
  lookup *l = find(w, host);
  int rc = l ? 0 : begin(w, host, &l);
  if (rc < 0) {
    memory_delete(*world->mem, mine);
    return rc;
  }
  mine->of = l;
  mine->request = request;
  mine->port = port;
  list_push_back(l->waiters, mine->node);
  request->backend = mine;
  return 0;
}

void uv_world_resolve_cancel(net *world, resolve_request *request) {
  auto *mine = static_cast<waiter *>(request->backend);
  lookup *l = mine->of;
  request->backend = nullptr;
  list_remove(mine->node);
  memory_delete(*world->mem, mine);
  // One that did not begin yet is called off: nobody may join it any more.
  if (l && list_empty(l->waiters) && uv_cancel(reinterpret_cast<uv_req_t *>(&l->uv)) == 0)
    list_remove(l->node);
}

}  // namespace rstream
