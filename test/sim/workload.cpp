// The course of a run: act for a while, let everything settle, close, look whether all is
// well.
#include "sim/workload.h"

#include <algorithm>

#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr uint64_t workload_stream = 2;
constexpr uint64_t plan_stream = 3;
constexpr uint64_t most_events = 3000000;
constexpr uint64_t look_every_us = 100000;
constexpr uint64_t settle_us = 120 * 1000000ull;  // of virtual time
// Until dead connections are noticed, by heartbeat at the latest.
constexpr uint64_t settle_with_losses_us = 600 * 1000000ull;
constexpr uint64_t close_us = 300 * 1000000ull;

// ---- what the seed makes of the run

void draw_weather(random &c, plan &p, weather &w) {
  constexpr uint32_t latencies[][2] = {{0, 0}, {50, 500}, {1000, 5000}, {10000, 60000}};
  const auto &latency = latencies[random_below(c, std::size(latencies))];
  w.latency_us_min = latency[0];
  w.latency_us_max = latency[1];
  w.jitter_us = latency[1] / 2;
  constexpr uint32_t segments[] = {0, 0, 0, 1448, 100, 5};
  w.segment_bytes_max = segments[random_below(c, std::size(segments))];
  constexpr uint32_t pipes[] = {256 << 10, 64 << 10, 4 << 10, 300};
  w.pipe_bytes_max = pipes[random_below(c, std::size(pipes))];
  // One pipe's worth goes each way and back: no less than 200 bytes in a millisecond.
  w.pipe_bytes_max = std::max(w.pipe_bytes_max, w.latency_us_max * 2 / 5);
  w.pipe_bytes_min = w.pipe_bytes_max / 2;
  w.bytes_per_ms = random_chance(c, 150) ? 500 : 0;
  w.short_write = random_chance(c, 300) ? 200 : 0;
  w.turn_us_max = static_cast<uint32_t>(random_below(c, 300));
  if (w.segment_bytes_max && w.segment_bytes_max < 50) {
    p.body_bytes_max = 30;
    p.burst_max = 8;
    p.actions /= 2;
  }
  p.loses_connections = random_chance(c, 350);
  if (!p.loses_connections) return;
  w.link_lost = static_cast<uint32_t>(random_between(c, 50, 600));
  w.lost_after_us_max = random_between(c, 1000, 500000);
  w.resolve_fails = random_chance(c, 300) ? 100 : 0;
  w.connect_refused = random_chance(c, 300) ? 200 : 0;
  w.connect_silent = random_chance(c, 300) ? 100 : 0;
}

void draw_broker(random &c, fake::options &o) {
  constexpr const char *versions[] = {"3.10", "3.11.0", "3.13.7", "4.0.5", "4.3.6"};
  o.version = versions[random_below(c, std::size(versions))];
  constexpr uint32_t frames[] = {1048576, 1048576, 4096, 500};
  o.frame_max = frames[random_below(c, std::size(frames))];
  o.commit_max_ms =
      random_chance(c, 500) ? static_cast<uint32_t>(random_between(c, 1, 30)) : 0;
  o.settle_ms = random_chance(c, 300) ? 300 : 0;
  constexpr uint32_t entries[] = {8192, 8192, 1, 3, 10};
  o.max_chunk_entries = entries[random_below(c, std::size(entries))];
}

// Chunks smaller than frames are confirmed one at a time: frames get their outcomes in
// parts.
void commit_some(run &r) {
  if (!r.p.holds_commits) return;
  for (size_t i = 0; i < r.streams.size(); i++) {
    fake::stream *s = broker_stream(r, i);
    if (!s) continue;
    s->hold_commits = r.phase == phase::acting;
    if (!s->hold_commits) {
      fake::stream_commit(*s);
    } else if (random_chance(r.chance, 400)) {
      fake::stream_commit(*s, random_between(r.chance, 1, 4));
    }
  }
}

