#pragma once

// Private to the files super_producer*.cpp.

#include "client/env.h"
#include "client/super_partitions.h"
#include "client/super_producer.h"

namespace rstream {

// ---- super_producer.cpp

void super_queue_task(super_producer *s);
// The partition's producer, opened if need be. Why that can't be: the reason that ended
// the last one, or as rstream_producer_open().
[[nodiscard]] int super_link(super_partition *part, producer **link);
// The partition of that name; a new one if there is none. nullptr when out of memory or
// numbers.
super_partition *super_find_partition(super_producer *s, std::string_view stream);
template <class Use>
void super_each(const super_producer *s, Use use) {
  partitions_each<super_partition>(s, use);
}

// ---- super_producer_send.cpp

// Messages and bytes in flight.
uint64_t super_in_flight(const super_producer *s);
uint64_t super_bytes_in_flight(const super_producer *s);
// What was accepted goes off what is left of the window.
void super_book(super_producer *s, uint64_t messages, uint64_t bytes);
// Bare bodies too have to be looked at more closely.
void super_not_straight(super_producer *s);
// Puts the letters that wait into their partitions, as far as that is possible now.
void super_deliver(super_producer *s);

// ---- super_producer_route.cpp

// Where a message with this key goes.
enum class route_verdict : uint8_t {
  found,  // `count` partitions are in `partitions`
  asked   // the broker is, or the partitions are not known yet
};
struct route_answer {
  route_verdict verdict = route_verdict::asked;
  int status = 0;  // why the route could not be found
  uint32_t count = 0;
  super_partition *one = nullptr;             // of several the first
  super_partition *const *several = nullptr;  // borrowed until the next question
  route *by_key = nullptr;                    // what is remembered, or awaited
};
[[nodiscard]] route_answer super_route(super_producer *s, std::string_view key);
// The producer of the one partition that is known for the key, if it is open. Remembers
// it.
[[nodiscard]] producer *super_known_link(super_producer *s, std::string_view key);
// The partitions have changed: nothing that is remembered holds.
void super_forget_routes(super_producer *s);
void super_release_routes(super_producer *s);

// ---- super_producer_letter.cpp

// Accepts a message as a letter. `route` may have been found already.
[[nodiscard]] int letter_post(super_producer *s, const rstream_message &m,
                              std::string_view key, bool has_key,
                              const route_answer &route, uint64_t *id);
// False: it must wait.
[[nodiscard]] bool letter_deliver(letter *l);
void letter_fail_waiting(super_producer *s, int status);
void letter_tell(super_producer *s);
void letter_watch_timeout(super_producer *s);
// False when there is no letter whose callback has this `user`.
bool letter_replace_completion(super_producer *s, void *user,
                               rstream_outcome_cb on_outcome, void *new_user);
void on_copy_outcome(rstream_producer *p, uint64_t id, int status, void *user);
void letters_release(super_producer *s);

// ---- super_producer_outcome.cpp

void super_on_confirm(rstream_producer *p, const rstream_confirms *confirms, void *user);
void super_on_writable(rstream_producer *p, void *user);
void super_tell_writable(super_producer *s);
void super_tell_flushes(super_producer *s);
void super_fail_flushes(super_producer *s, int status);

}  // namespace rstream
