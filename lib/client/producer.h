#pragma once

#include <cstring>

#include "client/connections.h"
#include "client/message.h"
#include "client/producer_batch.h"
#include "client/recovery.h"
#include "client/stream_lookup.h"
#include "codec/amqp_encode.h"
#include "rstream/producer.h"
#include "util/ring.h"
#include "wire/publish.h"

namespace rstream {

enum class producer_phase : uint8_t {
  recovering,  // lost its connection: pausing, or waiting to be told
  looking_up,  // which node leads the stream
  connecting,  // to that node
  declaring,   // DeclarePublisher sent
  sequence,    // QueryPublisherSequence sent, of a named producer
  open,
  ended,    // by itself; waits for the application to close it
  leaving,  // DeletePublisher sent
  closed
};

const char *producer_phase_name(producer_phase phase);

// How the next message goes where producer::at points, if it is a bare body.
enum class send_way : uint8_t {
  asking,       // producer_send() decides
  raw,          // an entry of its own, the body as it is
  amqp,         // an entry of its own, the body in a data section
  record,       // into the open sub-entry, the body as it is
  amqp_record,  // into the open sub-entry, the body in a data section
};

// The sub-entry being filled. Without compression its messages stand in the frame
// already; with it they gather in a slab and go into the frame when it is closed.
struct open_sub_entry {
  uint8_t *begin = nullptr;   // of its header in the frame; nullptr: none is open
  uint32_t count_before = 0;  // messages in the frame when it was opened
  uint32_t last_bytes = 0;    // of the messages of the last one, uncompressed
  slab *gathered = nullptr;   // kept from one to the next
};

// A message that has a callback of its own.
struct completion {
  uint64_t id;
  rstream_outcome_cb on_outcome;  // nullptr once it was called
  void *user;
};

struct flush_waiter {
  list_node node;
  uint64_t last_id;  // done once everything up to it has an outcome
  rstream_flushed_cb on_flushed;
  void *user;
};

}  // namespace rstream

struct rstream_producer {
  rstream_env *env = nullptr;
  rstream::list_node node;                // of env->producers
  rstream_producer_options options = {};  // stream and name are this producer's copies
  char *stream = nullptr;
  char *name = nullptr;

  rstream::producer_phase phase = rstream::producer_phase::looking_up;
  bool closing = false;        // the application called close
  bool close_at_once = false;  // with no time to drain
  bool accepting = true;       // neither closing nor ended
  bool was_open = false;       // what is lost from now on is recovered
  int end_reason = 0;  // why it ended, or why messages were given up while closing
  rstream_producer_closed_cb on_closed = nullptr;

  rstream::stream_lookup lookup;
  rstream::recovery recovery;
  rstream::member member;
  rstream::conn_request request;
  rstream::net_task task;  // closes the open frame, sends, looks how far closing got
  rstream::net_timer linger_timer;
  rstream::net_timer close_timer;    // the drain's end, then that of DeletePublisher
  rstream::net_timer retry_timer;    // sending failed for lack of memory
  rstream::net_timer confirm_timer;  // the oldest frame's outcomes are overdue

  // What one message costs to send is decided by these few, see producer_send_bare().
  uint8_t *at = nullptr;     // the frame being filled: where the next message goes
  uint8_t *limit = nullptr;  // and where it must end; both nullptr without a frame
  rstream::send_way way = rstream::send_way::asking;
  uint64_t next_id = 1;
  uint64_t window_end_id = 0;  // ids below it are within max_messages_in_flight
  uint64_t bytes_in_flight = 0;
  uint64_t id_base = 0;      // publishing id minus message id
  uint32_t open_count = 0;   // messages in the frame being filled
  uint32_t count_check = 0;  // at this many the limit is looked at again

  rstream::batch *open_batch = nullptr;
  rstream::open_sub_entry sub_entry;
  uint32_t merged_count = 0;      // messages less entries, of the frame being filled
  rstream::slab *slab = nullptr;  // where frames are made
  uint32_t slab_used = 0;
  uint32_t next_slab_bytes = rstream::slab_smallest_bytes;
  uint32_t last_frame_bytes = 0;
  uint64_t frame_room = 0;  // how large the frame being filled may become

  uint32_t frame_limit = 0;  // largest frame, the size field included
  uint32_t batch_limit = 0;  // where a frame is closed; at most frame_limit

