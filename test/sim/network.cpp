// Names, connections and the bytes on them.
#include <uv.h>  // for its error codes alone

#include <algorithm>
#include <cassert>
#include <cstring>

#include "sim/world.h"

namespace rstream::sim {

namespace {

constexpr uint64_t segment_gap_us_max = 30;
constexpr int reads_per_event = 8;
// Connections that were held up go on within this time, in no particular order.
constexpr uint64_t held_spread_us = 2000;

endpoint *endpoint_of(transport *t) { return reinterpret_cast<endpoint *>(t); }
size_t unread(const pipe &p) { return p.bytes.size() - p.head; }
// Of one end of a connection, as an event's subject.
uint64_t end_number(const connection &c, int side) { return uint64_t{c.id} * 2 + side; }
connection &connection_at(simulation &s, uint64_t end) { return *s.connections[end / 2]; }

struct place {
  uint32_t host;
  uint16_t port;
};

net_address address_of(place p) {
  net_address a = {};
  memcpy(a.bytes, &p.host, sizeof p.host);
  memcpy(a.bytes + sizeof p.host, &p.port, sizeof p.port);
  a.size = sizeof p.host + sizeof p.port;
  return a;
}

place place_of(const net_address &a) {
  place p;
  memcpy(&p.host, a.bytes, sizeof p.host);
  memcpy(&p.port, a.bytes + sizeof p.host, sizeof p.port);
  return p;
}

// FNV-1a: tells in the trace that bytes differ.
uint64_t hash_of(const uint8_t *data, size_t size) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * 0x100000001b3;
  return h;
}

// ---- bytes on their way

void queue_arrival(simulation &s, connection &c, int side) {
  pipe &p = c.to[side];
  endpoint *reader = c.ends[side];
  if (p.queued || !reader || !reader->connected || reader->ended || !reader->reading ||
      c.silent) {
    return;
  }
  uint64_t due;
  if (p.first_arrival < p.arrivals.size()) {
    due = p.arrivals[p.first_arrival].time_us;
  } else if (p.end) {
    due = p.end_us;
  } else {
    return;
  }
  uint64_t delay =
      due > s.now_us ? due - s.now_us : random_below(s.chance, segment_gap_us_max);
  p.queued = true;
  event_push(s, delay, event_kind::arrive, end_number(c, side));
}

size_t arrived(const simulation &s, const pipe &p) {
  size_t n = 0;
  for (size_t i = p.first_arrival;
       i < p.arrivals.size() && p.arrivals[i].time_us <= s.now_us; i++) {
    n += p.arrivals[i].bytes;
  }
  return n;
}

void consume(pipe &p, size_t n) {
  p.head += n;
  while (n > 0) {
    pipe::arrival &a = p.arrivals[p.first_arrival];
    size_t part = std::min(n, a.bytes);
    a.bytes -= part;
    n -= part;
    if (a.bytes == 0) p.first_arrival++;
  }
  if (p.first_arrival == p.arrivals.size()) {
    p.arrivals.clear();
    p.first_arrival = 0;
  }
  if (p.head == p.bytes.size()) {
    p.bytes.clear();
    p.head = 0;
  } else if (p.head > (64u << 10) && p.head * 2 > p.bytes.size()) {
    p.bytes.erase(p.bytes.begin(), p.bytes.begin() + static_cast<ptrdiff_t>(p.head));
    p.head = 0;
  }
}

void drop_bytes(pipe &p) {
  p.bytes.clear();
  p.bytes.shrink_to_fit();
  p.head = 0;
  p.arrivals.clear();
  p.first_arrival = 0;
}

void wake_writer(simulation &s, connection &c, int reader_side) {
  pipe &p = c.to[reader_side];
  if (!p.writer_waits || unread(p) > p.limit / 2) return;
  p.writer_waits = false;
  event_push(s, c.latency_us / 2, event_kind::writable, end_number(c, 1 - reader_side));
}

void tell_end(simulation &s, endpoint *e, int code) {
  e->ended = true;
  trace_line(s, e->home, "end of connection %u: %s", e->link->id, uv_err_name(code));
  e->base.events->on_read(e->base.owner, code);
}

size_t pick_segment(simulation &s, size_t available) {
  if (!s.sky.segment_bytes_max) return available;
  return std::min<size_t>(available,
                          random_between(s.chance, 1, s.sky.segment_bytes_max));
}

// One read. False when there is nothing more to do with this connection now.
bool read_once(simulation &s, connection &c, int side) {
  endpoint *e = c.ends[side];
  pipe &p = c.to[side];
  if (!e || e->ended || !e->reading || c.silent) return false;
  size_t available = arrived(s, p);
  if (available == 0) {
    if (p.first_arrival == p.arrivals.size() && p.end && p.end_us <= s.now_us) {
      tell_end(s, e, p.end);
    }
    return false;
  }
  std::span<uint8_t> space = e->base.events->on_space(e->base.owner);
  if (space.empty()) {
    tell_end(s, e, UV_ENOBUFS);
    return false;
  }
  size_t n = std::min(pick_segment(s, available), space.size());
  memcpy(space.data(), p.bytes.data() + p.head, n);
  if (s.trace) {
    trace_line(s, e->home, "read %zu of connection %u: %016llx", n, c.id,
               static_cast<unsigned long long>(hash_of(space.data(), n)));
  }
  consume(p, n);
  wake_writer(s, c, side);
  e->base.world->bytes_received += n;
  e->base.events->on_read(e->base.owner, static_cast<ptrdiff_t>(n));
  return true;
}

void on_arrive(simulation &s, connection &c, int side) {
  c.to[side].queued = false;
  // Small segments come one by one; what came together is read as a real loop would.
  int most = s.sky.segment_bytes_max ? 1 : reads_per_event;
  for (int i = 0; i < most && read_once(s, c, side); i++) {
  }
  queue_arrival(s, c, side);
}

void on_writable(simulation &s, connection &c, int side) {
  endpoint *e = c.ends[side];
  if (!e || e->ended || e->broken) return;
  trace_line(s, e->home, "connection %u is writable", c.id);
  e->base.events->on_writable(e->base.owner);
}

// A reset: writes fail at once, reading tells a little later. What was on its way is
// lost.
void on_broken(simulation &s, connection &c, int side) {
  endpoint *e = c.ends[side];
  if (!e || e->ended || c.silent) return;
  if (!e->connected) {  // which is what connecting comes to
    c.connect_status = UV_ECONNRESET;
    return;
  }
  if (!e->broken) {
    trace_line(s, e->home, "connection %u is broken", c.id);
    e->broken = true;
    drop_bytes(c.to[side]);
    event_push(s, random_below(s.chance, 300), event_kind::broken, end_number(c, side));
  } else {
    tell_end(s, e, UV_ECONNRESET);
  }
}

void break_later(simulation &s, connection &c, int side) {
  event_push(s, c.latency_us, event_kind::broken, end_number(c, side));
}

ptrdiff_t network_write(transport *t, std::span<const net_buffer> buffers) {
  endpoint *e = endpoint_of(t);
  connection &c = *e->link;
  simulation &s = *e->home->world;
  assert(e->connected && !e->ended);
  if (e->broken) return UV_EPIPE;
  size_t total = 0;
  for (const net_buffer &b : buffers) total += b.size;
  if (!c.ends[1 - e->side]) {  // nobody is there: the answer is a reset
    e->base.world->bytes_sent += total;
    break_later(s, c, e->side);
    return static_cast<ptrdiff_t>(total);
  }
  pipe &p = c.to[1 - e->side];
  size_t room = p.limit > unread(p) ? p.limit - unread(p) : 0;
  size_t take = std::min(total, room);
  bool cut = take > 0 && random_chance(s.chance, s.sky.short_write);
  if (cut) take = random_below(s.chance, take);
  size_t left = take;
  for (const net_buffer &b : buffers) {
    size_t part = std::min(left, b.size);
    p.bytes.insert(p.bytes.end(), b.data, b.data + part);
    left -= part;
  }
  if (take > 0) {
    uint64_t arrival =
        s.now_us + c.latency_us + random_below(s.chance, s.sky.jitter_us + 1);
    const host &other = *c.ends[1 - e->side]->home;
    arrival += e->home->slow_latency_us + other.slow_latency_us;
    arrival = std::max(arrival, p.last_arrival_us);
    for (uint32_t rate :
         {s.sky.bytes_per_ms, e->home->slow_bytes_per_ms, other.slow_bytes_per_ms}) {
      if (rate) arrival += take * 1000 / rate;
    }
    p.last_arrival_us = arrival;
    p.arrivals.push_back({arrival, take});
    queue_arrival(s, c, 1 - e->side);
  }
  if (take < total) {
    s.writes_cut_short++;
    p.writer_waits = true;
    wake_writer(s, c, 1 - e->side);
  }
  e->base.world->bytes_sent += take;
  trace_line(s, e->home, "wrote %zu of %zu on connection %u", take, total, c.id);
  return static_cast<ptrdiff_t>(take);
}

void close_end(transport *t, bool reset) {
  endpoint *e = endpoint_of(t);
  connection &c = *e->link;
  simulation &s = *e->home->world;
  trace_line(s, e->home, "%s connection %u", reset ? "resets" : "closes", c.id);
  c.ends[e->side] = nullptr;
  pipe &in = c.to[e->side];
  pipe &out = c.to[1 - e->side];
  // What was not read makes a close a reset, behind what was sent before.
  bool rude = unread(in) > 0;
  drop_bytes(in);
  if (c.ends[1 - e->side] && !out.end) {
    out.end = rude || reset ? UV_ECONNRESET : UV_EOF;
    out.end_us = std::max(s.now_us + c.latency_us, out.last_arrival_us);
    if (reset) {
      break_later(s, c, 1 - e->side);
    } else {
      queue_arrival(s, c, 1 - e->side);
    }
  }
  if (!c.ends[1 - e->side]) drop_bytes(out);
  e->home->endpoints--;
  memory_delete(*e->base.world->mem, e);
}

void network_close(transport *t) { close_end(t, false); }

constexpr transport_ops ops = {network_write, network_close};

endpoint *new_endpoint(host *h, connection &c, int side) {
  auto *e = memory_new<endpoint>(*h->base.mem);
  if (!e) return nullptr;
  e->base = {&ops, &h->base, nullptr, nullptr};
  e->home = h;
  e->link = &c;
  e->side = side;
  c.ends[side] = e;
  h->endpoints++;
  return e;
}

connection &new_connection(simulation &s) {
  s.connections.push_back(std::make_unique<connection>());
  connection &c = *s.connections.back();
  c.id = static_cast<uint32_t>(s.connections.size() - 1);
  c.begun_us = s.now_us;
  c.latency_us = random_between(s.chance, s.sky.latency_us_min, s.sky.latency_us_max);
  for (pipe &p : c.to) {
    p.limit = random_between(s.chance, s.sky.pipe_bytes_min, s.sky.pipe_bytes_max);
  }
  return c;
}

void maybe_doom(simulation &s, connection &c) {
  if (!random_chance(s.chance, s.sky.link_lost)) return;
  event_push(s, random_below(s.chance, s.sky.lost_after_us_max + 1), event_kind::lose,
             c.id);
}

void on_accept(simulation &s, connection &c) {
  if (!c.ends[0]) return;  // given up meanwhile
  host *h = s.hosts[c.target_host];
  auto l = s.listeners.find({c.target_host, c.target_port});
  endpoint *e = nullptr;
  if (h && l != s.listeners.end() && !random_chance(s.chance, s.sky.connect_refused)) {
    e = new_endpoint(h, c, 1);
  }
  c.connect_status = e ? 0 : UV_ECONNREFUSED;
  event_push(s, c.latency_us, event_kind::connected, c.id);
  if (!e) return;
  e->connected = true;
  trace_line(s, h, "accepts connection %u", c.id);
  maybe_doom(s, c);
  l->second.on_accept(l->second.arg, &e->base);
}

void on_connected(simulation &s, connection &c) {
  endpoint *e = c.ends[0];
  if (!e || c.silent) return;
  trace_line(s, e->home, "connection %u: %s", c.id,
             c.connect_status ? uv_err_name(c.connect_status) : "connected");
  if (c.connect_status) {
    e->ended = true;
  } else {
    e->connected = true;
  }
  uint32_t id = c.id;
  e->base.events->on_connected(e->base.owner, c.connect_status);
  queue_arrival(s, *s.connections[id], 0);
}

// ---- names

void add_addresses(const simulation &s, const std::string &name, uint16_t port,
                   net_address *addresses, size_t &count) {
  for (const host *h : s.hosts) {
    if (h && h->name == name && count < net_max_addresses) {
      addresses[count++] = address_of({h->id, port});
    }
  }
}

// A name without a host behind it is an address where nobody is.
size_t find_addresses(const simulation &s, const lookup &l, net_address *addresses) {
  size_t count = 0;
  auto more = s.names.find(l.name);
  if (more == s.names.end()) {
    add_addresses(s, l.name, l.port, addresses, count);
    return count;
  }
  for (const std::string &name : more->second) {
    size_t before = count;
    add_addresses(s, name, l.port, addresses, count);
    if (count == before && count < net_max_addresses) {
      addresses[count++] = address_of({UINT32_MAX, l.port});
    }
  }
  return count;
}

void on_resolved(simulation &s, uint64_t id) {
  lookup *l = s.lookups[id];
  if (!l) return;
  net_address addresses[net_max_addresses];
  size_t count = l->status == 0 ? find_addresses(s, *l, addresses) : 0;
  int status = l->status ? l->status : count ? 0 : UV_EAI_NONAME;
  trace_line(s, l->home, "resolved %s: %s, %zu addresses", l->name.c_str(),
             status ? uv_err_name(status) : "OK", count);
  resolve_request *request = l->request;
  s.lookups[id] = nullptr;
  l->home->lookups--;
  memory_delete(*l->home->base.mem, l);
  request->backend = nullptr;
  request->on_resolved(request, status, {addresses, count});
}

}  // namespace

