/* Producers: publish to one stream, with one outcome for every message. */
#ifndef RSTREAM_PRODUCER_H
#define RSTREAM_PRODUCER_H

#include "rstream/codec.h"
#include "rstream/env.h"
#include "rstream/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rstream_producer rstream_producer;

struct rstream_amqp_sections; /* rstream/amqp.h */

/* Outcomes of messages that share one status: a PublishConfirm frame, part of a
 * PublishError frame, or the end of the producer. One call carries many. Borrowed until
 * the callback returns. */
typedef struct rstream_confirms {
  size_t struct_size; /* size of what the library filled */
  int status;   /* 0: stored by a quorum. Else why not: RSTREAM_BROKER_... as the broker
                   said, RSTREAM_ECONNLOST, RSTREAM_ECLOSED, RSTREAM_EUNAVAILABLE,
                   RSTREAM_ETIMEDOUT (no confirm within confirm_timeout_ms) ... */
  size_t count; /* messages */
  const uint64_t
      *ids; /* their ids, as rstream_producer_send() gave them; no order promised */
} rstream_confirms;

/* Comes for all messages, with and without a callback of their own. */
typedef void (*rstream_confirm_cb)(rstream_producer *producer,
                                   const rstream_confirms *confirms, void *user);

/* The window has room again after rstream_producer_send() returned RSTREAM_EAGAIN:
 * messages and bytes in flight are down to half of their limits; and where the
 * environment's max_bytes_in_flight was used up, that is down to half as well, or has
 * room for a producer that has nothing in flight. Once for each time it filled. */
typedef void (*rstream_writable_cb)(rstream_producer *producer, void *user);

typedef void (*rstream_producer_state_cb)(rstream_producer *producer,
                                          const rstream_state *state, void *user);

/* The outcome of one message; see rstream_message.on_outcome. `status` as in
 * rstream_confirms. */
typedef void (*rstream_outcome_cb)(rstream_producer *producer, uint64_t id, int status,
                                   void *user);

/* Gives the filter value of a message: sets `*value` and `*value_size` and returns 1, or
 * returns 0 for a message without one. The value is copied when the callback has
 * returned. This is the one callback that comes from inside a call, that which sends the
 * message; it must not call functions of rstream on this producer. */
struct rstream_message;
typedef int (*rstream_filter_value_cb)(const struct rstream_message *message,
                                       const char **value, size_t *value_size,
                                       void *user);

/* The last callback of a producer: when it returns, `producer` is gone. `status` is 0
 * when every message had been confirmed or refused by the broker, else why some had to be
 * given up: they got RSTREAM_ECLOSED (the drain's time ran out) or the reason that ended
 * the producer. */
typedef void (*rstream_producer_closed_cb)(rstream_producer *producer, int status,
                                           void *user);

/* What becomes of messages that were sent, and not confirmed when the connection was
 * lost: nobody knows whether they are stored. */
typedef enum rstream_unconfirmed {
  RSTREAM_UNCONFIRMED_RESEND = 0, /* sent again when it is recovered, as the bytes they
                                     were, in order, before any newer one. Without a name
                                     some may then be stored twice; with a name the broker
                                     drops what it has (but of sub-entries that had to be
                                     cut for a smaller frame size) */
  RSTREAM_UNCONFIRMED_FAIL = 1 /* they get RSTREAM_ECONNLOST, or what else the reason is,
                                  as outcome at once. Those that were not sent yet
                                  wait */
} rstream_unconfirmed;

/* Set with rstream_producer_options_init(), then change what differs. 0 or NULL means the
 * default. Everything is copied. */
