// What befalls the cluster while the application works: nodes crash and come back,
// leaders move and take what was not committed with them, connections break or fall
// silent, the disk is full.
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
    if (node >= 0) fake::stream_elect(*s, node);
  }
}

void start_nodes(run &r, uint32_t chance) {
  for (const auto &b : cluster_of(r).nodes) {
    if (!b->up && random_chance(r.chance, chance)) fake::broker_start(*b);
  }
}

void crash_node(run &r) {
  int node = pick_node_up(r);
  if (node < 0) return;
  trace_line(r.s, nullptr, "node%d crashes", node);
  fake::broker_crash(fake::node(cluster_of(r), node));
}

void lose_leader(run &r) {
  fake::stream *s = broker_stream(r, random_below(r.chance, r.streams.size()));
  if (!s || s->leader < 0) return;
  trace_line(r.s, nullptr, "%s loses its leader", s->name.c_str());
  fake::stream_lose_leader(*s);
}

void break_connection(run &r) {
  auto &all = r.s.connections;
  if (all.empty()) return;
  connection &c = *all[random_below(r.chance, all.size())];
  if (!c.ends[0] || !c.ends[1]) return;
  connection_lose(r.s, c, random_chance(r.chance, 300) ? loss::silence : loss::reset);
}

void drop_users(run &r) {
  fake::stream *s = broker_stream(r, random_below(r.chance, r.streams.size()));
  if (s) fake::stream_drop_users(*s);
}

}  // namespace

void fault_some(run &r) {
  if (!r.p.faults) return;
  elect_missing_leaders(r, 200);
  start_nodes(r, 50);
  if (cluster_of(r).disk_alarm && random_chance(r.chance, 200))
    fake::cluster_set_alarm(cluster_of(r), false);
  if (!random_chance(r.chance, r.p.faults)) return;
  r.report.faults++;
  switch (random_below(r.chance, 6)) {
  case 0: crash_node(r); break;
  case 1: lose_leader(r); break;
  case 2: drop_users(r); break;
  case 3: fake::cluster_set_alarm(cluster_of(r), true); break;
  default: break_connection(r); break;
  }
}

void faults_end(run &r) {
  fake::cluster_set_alarm(cluster_of(r), false);
  start_nodes(r, 1000);
  elect_missing_leaders(r, 1000);
}

}  // namespace rstream::sim