  // Frames that wait for outcomes, by id; the last `unsent` of them are not with the
  // connection.
  rstream::ring<rstream::batch *> batches;
  uint32_t unsent = 0;
  uint32_t hint = 0;              // where the last outcome was found
  uint64_t messages_settled = 0;  // have their outcome
  bool window_full = false;       // on_writable is owed
  bool filtering = false;         // some message had a filter value
  bool fitting = false;  // frames are being fitted to the broker: nothing goes out yet
  rstream::list flush_waiters;
  rstream::list_node budget_node;  // of a list of env: the environment's is used up
  uint64_t budget_wanted = 0;      // what it waits for

  rstream::ring<rstream::completion> completions;  // by id
  // With ids_given: publishing ids of the messages from `first_given` on, which is an id
  // of our own counting.
  rstream::ring<uint64_t> given_ids;
  uint64_t first_given = 1;
  uint64_t last_given = 0;

  // Of a super producer's partition: what copies of its messages have as on_outcome,
  // which gets this handle. The application's own get none, as it has never seen it.
  rstream_outcome_cb copy_outcome = nullptr;
  bool encoded = false;  // the message being sent has the form in which it is stored

  uint64_t stored_sequence = 0;  // found at the broker when opening
  uint64_t serial = 0;           // tells it from others that had its address
  uint64_t messages_confirmed = 0;
  uint64_t messages_failed = 0;
  uint64_t frames_sent = 0;
  uint64_t unknown_confirms = 0;
  uint64_t recoveries = 0;
  uint64_t messages_resent = 0;
};

