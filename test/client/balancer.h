// A load balancer for tests: takes connections on 127.0.0.1 and hands each to the next of
// its targets, or to those it is told to.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

namespace rstream::test {

struct balancer {
  struct side;
  struct pair;

  uv_loop_t *loop = nullptr;
  uv_tcp_t listener;
  uint16_t port = 0;
  std::vector<uint16_t> targets;  // in turns
  size_t accepted = 0;
  std::vector<pair *> pairs;  // open now

  void open(uv_loop_t *on);
  void close();  // the loop has to be run after it
};

struct balancer::side {
  uv_tcp_t tcp;
  side *other = nullptr;
  pair *owner = nullptr;
};

struct balancer::pair {
  balancer *owner = nullptr;
  side client, target;
  uv_connect_t connecting;
  int open = 2;
  bool closing = false;
};

inline void balancer_end(balancer::pair *p) {
  if (p->closing) return;
  p->closing = true;
  auto on_closed = [](uv_handle_t *handle) {
    auto *gone = static_cast<balancer::side *>(handle->data)->owner;
    if (--gone->open > 0) return;
    std::erase(gone->owner->pairs, gone);
    delete gone;
  };
  uv_close(reinterpret_cast<uv_handle_t *>(&p->client.tcp), on_closed);
  uv_close(reinterpret_cast<uv_handle_t *>(&p->target.tcp), on_closed);
}

inline void balancer_forward(balancer::side &from) {
  auto allocate = [](uv_handle_t *, size_t, uv_buf_t *buffer) {
    static char space[1 << 16];
    *buffer = uv_buf_init(space, sizeof space);
  };
  auto on_read = [](uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
    auto *s = static_cast<balancer::side *>(stream->data);
    if (n < 0) return balancer_end(s->owner);
    struct write {
      uv_write_t request;
      std::string bytes;
    };
    auto *w = new write{{}, {buffer->base, static_cast<size_t>(n)}};
    uv_buf_t out = uv_buf_init(w->bytes.data(), static_cast<unsigned>(w->bytes.size()));
    uv_write(&w->request, reinterpret_cast<uv_stream_t *>(&s->other->tcp), &out, 1,
             [](uv_write_t *request, int) { delete reinterpret_cast<write *>(request); });
  };
  uv_read_start(reinterpret_cast<uv_stream_t *>(&from.tcp), allocate, on_read);
}

inline void balancer::open(uv_loop_t *on) {
  loop = on;
  listener.data = this;
  uv_tcp_init(loop, &listener);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&listener, reinterpret_cast<sockaddr *>(&address), 0);
  int size = sizeof address;
  uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr *>(&address), &size);
  port = ntohs(address.sin_port);
  auto on_connection = [](uv_stream_t *stream, int) {
    auto *b = static_cast<balancer *>(stream->data);
    auto *p = new pair;
    p->owner = b;
    b->pairs.push_back(p);
    p->client.owner = p->target.owner = p;
    p->client.other = &p->target;
    p->target.other = &p->client;
    uv_tcp_init(b->loop, &p->client.tcp);
    uv_tcp_init(b->loop, &p->target.tcp);
    p->client.tcp.data = &p->client;
    p->target.tcp.data = &p->target;
    p->connecting.data = p;
    uv_accept(stream, reinterpret_cast<uv_stream_t *>(&p->client.tcp));
    sockaddr_in to;
    uv_ip4_addr("127.0.0.1", b->targets[b->accepted++ % b->targets.size()], &to);
    uv_tcp_connect(&p->connecting, &p->target.tcp, reinterpret_cast<sockaddr *>(&to),
                   [](uv_connect_t *request, int status) {
                     auto *made = static_cast<pair *>(request->data);
                     if (made->closing) return;
                     if (status < 0) return balancer_end(made);
                     balancer_forward(made->client);
                     balancer_forward(made->target);
                   });
  };
  uv_listen(reinterpret_cast<uv_stream_t *>(&listener), 64, on_connection);
}

inline void balancer::close() {
  uv_close(reinterpret_cast<uv_handle_t *>(&listener), nullptr);
  for (pair *p : std::vector<pair *>(pairs)) balancer_end(p);
}

}  // namespace rstream::test
