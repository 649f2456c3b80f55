/* Consumers: read one stream, chunk by chunk or message by message. */
#ifndef RSTREAM_CONSUMER_H
#define RSTREAM_CONSUMER_H

#include "rstream/amqp.h"
#include "rstream/codec.h"
#include "rstream/env.h"
#include "rstream/state.h"
#include "rstream/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rstream_consumer rstream_consumer;

/* A chunk: what one Deliver frame carries, 1 to 65535 entries that were stored together.
 */
typedef struct rstream_chunk rstream_chunk;

/* Where to start, as in the command Subscribe. */
typedef enum rstream_offset_type {
  RSTREAM_OFFSET_DEFAULT = 0, /* RSTREAM_OFFSET_NEXT */
  RSTREAM_OFFSET_FIRST = 1,   /* the first message still in the stream */
  RSTREAM_OFFSET_LAST = 2, /* the start of the last chunk, maybe thousands of messages */
  RSTREAM_OFFSET_NEXT = 3, /* what is published from now on */
  RSTREAM_OFFSET_OFFSET = 4, /* offset_value, or the first message if that one is gone, or
                                as NEXT if it does not exist yet */
  RSTREAM_OFFSET_TIMESTAMP = 5 /* the first chunk written at or after timestamp_ms. The
                                  unit is the chunk: it may begin with older messages */
} rstream_offset_type;

/* A message as it was received. Its body is borrowed until the callback returns, or as
 * long as the chunk it came in is retained. */
typedef struct rstream_message_view {
  size_t struct_size;  /* size of what the library filled */
  const uint8_t *body; /* as the codec of the options has it; may be NULL when empty */
  size_t body_size;
  uint64_t offset;        /* in the stream */
  const uint8_t *encoded; /* the message as it is stored, borrowed likewise. With
                             RSTREAM_CODEC_RAW this is the body; with RSTREAM_CODEC_AMQP
                             properties and annotations are read from it, see amqp.h */
  size_t encoded_size;
  int status; /* 0; RSTREAM_ECODEC: with RSTREAM_CODEC_AMQP, the message is no AMQP 1.0
                 message that can be read, and the body is all of it */
  rstream_amqp_body_type body_type; /* what the body is: with RSTREAM_CODEC_RAW always
                                       RSTREAM_AMQP_BODY_DATA */
} rstream_message_view;

/* One call per chunk: iterate with rstream_chunk_next(). The chunk is finished, and its
 * credit goes back to the broker, when the callback returns or, if it was retained, with
 * the last rstream_chunk_release(). */
typedef void (*rstream_chunk_cb)(rstream_consumer *consumer, rstream_chunk *chunk,
                                 void *user);

/* One call per message, in the order of offsets. */
typedef void (*rstream_message_cb)(rstream_consumer *consumer,
                                   const rstream_message_view *message, void *user);

/* An entry of a chunk that could not be turned into messages, or not to the last one: it
 * is damaged, its size is above the limits of the options, its compression is not built
 * in and not registered (see codec.h). The rest of the chunk goes on, with the right
 * offsets. `text` is borrowed until the callback returns. */
typedef struct rstream_entry_error {
  size_t struct_size;     /* size of what the library filled */
  int status;             /* RSTREAM_ECODEC, or RSTREAM_ENOMEM while decompressing */
  uint64_t first_offset;  /* of the messages concerned */
  uint64_t message_count; /* as the entry declares it */
  const uint8_t *entry;   /* the entry's bytes as they came, borrowed likewise; when only
                             messages at the end of a sub-entry are concerned, what is
                             left of it, decompressed */
  size_t entry_size;
  const char *text; /* what is wrong, in words */
} rstream_entry_error;

typedef void (*rstream_entry_error_cb)(rstream_consumer *consumer,
                                       const rstream_entry_error *error, void *user);

/* A chunk that could not be handed out: its CRC-32 or its header is wrong. Nothing of it
 * was handed out, nor will be, unless it was streamed (see below); `action` tells what
 * happens next. Borrowed until the callback returns. */
typedef enum rstream_bad_chunk {
  RSTREAM_BAD_CHUNK_RESUBSCRIBE = 0, /* ask the broker for it anew, up to 3 times; if it
                                        stays bad, the consumer ends */
  RSTREAM_BAD_CHUNK_SKIP = 1,        /* go on with the next one */
  RSTREAM_BAD_CHUNK_END = 2          /* end the consumer with this reason */
} rstream_bad_chunk;