typedef struct rstream_producer_options {
  size_t struct_size; /* set by rstream_producer_options_init() */
  const char *stream; /* required; 1 to 255 bytes */
  const char *name;   /* publisher reference for deduplication, at most 255 bytes;
                         default: none. The broker keeps the highest publishing id
                         for each name and stream, and confirms, but does not store,
                         what is not above it. Two live producers of one name on
                         one stream drop each other's messages. */
  rstream_confirm_cb on_confirm;      /* default: outcomes are counted only */
  rstream_writable_cb on_writable;    /* default: none */
  rstream_producer_state_cb on_state; /* default: none */
  void *user;                         /* passed to each callback of this producer */

  uint32_t
      max_messages_in_flight; /* accepted, without outcome; default 10000; at most 2^24 */
  uint64_t max_bytes_in_flight; /* the same in bytes on the wire; default 67108864 (64
                                   MiB). One message always fits an empty window. */
  uint32_t max_batch_messages;  /* a Publish frame is closed at this many; default: no
                                   limit but the next one */
  uint32_t max_batch_bytes;     /* a Publish frame is closed at this size, 256 bytes to
                                   4 MiB; default, and upper limit: the frame size
                                   negotiated with the broker, or where the frame's memory
                                   ends, which grows with the traffic up to 128 KiB. A
                                   larger message gets a frame of its own. */
  uint32_t linger_ms;        /* an open frame waits at most this long for more messages,
                                at most 60000, and not with a full window; default 0:
                                until the end of the loop's turn */
  uint32_t close_timeout_ms; /* how long rstream_producer_close() waits for outcomes;
                                default 30000 */

  rstream_codec codec; /* what sending a body makes of it: RSTREAM_CODEC_RAW (default)
                          stores its bytes as they are, RSTREAM_CODEC_AMQP as the data
                          section of an AMQP 1.0 message, which every other client and
                          AMQP 0-9-1 and 1.0 consumers understand */
  rstream_compression compression; /* of sub-entries; default: none. One that is not
                                      built in or registered is refused */
  uint32_t sub_entry_messages; /* more than 1: messages are stored in sub-entries of up to
                                  so many, at most 65535. The broker keeps and delivers a
                                  sub-entry as one, which saves much of its work. It is
                                  closed at this number, with its frame (end of the loop's
                                  turn, linger_ms), or when the next message does not fit.
                                  The broker confirms, and deduplicates by name, whole
                                  sub-entries. Not together with filter values. */
  rstream_filter_value_cb on_filter_value; /* called once for each message without a
                                              filter value of its own; default: none. On a
                                              broker without filtering (before 3.13) the
                                              producer ends with RSTREAM_ENOTSUP */
  uint32_t confirm_timeout_ms;             /* a message without outcome for so long gets
                                              RSTREAM_ETIMEDOUT; it may be stored all the same.
                                              Counted from when its frame was closed; default 30000,
                                              at most 24 hours */
  uint8_t confirm_timeout_off; /* 1: wait for ever. Recommended with a name: publishing a
                                  message anew that did reach the broker stores it twice,
                                  and under an older id not at all */
  uint8_t ids_given;           /* 1: the application gives the publishing ids, in
                                  rstream_message.publishing_id. Needs a name. Ids in callbacks are
                                  those then */
  rstream_recovery recovery;   /* see there; default RSTREAM_RECOVERY_AUTOMATIC */
  rstream_unconfirmed unconfirmed; /* see there; default RSTREAM_UNCONFIRMED_RESEND */
  uint8_t retry_opening;           /* 1: also when it can't be opened at first, it goes on
                                      as `recovery` says. Default: that ends it, so that
                                      mistakes are seen */
} rstream_producer_options;

#define rstream_producer_options_init(o) \
  rstream_producer_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_producer_options_init_sized(rstream_producer_options *options,
                                                        size_t size);

/* Opens a producer. It returns at once and accepts messages at once: they wait, within
 * the window, while the stream's leader is looked up, connected to, and the publisher is
 * declared. on_state tells when it is open, or why it could not be.
 *
 * A stream without a leader, or one that is not available yet, is asked for again until
 * request_timeout_ms of the environment passed; then, and when it can't connect, the
 * producer ends, unless retry_opening says otherwise. A stream that does not exist ends
 * it at once. Once it was open, a lost connection is made good; see `recovery`.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (the environment is closing), RSTREAM_ENOMEM,
 * and RSTREAM_EBUSY when the environment already has a producer of this name on this
 * stream.
 * `*producer` is NULL then. Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_open(rstream_producer **producer, rstream_env *env,
                                         const rstream_producer_options *options);

/* A message to publish. Set with rstream_message_init(), then change what differs. All it
 * points to is copied, or encoded, before the call that sends it returns. */
