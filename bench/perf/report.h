#pragma once

#include <cstdint>
#include <cstdio>

#include "perf/consume.h"
#include "perf/publish.h"

namespace perf {

// The figures of a run, gathered when it is over.
struct result {
  bool ok = true;
  uint64_t published = 0;
  uint64_t confirmed = 0;
  uint64_t errored = 0;
  uint64_t consumed = 0;
  double publish_s = 0;  // from the first message to the last confirm
  double consume_s =
      0;  // to the last message; from the first one published, or from subscribing
  cpu_time publish_cpu;
  cpu_time consume_cpu;
  double broker_cpu_s = 0;                     // of the embedded one, in all
  const histogram *confirm_latency = nullptr;  // nullptr: not measured
  const histogram *latency = nullptr;
  uint64_t behind = 0;  // messages, of the consumer most so when it was last asked
  uint64_t behind_most = 0;
  uint64_t activations = 0;  // of single active consumers
  stored_offset stored;      // in the end, the lowest of all names

  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t out_of_order = 0;
  uint64_t damaged = 0;
  uint64_t unwanted = 0;
  uint64_t offset_errors = 0;
  const char *first_problem = "";
};

// One line per second while it lasts.
struct progress {
  uint64_t start_us = 0;
  uint64_t line_us = 0;  // of the last line
  uint64_t published = 0;
  uint64_t confirmed = 0;
  uint64_t errored = 0;
  uint64_t consumed = 0;
  uint64_t behind = 0;
};

void progress_line(progress &before, const progress &now, const options &o);
void report_table(FILE *to, const result &r, const options &o);
void report_json(FILE *to, const result &r, const options &o);

}  // namespace perf
