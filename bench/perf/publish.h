#pragma once

#include <atomic>
#include <cstdint>

#include "perf/histogram.h"
#include "perf/pacer.h"
#include "perf/super.h"
#include "perf/verify.h"
#include "perf/worker.h"

namespace perf {

struct publish_load;

// One producer.
struct publisher {
  publish_load *load = nullptr;
  rstream_producer *producer = nullptr;
  super_publisher *super = nullptr;  // with --super-stream, instead
  uint32_t index = 0;
  bool open = false;
  bool blocked = false;     // the window is full; on_writable will come
  uint64_t quota = 0;       // messages to send
  uint64_t sent = 0;        // accepted
  uint64_t settled = 0;     // those with an outcome
  rstream_message message;  // with --filter-values; its body is the one below
  uint8_t *body = nullptr;
  uint32_t *stamps =
      nullptr;  // when messages were sent or due, those in flight; see stamp_step
  uint64_t stamp_mask = 0;
  sequence_set confirmed;  // with --verify
};

struct publish_load : worker {
  uint32_t run = 0;  // see body.h
  publisher *publishers = nullptr;
  uint32_t open_count = 0;
  uint64_t settled = 0;
  bool paced = false;
  bool stopping = false;
  // Every how many messages (a power of two) one is stamped and its latency recorded: all
  // of them under --rate and --verify. Else, when the time per message is what matters,
  // some.
  uint32_t stamp_step = 1;
  uint32_t stamp_shift = 0;
  // With --super-stream: which message each id is must be known.
  bool noted = false;
  pacer pace;
  uv_timer_t deadline;  // of --time
  bool deadline_open = false;
  histogram confirm_latency;

  std::atomic<uint64_t> published = 0;
  std::atomic<uint64_t> confirmed = 0;
  std::atomic<uint64_t> errored = 0;
  std::atomic<uint64_t> wanted = 0;  // of the confirmed, what consumers want
};

[[nodiscard]] bool publish_start(publish_load &load, const options &o, uint32_t run);
// From the main thread: send no more, be `finished` when all that was sent has its
// outcome.
void publish_end_early(publish_load &load);
void publish_release(publish_load &load);

}  // namespace perf
