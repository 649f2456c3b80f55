#pragma once

#include "client/connections.h"
#include "client/recovery.h"
#include "client/stream_lookup.h"
#include "codec/amqp_decode.h"
#include "codec/chunk_pieces.h"
#include "codec/unpack.h"
#include "rstream/super_consumer.h"

namespace rstream {

enum class consumer_phase : uint8_t {
  recovering,   // lost its connection: pausing, or waiting to be told
  looking_up,   // which node has the stream
  connecting,   // to that node
  starting,     // where to begin is being found out
  subscribing,  // Subscribe sent
  open,
  ended,    // by itself; waits for the application to close it
  leaving,  // Unsubscribe sent
  closed
};

const char *consumer_phase_name(consumer_phase phase);

// Which messages are finished, and which offset is stored.
struct offset_tracker {
  bool has_finished = false;
  uint64_t finished_end = 0;  // offset after the last finished message
  bool has_stored = false;
  bool by_us = false;  // stored by this consumer, not found at the broker
  uint64_t stored = 0;
  uint64_t unstored_messages = 0;  // finished since the last store
  net_timer store_timer;
};

// The question where to begin or that it is time to stop: the library's own when it
// opens, or the broker's (ConsumerUpdate).
struct update_state {
  enum class step : uint8_t {
    none,         // nothing is asked
    application,  // on_update will be answered later
    answered,     // it was, and will be acted on
    query,        // QueryOffset sent
    finishing     // chunks that are held must be finished first
  };
  step at = step::none;
  bool to_active = false;
  bool by_broker = false;  // it gets an answer
  uint32_t correlation_id = 0;
  uint32_t number = 0;       // tells this question from the next
  bool by_default = false;   // the application's answer: the library shall decide,
  wire::offset_spec spec{};  // or begin there
  conn_request request;
  net_timer deadline;
};

// A slab that chunks of a consumer keep: it counts once, as it goes with the last of
// them.
struct slab_hold {
  slab_hold *next_free = nullptr;
  slab *owner = nullptr;
  uint32_t chunks = 0;
};

// What the broker may send.
struct consumer_flow {
  uint32_t outstanding = 0;     // credits it has
  uint32_t due = 0;             // credits to give it, as far as max_bytes_held allows
  uint32_t overdrawn = 0;       // credits given beyond what chunks held leave of them
  uint64_t largest_chunk = 0;   // bytes
  uint64_t memory_held = 0;     // slabs that chunks received and not finished keep
  slab_hold *latest = nullptr;  // the one that the next chunk may lie in, too
  bool paused = false;
  int given_up_for = 0;  // after Unsubscribe it recovers from this, see flow_give_up()
  const char *given_up_text = nullptr;
};

// Asking the broker to send from some offset anew.
enum class resubscribe_step : uint8_t {
  none,
  stepping_down,  // a single active consumer: its offset is stored first
  unsubscribing,
  waiting_for_room,
  subscribing
};

// A chunk that is handed out while it arrives.
struct streamed_chunk {
  enum class stage : uint8_t {
    none,
    reading,  // its messages are handed out
    passing,  // no more of them, but all bytes count for the CRC
    dropping  // up to the end of its frame
  };
  stage at = stage::none;
  bool is_cut = false;  // not all of it was handed out, and is asked for anew
  chunk_header header;
  uint32_t chunk_bytes = 0;
  uint32_t data_left = 0;   // bytes of its data to come
  uint32_t large_left = 0;  // those of an entry that is too large
  uint32_t crc = 0;         // of what was taken
  chunk_rest rest;
  // Nothing of it is finished before its CRC was seen to be right.
  uint64_t began_at = 0;    // the first message that comes again else
  uint64_t reached = 0;     // behind the last message handed out; 0: none was
  uint64_t handed_out = 0;  // messages
  unpacker sub_entries;
  // A chunk whose connection was lost before its CRC was known: messages of it were
  // handed out from `began_at` on.
  struct {
    bool is_set = false;
    uint64_t first_offset = 0;
    uint64_t began_at = 0;
  } unverified;
};

// rstream_consumer_query_offset() of the application.
struct offset_query {
  list_node node;
  rstream_consumer *consumer = nullptr;
  conn_request request;
  rstream_consumer_offset_cb on_result = nullptr;
  void *user = nullptr;
};

struct super_subscription;

}  // namespace rstream