typedef struct rstream_chunk_error {
  size_t struct_size;       /* size of what the library filled */
  int status;               /* RSTREAM_ECHECKSUM or RSTREAM_EPROTO */
  uint64_t first_offset;    /* as the chunk says, or the next one expected */
  uint64_t message_count;   /* as the chunk says; 0 when its header is malformed */
  rstream_bad_chunk action; /* what is done about it */
  const char *text;
} rstream_chunk_error;

typedef void (*rstream_chunk_error_cb)(rstream_consumer *consumer,
                                       const rstream_chunk_error *error, void *user);

/* Whether a message is wanted: 1 or 0. Called for each message right before it would be
 * handed out, in on_message mode and by rstream_chunk_next() alike; it must not call
 * functions of rstream. A filter value of the broker's selects chunks, with some that do
 * not match, so what must be exact is decided here. */
typedef int (*rstream_message_filter_cb)(const rstream_message_view *message, void *user);

/* Where to begin, and when to stop. Called with active 1 before messages come: when the
 * consumer opens, or with single_active, whenever the broker makes it the active one
 * (command ConsumerUpdate). Called with active 0 when the broker makes another one
 * active, or when a single active consumer gives up its turn to ask for a bad chunk, or
 * for what max_bytes_held left no room for, anew; no chunk or message is handed out from
 * here on until it is active again.
 *
 * Returns RSTREAM_UPDATE_DEFAULT for what the library does by itself: begin after the
 * offset stored under the name if there is one, else as the options say; when stopping,
 * wait until the chunks that are held are finished and store the last offset. Returns
 * RSTREAM_UPDATE_LATER if rstream_consumer_update_done() will be called: before this
 * callback returns, or within update_timeout_ms, after which it is as if the default had
 * been returned. Any function may be called meanwhile, the consumer's own queries and
 * stores included. */
typedef enum rstream_update_reply {
  RSTREAM_UPDATE_DEFAULT = 0,
  RSTREAM_UPDATE_LATER = 1
} rstream_update_reply;
typedef rstream_update_reply (*rstream_consumer_update_cb)(rstream_consumer *consumer,
                                                           int active, void *user);

/* Stores an offset in the application's own store, instead of the broker. `offset` is
 * that of the last message finished. */
typedef void (*rstream_store_offset_cb)(rstream_consumer *consumer, uint64_t offset,
                                        void *user);

/* The last message that was committed, as far as the broker has told with the chunks it
 * sent, has been handed out; `next_offset` is the one after it. Comes again each time the
 * consumer fell behind and caught up. A stream that is empty, or whose last chunk
 * filter_values leave out, has no such message to hand out. Broker 3.11, never below. */
typedef void (*rstream_caught_up_cb)(rstream_consumer *consumer, uint64_t next_offset,
                                     void *user);

typedef void (*rstream_consumer_state_cb)(rstream_consumer *consumer,
                                          const rstream_state *state, void *user);

/* The last callback of a consumer: when it returns, `consumer` is gone. Chunks that were
 * retained stay valid until released. `status` is 0, or the reason that ended the
 * consumer before. */
typedef void (*rstream_consumer_closed_cb)(rstream_consumer *consumer, int status,
                                           void *user);

/* What becomes of the offsets of finished messages. A message is finished when its
 * callback has returned; those of a chunk, when the chunk is, and all chunks before it.
 */
typedef enum rstream_tracking {
  RSTREAM_TRACKING_DEFAULT = 0, /* AUTOMATIC for a consumer with a name, else NONE */
  RSTREAM_TRACKING_NONE = 1,    /* nothing is looked up, nothing is stored */
  RSTREAM_TRACKING_AUTOMATIC =
      2, /* begins after the stored offset if there is one, and stores the last finished
            one every store_every_messages or store_interval_ms, whichever comes first,
            and when closing; never a lower one than is stored, nothing if nothing was
            finished */
  RSTREAM_TRACKING_MANUAL = 3 /* begins likewise; rstream_consumer_store_offset() alone
                                 stores */
} rstream_tracking;

/* When the broker may send more chunks. */
typedef enum rstream_credit_policy {
  RSTREAM_CREDIT_ON_FINISH = 0,  /* one for each chunk finished */
  RSTREAM_CREDIT_ON_ARRIVAL = 1, /* one for each chunk received: fastest, and bounded only
                                    by max_bytes_held */
  RSTREAM_CREDIT_MANUAL = 2      /* by rstream_consumer_grant_credit() alone */
} rstream_credit_policy;

