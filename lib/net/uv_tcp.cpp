// TCP on libuv's poll handle. Not uv_tcp_t: its writes can raise SIGPIPE, which a library
// must not ask its application to ignore, and its write requests allocate. Readiness is
// all that is needed.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "net/uv_world.h"

namespace rstream {

namespace {

// One readable event reads this often at most, so that one fast peer does not starve the
// others.
constexpr int reads_per_event = 8;
constexpr size_t buffers_per_call = 64;

struct tcp {
  transport base;
  uv_poll_t poll;
  int fd;
  bool connecting;
  bool closed;          // transport_close() was called
  bool wants_writable;  // on_writable was promised
  bool ended;           // the peer's end was told: no more reading
};

tcp *tcp_of(transport *t) { return reinterpret_cast<tcp *>(t); }
uv_world *world_of(tcp *t) { return uv_world_of(t->base.world); }

int last_error() { return uv_translate_sys_error(errno); }

// What went wrong on a socket by itself; libuv only tells that something did.
int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return last_error();
  return uv_translate_sys_error(error);
}

void on_poll(uv_poll_t *poll, int status, int events);

void watch(tcp *t) {
  int events = 0;
  if (!t->connecting && !t->ended) events |= UV_READABLE;
  if (t->connecting || t->wants_writable) events |= UV_WRITABLE;
  if (events) {
    uv_poll_start(&t->poll, events, on_poll);
  } else {
    uv_poll_stop(&t->poll);
  }
}

void tell_connected(tcp *t) {
  int error = pending_error(t->fd);
  t->connecting = false;
  if (error) {
    t->ended = true;
  } else {
    int on = 1;  // Frames are gathered already; waiting for more would only add latency.
    setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  watch(t);
  t->base.events->on_connected(t->base.owner, error);
}

void tell_end(tcp *t, ptrdiff_t code) {
  t->ended = true;
  watch(t);
  t->base.events->on_read(t->base.owner, code);
}

// Returns false when there is nothing more to read now.
bool read_once(tcp *t) {
  std::span<uint8_t> space = t->base.events->on_space(t->base.owner);
  if (space.empty()) {
    tell_end(t, UV_ENOBUFS);
    return false;
  }
  ssize_t n;
  do {
    n = recv(t->fd, space.data(), space.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (n <= 0) {
    tell_end(t, n == 0 ? UV_EOF : last_error());
    return false;
  }
  t->base.world->bytes_received += static_cast<uint64_t>(n);
  t->base.events->on_read(t->base.owner, n);
  return static_cast<size_t>(n) == space.size();
}

void on_poll(uv_poll_t *poll, int status, int events) {
  tcp *t = RSTREAM_OWNER(poll, tcp, poll);
  uv_world *w = world_of(t);
  callback_scope scope(w);
  if (t->connecting) {
    tell_connected(t);
    return;
  }
  if (status < 0) {
    int error = pending_error(t->fd);
    tell_end(t, error ? error : UV_ECONNRESET);
    return;
  }
  if ((events & UV_WRITABLE) && t->wants_writable) {
    t->wants_writable = false;
    watch(t);
    t->base.events->on_writable(t->base.owner);
  }
  if (!(events & UV_READABLE)) return;
  for (int i = 0; i < reads_per_event; i++) {
    if (t->closed || t->ended || !read_once(t)) return;
  }
}

ptrdiff_t tcp_write(transport *base, std::span<const net_buffer> buffers) {
  tcp *t = tcp_of(base);
  iovec parts[buffers_per_call];
  size_t n = buffers.size() < buffers_per_call ? buffers.size() : buffers_per_call;
  size_t total = 0;
  for (size_t i = 0; i < buffers.size(); i++) total += buffers[i].size;
  for (size_t i = 0; i < n; i++) {
    parts[i] = {const_cast<uint8_t *>(buffers[i].data), buffers[i].size};
  }
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = n;
  ssize_t taken;
  do {
    taken = sendmsg(t->fd, &message, MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  if (taken < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) return last_error();
    taken = 0;
  }
  base->world->bytes_sent += static_cast<uint64_t>(taken);
  if (static_cast<size_t>(taken) < total && !t->wants_writable) {
    t->wants_writable = true;
    watch(t);
  }
  return taken;
}

void on_closed(uv_handle_t *handle) {
  tcp *t = RSTREAM_OWNER(handle, tcp, poll);
  uv_world *w = world_of(t);
  memory_delete(*w->base.mem, t);
  uv_world_release(w);
}

void tcp_close(transport *base) {
  tcp *t = tcp_of(base);
  t->closed = true;
  // The handle must let go of the descriptor before it is closed.
  uv_poll_stop(&t->poll);
  uv_close(reinterpret_cast<uv_handle_t *>(&t->poll), on_closed);
  ::close(t->fd);
}

constexpr transport_ops ops = {tcp_write, tcp_close};

int open_socket(const net_address &address) {
  sockaddr_storage name{};  // which is aligned, unlike bytes
  memcpy(&name, address.bytes, address.size);
  int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return last_error();
  int rc;
  do {
    rc = connect(fd, reinterpret_cast<sockaddr *>(&name), address.size);
  } while (rc < 0 && errno == EINTR);
  // A refusal that is known at once is told by the poll handle like a later one; anything
  // else means that the attempt can't even be made.
  if (rc < 0 && errno != EINPROGRESS) {
    int code = last_error();
    ::close(fd);
    return code;
  }
  return fd;
}

}  // namespace

int uv_world_connect(net *world, transport **out, const net_address &address,
                     const transport_events *events, void *owner) {
  *out = nullptr;
  uv_world *w = uv_world_of(world);
  auto *t = memory_new<tcp>(*world->mem);
  if (!t) return UV_ENOMEM;
  int fd = open_socket(address);
  int rc = fd < 0 ? fd : uv_poll_init(w->loop, &t->poll, fd);
  if (rc < 0) {
    if (fd >= 0) ::close(fd);
    memory_delete(*world->mem, t);
    return rc;
  }
  t->base = {&ops, world, events, owner, nullptr};
  t->fd = fd;
  t->connecting = true;
  t->closed = t->wants_writable = t->ended = false;
  uv_world_hold(w);
  watch(t);
  *out = &t->base;
  return 0;
}

}  // namespace rstream
