#include "fake/uv_carrier.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "net/uv_net.h"

namespace rstream::fake {

namespace {

constexpr size_t read_bytes = 256 << 10;
constexpr int reads_per_event = 4;
constexpr size_t copy_block_bytes = 64 << 10;
constexpr size_t pieces_per_call = 64;

// Output on its way: bytes of a block that is shared, or that was made to hold copies.
struct piece {
  blob *owner;
  const uint8_t *data;
  size_t size;
};

struct link;
struct link_task {
  net_task task;
  link *owner;
};

struct link {
  uv_poll_t poll;  // `data` is the link
  uv_cluster *owner;
  fake::peer *peer = nullptr;
  int fd = -1;
  std::deque<piece> out;
  blob *copies = nullptr;  // where copied output goes
  size_t copies_used = 0;
  link_task flush;
  bool ending = false;  // close() was called: output first, then the end
  bool shut = false;    // our half is closed, the client's is awaited
  bool over = false;    // the descriptor is gone
  bool paused = false;
  bool wants_turn = false;  // next_turn() was called
};

struct listener {
  uv_poll_t poll;
  uv_cluster *owner;
  fake::broker *broker;
  int fd = -1;
  uint16_t port = 0;
};

void on_link_event(uv_poll_t *poll, int status, int events);
void flush(link &l);

}  // namespace

struct uv_cluster {
  uv_loop_t *loop = nullptr;
  memory mem = {memory_functions_default(), 0, 0};
  net *world = nullptr;
  std::unique_ptr<fake::cluster> cluster;
  std::vector<std::unique_ptr<listener>> listeners;
  std::vector<link *> links;
  size_t live = 0;  // handles libuv still knows
  bool closing = false;
  std::unique_ptr<uint8_t[]> buffer{new uint8_t[read_bytes]};
  void (*on_closed)(void *arg) = nullptr;
  void *on_closed_arg = nullptr;
};

namespace {

void watch(link &l) {
  int events = 0;
  // Paused, it does not even learn that the client is gone: that stands behind what is
  // unread.
  if (!l.paused) events |= UV_READABLE;
  if (!l.out.empty() || l.wants_turn) events |= UV_WRITABLE;
  if (events) {
    uv_poll_start(&l.poll, events, on_link_event);
  } else {
    uv_poll_stop(&l.poll);
  }
}

void on_all_closed(void *arg) {
  auto *c = static_cast<uv_cluster *>(arg);
  auto on_closed = c->on_closed;
  void *on_closed_arg = c->on_closed_arg;
  delete c;
  if (on_closed) on_closed(on_closed_arg);
}

// The cluster's timers use the world, so the cluster goes first.
void released(uv_cluster *c) {
  if (--c->live > 0 || !c->closing) return;
  c->cluster.reset();
  net_uv_close(c->world, on_all_closed, c);
}

void on_link_closed(uv_handle_t *handle) {
  auto *l = static_cast<link *>(handle->data);
  uv_cluster *c = l->owner;
  std::erase(c->links, l);
  if (l->peer) peer_gone(l->peer);
  delete l;
  released(c);
}

void drop_output(link &l) {
  for (piece &part : l.out) blob_unref(part.owner);
  l.out.clear();
  if (l.copies) blob_unref(l.copies);
  l.copies = nullptr;
}

// The descriptor goes now; the broker hears of it, and the link is freed, in a later
// turn.
void end_link(link &l, bool reset) {
  if (l.over) return;
  l.over = true;
  net_task_cancel(l.flush.task);
  drop_output(l);
  if (reset) {
    linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(l.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  uv_close(reinterpret_cast<uv_handle_t *>(&l.poll), on_link_closed);
  ::close(l.fd);
}

// ---- output

void queue(link &l, blob *owner, const uint8_t *data, size_t size) {
  if (!l.out.empty() && l.out.back().owner == owner &&
      l.out.back().data + l.out.back().size == data) {
    l.out.back().size += size;
    return;
  }
  blob_ref(owner);
  l.out.push_back({owner, data, size});
}

void io_send(void *carrier, wire::bytes bytes) {
  link &l = *static_cast<link *>(carrier);
  if (l.over) return;
  if (!l.copies || l.copies->capacity - l.copies_used < bytes.size()) {
    if (l.copies) blob_unref(l.copies);
    l.copies = blob_new(std::max(copy_block_bytes, bytes.size()));
    l.copies_used = 0;
  }
  uint8_t *to = l.copies->data() + l.copies_used;
  std::memcpy(to, bytes.data(), bytes.size());
  l.copies_used += bytes.size();
  queue(l, l.copies, to, bytes.size());
  net_task_queue(*l.owner->world, l.flush.task, task_stage::write);
}

void io_send_shared(void *carrier, blob *owner, wire::bytes bytes) {
  link &l = *static_cast<link *>(carrier);
  if (l.over) return;
  queue(l, owner, bytes.data(), bytes.size());
  net_task_queue(*l.owner->world, l.flush.task, task_stage::write);
}

void io_close(void *carrier) {
  link &l = *static_cast<link *>(carrier);
  l.ending = true;
  net_task_queue(*l.owner->world, l.flush.task, task_stage::write);
}

void io_reset(void *carrier) { end_link(*static_cast<link *>(carrier), true); }

void io_pause(void *carrier, bool paused) {
  link &l = *static_cast<link *>(carrier);
  l.paused = paused;
  if (!l.over) watch(l);
}

// Not a timer of 0 ms, which libuv may run again before it looks at sockets. The event
// that there is room comes from the same call as the client's, and what is sent then goes
// out after both.
void io_next_turn(void *carrier) {
  link &l = *static_cast<link *>(carrier);
  l.wants_turn = true;
  net_task_queue(*l.owner->world, l.flush.task, task_stage::write);
}

constexpr peer_io io = {io_send,  io_send_shared, io_close,
                        io_reset, io_pause,       io_next_turn};

void consume(link &l, size_t n) {
  while (n > 0) {
    piece &part = l.out.front();
    size_t taken = std::min(n, part.size);
    part.data += taken;
    part.size -= taken;
    n -= taken;
    if (part.size > 0) return;
    blob_unref(part.owner);
    l.out.pop_front();
  }
  // All of it is out: the block of copies can be filled from its start again.
  if (l.out.empty() && l.copies && l.copies->refs == 1) l.copies_used = 0;
}

void flush(link &l) {
  while (!l.over && !l.out.empty()) {
    iovec parts[pieces_per_call];
    size_t count = 0, total = 0;
    for (piece &part : l.out) {
      if (count == pieces_per_call) break;
      parts[count++] = {const_cast<uint8_t *>(part.data), part.size};
      total += part.size;
    }
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t n = sendmsg(l.fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      end_link(l, false);
      return;
    }
    if (n > 0) consume(l, static_cast<size_t>(n));
    if (n < static_cast<ssize_t>(total)) break;
  }
  if (l.over) return;
  if (l.ending && l.out.empty() && !l.shut) {
    // Not closed yet: with unread bytes that would reset the connection, and the client
    // could miss what was sent last. The client closes in answer.
    l.shut = true;
    l.paused = false;
    shutdown(l.fd, SHUT_WR);
  }
  watch(l);
}

// ---- input

bool read_once(link &l) {
  uv_cluster *c = l.owner;
  ssize_t n = recv(l.fd, c->buffer.get(), read_bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
  if (n <= 0) {
    end_link(l, false);
    return false;
  }
  peer_received(l.peer, {c->buffer.get(), static_cast<size_t>(n)});
  return !l.over && !l.paused && n == static_cast<ssize_t>(read_bytes);
}

void on_link_event(uv_poll_t *poll, int status, int events) {
  link &l = *static_cast<link *>(poll->data);
  if (l.over) return;
  if (status < 0) {
    end_link(l, false);
    return;
  }
  if ((events & UV_WRITABLE) && !l.out.empty()) {
    flush(l);
  } else if ((events & UV_WRITABLE) && l.wants_turn) {
    l.wants_turn = false;
    watch(l);
    peer_turn(l.peer);
  }
  if (l.over || !(events & UV_READABLE)) return;
  for (int i = 0; i < reads_per_event && read_once(l); i++) {
  }
}

void on_connection(uv_poll_t *poll, int status, int) {
  listener &from = *static_cast<listener *>(poll->data);
  if (status < 0) return;
  int fd = accept4(from.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  uv_cluster *c = from.owner;
  auto *l = new link();
  l->owner = c;
  l->fd = fd;
  l->flush.owner = l;
  l->flush.task.run = [](net_task *task) {
    flush(*RSTREAM_OWNER(task, link_task, task)->owner);
  };
  int rc = uv_poll_init(c->loop, &l->poll, fd);
  l->poll.data = l;
  assert(rc == 0);
  (void)rc;
  c->live++;
  c->links.push_back(l);
  l->peer = peer_open(*from.broker, io, l);
  if (!l->peer) {
    end_link(*l, true);
    return;
  }
  if (!l->over) watch(*l);
}

bool listen_for(uv_cluster *c, int index) {
  auto made = std::make_unique<listener>();
  made->owner = c;
  made->broker = &node(*c->cluster, index);
  made->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  auto *any = reinterpret_cast<sockaddr *>(&name);
  if (made->fd < 0 || bind(made->fd, any, size) < 0 || listen(made->fd, 128) < 0 ||
      getsockname(made->fd, any, &size) < 0) {
    if (made->fd >= 0) ::close(made->fd);
    return false;
  }
  made->port = ntohs(name.sin_port);
  made->broker->host = "127.0.0.1";
  made->broker->port = made->port;
  uv_poll_init(c->loop, &made->poll, made->fd);
  made->poll.data = made.get();
  uv_poll_start(&made->poll, UV_READABLE, on_connection);
  c->live++;
  c->listeners.push_back(std::move(made));
  return true;
}

int64_t wall_ms() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

}  // namespace

uv_cluster *uv_cluster_open(uv_loop_s *loop, int node_count) {
  auto *c = new uv_cluster();
  c->loop = loop;
  if (net_uv_create(&c->world, loop, c->mem, logger()) < 0) {
    delete c;
    return nullptr;
  }
  c->cluster = std::make_unique<fake::cluster>(*c->world, node_count);
  c->cluster->options.epoch_ms = wall_ms() - static_cast<int64_t>(net_now_ms(*c->world));
  for (int i = 0; i < node_count; i++) {
    if (!listen_for(c, i)) {
      uv_cluster_close(c);
      return nullptr;
    }
  }
  return c;
}

cluster &uv_cluster_of(uv_cluster *c) { return *c->cluster; }

uint16_t uv_cluster_port(const uv_cluster *c, int index) {
  return c->listeners[static_cast<size_t>(index)]->port;
}

std::string uv_cluster_uri(const uv_cluster *c, int index) {
  return "rabbitmq-stream://guest:guest@127.0.0.1:" +
         std::to_string(uv_cluster_port(c, index)) + "/%2f";
}

void uv_cluster_close(uv_cluster *c, void (*on_closed)(void *arg), void *arg) {
  c->on_closed = on_closed;
  c->on_closed_arg = arg;
  c->closing = true;
  c->live++;  // Held here until everything has been told to close.
  for (link *l : std::vector<link *>(c->links)) end_link(*l, true);
  for (auto &l : c->listeners) {
    uv_close(reinterpret_cast<uv_handle_t *>(&l->poll), [](uv_handle_t *handle) {
      released(static_cast<listener *>(handle->data)->owner);
    });
    ::close(l->fd);
    l->fd = -1;
  }
  released(c);
}

}  // namespace rstream::fake
