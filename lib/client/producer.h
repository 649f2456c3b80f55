#pragma once

#include <cstring>

#include "client/connections.h"
#include "client/producer_batch.h"
#include "client/stream_lookup.h"
#include "rstream/producer.h"
#include "util/ring.h"
#include "wire/publish.h"

namespace rstream {

enum class producer_phase : uint8_t {
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
  int end_reason = 0;  // why it ended, or why messages were given up while closing
  rstream_producer_closed_cb on_closed = nullptr;

  rstream::stream_lookup lookup;
  rstream::member member;
  rstream::conn_request request;
  rstream::net_task task;  // closes the open frame, sends, looks how far closing got
  rstream::net_timer linger_timer;
  rstream::net_timer close_timer;  // the drain's end, then that of DeletePublisher
  rstream::net_timer retry_timer;  // sending failed for lack of memory

  // What one message costs to send is decided by these few, see producer_send_fast().
  uint8_t *at = nullptr;     // the frame being filled: where the next message goes
  uint8_t *limit = nullptr;  // and where it must end; both nullptr without a frame
  uint64_t next_id = 1;
  uint64_t window_end_id = 0;  // ids below it are within max_messages_in_flight
  uint64_t bytes_in_flight = 0;
  uint64_t id_base = 0;      // publishing id minus message id
  uint32_t open_count = 0;   // messages in the frame being filled
  uint32_t count_check = 0;  // at this many the limit is looked at again

  rstream::batch *open_batch = nullptr;
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
  rstream::list flush_waiters;

  uint64_t messages_confirmed = 0;
  uint64_t messages_failed = 0;
  uint64_t frames_sent = 0;
  uint64_t unknown_confirms = 0;
};

namespace rstream {

using producer = rstream_producer;

inline producer *producer_of(member &m) {
  return RSTREAM_OWNER(&m, rstream_producer, member);
}

// `options` are complete and checked; texts are borrowed.
[[nodiscard]] int producer_open(producer **p, rstream_env *env,
                                const rstream_producer_options &options);
// What producer_send_fast() can't do: no frame, or no room in it or in the window.
[[nodiscard]] int producer_send_slow(producer *p, const void *body, size_t body_size,
                                     uint64_t *id);
// Every so many messages the frame's limit gives way to more bits.
void producer_move_limit(producer *p);
[[nodiscard]] int producer_flush(producer *p, rstream_flushed_cb on_flushed, void *user);
[[nodiscard]] int producer_close(producer *p, uint32_t timeout_ms,
                                 rstream_producer_closed_cb on_closed);
rstream_handle_state producer_state(const producer *p);

inline uint64_t producer_in_flight(const producer *p) {
  return p->next_id - 1 - p->messages_settled;
}

constexpr size_t max_inline_body = 1u << 30;  // keeps the sums below from wrapping around

// Bodies of a few bytes are common and not worth a call. Two overlapping moves cover any
// length from 4 to 16.
inline void copy_body(uint8_t *to, const void *body, size_t size) {
  const auto *from = static_cast<const uint8_t *>(body);
  if (size > 16) {
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

// Puts a message into the frame being filled. The caller has made sure of the room.
inline void producer_put(producer *p, const void *body, size_t body_size, uint64_t *id) {
  uint64_t message_id = p->next_id++;
  uint8_t *to = wire::write_entry_header(p->at, message_id + p->id_base,
                                         static_cast<uint32_t>(body_size));
  copy_body(to, body, body_size);
  p->at = to + body_size;
  p->bytes_in_flight += wire::publish_entry_overhead + body_size;
  if (++p->open_count == p->count_check) producer_move_limit(p);
  if (id) *id = message_id;
}

// True when the message was taken; else producer_send_slow() decides.
[[nodiscard]] inline bool producer_send_fast(producer *p, const void *body,
                                             size_t body_size, uint64_t *id) {
  size_t entry_bytes = wire::publish_entry_overhead + body_size;
  bool fits = body_size < max_inline_body &&
              entry_bytes <= static_cast<size_t>(p->limit - p->at) &&
              p->next_id < p->window_end_id &&
              p->bytes_in_flight + entry_bytes <= p->options.max_bytes_in_flight;
  if (fits) producer_put(p, body, body_size, id);
  return fits;
}

// From the connection.
void producer_connected(producer *p);
void producer_lost(producer *p, int reason, const char *text);
void producer_confirmed(producer *p, const wire::publish_confirm &frame);
void producer_refused(producer *p, const wire::publish_error &frame);

}  // namespace rstream
