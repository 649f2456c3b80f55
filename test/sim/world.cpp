// Clock, events, hosts and their turns.
#include "sim/world.h"

#include <algorithm>
#include <cassert>
#include <cinttypes>
#include <cstdarg>

#include "net/net_errors.h"

namespace rstream::sim {

namespace {

constexpr uint64_t network_stream = 1;
constexpr uint64_t host_stream = 1000;

bool later(const event &a, const event &b) {
  return a.time_us != b.time_us ? a.time_us > b.time_us : a.sequence > b.sequence;
}

uint64_t push(simulation &s, event e) {
  e.sequence = ++s.sequence;
  s.queue.push_back(e);
  std::push_heap(s.queue.begin(), s.queue.end(), later);
  return e.sequence;
}

event pop(simulation &s) {
  std::pop_heap(s.queue.begin(), s.queue.end(), later);
  event e = s.queue.back();
  s.queue.pop_back();
  return e;
}

// ---- net_ops

uint64_t host_now_us(net *world) { return host_of(world)->world->now_us; }
uint64_t host_random(net *world) { return random_next(host_of(world)->chance); }

void host_wake_at(net *world, uint64_t due_ms) {
  host *h = host_of(world);
  simulation &s = *h->world;
  h->wake_event = 0;
  if (due_ms == net_never || h->closing) return;
  uint64_t due_us = std::max(due_ms * 1000, s.now_us);
  due_us += random_below(h->chance, s.sky.timer_late_us_max + 1);
  h->wake_event = push(s, {due_us, 0, event_kind::timers, h->id, nullptr, nullptr});
}

void host_wake_soon(net *world) {
  host *h = host_of(world);
  if (h->turn_queued || h->closing) return;
  h->turn_queued = true;
  event_push(*h->world, random_below(h->chance, h->world->sky.turn_us_max + 1),
             event_kind::turn, h->id);
}

// ---- events of hosts

void run_timers(simulation &s, const event &e) {
  host *h = s.hosts[e.subject];
  if (!h || h->wake_event != e.sequence) return;
  trace_line(s, h, "timers");
  net_run_timers(h->base);
}

void end_turn(simulation &s, host *h) {
  if (!h) return;
  trace_line(s, h, "end of turn");
  // Tasks queued by tasks are run by the same call.
  bool left = net_end_turn(h->base);
  h->turn_queued = false;
  if (left) host_wake_soon(&h->base);
}

void check_closed(simulation &s, const host *h) {
  if (h->base.timers)
    simulation_fail(s, "%s closed with a timer running", h->name.c_str());
  if (!list_empty(h->base.tasks[0]) || !list_empty(h->base.tasks[1])) {
    simulation_fail(s, "%s closed with a task queued", h->name.c_str());
  }
  if (h->endpoints) {
    simulation_fail(s, "%s closed with %u transports open", h->name.c_str(),
                    h->endpoints);
  }
  if (h->lookups) {
    simulation_fail(s, "%s closed with %u look-ups running", h->name.c_str(), h->lookups);
  }
}

void free_host(simulation &s, host *h) {
  check_closed(s, h);
  trace_line(s, h, "closed");
  auto on_closed = h->on_closed;
  void *arg = h->on_closed_arg;
  s.hosts[h->id] = nullptr;
  memory_delete(*h->base.mem, h);
  if (on_closed) on_closed(arg);
}

void run_event(simulation &s, const event &e) {
  switch (e.kind) {
  case event_kind::call: e.run(e.arg); break;
  case event_kind::timers: run_timers(s, e); break;
  case event_kind::turn: end_turn(s, s.hosts[e.subject]); break;
  case event_kind::host_closed: free_host(s, s.hosts[e.subject]); break;
  default: network_event(s, e);
  }
}

int source_create(void *arg, net **world, memory &mem, const logger &log) {
  auto *source = static_cast<host_source *>(arg);
  host *h = host_create(*source->world, source->name, mem, log);
  *world = h ? &h->base : nullptr;
  return h ? 0 : net_error_no_memory();
}

}  // namespace

const net_ops network_ops = {host_now_us,    host_random,     host_wake_at,
                             host_wake_soon, network_resolve, network_resolve_cancel,
                             network_connect};

void simulation_init(simulation &s, uint64_t seed) {
  s.seed = seed;
  s.chance = random_of(seed, network_stream);
}

void simulation_release(simulation &s) {
  for (host *h : s.hosts) assert(!h);
  for (lookup *l : s.lookups) assert(!l);
  s.connections.clear();
}

bool simulation_run(simulation &s, uint64_t max_events) {
  for (uint64_t i = 0; i < max_events; i++) {
    if (s.stopped || s.queue.empty()) return true;
    event e = pop(s);
    s.now_us = std::max(s.now_us, e.time_us);
    s.events_run++;
    run_event(s, e);
  }
  return s.stopped || s.queue.empty();
}

void simulation_stop(simulation &s) { s.stopped = true; }

void simulation_leap(simulation &s, uint64_t us) { s.now_us += us; }

void simulation_call(simulation &s, uint64_t delay_us, void (*run)(void *arg),
                     void *arg) {
  push(s, {s.now_us + delay_us, 0, event_kind::call, 0, run, arg});
}

void event_push(simulation &s, uint64_t delay_us, event_kind kind, uint64_t subject) {
  push(s, {s.now_us + delay_us, 0, kind, subject, nullptr, nullptr});
}

void simulation_fail(simulation &s, const char *format, ...) {
  if (simulation_failed(s)) return;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  s.failure = text;
  s.stopped = true;
  trace_line(s, nullptr, "FAILED: %s", text);
}

void trace_line(simulation &s, const host *h, const char *format, ...) {
  if (!s.trace) return;
  fprintf(s.trace, "%10" PRIu64 ".%03u %-8s ", s.now_us / 1000,
          static_cast<unsigned>(s.now_us % 1000), h ? h->name.c_str() : "-");
  va_list arguments;
  va_start(arguments, format);
  vfprintf(s.trace, format, arguments);
  va_end(arguments);
  fputc('\n', s.trace);
}

host *host_create(simulation &s, const char *name, memory &mem, const logger &log) {
  host *h = memory_new<host>(mem);
  if (!h) return nullptr;
  h->base.ops = &network_ops;
  h->base.mem = &mem;
  h->base.log = log;
  h->world = &s;
  h->id = static_cast<uint32_t>(s.hosts.size());
  h->name = name;
  h->chance = random_of(s.seed, host_stream + h->id);
  s.hosts.push_back(h);
  return h;
}

void host_close(net *world, void (*on_closed)(void *arg), void *arg) {
  host *h = host_of(world);
  simulation &s = *h->world;
  assert(!h->closing);
  h->closing = true;
  h->on_closed = on_closed;
  h->on_closed_arg = arg;
  std::erase_if(s.listeners, [&](const auto &l) { return l.first.first == h->id; });
  event_push(s, 0, event_kind::host_closed, h->id);
}

host *host_find(simulation &s, const std::string &name) {
  for (host *h : s.hosts) {
    if (h && h->name == name) return h;
  }
  return nullptr;
}

net_source source_of(host_source &source) { return {source_create, host_close, &source}; }

}  // namespace rstream::sim
