// What befalls the cluster while the application works: nodes crash and come back,
// leaders move and take what was not committed with them, connections break or fall
// silent, the disk is full, the network parts, nodes pause or are slow, the clock leaps.
#include "sim/model.h"

namespace rstream::sim {

namespace {

fake::cluster &cluster_of(run &r) { return *r.brokers.cluster; }

int pick_node_up(run &r) {
  int picked = -1;
  uint64_t seen = 0;
  for (const auto &b : cluster_of(r).nodes) {
    if (b->up && random_below(r.chance, ++seen) == 0) picked = b->index;
  }
  return picked;
}

void elect_missing_leaders(run &r, uint32_t chance) {
  for (size_t i = 0; i < r.streams.size(); i++) {
    fake::stream *s = broker_stream(r, i);
    if (!s || s->leader >= 0 || !s->settled || !random_chance(r.chance, chance)) continue;
    int node = pick_node_up(r);
    if (node < 0) continue;
    fake::stream_elect(*s, node);
    r.report.elections++;
  }
}

void start_nodes(run &r, uint32_t chance) {
  for (const auto &b : cluster_of(r).nodes) {
    if (!b->up && random_chance(r.chance, chance)) fake::broker_start(*b);
  }
}

// Each returns whether it really happened.

bool crash_node(run &r) {
  int node = pick_node_up(r);
  if (node < 0) return false;
  trace_line(r.s, nullptr, "node%d crashes", node);
  fake::broker_crash(fake::node(cluster_of(r), node));
  return true;
}

bool lose_leader(run &r) {
  fake::stream *s = broker_stream(r, random_below(r.chance, r.streams.size()));
  if (!s || s->leader < 0) return false;
  trace_line(r.s, nullptr, "%s loses its leader", s->name.c_str());
  fake::stream_lose_leader(*s);
  return true;
}

bool break_connection(run &r) {
  auto &all = r.s.connections;
  if (all.empty()) return false;
  connection &c = *all[random_below(r.chance, all.size())];
  if (!c.ends[0] || !c.ends[1]) return false;
  connection_lose(r.s, c, random_chance(r.chance, 300) ? loss::silence : loss::reset);
  return true;
}

bool drop_users(run &r) {
  fake::stream *s = broker_stream(r, random_below(r.chance, r.streams.size()));
  if (s) fake::stream_drop_users(*s);
  return s;
}

bool raise_alarm(run &r) {
  if (cluster_of(r).disk_alarm) return false;
  fake::cluster_set_alarm(cluster_of(r), true);
  return true;
}

// Mostly short enough to go unnoticed, now and then longer than anybody's patience.
uint64_t draw_time_us(run &r) {
  uint64_t most_ms = random_chance(r.chance, 300) ? 90000 : 500;
  return random_between(r.chance, 1, most_ms) * 1000;
}

host &pick_node_host(run &r) {
  const auto &nodes = r.brokers.nodes;
  return *nodes[random_below(r.chance, nodes.size())]->home;
}

bool part(run &r) {
  env_model &env = *r.envs[random_below(r.chance, r.envs.size())];
  host *client = host_find(r.s, env.name);
  if (!client) return false;  // closed
  hosts_part(r.s, *client, pick_node_host(r), draw_time_us(r));
  return true;
}

bool pause_node(run &r) {
  host_pause(pick_node_host(r), draw_time_us(r));
  return true;
}

bool slow_down_node(run &r) {
  host &h = pick_node_host(r);
  h.slow_bytes_per_ms = pick<uint32_t>(r, {0, 20, 200});
  h.slow_latency_us = pick<uint32_t>(r, {0, 5000, 100000});
  return h.slow_bytes_per_ms || h.slow_latency_us;
}

bool leap(run &r) {
  simulation_leap(r.s, draw_time_us(r));
  return true;
}

bool happens(run &r, fault kind) {
  switch (kind) {
  case fault::crash: return crash_node(r);
  case fault::leader_lost: return lose_leader(r);
  case fault::users_dropped: return drop_users(r);
  case fault::alarm: return raise_alarm(r);
  case fault::connection_broken: return break_connection(r);
  case fault::partition: return part(r);
  case fault::pause: return pause_node(r);
  case fault::slow_node: return slow_down_node(r);
  case fault::clock_leap: return leap(r);
  case fault::none: break;
  }
  return false;
}

}  // namespace

const char *fault_name(fault kind) {
  constexpr const char *names[] = {"crash", "leader lost",       "users dropped",
                                   "alarm", "connection broken", "partition",
                                   "pause", "slow node",         "clock leap"};
  static_assert(std::size(names) == fault_kinds);
  return names[static_cast<size_t>(kind)];
}

void fault_some(run &r) {
  if (!r.p.faults) return;
  elect_missing_leaders(r, 200);
  start_nodes(r, 50);
  if (cluster_of(r).disk_alarm && random_chance(r.chance, 200))
    fake::cluster_set_alarm(cluster_of(r), false);
  if (!random_chance(r.chance, r.p.faults)) return;
  auto kind = static_cast<fault>(random_below(r.chance, fault_kinds));
  if (happens(r, kind)) r.report.faults[static_cast<size_t>(kind)]++;
}

void faults_end(run &r) {
  network_heal(r.s);
  fake::cluster_set_alarm(cluster_of(r), false);
  start_nodes(r, 1000);
  elect_missing_leaders(r, 1000);
}

}  // namespace rstream::sim
