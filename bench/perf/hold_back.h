#pragma once

#include <algorithm>
#include <cstdint>

namespace perf {

// --consumer-rate: when the next message of a consumer may come. It is held back by
// pausing the consumer, so that its chunks stay unfinished, their credits with the
// library, and the rest with the broker.
struct hold_back {
  double next_us = 0;    // when the next message is due
  uint64_t wake_us = 0;  // 0: not paused
};

// Above this rate messages come together, once a millisecond.
constexpr uint32_t single_message_rate_most = 1000;
constexpr uint64_t hold_back_grid_us = 1000;
// Who had nothing to read, or was late, may make up for so much of it.
constexpr uint64_t hold_back_slack_us = 100000;

// Takes a message into account; true when the consumer has to pause until `wake_us`.
inline bool hold_back_take(hold_back &h, uint32_t rate, uint64_t now_us) {
  double earliest = static_cast<double>(now_us) - static_cast<double>(hold_back_slack_us);
  if (h.next_us == 0) earliest = static_cast<double>(now_us);  // the first one
  h.next_us = std::max(h.next_us, earliest) + 1e6 / rate;
  if (h.next_us <= static_cast<double>(now_us)) return false;
  h.wake_us = static_cast<uint64_t>(h.next_us);
  if (rate > single_message_rate_most)
    h.wake_us = std::max(h.wake_us, now_us + hold_back_grid_us);
  return true;
}

}  // namespace perf