namespace {

// Whom an event of a connection concerns; nullptr: none.
const connection *subject_of(const simulation &s, const event &e) {
  switch (e.kind) {
  case event_kind::accept:
  case event_kind::connected: return s.connections[e.subject].get();
  case event_kind::arrive:
  case event_kind::writable:
  case event_kind::broken: return s.connections[e.subject / 2].get();
  default: return nullptr;
  }
}

uint64_t paused_until(const simulation &s, uint32_t host_id) {
  const host *h = host_id < s.hosts.size() ? s.hosts[host_id] : nullptr;
  return h ? h->paused_until_us : 0;
}

// Until when nothing gets through from one end to the other.
uint64_t held_until(const simulation &s, const connection &c) {
  uint64_t until =
      std::max(paused_until(s, c.maker_host), paused_until(s, c.target_host));
  for (const partition &p : s.partitions) {
    bool apart = (p.hosts[0] == c.maker_host && p.hosts[1] == c.target_host) ||
                 (p.hosts[1] == c.maker_host && p.hosts[0] == c.target_host);
    if (apart) until = std::max(until, p.until_us);
  }
  return until;
}

// True when it comes later.
bool hold_event(simulation &s, const event &e) {
  const connection *c = subject_of(s, e);
  uint64_t until = c ? held_until(s, *c) : 0;
  if (until <= s.now_us) return false;
  s.events_held++;
  // What happens to one connection stays in order.
  uint64_t late_us = c->id * 2654435761u % held_spread_us;
  event_push(s, until - s.now_us + late_us, e.kind, e.subject);
  return true;
}

}  // namespace