// A chunk that was received. It keeps its frame's slab, and through that the memory pool,
// alive longer than the consumer and the environment if need be.
struct rstream_chunk {
  rstream_chunk *next_free = nullptr;
  rstream_consumer *consumer = nullptr;  // nullptr once that is gone
  rstream::list_node node;               // of the consumer's chunks
  rstream::slab *slab = nullptr;         // nullptr once it is finished
  rstream::slab_hold *hold = nullptr;    // likewise, and once the consumer is gone
  uint32_t refs = 0;
  bool told = false;   // its callback is running
  bool cut = false;    // closing kept the application from seeing all of it
  bool stray = false;  // of before offsets began anew: it does not count as finished
  uint32_t frame_bytes = 0;
  rstream::chunk_header header;
  rstream::wire::bytes entries{};
  uint64_t committed_offset = 0;
  uint64_t skip_below = 0;  // offsets the application did not ask for
  uint64_t messages = 0;    // those above it
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
  char *filter_texts = nullptr;                      // the values, one behind the other
  rstream::wire::property *properties = nullptr;     // of Subscribe
  rstream::super_subscription *partition = nullptr;  // of a super consumer's partition
  uint32_t property_count = 0;

  rstream::consumer_phase phase = rstream::consumer_phase::looking_up;
  bool closing = false;   // the application called close
  bool was_open = false;  // what is lost from now on is recovered
  int end_reason = 0;
  rstream_consumer_closed_cb on_closed = nullptr;

  rstream::stream_lookup lookup;
  rstream::recovery recovery;
  rstream::member member;
  rstream::conn_request request;
  rstream::net_task task;          // returns credits, stores, looks how far closing got
  rstream::net_timer leave_timer;  // for the answer to Unsubscribe
  rstream::net_timer retry_timer;  // returning credits failed for lack of memory
  rstream::list queries;           // of the application

  rstream::wire::offset_spec subscribed_at{};  // what Subscribe said last
  rstream::wire::offset_spec began_at{};       // where the broker began, or begins, last
  uint64_t skip_below = 0;  // the next message handed out is at or above this
  rstream::list chunks;     // handed out, in order, up to the last one not finished
  rstream::list strays;     // those out of that order
  rstream::list waiting;    // received, not handed out yet: it was paused
  rstream::streamed_chunk streamed;

  rstream::consumer_flow flow;
  rstream::offset_tracker tracker;
  rstream::update_state update;
  bool active = false;  // messages may be handed out
  bool cut = false;     // nothing from here on counts as finished

  rstream::resubscribe_step resubscribe = rstream::resubscribe_step::none;
  rstream::wire::offset_spec resubscribe_at{};
  uint64_t bad_offset = 0;       // the bad chunk asked for anew
  uint32_t bad_attempts = 0;     // how often
  bool caught_up = false;        // was told
  bool knows_committed = false;  // Deliver came in version 2

  rstream_consumer_stats stats = {};
};

namespace rstream {

using consumer = rstream_consumer;

inline consumer *consumer_of(member &m) {
  return RSTREAM_OWNER(&m, rstream_consumer, member);
}

// What makes it the consumer of a partition.
struct consumer_role {
  rstream_super_consumer *super;
  super_subscription *partition;
};

// `options` are complete and checked; texts are borrowed. Without a role it is the
// application's own.
[[nodiscard]] int consumer_open(consumer **c, rstream_env *env,
                                const rstream_consumer_options &options,
                                const consumer_role *role = nullptr);
[[nodiscard]] int consumer_close(consumer *c, rstream_consumer_closed_cb on_closed);
[[nodiscard]] int consumer_reconnect(consumer *c);
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
inline bool consumer_is_subscribing(const consumer *c) {
  return c->phase == consumer_phase::subscribing ||
         c->resubscribe == resubscribe_step::subscribing;
}
void consumer_lost(consumer *c, int reason, const char *text);
void consumer_delivered(consumer *c, const wire::deliver &frame, slab *owner);
void consumer_updated(consumer *c, const wire::consumer_update &frame);
// Whether a chunk of that size is handed out while it arrives.
inline bool consumer_streams(const consumer *c, uint32_t chunk_bytes) {
  uint32_t least = c->options.streaming_min_bytes;
  return least > 0 && chunk_bytes >= least;
}
piece_taken consumer_delivered_piece(consumer *c, const deliver_piece &piece);

// ---- consumer_tracking.cpp

[[nodiscard]] int consumer_store_offset(consumer *c, uint64_t offset);
[[nodiscard]] int consumer_query_offset(consumer *c, rstream_consumer_offset_cb on_result,
                                        void *user);

// ---- consumer_update.cpp

[[nodiscard]] int consumer_update_done(consumer *c, const wire::offset_spec *spec);
rstream_activity consumer_activity(const consumer *c);

// ---- consumer_flow.cpp

[[nodiscard]] int consumer_pause(consumer *c);
[[nodiscard]] int consumer_resume(consumer *c);
[[nodiscard]] int consumer_grant_credit(consumer *c, uint16_t chunks);

// ---- consumer_chunk.cpp

const rstream_message_view *chunk_handle_next(rstream_chunk *chunk);
size_t chunk_handle_read(rstream_chunk *chunk, const uint8_t **bodies, size_t *sizes,
                         uint64_t *offsets, size_t most);
void chunk_handle_rewind(rstream_chunk *chunk);
void chunk_handle_release(rstream_chunk *chunk);

}  // namespace rstream