/* Streaming: handing out a chunk while it arrives.
 *
 * A chunk is as large as what was published at once, up to many MiB, and is held until
 * its last byte has come and its CRC-32 is seen to be right. With streaming_min_bytes,
 * chunks of at least that size (their header of 48 bytes included) are not: each entry, a
 * message or a sub-entry, is handed out as soon as all of it is there. What is held then
 * is the entry at hand, at most twice, and a buffer of 256 KiB, however large the chunk.
 * max_deliver_bytes of the environment does not apply to such chunks. An entry that is
 * larger than max_sub_entry_bytes as it is stored is told to on_entry_error, without its
 * bytes, and passed over; in the entry of an error that concerns the rest of a chunk
 * there is only what has arrived.
 *
 * CRC-32: the messages come before it can be checked. It is computed as they come, and
 * only when the last byte was there and it is right, the messages of the chunk are
 * finished, count as such and may be stored. If it is wrong, on_chunk_error tells so
 * afterwards: what was handed out from first_offset of the error on must not be trusted.
 * With RSTREAM_BAD_CHUNK_RESUBSCRIBE all of the chunk is then asked for and handed out
 * again, from the first message of it that this consumer was given on: this is the only
 * case where offsets go back. When the connection is lost within a chunk, the consumer
 * goes on behind the last message that was handed out, and the CRC-32 that counts is the
 * one of the chunk as it is transferred again. With RSTREAM_BAD_CHUNK_SKIP the next chunk
 * follows. With crc_off nothing is checked, and a message is finished when its callback
 * has returned. A chunk whose header is malformed is told before anything of it is handed
 * out.
 *
 * Closing in the middle of a chunk: no message follows, and with the CRC on those of this
 * chunk are not stored; they come again to whoever goes on from the stored offset.
 *
 * Pausing in the middle of a chunk, or before one that is streamed: the rest is not kept
 * but dropped as it arrives (chunks_dropped). The broker is told to stop, and when the
 * consumer is resumed it is asked to begin anew behind the last message that was handed
 * out (resubscribes); with initial_credit again. The chunk is transferred again from its
 * begin, which is passed over. Chunks below streaming_min_bytes wait as ever.
 *
 * Credit: one is used when the chunk begins to arrive, and given back when it has ended;
 * with RSTREAM_CREDIT_ON_ARRIVAL as soon as it begins. Streamed chunks do not count
 * against max_bytes_held. Everything else is as without: filters, the offset asked for,
 * single_active (a ConsumerUpdate never comes within a chunk). */

/* Set with rstream_consumer_options_init(), then change what differs. 0 or NULL means the
 * default. Everything is copied. */
