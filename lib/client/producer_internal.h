#pragma once

// Private to the files producer_*.cpp.

#include "client/producer.h"

namespace rstream {

// ---- producer_send.cpp

// Sizes once the connection is known, or before, from what the options allow.
void producer_set_limits(producer *p, uint32_t frame_max);
// Closes the frame being filled, if there is one.
void producer_seal(producer *p);
// Hands sealed frames to the connection, if it is open.
void producer_pump(producer *p);
// Cuts the frames that wait so that each fits the frame limit. Messages that can't fit
// get RSTREAM_EMSGSIZE as outcome. False when out of memory.
[[nodiscard]] bool producer_recut(producer *p);
void producer_shift_ids(producer *p, uint64_t delta);
// Takes settled frames off the front.
void producer_drop_settled(producer *p);
// With nothing in flight, memory goes back to the pool.
void producer_release_idle_slab(producer *p);
void producer_release_frames(producer *p);

// ---- producer_outcome.cpp

// Gives every message without outcome this one.
void producer_fail_all(producer *p, int status);
void producer_fail_one(producer *p, uint64_t id, int status);
// After outcomes: flush callbacks and on_writable that are due.
void producer_outcomes_told(producer *p);
void producer_fail_waiters(producer *p, int status);

// ---- producer.cpp

// Ends the producer by itself: every message gets its outcome, then the application is
// told.
void producer_end(producer *p, int reason, const char *text);

}  // namespace rstream
