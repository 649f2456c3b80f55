#pragma once

// Keeps looking which partitions a super stream has: when it starts, every
// refresh_interval_ms, and soon after something hinted at a change.

#include "client/locator.h"

namespace rstream {

struct partition_watch {
  rstream_env *env = nullptr;
  const char *super_stream = nullptr;  // borrowed
  uint32_t interval_ms = 0;
  // Each time the broker told them, in its order; borrowed until return.
  void (*on_partitions)(partition_watch *watch,
                        const wire::seq<std::string_view> &streams) = nullptr;
  // They could not be had at first, or the super stream is gone: nothing follows.
  void (*on_failed)(partition_watch *watch, int status, const char *text) = nullptr;

  locator_op *op = nullptr;
  net_timer timer;  // for the next look
  uint64_t give_up_ms = 0;
  uint64_t asked_ms = 0;
  uint64_t answers = 0;
  bool hurried = false;  // something hinted at a change after the question was sent
};

// Errors: RSTREAM_ENOMEM, or a code of libuv; nothing follows then. No callback comes
// from inside any of these.
[[nodiscard]] int watch_start(partition_watch &watch);
// Looks soon, but not more often than once per second.
void watch_hurry(partition_watch &watch);
void watch_stop(partition_watch &watch);

}  // namespace rstream