void draw_plan(run &r) {
  random c = random_of(r.s.seed, plan_stream);
  plan &p = r.p;
  p.nodes = static_cast<int>(random_between(c, 1, 3));
  p.streams = static_cast<int>(random_between(c, 1, 4));
  p.actions = static_cast<uint32_t>(random_between(c, 20, 250));
  p.action_gap_us_max = random_chance(c, 200) ? 100000 : 4000;
  p.in_callback = random_chance(c, 600) ? 15 : 0;
  p.burst_max = random_chance(c, 200) ? 300 : 20;
  p.most_envs = static_cast<uint32_t>(random_between(c, 1, 3));
  draw_weather(c, p, r.s.sky);
  cluster_start(r.brokers, r.s, p.nodes);
  draw_broker(c, r.brokers.cluster->options);
  p.holds_commits = random_chance(c, 300);
  if (random_chance(c, 400)) p.faults = static_cast<uint32_t>(random_between(c, 10, 150));
  for (int i = 0; i < p.nodes; i++)
    name_add(r.s, "cluster", ("node" + std::to_string(i)).c_str());
  if (random_chance(c, 200)) name_add(r.s, "cluster", "nowhere");
  for (int i = 0; i < p.streams; i++) {
    stream_model s;
    s.name = "stream" + std::to_string(i);
    s.stable = i == 0 || random_chance(c, 700);
    if (s.stable) {
      fake::stream_create(
          *r.brokers.cluster, s.name,
          static_cast<int>(random_below(c, static_cast<uint64_t>(p.nodes))));
    }
    r.streams.push_back(s);
  }
  if (!random_chance(c, 500)) return;
  p.follows = static_cast<uint32_t>(random_between(c, 100, 500));
  following_start(r);
}

// ---- acting

template <class T, class F>
T *pick_one(run &r, std::vector<std::unique_ptr<T>> &all, F usable) {
  std::vector<T *> candidates;
  for (const auto &m : all) {
    if (usable(*m)) candidates.push_back(m.get());
  }
  return candidates.empty() ? nullptr
                            : candidates[random_below(r.chance, candidates.size())];
}

bool is_open(const env_model &m) { return m.env && !m.closing; }

env_model *pick_env(run &r) { return pick_one(r, r.envs, is_open); }
producer_model *pick_producer(run &r) {
  return pick_one(r, r.producers, [](const producer_model &m) { return m.p != nullptr; });
}
consumer_model *pick_consumer(run &r) {
  return pick_one(r, r.consumers, [](const consumer_model &m) { return m.c != nullptr; });
}

template <class T>
size_t count_usable(const std::vector<std::unique_ptr<T>> &all) {
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [](const auto &m) {
    if constexpr (std::is_same_v<T, producer_model>) return m->p != nullptr;
    if constexpr (std::is_same_v<T, consumer_model>) return m->c != nullptr;
    return false;
  }));
}

void act_on_handles(run &r, env_model &env, uint64_t what) {
  if (what < 8) {
    if (count_usable(r.producers) < r.p.most_handles) open_producer(env);
  } else if (what < 16) {
    if (count_usable(r.consumers) < r.p.most_handles) open_consumer(env);
  } else if (what < 20) {
    if (producer_model *m = pick_producer(r)) close_producer(*m);
  } else if (what < 24) {
    if (consumer_model *m = pick_consumer(r)) close_consumer(*m);
  }
}

void store_offset(run &r) {
  consumer_model *m = pick_consumer(r);
  if (!m) return;
  calling inside(r);
  int rc = rstream_consumer_store_offset(m->c, m->next);
  bool fine = rc == 0 || rc == RSTREAM_ECLOSED || rc == RSTREAM_EBUSY ||
              (rc == RSTREAM_EINVAL && m->name.empty());
  SIM_CHECK(r, fine, "consumer %u: storing an offset: %s", m->serial,
            rstream_error_text(rc));
}

void act(run &r) {
  reconnect_some(r, 100);
  env_model *env = pick_env(r);
  if (!env) {
    if (r.envs.size() < 6) open_env(r);
    return;
  }
  uint64_t what = random_below(r.chance, 100);
  if (what < 24) {
    act_on_handles(r, *env, what);
  } else if (what < 36) {
    ask_something(*env);
  } else if (what < 38) {
    store_offset(r);
  } else if (what < 45) {
    if (!r.held.empty()) release_held(r, random_below(r.chance, r.held.size()));
  } else if (what < 50) {
    if (producer_model *m = pick_producer(r)) flush_producer(*m);
  } else if (what == 50) {
    if (random_chance(r.chance, 300)) close_env(*env);
  } else if (what == 51) {
    if (count_usable(r.producers) && r.envs.size() < r.p.most_envs) open_env(r);
  } else if (producer_model *m = pick_producer(r)) {
    send_some(*m, static_cast<uint32_t>(random_between(r.chance, 1, r.p.burst_max)));
  }
}

// ---- phases

void step(void *arg);

void enter(run &r, phase next) {
  trace_line(r.s, nullptr, "phase %d", static_cast<int>(next));
  r.phase = next;
  r.s.sky.link_lost = r.s.sky.resolve_fails = 0;  // the weather clears up
  r.s.sky.connect_refused = r.s.sky.connect_silent = 0;
  r.phase_began_us = r.s.now_us;
  // Chunks of consumers that are open: their credit is needed.
  for (size_t i = r.held.size(); next == phase::settling && i-- > 0;) {
    if (r.held[i]->consumer->c) release_held(r, i);
  }
  if (next != phase::acting) followers_go_on(r);
}

