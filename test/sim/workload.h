#pragma once

// One run: several environments and brokers, and an application that does what comes to
// its mind.

#include <cstdint>
#include <cstdio>
#include <string>

namespace rstream::sim {

// What can befall a cluster and the network to it.
enum class fault : uint8_t {
  crash,
  leader_lost,
  users_dropped,
  alarm,
  connection_broken,
  partition,
  pause,
  slow_node,
  clock_leap,
  none
};
constexpr size_t fault_kinds = static_cast<size_t>(fault::none);
const char *fault_name(fault kind);

// What happened in a run; shows that the runs are worth something.
struct run_report {
  std::string failure;  // empty: all promises were kept
  uint64_t events = 0;
  uint64_t virtual_ms = 0;
  uint64_t environments = 0;
  uint64_t producers = 0;
  uint64_t consumers = 0;
  uint64_t requests = 0;
  uint64_t messages_accepted = 0;
  uint64_t messages_confirmed = 0;
  uint64_t messages_failed = 0;
  uint64_t messages_consumed = 0;
  uint64_t connections = 0;
  uint64_t connections_lost = 0;
  uint64_t losses = 0;  // told by producers and consumers
  uint64_t faults[fault_kinds] = {};
  uint64_t elections = 0;
  uint64_t events_held = 0;  // by partitions and pauses
  uint64_t recoveries = 0;   // those made good
  uint64_t writes_cut_short = 0;
  uint64_t windows_filled = 0;
  uint64_t chunks_kept = 0;  // beyond their callback
  uint64_t followers = 0;
  uint64_t messages_followed = 0;
  uint64_t turns = 0;  // of single active consumers
  uint64_t offsets_stored = 0;
  uint64_t chunks_spoiled = 0;
};

void report_add(run_report &total, const run_report &r);

// `trace`: a line per event goes there; nullptr: none. A failed run is left as it is, its
// memory included.
run_report run_seed(uint64_t seed, FILE *trace);

}  // namespace rstream::sim
