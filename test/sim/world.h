#pragma once

// lib/net's interface without an operating system: a virtual clock, one queue of events,
// and a network between named hosts. A seed decides everything; two runs of one seed do
// the same, byte for byte.
//
// Each environment and each broker is a host with a `net` of its own. An event runs on
// one host: due timers, a name look-up's result, bytes that arrived. Tasks run at the end
// of that host's turn, a little later, so that several events can share a turn as they do
// on a real loop.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/net.h"
#include "sim/random.h"

namespace rstream::sim {

struct simulation;
struct endpoint;

// What the network does to those who use it. Chances are in 1/1000.
struct weather {
  uint32_t latency_us_min = 50;  // one way; drawn for each connection
  uint32_t latency_us_max = 500;
  uint32_t jitter_us = 50;         // more, for each write; never reorders
  uint32_t segment_bytes_max = 0;  // what arrives at once: 1 to this; 0: all there is
  uint32_t pipe_bytes_min =
      16 << 10;  // what one direction holds before writes are cut short
  uint32_t pipe_bytes_max = 256 << 10;
  uint32_t bytes_per_ms = 0;  // 0: no limit
  uint32_t turn_us_max = 20;  // between a task being queued and the end of that turn
  uint32_t timer_late_us_max = 500;
  uint32_t resolve_us_max = 2000;
  uint32_t short_write = 0;  // a write takes less than there is room for
  uint32_t resolve_fails = 0;
  uint32_t connect_refused = 0;
  uint32_t connect_silent = 0;  // nothing ever comes back
  uint32_t link_lost = 0;       // a connection does not live to its end
  uint64_t lost_after_us_max = 0;
};

enum class loss : uint8_t {
  reset,   // both ends learn it
  silence  // neither does: what is written is swallowed
};

enum class event_kind : uint8_t {
  call,    // of the test itself
  timers,  // a host's first timer is due
  turn,    // the end of a host's turn
  resolved,
  accept,     // a connection reaches the listening host
  connected,  // and its maker learns it
  arrive,     // bytes, or the end of them
  writable,
  broken,  // a reset reaches one end
  lose,    // the connection is lost from now on
  host_closed
};

struct event {
  uint64_t time_us;
  uint64_t sequence;
  event_kind kind;
  uint64_t subject;  // a number, never a pointer
  void (*run)(void *arg);
  void *arg;
};

// A loop, with what uv_world is on libuv.
struct host {
  net base;
  simulation *world = nullptr;
  uint32_t id = 0;
  std::string name;
  random chance;
  uint64_t wake_event = 0;  // sequence of the one that counts; 0: none
  bool turn_queued = false;
  bool closing = false;
  bool silent = false;             // who connects to it gets no answer
  uint64_t paused_until_us = 0;    // nothing reaches it, nothing leaves it
  uint32_t slow_bytes_per_ms = 0;  // all it sends and gets on a connection; 0: no limit
  uint32_t slow_latency_us = 0;    // more, for each write
  uint32_t endpoints = 0;          // transports that are open
  uint32_t lookups = 0;
  void (*on_closed)(void *arg) = nullptr;
  void *on_closed_arg = nullptr;
};

// One direction of a connection.
struct pipe {
  std::vector<uint8_t> bytes;  // written, not read; `head` of them were read already
  size_t head = 0;
  struct arrival {
    uint64_t time_us;
    size_t bytes;
  };
  std::vector<arrival> arrivals;
  size_t first_arrival = 0;
  uint64_t last_arrival_us = 0;
  size_t limit = 0;
  int end = 0;  // what the reader learns behind the last byte; 0: nothing yet
  uint64_t end_us = 0;
  bool queued = false;  // an `arrive` is in the event queue
  bool writer_waits = false;
};

struct connection {
  uint32_t id = 0;
  endpoint *ends[2] = {};  // [0] made it, [1] accepted it; nullptr once closed
  pipe to[2];              // what the end of that number reads
  uint32_t maker_host = 0;
  uint32_t target_host = 0;
  uint16_t target_port = 0;
  uint64_t begun_us = 0;
  uint64_t latency_us = 0;
  bool silent = false;
  int connect_status = 0;
};

struct endpoint {
  transport base;
  host *home = nullptr;
  connection *link = nullptr;
  int side = 0;
  bool connected = false;
  bool ended = false;   // its end was told
  bool broken = false;  // writes fail; the end will be told
  bool reading = true;
};

struct lookup {
  host *home = nullptr;
  resolve_request *request = nullptr;
  uint64_t id = 0;
  std::string name;
  uint16_t port = 0;
  int status = 0;
  uint64_t delay_us = 0;
};

// Between two hosts nothing gets through for a while.
struct partition {
  uint32_t hosts[2];
  uint64_t until_us;
};

// A new connection: set `t->events` and `t->owner`, or close it.
struct listener {
  void (*on_accept)(void *arg, transport *t) = nullptr;
  void *arg = nullptr;
};

struct simulation {
  uint64_t seed = 0;
  uint64_t now_us = 0;
  uint64_t sequence = 0;
  uint64_t events_run = 0;
  random chance;  // of the network
  weather sky;
  std::vector<event> queue;                              // a heap
  std::vector<host *> hosts;                             // by id; nullptr once closed
  std::vector<std::unique_ptr<connection>> connections;  // by id
  std::vector<partition> partitions;
  std::vector<lookup *> lookups;                          // by id; nullptr once done
  std::map<std::string, std::vector<std::string>> names;  // more names of hosts
  std::function<void(lookup &l)> on_lookup;  // may change how it ends, and when
  std::map<std::pair<uint32_t, uint16_t>, listener> listeners;
  memory host_memory{memory_functions_default()};
  FILE *trace = nullptr;
  bool stopped = false;
  std::string failure;  // the first promise that was broken
  // Counted for those who want to know that something happened at all.
  uint64_t connections_lost = 0;
  uint64_t events_held = 0;  // by pauses and partitions
  uint64_t writes_cut_short = 0;
};

void simulation_init(simulation &s, uint64_t seed);
// All hosts must be closed.
void simulation_release(simulation &s);

// Runs until there is nothing left to do, it was stopped, or so many events were run;
// false then.
[[nodiscard]] bool simulation_run(simulation &s, uint64_t max_events);
void simulation_stop(simulation &s);
// Calls run(arg) after that time. It must not be gone then.
void simulation_call(simulation &s, uint64_t delay_us, void (*run)(void *arg), void *arg);

// The clock leaps, as when a machine was suspended: what was due meanwhile is late.
void simulation_leap(simulation &s, uint64_t us);
// Notes what went wrong, and stops. Only the first one counts.
[[gnu::format(printf, 2, 3)]] void simulation_fail(simulation &s, const char *format,
                                                   ...);
inline bool simulation_failed(const simulation &s) { return !s.failure.empty(); }

// A line of the trace; costs nothing without one.
[[gnu::format(printf, 3, 4)]] void trace_line(simulation &s, const host *h,
                                              const char *format, ...);

// A new host; lives until host_close() has called back. nullptr: out of memory.
host *host_create(simulation &s, const char *name, memory &mem, const logger &log);
void host_close(net *world, void (*on_closed)(void *arg), void *arg);
inline host *host_of(net *world) { return reinterpret_cast<host *>(world); }
host *host_find(simulation &s, const std::string &name);

// For an environment: its world is a host of this name.
struct host_source {
  simulation *world;
  const char *name;
};
net_source source_of(host_source &source);

// ---- network

// A name for several hosts, which need not exist. A host's own name works without.
void name_clear(simulation &s, const char *name);  // known, but nobody has it
void name_add(simulation &s, const char *name, const char *host_name);
void listen(host *h, uint16_t port, const listener &l);
void listen_stop(host *h, uint16_t port);

// Ends a connection the rude way: the peer is told of a reset. `t` is gone.
void transport_reset(transport *t);
// A peer that does not read.
void transport_set_reading(transport *t, bool on);
void connection_lose(simulation &s, connection &c, loss how);
// What is on its way between them comes when it is over, connections behind each other in
// any order.
void hosts_part(simulation &s, const host &a, const host &b, uint64_t us);
void host_pause(host &h, uint64_t us);
// No partitions, pauses and slow hosts any more.
void network_heal(simulation &s);
// How many are open at both ends.
size_t connections_open(const simulation &s);

// ---- private to world.cpp and network.cpp

void event_push(simulation &s, uint64_t delay_us, event_kind kind, uint64_t subject);
void network_event(simulation &s, const event &e);
extern const net_ops network_ops;
int network_resolve(net *world, resolve_request *request, const char *name,
                    uint16_t port);
void network_resolve_cancel(net *world, resolve_request *request);
int network_connect(net *world, transport **t, const net_address &address,
                    const transport_events *events, void *owner);

}  // namespace rstream::sim