void network_event(simulation &s, const event &e) {
  if (hold_event(s, e)) return;
  switch (e.kind) {
  case event_kind::resolved: return on_resolved(s, e.subject);
  case event_kind::accept: return on_accept(s, *s.connections[e.subject]);
  case event_kind::connected: return on_connected(s, *s.connections[e.subject]);
  case event_kind::arrive:
    return on_arrive(s, connection_at(s, e.subject), e.subject % 2);
  case event_kind::writable:
    return on_writable(s, connection_at(s, e.subject), e.subject % 2);
  case event_kind::broken:
    return on_broken(s, connection_at(s, e.subject), e.subject % 2);
  case event_kind::lose:
    return connection_lose(s, *s.connections[e.subject],
                           random_below(s.chance, 2) ? loss::reset : loss::silence);
  default: assert(!"an event of nobody");
  }
}

int network_resolve(net *world, resolve_request *request, const char *name,
                    uint16_t port) {
  host *h = host_of(world);
  simulation &s = *h->world;
  lookup *l = memory_new<lookup>(*world->mem);
  if (!l) return UV_ENOMEM;
  l->home = h;
  l->request = request;
  l->id = s.lookups.size();
  l->name = name;
  l->port = port;
  l->status = random_chance(s.chance, s.sky.resolve_fails) ? UV_EAI_AGAIN : 0;
  l->delay_us = random_below(s.chance, s.sky.resolve_us_max + 1);
  if (s.on_lookup) s.on_lookup(*l);
  s.lookups.push_back(l);
  h->lookups++;
  request->backend = l;
  event_push(s, l->delay_us, event_kind::resolved, l->id);
  return 0;
}

