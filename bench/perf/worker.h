#pragma once

#include <rstream/rstream.h>
#include <uv.h>

#include <atomic>
#include <cstdint>

#include "perf/clock.h"
#include "perf/options.h"

namespace perf {

// Only grows. What a worker says about itself may be read from the stage `finished` on.
enum class stage : uint32_t {
  opening,   // handles are not all open yet
  running,   // they are; messages move
  finished,  // done, or failed; the figures stand
  gone       // everything is closed and the loop is empty
};

// A thread with a loop and an environment of its own: one for all producers, one for all
// consumers, so that the CPU time of each is that of its thread.
struct worker {
  const options *opt = nullptr;
  uv_loop_t loop;
  uv_async_t hold;  // keeps the loop running until the environment has closed
  rstream_env *env = nullptr;
  uv_thread_t thread;

  void (*open)(worker &) = nullptr;  // on the thread, first of all
  void (*stop)(worker &) = nullptr;  // on the thread, before the environment is closed

  std::atomic<stage> at = stage::opening;
  uint64_t start_us = 0;
  uint64_t end_us = 0;
  cpu_time cpu_start;
  cpu_time cpu;  // between start and end
  bool failed = false;
  bool leaked = false;  // the loop was not empty after the environment had closed
  char error[256] = "";
};

// What options of an environment point at.
struct env_texts {
  rstream_tls_options tls;
  char uris[4096];
  const char *each[uris_most];
};

// Options of every environment of this program.
void fill_env_options(rstream_env_options &eo, env_texts &texts, const options &o,
                      const char *connection_name);

// False with an explanation in `error`. Then there is no thread, and worker_stop() must
// not come.
[[nodiscard]] bool worker_start(worker &w, const char *connection_name);

// From the main thread; once. The worker closes everything, then is `gone`.
void worker_stop(worker &w);

// For the worker's own thread.
void worker_clock(worker &w);                       // figures count from here
void worker_run(worker &w);                         // everything is open
void worker_finish(worker &w);                      // figures end here
void worker_finish_at(worker &w, uint64_t end_us);  // or ended then
__attribute__((format(printf, 2, 3))) void worker_fail(worker &w, const char *format,
                                                       ...);

inline stage stage_of(const worker &w) { return w.at.load(std::memory_order_acquire); }

// Counters have one writer, so that a plain addition will do.
inline void add(std::atomic<uint64_t> &counter, uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

inline uint64_t value_of(const std::atomic<uint64_t> &counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace perf
