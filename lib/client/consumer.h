#pragma once

#include "client/connections.h"
#include "client/stream_lookup.h"
#include "codec/amqp_decode.h"
#include "codec/unpack.h"
#include "rstream/consumer.h"

namespace rstream {

enum class consumer_phase : uint8_t {
  looking_up,   // which node has the stream
  connecting,   // to that node
  subscribing,  // Subscribe sent
  open,
  ended,    // by itself; waits for the application to close it
  leaving,  // Unsubscribe sent
  closed
};

const char *consumer_phase_name(consumer_phase phase);

}  // namespace rstream

// A chunk that was handed out. It keeps its frame's slab, and through that the memory
// pool, alive longer than the consumer and the environment if need be.
struct rstream_chunk {
  rstream_chunk *next_free = nullptr;
  rstream_consumer *consumer = nullptr;  // nullptr once that is gone
  rstream::list_node node;               // of the consumer's chunks
  rstream::slab *slab = nullptr;
  uint32_t refs = 0;
  bool told = false;  // its callback is running
  uint32_t frame_bytes = 0;
  rstream::chunk_header header;
  rstream::wire::bytes entries{};
  uint64_t committed_offset = 0;
  uint64_t skip_below = 0;  // offsets the application did not ask for
  rstream_codec codec = RSTREAM_CODEC_RAW;
  rstream::chunk_cursor cursor;
  rstream::unpacker unpacker;  // its set has a reference of this chunk
  rstream_message_view view = {};
};

struct rstream_consumer {
  rstream_env *env = nullptr;
  rstream::list_node node;                // of env->consumers
  rstream_consumer_options options = {};  // stream and name are this consumer's copies
  char *stream = nullptr;
  char *name = nullptr;

  rstream::consumer_phase phase = rstream::consumer_phase::looking_up;
  bool closing = false;  // the application called close
  int end_reason = 0;
  rstream_consumer_closed_cb on_closed = nullptr;

  rstream::stream_lookup lookup;
  rstream::member member;
  rstream::conn_request request;
  rstream::net_task task;          // returns credits, looks how far closing got
  rstream::net_timer leave_timer;  // for the answer to Unsubscribe
  rstream::net_timer retry_timer;  // returning credits failed for lack of memory

  uint16_t credits_due = 0;
  uint64_t skip_below = 0;  // the next message handed out is at or above this
  rstream::list chunks;     // handed out, not finished

  rstream_consumer_stats stats = {};
};

namespace rstream {

using consumer = rstream_consumer;

inline consumer *consumer_of(member &m) {
  return RSTREAM_OWNER(&m, rstream_consumer, member);
}

// `options` are complete and checked; texts are borrowed.
[[nodiscard]] int consumer_open(consumer **c, rstream_env *env,
                                const rstream_consumer_options &options);
[[nodiscard]] int consumer_close(consumer *c, rstream_consumer_closed_cb on_closed);
[[nodiscard]] int consumer_store_offset(consumer *c, uint64_t offset);
rstream_handle_state consumer_state(const consumer *c);

// What the application sees of a message. `view` was set to zeroes once; it serves for
// one message after the other.
inline void consumer_fill_view(rstream_message_view &view, const chunk_record &record,
                               rstream_codec codec) {
  view.struct_size = sizeof view;
  view.offset = record.offset;
  view.encoded = view.body = record.data;
  view.encoded_size = view.body_size = record.size;
  if (codec == RSTREAM_CODEC_RAW) return;
  amqp_body body = amqp_body_of({record.data, record.size});
  view.body = body.content.data();
  view.body_size = body.content.size();
  view.status = body.status;
  view.body_type = body.type;
}

// From the connection.
void consumer_connected(consumer *c);
void consumer_lost(consumer *c, int reason, const char *text);
void consumer_delivered(consumer *c, const wire::deliver &frame, slab *owner);

// Ends the consumer by itself.
void consumer_end(consumer *c, int reason, const char *text);
// Gives back what consumer_delivered() took from the broker's credit.
void consumer_return_credit(consumer *c);

const rstream_message_view *chunk_handle_next(rstream_chunk *chunk);
void chunk_handle_rewind(rstream_chunk *chunk);
void chunk_handle_release(rstream_chunk *chunk);
// The consumer goes: chunks still held stand for themselves from now on.
void chunk_handles_orphan(consumer *c);

}  // namespace rstream
