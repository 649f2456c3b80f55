#pragma once

// Private to the files consumer_*.cpp.

#include "client/consumer.h"

namespace rstream {

// ---- consumer.cpp

// Ends the consumer by itself.
void consumer_end(consumer *c, int reason, const char *text);
// Sends Subscribe. Where to begin is known by now.
void consumer_subscribe(consumer *c, const wire::offset_spec &spec);
// What the options say.
wire::offset_spec consumer_spec(const consumer *c);
// The node at hand can't serve: looks again while that may help.
void consumer_find_node(consumer *c, int status, const char *text);
void consumer_queue_task(consumer *c);
// The request failed because the connection did: consumer_lost() follows.
inline bool consumer_connection_gone(const consumer *c) {
  return !member_conn(c->member);
}

// ---- consumer_flow.cpp

// How many credits Subscribe shall carry; notes that the broker has them.
uint16_t flow_first_credit(consumer *c);
// A chunk was received.
void flow_arrived(consumer *c, size_t chunk_bytes);
// A chunk is finished.
void flow_finished(consumer *c);
// One that the application has never seen is done with.
void flow_dropped(consumer *c);
// Gives credits that are due as far as there is room.
void flow_send(consumer *c);
// False when not even one more chunk may be held.
bool flow_has_room(const consumer *c);
// Has the broker send from there anew.
void flow_resubscribe(consumer *c, const wire::offset_spec &spec);
// Something was finished: a resubscription may have waited for that.
void flow_check_resubscribe(consumer *c);

// ---- consumer_tracking.cpp

// Whether the broker knows where this consumer stands.
bool tracker_resumes(const consumer *c);
bool tracker_is_automatic(const consumer *c);
// All messages below `end` are finished; so many came since the last call.
void tracker_finished(consumer *c, uint64_t end, uint64_t messages);
// From a task: stores when enough is finished.
void tracker_store_due(consumer *c);
// Stores what is finished, if it is above what is stored.
void tracker_store(consumer *c);
// Forgets what was finished: another consumer may have gone on from there.
void tracker_reset(consumer *c);
void tracker_found(consumer *c, uint64_t stored);
void tracker_stop(consumer *c);
// Requests of the application get this answer.
void queries_fail(consumer *c, int status);

// ---- consumer_update.cpp

// Finds out where to begin, then subscribes.
void update_start(consumer *c);
// From a task: the application has answered, or chunks were finished.
void update_go_on(consumer *c);
// No answer will be given any more, but the one that the broker waits for.
void update_cancel(consumer *c);

// ---- consumer_chunk.cpp

// Hands out what waited while it was paused.
void chunks_hand_out_waiting(consumer *c);
// What was received and not handed out goes.
void chunks_drop_waiting(consumer *c);
// The consumer goes: chunks still held stand for themselves from now on.
void chunk_handles_orphan(consumer *c);

}  // namespace rstream