typedef struct rstream_consumer_options {
  size_t struct_size; /* set by rstream_consumer_options_init() */
  const char *stream; /* required; 1 to 255 bytes */
  const char *name;   /* shown by the broker's management, and the name under which
                         rstream_consumer_store_offset() stores; at most 255 bytes;
                         default: none */

  rstream_chunk_cb on_chunk;             /* one of these two is required, */
  rstream_message_cb on_message;         /* not both */
  rstream_entry_error_cb on_entry_error; /* default: logged and counted only. Called when
                                            the entry is reached, in on_message mode and
                                            by rstream_chunk_next() alike */
  rstream_consumer_state_cb on_state;    /* default: none */
  void *user;                            /* passed to each callback of this consumer */

  rstream_offset_type offset_type; /* default RSTREAM_OFFSET_NEXT */
  uint64_t offset_value;   /* for RSTREAM_OFFSET_OFFSET. No message below it is handed
                              out, although the broker starts at a chunk's begin. */
  int64_t timestamp_ms;    /* for RSTREAM_OFFSET_TIMESTAMP: since 1970, UTC */
  uint16_t initial_credit; /* chunks the broker may send ahead; default 10; at most
                              32767. One goes back for each finished chunk. */
  uint8_t crc_off;         /* 1: do not verify the CRC-32 of chunks */
  rstream_codec codec;     /* RSTREAM_CODEC_RAW (default): bodies are what is stored.
                              RSTREAM_CODEC_AMQP: bodies are the content of the data section
                              of AMQP 1.0 messages; of messages with another kind of body
                              its sections as they are encoded, see body_type. One that
                              can't be read comes all the same, with a status. */

  /* What compressed sub-entries may become. Above it they are not decompressed but told
   * to on_entry_error. With on_message, memory for one sub-entry at a time is held; with
   * on_chunk, for all sub-entries of the chunk that were reached, until it is released.
   */
  uint32_t max_sub_entry_bytes; /* one sub-entry; default 67108864 (64 MiB), at most
                                   1073741824 (1 GiB) */
  uint64_t max_chunk_decompressed_bytes; /* those of one chunk together; default
                                            1073741824 (1 GiB) */

  rstream_tracking tracking;               /* see there. All but NONE need a name */
  uint32_t store_every_messages;           /* automatic: default 10000 */
  uint32_t store_interval_ms;              /* automatic: default 5000 */
  rstream_store_offset_cb on_store_offset; /* automatic: stores instead of the broker, and
                                              no offset is looked up at the broker either;
                                              on_update tells where to begin. Needs no
                                              name. Default: none */
  rstream_consumer_update_cb on_update;    /* default: none, as if it returned
                                              RSTREAM_UPDATE_DEFAULT */
  uint32_t update_timeout_ms; /* how long on_update may take; default 20000, at most
                                 50000: after 60 s the broker ends the connection */
  uint8_t single_active; /* 1: of all consumers with this name on this stream, the broker
                            has one at a time receive (single active consumer). Needs a
                            name; broker 3.11, below it the consumer ends with
                            RSTREAM_ENOTSUP */

  uint8_t match_unfiltered;         /* 1: with filter_values: also messages without one */
  const char *const *filter_values; /* only chunks that may have messages with one of
                                       these filter values; broker 3.13, below it the
                                       consumer ends with RSTREAM_ENOTSUP. At most 255
                                       bytes each; default: none */
  size_t filter_value_count;        /* at most 255 */
  rstream_message_filter_cb on_filter; /* the exact choice; default: all are wanted */

  rstream_credit_policy credit_policy; /* default RSTREAM_CREDIT_ON_FINISH */
  uint16_t credit_every;   /* give credits back so many at a time; default 1, at most
                              initial_credit */
  uint64_t max_bytes_held; /* memory that chunks received and not finished keep; beyond it
                              at most one more is received. They lie in blocks of 4 KiB
                              to 16 MiB, powers of two, so this may be up to twice the
                              bytes_held of the statistics. Default: no limit but
                              initial_credit chunks */
  rstream_bad_chunk bad_chunk;           /* default RSTREAM_BAD_CHUNK_RESUBSCRIBE */
  rstream_chunk_error_cb on_chunk_error; /* default: logged and counted only */
  rstream_caught_up_cb on_caught_up;     /* default: none */

  uint32_t streaming_min_bytes; /* chunks of at least so many bytes are streamed, see
                                   above: 1 is all of them. Needs on_message. Default:
                                   none */

  /* After a loss it goes on behind the last message that was handed out, or, when there
   * was none, where it began (with RSTREAM_OFFSET_NEXT: at what is next then). Chunks
   * that the application still holds stay its own, and are not handed out again. The last
   * offset stored is stored once more, as it may have been lost on the way. A single
   * active consumer begins anew where the broker's ConsumerUpdate leads. */
  rstream_recovery recovery; /* see there; default RSTREAM_RECOVERY_AUTOMATIC */
  uint8_t retry_opening;     /* 1: also when it can't be opened at first, it goes on as
                                `recovery` says. Default: that ends it, so that mistakes
                                are seen */
} rstream_consumer_options;

#define rstream_consumer_options_init(o) \
  rstream_consumer_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_consumer_options_init_sized(rstream_consumer_options *options,
                                                        size_t size);

