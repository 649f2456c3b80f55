#include "sim/carrier.h"

#include <algorithm>

namespace rstream::sim {

namespace {

carried_peer *peer_of(void *carrier) { return static_cast<carried_peer *>(carrier); }

void free_peer(carried_peer *p) {
  std::erase(p->owner->peers, p);
  delete p;
}

void tell_gone(void *arg) {
  carried_peer *p = peer_of(arg);
  if (p->peer) fake::peer_gone(p->peer);
  free_peer(p);
}

// The broker is told in an event of its own: it may be at work.
void end_link(carried_peer *p, bool reset) {
  if (reset) {
    transport_reset(p->link);
  } else {
    transport_close(p->link);
  }
  p->link = nullptr;
  simulation_call(*p->owner->world, 0, tell_gone, p);
}

void flush(carried_peer *p) {
  if (p->out_at < p->out.size()) {
    net_buffer rest = {p->out.data() + p->out_at, p->out.size() - p->out_at};
    ptrdiff_t taken = transport_write(p->link, {&rest, 1});
    if (taken < 0) return;  // the end follows
    p->out_at += static_cast<size_t>(taken);
  }
  if (p->out_at < p->out.size()) return;
  p->out.clear();
  p->out_at = 0;
  if (p->closing) end_link(p, false);
}

// ---- peer_io

void io_send(void *carrier, wire::bytes bytes) {
  carried_peer *p = peer_of(carrier);
  bool idle = p->out_at == p->out.size();
  p->out.insert(p->out.end(), bytes.begin(), bytes.end());
  if (idle) flush(p);
}

void io_close(void *carrier) {
  carried_peer *p = peer_of(carrier);
  p->closing = true;
  flush(p);
}

void io_reset(void *carrier) { end_link(peer_of(carrier), true); }

void io_pause(void *carrier, bool paused) {
  transport_set_reading(peer_of(carrier)->link, !paused);
}

constexpr fake::peer_io io = {io_send, nullptr, io_close, io_reset, io_pause};

// ---- transport events

void on_connected(void *, int) {}

std::span<uint8_t> on_space(void *owner) { return peer_of(owner)->space; }

void on_read(void *owner, ptrdiff_t n) {
  carried_peer *p = peer_of(owner);
  if (n > 0) {
    if (!p->closing) fake::peer_received(p->peer, {p->space, static_cast<size_t>(n)});
    return;
  }
  transport_close(p->link);
  p->link = nullptr;
  tell_gone(p);
}

void on_writable(void *owner) { flush(peer_of(owner)); }

constexpr transport_events link_events = {on_connected, on_space, on_read, on_writable};

void on_accept(void *arg, transport *t) {
  auto *n = static_cast<carried_node *>(arg);
  auto *p = new carried_peer();
  p->owner = n->owner;
  p->link = t;
  t->events = &link_events;
  t->owner = p;
  n->owner->peers.push_back(p);
  p->peer = fake::peer_open(*n->broker, io, p);
  if (p->peer) return;
  transport_close(t);
  free_peer(p);
}

void on_host_closed(void *) {}

}  // namespace

void cluster_start(carried_cluster &c, simulation &s, int nodes) {
  c.world = &s;
  c.clock = host_create(s, "brokers", s.host_memory, logger{});
  c.cluster = std::make_unique<fake::cluster>(c.clock->base, nodes);
  for (int i = 0; i < nodes; i++) {
    auto n = std::make_unique<carried_node>();
    std::string name = "node" + std::to_string(i);
    n->owner = &c;
    n->home = host_create(s, name.c_str(), s.host_memory, logger{});
    n->broker = &fake::node(*c.cluster, i);
    n->broker->host = name;
    n->broker->port = broker_port;
    listen(n->home, broker_port, {on_accept, n.get()});
    c.nodes.push_back(std::move(n));
  }
}

void cluster_stop(carried_cluster &c) {
  std::vector<carried_peer *> peers = c.peers;
  for (carried_peer *p : peers) {
    fake::peer_gone(p->peer);
    p->peer = nullptr;
    if (!p->link) continue;  // its own event frees it
    transport_reset(p->link);
    free_peer(p);
  }
  c.cluster.reset();
  for (auto &n : c.nodes) host_close(&n->home->base, on_host_closed, nullptr);
  host_close(&c.clock->base, on_host_closed, nullptr);
}

}  // namespace rstream::sim