typedef struct rstream_message {
  size_t struct_size; /* set by rstream_message_init() */
  const void *body;   /* the bytes to publish; may be NULL when body_size is 0 */
  size_t body_size; /* up to what fits a frame: the negotiated size less 21 bytes, less 8
                       with RSTREAM_CODEC_AMQP */
  const struct rstream_amqp_sections *amqp; /* properties and other sections; the body is
                                               the data section, unless they bring another
                                               kind of body. Makes it an AMQP 1.0 message,
                                               also with RSTREAM_CODEC_RAW */
  const char *filter_value; /* for consumers that filter, broker 3.13; NULL: none. Not
                               with sub-entries */
  size_t filter_value_size; /* at most 32767 bytes; 0 counts as none */
  uint64_t publishing_id;   /* with ids_given: above all given before; else 0 */
  rstream_outcome_cb on_outcome; /* called with this message's outcome, right before the
                                    on_confirm of its group; NULL: on_confirm alone */
  void *outcome_user;            /* passed to it */
} rstream_message;

#define rstream_message_init(m) rstream_message_init_sized((m), sizeof *(m))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_message_init_sized(rstream_message *message, size_t size);

/* Accepts a message: copies it into the frame being filled, and writes its id to `*id`
 * unless that is NULL. Ids start at 1 and grow by 1 with each accepted message; with
 * ids_given they are the publishing ids. From here on the message gets exactly one
 * outcome through on_confirm. While a producer ends by itself, sending from on_confirm is
 * refused already, before the state CLOSED is told.
 *
 * Errors, with nothing accepted: RSTREAM_EAGAIN (the window, or the environment's
 * max_bytes_in_flight, is full: wait for on_writable), RSTREAM_EMSGSIZE (can never fit a
 * frame), RSTREAM_ENOTSUP (a filter value, and the broker has no filtering),
 * RSTREAM_ECLOSED, RSTREAM_EINVAL, RSTREAM_ENOMEM. While the connection is not made yet,
 * a message is taken that fits max_frame_bytes of the environment; if the broker then
 * asks for less, RSTREAM_EMSGSIZE is its outcome, and likewise RSTREAM_ENOTSUP that of
 * all messages in a frame with filter values if the broker has no filtering. Never
 * blocks, never calls back but for on_filter_value, allocates nothing in steady state.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_send(rstream_producer *producer,
                                         const rstream_message *message, uint64_t *id);

/* The same for a bare body. Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_send_bytes(rstream_producer *producer,
                                               const void *body, size_t body_size,
                                               uint64_t *id);

/* Accepts an array of messages, the first ones as far as there is room. All have the
 * struct_size of the first, which is the distance between them. Returns how many were
 * accepted, or what the first one was refused with; a later one that is refused ends it
 * early, and sending from that one on tells the reason (on_writable comes as well if it
 * was a full window). `*first_id` is the first one's id; without ids_given the others
 * follow it. May be NULL. With a `count` of 0 nothing happens.
 *
 * Errors: as rstream_producer_send(). Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_send_many(rstream_producer *producer,
                                              const rstream_message *messages,
                                              size_t count, uint64_t *first_id);

/* Accepts 1 to 65535 messages as one sub-entry: all or none. They share their outcome,
 * and with a name, the publishing id of the last one decides whether the broker stores
 * them. `messages` and `first_id` as above.
 *
 * Errors: as rstream_producer_send(); RSTREAM_EINVAL also for a message with a filter
 * value, be it on_filter_value's; RSTREAM_ENOTSUP for a compression that is not built in
 * or registered; RSTREAM_EMSGSIZE when it does not fit a frame even compressed. Since
 * 0.1.0. */
RSTREAM_EXPORT int rstream_producer_send_sub_entry(rstream_producer *producer,
                                                   const rstream_message *messages,
                                                   size_t count,
                                                   rstream_compression compression,
                                                   uint64_t *first_id);