/* Opens a consumer. It returns at once and connects in the background, to a replica of
 * the stream if there is one, else to its leader. on_state tells when it is open, or why
 * it could not be. A stream that is not available yet is asked for again until
 * request_timeout_ms of the environment passed; then, and when it can't connect, the
 * consumer ends, unless retry_opening says otherwise. Once it was open, a lost connection
 * is made good; see `recovery`.
 *
 * A chunk whose CRC-32 is wrong is not handed out; see bad_chunk.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (the environment is closing), RSTREAM_ENOMEM.
 * `*consumer` is NULL then. Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_open(rstream_consumer **consumer, rstream_env *env,
                                         const rstream_consumer_options *options);

/* Closes a consumer: no message or chunk callback comes from here on, not even for the
 * rest of the chunk at hand. Tells the broker, then calls `on_closed`, which may be NULL.
 *
 * Errors: RSTREAM_EINVAL (also for the consumer of a partition, which its super consumer
 * closes), RSTREAM_ECLOSED (closing already). Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_close(rstream_consumer *consumer,
                                          rstream_consumer_closed_cb on_closed);

/* Stores an offset under the consumer's name, on the consumer's own connection; see
 * rstream_store_offset() for what the broker makes of it. Errors: RSTREAM_EINVAL (no
 * name), RSTREAM_ECLOSED, RSTREAM_ENOMEM, RSTREAM_EBUSY (not open yet). Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_store_offset(rstream_consumer *consumer,
                                                 uint64_t offset);

/* Asks for the offset stored under the consumer's name, on the consumer's own connection.
 * `status` is 0, RSTREAM_BROKER_NO_OFFSET when nothing is stored, or why it could not be
 * found. Errors: RSTREAM_EINVAL (no name), RSTREAM_ECLOSED, RSTREAM_ENOMEM, RSTREAM_EBUSY
 * (not connected yet). Since 0.1.0. */
typedef void (*rstream_consumer_offset_cb)(rstream_consumer *consumer, int status,
                                           uint64_t offset, void *user);
RSTREAM_EXPORT int rstream_consumer_query_offset(rstream_consumer *consumer,
                                                 rstream_consumer_offset_cb on_result,
                                                 void *user);

/* Answers on_update, which returned or will return RSTREAM_UPDATE_LATER. `type` tells
 * where to begin: RSTREAM_OFFSET_DEFAULT is what the library does by itself; `value` is
 * the offset for OFFSET, milliseconds since 1970 for TIMESTAMP. When stopping, both are
 * ignored. Errors: RSTREAM_EINVAL, RSTREAM_EBUSY (nothing is asked), RSTREAM_ECLOSED.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_update_done(rstream_consumer *consumer,
                                                rstream_offset_type type, uint64_t value);

/* Whether the broker has this consumer receive: always ACTIVE once open unless it is a
 * single active consumer. Since 0.1.0. */
typedef enum rstream_activity {
  RSTREAM_ACTIVITY_NONE = 0,    /* not open */
  RSTREAM_ACTIVITY_STANDBY = 1, /* another one receives */
  RSTREAM_ACTIVITY_ACTIVE = 2
} rstream_activity;
RSTREAM_EXPORT rstream_activity
rstream_consumer_activity(const rstream_consumer *consumer);

/* No chunk or message is handed out from here on until resumed; what was asked for
 * already may still be received, and waits. Both may be repeated without effect. Errors:
 * RSTREAM_EINVAL, RSTREAM_ECLOSED. Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_pause(rstream_consumer *consumer);
RSTREAM_EXPORT int rstream_consumer_resume(rstream_consumer *consumer);

/* With RSTREAM_CREDIT_MANUAL: lets the broker send so many more chunks. The broker's rule
 * that it waits for half of the initial credit does not apply: the library subscribes
 * with one and grants the rest. Errors: RSTREAM_EINVAL (another policy, or 0 or more than
 * 32767), RSTREAM_ECLOSED. Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_grant_credit(rstream_consumer *consumer,
                                                 uint16_t chunks);

/* Tries to connect again now: for RSTREAM_RECOVERY_MANUAL; with AUTOMATIC it cuts the
 * pause before the next attempt short. on_state tells how it went. Errors:
 * RSTREAM_EINVAL, RSTREAM_EBUSY (neither disconnected nor pausing), RSTREAM_ECLOSED.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_reconnect(rstream_consumer *consumer);

/* Where it stands; RSTREAM_STATE_CLOSED for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_handle_state
rstream_consumer_state(const rstream_consumer *consumer);
/* The environment it was opened in; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_env *rstream_consumer_env(const rstream_consumer *consumer);
/* The `user` of its options; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT void *rstream_consumer_user(const rstream_consumer *consumer);
/* Borrowed for the consumer's life. */
RSTREAM_EXPORT const char *rstream_consumer_stream(const rstream_consumer *consumer);

