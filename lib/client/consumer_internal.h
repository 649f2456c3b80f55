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
// Behind what was handed out, or where it began.
wire::offset_spec consumer_resume_point(const consumer *c);
// Whether asking again leads to the same place. What is next, or last, moves on.
inline bool consumer_began_for_good(const consumer *c) {
  return c->began_at.type == wire::raw(wire::offset_type::first) ||
         c->began_at.type == wire::raw(wire::offset_type::offset);
}
// The connection is all right, but this consumer gets no further on it.
void consumer_retreat(consumer *c, int status, const char *text);
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
// False when this one, which lies there, may not be held.
bool flow_has_room(const consumer *c, const slab *owner);
// Counts the memory that a chunk keeps. False when out of memory.
[[nodiscard]] bool flow_hold(consumer *c, rstream_chunk *chunk);
void flow_let_go(consumer *c, rstream_chunk *chunk);
// The subscription is gone.
void flow_stop(consumer *c);
// Has the broker send from there anew.
void flow_resubscribe(consumer *c, const wire::offset_spec &spec);
// The same, by a single active consumer that has stopped: the broker gives the turn away.
void flow_unsubscribe(consumer *c);
// What is on its way is not wanted any more.
inline bool flow_is_stopping(const consumer *c) {
  return c->resubscribe == resubscribe_step::stepping_down ||
         c->resubscribe == resubscribe_step::unsubscribing;
}
// Unsubscribes, then recovers as after a loss. `text` is a literal.
void flow_give_up(consumer *c, int status, const char *text);
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
// After a recovery: the last store may have been lost on the way.
void tracker_store_again(consumer *c);
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
// A single active consumer gives up its turn by itself, as if the broker had asked it to.
void update_step_down(consumer *c);
// Whether a single active consumer may still store: it has not yet answered that it has
// stopped.
inline bool update_has_turn(const consumer *c) {
  bool stops = c->update.at != update_state::step::none && !c->update.to_active;
  return c->active || stops;
}
// No answer will be given any more, but the one that the broker waits for.
void update_cancel(consumer *c);

// ---- consumer_messages.cpp

struct message_walk {
  uint64_t next_offset;
  uint64_t handed_out;
};

// Calls on_message for each message of the cursor, to its end or until that closes or
// pauses the consumer.
message_walk messages_walk(consumer *c, chunk_cursor cursor, unpacker &u);
// After a walk. False when nothing came of it that is not below what was handed out.
bool messages_count(consumer *c, const message_walk &walk);
// The messages of a chunk, without a chunk object: the frame stays as it is while this
// runs. False when it was paused before the end; c->skip_below tells where to go on.
bool messages_hand_out(consumer *c, const chunk_header &header, wire::bytes entries);
void messages_tell_gap(consumer *c, const chunk_gap &gap, int status);

inline bool consumer_filters_out(const consumer *c, const rstream_message_view &view) {
  return c->options.on_filter && !c->options.on_filter(&view, c->options.user);
}

inline unpack_limits consumer_unpack_limits(const consumer *c) {
  return {c->options.max_sub_entry_bytes, c->options.max_chunk_decompressed_bytes};
}

// Whether nothing of a sub-entry is wanted, so that it need not be unpacked.
inline bool gap_is_below(const chunk_gap &gap, uint64_t offset) {
  return gap.first_offset + gap.record_count <= offset;
}

// ---- consumer_streaming.cpp

// No more of the chunk that is on its way will come.
void streaming_stop(consumer *c);

// ---- consumer_bad_chunk.cpp

void chunk_found_good(consumer *c, const chunk_header &header);
// Both say what happens next, and have it happen. `next` is the first message that comes
// again when a damaged chunk is asked for anew.
void chunk_found_malformed(consumer *c);
void chunk_found_damaged(consumer *c, const chunk_header &header, uint64_t next);
// Whether it comes at a time when nothing is to come. It is dropped then, unseen.
bool chunk_drop_late(consumer *c);
// What is not handed out at all, and why not. True when it was dealt with. `owner` is
// where it lies; nullptr when it is streamed.
bool chunk_drop_unwanted(consumer *c, const slab *owner, const chunk_header &header);
// Where to have the broker begin anew, in the chunk at hand if it is known.
wire::offset_spec chunk_resume_point(const consumer *c, const chunk_header *header);

// ---- consumer_chunk.cpp

inline bool consumer_wants_messages(const consumer *c) {
  return !c->closing && c->phase != consumer_phase::ended;
}
// What arrives can't be handed out at once.
inline bool consumer_must_wait(const consumer *c) {
  return c->flow.paused || !list_empty(c->waiting);
}
// What a frame tells about the stream.
void consumer_note_committed(consumer *c, const wire::deliver &frame);
// Until a chunk has been handed out, the consumer stands at its begin, and goes on there
// if it has to. What lies before was not asked for, or has no message for it.
void consumer_stand_at(consumer *c, const chunk_header &header);
// All of a chunk was handed out. By what the broker told last, which may be more than it
// told with a chunk that waited.
void consumer_tell_caught_up(consumer *c, const chunk_header &header);
// Hands out what waited while it was paused.
void chunks_hand_out_waiting(consumer *c);
// Offsets begin anew: what is still held won't count as finished.
void chunks_go_astray(consumer *c);
// What was received and not handed out goes.
void chunks_drop_waiting(consumer *c);
// The consumer goes: chunks still held stand for themselves from now on.
void chunk_handles_orphan(consumer *c);

}  // namespace rstream