namespace rstream {

using producer = rstream_producer;

inline producer *producer_of(member &m) {
  return RSTREAM_OWNER(&m, rstream_producer, member);
}

// What makes it the producer of a partition.
struct producer_role {
  uint64_t first_id;  // message ids begin here
  rstream_outcome_cb copy_outcome;
};

// `options` are complete and checked; texts are borrowed. Without a role it is the
// application's own.
[[nodiscard]] int producer_open(producer **p, rstream_env *env,
                                const rstream_producer_options &options,
                                const producer_role *role = nullptr);
// Any message, the general case: see producer_send_bare() for the usual one.
// `message` is complete and checked but for what depends on this producer.
[[nodiscard]] int producer_send(producer *p, const rstream_message &message,
                                uint64_t *id);
// One that was encoded before, its body is what is to be stored, and its filter value is
// known.
[[nodiscard]] int producer_send_encoded(producer *p, const rstream_message &message,
                                        uint64_t *id);
// All of them as one entry.
[[nodiscard]] int producer_send_sub_entry(producer *p, const message_array &messages,
                                          uint8_t compression, uint64_t *first_id);
// The message's own callback becomes this one; harmless when it has its outcome.
void producer_replace_completion(producer *p, uint64_t id, rstream_outcome_cb on_outcome,
                                 void *user);
// Every so many messages the frame's limit gives way to more bits.
void producer_move_limit(producer *p);
[[nodiscard]] int producer_flush(producer *p, rstream_flushed_cb on_flushed, void *user);
[[nodiscard]] int producer_close(producer *p, uint32_t timeout_ms,
                                 rstream_producer_closed_cb on_closed);
[[nodiscard]] int producer_reconnect(producer *p);
rstream_handle_state producer_state(const producer *p);
void producer_stats(const producer *p, rstream_producer_stats &stats);

// Every message before this one has its outcome.
uint64_t producer_first_waiting(const producer *p);

inline uint64_t producer_in_flight(const producer *p) {
  return p->next_id - 1 - p->messages_settled;
}

constexpr size_t max_inline_body = 1u << 30;  // keeps the sums below from wrapping around
constexpr size_t record_overhead = 4;         // a message's length within a sub-entry

// Bodies of a few bytes are common and not worth a call. Two overlapping moves cover any
// length from 4 to 16.
constexpr size_t small_body = 16;
inline void copy_body(uint8_t *to, const void *body, size_t size) {
  const auto *from = static_cast<const uint8_t *>(body);
  if (size > small_body) {
    memcpy(to, from, size);
  } else if (size >= 8) {
    memcpy(to, from, 8);
    memcpy(to + size - 8, from + size - 8, 8);
  } else if (size >= 4) {
    memcpy(to, from, 4);
    memcpy(to + size - 4, from + size - 4, 4);
  } else {
    for (size_t i = 0; i < size; i++) to[i] = from[i];
  }
}

// Counts a message that was put at producer::at and ends at `end`.
inline void producer_took(producer *p, uint8_t *end, uint64_t *id) {
  p->bytes_in_flight += static_cast<size_t>(end - p->at);
  p->at = end;
  uint64_t message_id = p->next_id++;
  if (++p->open_count == p->count_check) producer_move_limit(p);
  if (id) *id = message_id;
}

// A bare body, when it can't be put where the last one was; then producer_send() decides.
[[nodiscard]] int producer_send_elsewhere(producer *p, const void *body, size_t body_size,
                                          uint64_t *id);
// producer_move_limit() and 0.
[[nodiscard]] int producer_step_limit(producer *p);

enum class put_window : uint8_t {
  asked,
  known  // to have room: the super producer's has
};

// Puts a body where messages go, if there is room; the way there, and that it is small or
// not, is known to the compiler. What it calls out of line it calls last, and so needs no
// stack frame.
template <send_way way, bool small, put_window window = put_window::asked>
[[nodiscard, gnu::always_inline]] inline int producer_put(producer *p, const void *body,
                                                          size_t body_size,
                                                          uint64_t *id) {
  constexpr bool amqp = way == send_way::amqp || way == send_way::amqp_record;
  constexpr bool record = way == send_way::record || way == send_way::amqp_record;
  if (small && body_size > small_body) __builtin_unreachable();
  size_t content = body_size + (amqp ? amqp_data_header_bytes(body_size) : 0);
  size_t entry = content + (record ? record_overhead : wire::publish_entry_overhead);
  bool fits = (small || body_size < max_inline_body) &&
              entry <= static_cast<size_t>(p->limit - p->at) &&
              (window == put_window::known ||
               (p->next_id < p->window_end_id &&
                p->bytes_in_flight + entry <= p->options.max_bytes_in_flight));
  if (!fits) return producer_send_elsewhere(p, body, body_size, id);
  uint8_t *to = p->at;
  if (record) {
    wire::store_u32be(to, static_cast<uint32_t>(content));
    to += record_overhead;
  } else {
    to = wire::write_entry_header(to, p->next_id + p->id_base,
                                  static_cast<uint32_t>(content));
  }
  if (amqp) to = amqp_write_data_header(to, body_size);
  copy_body(to, body, body_size);
  p->at = to + body_size;
  p->bytes_in_flight += entry;
  if (id) *id = p->next_id;
  p->next_id++;
  if (++p->open_count == p->count_check) return producer_step_limit(p);
  return 0;
}

template <send_way way>
[[nodiscard, gnu::noinline]] int producer_put_large(producer *p, const void *body,
                                                    size_t body_size, uint64_t *id) {
  return producer_put<way, false>(p, body, body_size, id);
}

template <send_way way>
[[nodiscard, gnu::always_inline]] inline int producer_put_any(producer *p,
                                                              const void *body,
                                                              size_t body_size,
                                                              uint64_t *id) {
  if (body_size > small_body) return producer_put_large<way>(p, body, body_size, id);
  return producer_put<way, true>(p, body, body_size, id);
}

// A message that is nothing but its body, which is not null unless it is empty. As
// producer_send(). In line also where there are several callers: as a call it would be 18
// of 96 instructions per message.
[[nodiscard, gnu::always_inline]] inline int producer_send_bare(producer *p,
                                                                const void *body,
                                                                size_t body_size,
                                                                uint64_t *id) {
  switch (p->way) {
  case send_way::raw: return producer_put_any<send_way::raw>(p, body, body_size, id);
  case send_way::amqp: return producer_put_any<send_way::amqp>(p, body, body_size, id);
  case send_way::record:
    return producer_put_any<send_way::record>(p, body, body_size, id);
  case send_way::amqp_record:
    return producer_put_any<send_way::amqp_record>(p, body, body_size, id);
  case send_way::asking: break;
  }
  return producer_send_elsewhere(p, body, body_size, id);
}

// The same as a call: for callers that would have to save more than they gain.
[[nodiscard]] int producer_send_body(producer *p, const void *body, size_t body_size,
                                     uint64_t *id);

// From the connection.
void producer_connected(producer *p);
inline bool producer_is_declaring(const producer *p) {
  return p->phase == producer_phase::declaring;
}
void producer_lost(producer *p, int reason, const char *text);
void producer_confirmed(producer *p, const wire::publish_confirm &frame);
void producer_refused(producer *p, const wire::publish_error &frame);
void producer_drained(producer *p);

}  // namespace rstream