typedef struct rstream_consumer_stats {
  size_t struct_size;  /* set by the caller; cut to it */
  uint64_t chunks;     /* received and accepted */
  uint64_t chunks_bad; /* malformed, or with a wrong CRC-32 */
  uint64_t messages;   /* handed out; in chunk mode, messages of chunks handed out */
  uint64_t messages_filtered; /* below the offset asked for, not handed out */
  uint64_t entries_bad;       /* see on_entry_error */
  uint64_t bytes;             /* of Deliver frames */
  uint64_t chunks_held;       /* handed out, not finished yet */
  uint64_t bytes_held;        /* of those */
  uint64_t next_offset; /* where it stands: offset after the last message of the last
                           chunk, or, until one has been handed out, of its first */
  uint64_t committed_chunk_id; /* first offset of the last chunk that was committed when
                                  the last Deliver was sent; broker 3.11, else 0 */
  uint64_t messages_behind; /* lag: from next_offset to committed_chunk_id, at least 0 */
  uint64_t finished_offset; /* offset after the last finished message, when ... */
  uint8_t has_finished;     /* ... this is 1 */
  uint8_t has_stored;       /* 1: some offset was stored, or found stored */
  uint64_t stored_offset;   /* the last one, when has_stored is 1 */
  uint64_t chunks_dropped;  /* received and not handed out: while not active, or when
                               asked for anew */
  uint64_t resubscribes;    /* for bad chunks, and for max_bytes_held */
  uint64_t recoveries;      /* times it was opened again */
} rstream_consumer_stats;

/* Set struct_size first. Errors: RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_consumer_stats_get(const rstream_consumer *consumer,
                                              rstream_consumer_stats *stats);

/* What a chunk tells about itself. */
typedef struct rstream_chunk_info {
  size_t struct_size; /* set by the caller; cut to it */
  uint64_t
      first_offset; /* of the chunk; messages below the offset asked for are skipped */
  uint32_t message_count;    /* messages in the chunk, the skipped ones included */
  uint32_t entry_count;      /* a sub-entry counts 1 */
  int64_t timestamp_ms;      /* the leader's clock when the chunk was written; UTC */
  uint64_t epoch;            /* the leader's term */
  uint64_t committed_offset; /* first offset of the last committed chunk when this was
                                sent; broker 3.11, else 0 */
  uint32_t size_bytes;       /* of the entries */
} rstream_chunk_info;

/* Set struct_size first. Errors: RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_chunk_info_get(const rstream_chunk *chunk,
                                          rstream_chunk_info *info);

/* The next message of a chunk, from the first one at or above the offset asked for; NULL
 * at the end, and once the consumer is closing unless the chunk is retained. The view is
 * borrowed until the next call on this chunk; its body as long as the chunk. A
 * compressed sub-entry is decompressed when it is reached, into memory that is kept with
 * the chunk and found again after a rewind; nothing else takes memory. An entry that
 * can't be decoded is told to on_entry_error, unless the consumer is closed, and passed
 * over. Since 0.1.0. */
RSTREAM_EXPORT const rstream_message_view *rstream_chunk_next(rstream_chunk *chunk);

/* The next messages of a chunk, many in one call, for bindings: fills up to `most` places
 * of each array given; an array may be NULL. Returns how many, 0 at the end. The bodies
 * are borrowed as long as the chunk. As rstream_chunk_next() otherwise. Since 0.1.0. */
RSTREAM_EXPORT size_t rstream_chunk_read(rstream_chunk *chunk, const uint8_t **bodies,
                                         size_t *body_sizes, uint64_t *offsets,
                                         size_t most);

/* Back to the first message. Bodies handed out so far stay valid. Since 0.1.0. */
RSTREAM_EXPORT void rstream_chunk_rewind(rstream_chunk *chunk);

/* Keeps a chunk and the bytes of its messages past the callback, without a copy, until
 * released as often as retained. A retained chunk keeps its credit, so the broker stops
 * sending when initial_credit of them are held. Also valid after the consumer and the
 * environment are closed. Thread: the loop's; once the environment is closed, any one.
 * Since 0.1.0. */
RSTREAM_EXPORT void rstream_chunk_retain(rstream_chunk *chunk);
RSTREAM_EXPORT void rstream_chunk_release(rstream_chunk *chunk);

/* Asks where a consumer with this `type` would begin (command ResolveOffsetSpec): the
 * offset goes to `on_result`. `value` is the offset for OFFSET, milliseconds since 1970
 * for TIMESTAMP, else ignored. RSTREAM_BROKER_NO_OFFSET when there is no such place;
 * RSTREAM_ENOTSUP on a broker before 4.3, where only subscribing tells. As the requests
 * in stream.h otherwise. Since 0.1.0. */
RSTREAM_EXPORT int rstream_resolve_offset(rstream_env *env, const char *stream,
                                          rstream_offset_type type, uint64_t value,
                                          rstream_value_cb on_result, void *user);

#ifdef __cplusplus
}
#endif
#endif