void network_resolve_cancel(net *world, resolve_request *request) {
  auto *l = static_cast<lookup *>(request->backend);
  host *h = host_of(world);
  request->backend = nullptr;
  h->world->lookups[l->id] = nullptr;
  h->lookups--;
  memory_delete(*world->mem, l);
}

int network_connect(net *world, transport **t, const net_address &address,
                    const transport_events *events, void *owner) {
  *t = nullptr;
  host *h = host_of(world);
  simulation &s = *h->world;
  connection &c = new_connection(s);
  endpoint *e = new_endpoint(h, c, 0);
  if (!e) return UV_ENOMEM;
  place target = place_of(address);
  c.maker_host = h->id;
  c.target_host = target.host;
  c.target_port = target.port;
  e->base.events = events;
  e->base.owner = owner;
  *t = &e->base;
  trace_line(s, h, "connects to port %u of host %u: connection %u", unsigned{target.port},
             target.host, c.id);
  bool silent = random_chance(s.chance, s.sky.connect_silent);
  bool is_host = target.host < s.hosts.size();
  if (is_host && s.hosts[target.host] && s.hosts[target.host]->silent) silent = true;
  if (!is_host) {
    c.connect_status = UV_ECONNREFUSED;
    event_push(s, c.latency_us, event_kind::connected, c.id);
  } else if (!silent) {
    event_push(s, c.latency_us, event_kind::accept, c.id);
  }
  return 0;
}

