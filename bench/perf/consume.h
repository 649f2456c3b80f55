#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "perf/histogram.h"
#include "perf/hold_back.h"
#include "perf/pacer.h"
#include "perf/verify.h"
#include "perf/worker.h"

namespace perf {

struct consume_load;

// What the broker has under a consumer's name.
struct stored_offset {
  bool found = false;
  uint64_t offset = 0;
};

// One consumer.
struct subscriber {
  consume_load *load = nullptr;
  rstream_consumer *consumer = nullptr;  // of the message at hand, with --super-stream
  rstream_super_consumer *super = nullptr;
  std::atomic<uint64_t> count = 0;  // messages
  uint64_t target = UINT64_MAX;     // messages to see, once that is known
  uint64_t look_at = 1;    // the next count at which there is more to do than counting
  uint64_t looked_us = 0;  // when that was last done
  verifier *verify = nullptr;
  hold_back pace;  // of --consumer-rate
  bool open = false;
  bool reached = false;
  bool closed = false;
};

struct consume_load : worker {
  uint32_t run = 0;  // see body.h
  subscriber *subscribers = nullptr;
  verifier *verifiers = nullptr;  // of --verify: one for each consumer, or of the group
  uint32_t verifier_count = 0;
  uint32_t open_count = 0;
  uint32_t reached_count = 0;
  // What is consumed is published by this very run, so that latencies mean something.
  bool own_messages = false;
  uint32_t look_step = 1;  // every how many messages to look
  bool stopping = false;
  uv_timer_t deadline;  // of --time with --consume-only
  bool deadline_open = false;
  uv_timer_t lag_timer;
  bool lag_open = false;
  pacer wake;  // of --consumer-rate
  uint64_t wake_us = 0;
  std::atomic<uint64_t> target = UINT64_MAX;  // handed over by consume_set_target()
  std::atomic<uint64_t> behind = 0;           // messages, of the consumer that is most so
  std::atomic<uint64_t> behind_most = 0;
  uint64_t activations = 0;  // of single active consumers
  histogram latency;
};

// `stored` is what was found stored before under each name, see consumer_name_count().
[[nodiscard]] bool consume_start(consume_load &load, const options &o, uint32_t run,
                                 const std::vector<stored_offset> &stored);
// From the main thread: each consumer is done after so many messages.
void consume_set_target(consume_load &load, uint64_t target);
uint64_t consume_count(const consume_load &load);
void consume_release(consume_load &load);

}  // namespace perf