bool waited(const run &r, uint64_t us) { return r.s.now_us - r.phase_began_us > us; }

void settle(run &r) {
  reconnect_some(r, 1000);
  followers_go_on(r);
  if (r.p.faults) faults_end(r);
  // A slow network is no fault as long as something moves.
  uint64_t moved = r.report.messages_consumed + r.report.messages_confirmed +
                   r.report.messages_followed;
  bool losses = r.p.loses_connections || r.p.faults > 0;
  if (moved != r.moved && !losses) r.phase_began_us = r.s.now_us;
  r.moved = moved;
  std::string why;
  bool settled = is_settled(r, why);
  uint64_t limit = losses ? settle_with_losses_us : settle_us;
  if (!settled && !waited(r, limit)) return;
  SIM_CHECK(r, settled, "it does not settle: %s", why.c_str());
  enter(r, phase::closing);
  for (const auto &m : r.envs) {
    if (is_open(*m)) close_env(*m);
  }
}

void close(run &r) {
  bool all =
      std::all_of(r.envs.begin(), r.envs.end(), [](const auto &m) { return m->closed; });
  SIM_CHECK(r, all || !waited(r, close_us), "the environments do not get closed");
  if (!all) return;
  // What was kept outlives its environment.
  while (!r.held.empty()) release_held(r, r.held.size() - 1);
  check_at_end(r);
  if (simulation_failed(r.s)) return;
  enter(r, phase::done);
  r.report.connections = r.s.connections.size();
  cluster_stop(r.brokers);
}

void step(void *arg) {
  run &r = *static_cast<run *>(arg);
  check_now(r);
  commit_some(r);
  uint64_t delay = look_every_us;
  if (r.phase == phase::acting) {
    delay = random_below(r.chance, r.p.action_gap_us_max + 1);
    if (r.actions_done++ < r.p.actions) {
      fault_some(r);
      follow_some(r);
      act(r);
    } else {
      enter(r, phase::settling);
    }
  } else if (r.phase == phase::settling) {
    settle(r);
  } else if (r.phase == phase::closing) {
    close(r);
  }
  if (r.phase != phase::done) simulation_call(r.s, delay, step, &r);
}

void finish(run &r) {
  if (simulation_failed(r.s)) return;
  for (const host *h : r.s.hosts) SIM_CHECK(r, !h, "a host is left");
  SIM_CHECK(r, r.s.host_memory.bytes_held == 0, "the network has leaked");
}

}  // namespace

void maybe_act(run &r) {
  if (r.phase == phase::acting && random_chance(r.chance, r.p.in_callback)) act(r);
}

void report_add(run_report &total, const run_report &r) {
  total.events += r.events;
  total.virtual_ms += r.virtual_ms;
  total.environments += r.environments;
  total.producers += r.producers;
  total.consumers += r.consumers;
  total.requests += r.requests;
  total.messages_accepted += r.messages_accepted;
  total.messages_confirmed += r.messages_confirmed;
  total.messages_failed += r.messages_failed;
  total.messages_consumed += r.messages_consumed;
  total.connections += r.connections;
  total.connections_lost += r.connections_lost;
  total.losses += r.losses;
  for (size_t i = 0; i < fault_kinds; i++) total.faults[i] += r.faults[i];
  total.elections += r.elections;
  total.events_held += r.events_held;
  total.recoveries += r.recoveries;
  total.writes_cut_short += r.writes_cut_short;
  total.windows_filled += r.windows_filled;
  total.chunks_kept += r.chunks_kept;
  total.followers += r.followers;
  total.messages_followed += r.messages_followed;
  total.turns += r.turns;
  total.offsets_stored += r.offsets_stored;
  total.chunks_spoiled += r.chunks_spoiled;
}

run_report run_seed(uint64_t seed, FILE *trace) {
  auto r = std::make_unique<run>();
  r->s.trace = trace;
  simulation_init(r->s, seed);
  r->chance = random_of(seed, workload_stream);
  draw_plan(*r);
  open_env(*r);
  simulation_call(r->s, 0, step, r.get());
  if (!simulation_run(r->s, most_events))
    simulation_fail(r->s, "it does not come to an end");
  finish(*r);
  run_report report = r->report;
  report.failure = r->s.failure;
  report.events = r->s.events_run;
  report.virtual_ms = r->s.now_us / 1000;
  report.connections_lost = r->s.connections_lost;
  report.events_held = r->s.events_held;
  report.writes_cut_short = r->s.writes_cut_short;
  if (report.failure.empty()) {
    simulation_release(r->s);
  } else {
    // What is open can't be closed any more.
    static run *left = nullptr;
    left = r.release();
    (void)left;
  }
  return report;
}

}  // namespace rstream::sim