void name_clear(simulation &s, const char *name) { s.names[name].clear(); }

void name_add(simulation &s, const char *name, const char *host_name) {
  s.names[name].push_back(host_name);
}

void listen(host *h, uint16_t port, const listener &l) {
  h->world->listeners[{h->id, port}] = l;
}
void listen_stop(host *h, uint16_t port) { h->world->listeners.erase({h->id, port}); }

void transport_reset(transport *t) { close_end(t, true); }

void transport_set_reading(transport *t, bool on) {
  endpoint *e = endpoint_of(t);
  e->reading = on;
  if (on) queue_arrival(*e->home->world, *e->link, e->side);
}

void connection_lose(simulation &s, connection &c, loss how) {
  if (c.silent || !c.ends[0] || !c.ends[1]) return;
  s.connections_lost++;
  trace_line(s, nullptr, "connection %u is lost: %s", c.id,
             how == loss::reset ? "reset" : "silence");
  if (how == loss::silence) {
    c.silent = true;
    return;
  }
  break_later(s, c, 0);
  break_later(s, c, 1);
}

void hosts_part(simulation &s, const host &a, const host &b, uint64_t us) {
  trace_line(s, nullptr, "%s and %s are parted", a.name.c_str(), b.name.c_str());
  s.partitions.push_back({{a.id, b.id}, s.now_us + us});
}

void host_pause(host &h, uint64_t us) {
  trace_line(*h.world, &h, "pauses");
  h.paused_until_us = h.world->now_us + us;
}

void network_heal(simulation &s) {
  s.partitions.clear();
  for (host *h : s.hosts) {
    if (!h) continue;
    h->paused_until_us = 0;
    h->slow_bytes_per_ms = h->slow_latency_us = 0;
  }
}

size_t connections_open(const simulation &s) {
  return static_cast<size_t>(
      std::count_if(s.connections.begin(), s.connections.end(),
                    [](const auto &c) { return c->ends[0] && c->ends[1]; }));
}

}  // namespace rstream::sim