/* For programs without a loop of their own: sends a message, then steps the environment's
 * loop until its outcome is known. Waits for room in the window if need be. Other
 * callbacks come meanwhile. Returns the outcome: 0 when it is stored.
 *
 * RSTREAM_ETIMEDOUT after `timeout_ms`: if `*id` is not 0, the message was accepted and
 * its outcome will still come through on_confirm. RSTREAM_EBUSY from inside a callback of
 * rstream; it must not be called from other callbacks of the loop either. Errors: as
 * rstream_producer_send(). Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_send_wait(rstream_producer *producer,
                                              const rstream_message *message,
                                              uint32_t timeout_ms, uint64_t *id);

/* Calls `on_flushed` once every message accepted so far has its outcome; `status` is 0,
 * or why the producer ended before. The open frame is sent without waiting for linger_ms.
 * `on_flushed` may be NULL: then it only sends.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED, RSTREAM_ENOMEM. Since 0.1.0. */
typedef void (*rstream_flushed_cb)(rstream_producer *producer, int status, void *user);
RSTREAM_EXPORT int rstream_producer_flush(rstream_producer *producer,
                                          rstream_flushed_cb on_flushed, void *user);

/* Closes a producer: accepts no more, sends what is left, waits up to close_timeout_ms
 * for the outcomes (none is waited for when the producer ended already), tells the
 * broker, and calls `on_closed`, which may be NULL. Every message has had its outcome by
 * then.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (closing already). Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_close(rstream_producer *producer,
                                          rstream_producer_closed_cb on_closed);

/* The same with a time to wait of its own. 0 gives up at once: messages without an
 * outcome fail with RSTREAM_ECLOSED. Also allowed while rstream_producer_close() is
 * draining, to cut that short: `on_closed` must be NULL then, as the first one stays.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_close_within(rstream_producer *producer,
                                                 uint32_t timeout_ms,
                                                 rstream_producer_closed_cb on_closed);

/* Tries to connect again now: for RSTREAM_RECOVERY_MANUAL; with AUTOMATIC it cuts the
 * pause before the next attempt short. on_state tells how it went. Errors:
 * RSTREAM_EINVAL, RSTREAM_EBUSY (neither disconnected nor pausing), RSTREAM_ECLOSED.
 * Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_reconnect(rstream_producer *producer);

/* Where it stands; RSTREAM_STATE_CLOSED for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_handle_state
rstream_producer_state(const rstream_producer *producer);
/* The environment it was opened in; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_env *rstream_producer_env(const rstream_producer *producer);
/* The `user` of its options; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT void *rstream_producer_user(const rstream_producer *producer);
/* Borrowed for the producer's life. */
RSTREAM_EXPORT const char *rstream_producer_stream(const rstream_producer *producer);

/* What the broker stores as publishing id is the message's id plus this number: 0 for a
 * producer without a name and for one with ids_given, else the sequence found at the
 * broker when opening. Known once the producer is open. Since 0.1.0. */
RSTREAM_EXPORT uint64_t rstream_producer_id_base(const rstream_producer *producer);

/* The highest publishing id that the broker had stored under the producer's name when the
 * producer was opened; what has an id up to this is confirmed but not stored. 0 when
 * there was none, without a name, and before the producer is open. See also
 * rstream_query_publisher_sequence(). Since 0.1.0. */
RSTREAM_EXPORT uint64_t
rstream_producer_stored_sequence(const rstream_producer *producer);

typedef struct rstream_producer_stats {
  size_t struct_size;          /* set by the caller; cut to it */
  uint64_t messages_sent;      /* accepted */
  uint64_t messages_confirmed; /* of those */
  uint64_t messages_failed;    /* of those */
  uint64_t messages_in_flight; /* accepted, no outcome yet */
  uint64_t bytes_in_flight;    /* on the wire, of those */
  uint64_t frames_sent;        /* Publish frames handed to the connection */
  uint64_t unknown_confirms; /* outcomes for ids not in flight: late, twice, or made up */
  uint64_t recoveries;       /* times it was opened again */
  uint64_t messages_resent;  /* by those, counted each time */
} rstream_producer_stats;

/* Set struct_size first. Errors: RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_producer_stats_get(const rstream_producer *producer,
                                              rstream_producer_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
