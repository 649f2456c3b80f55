/* Super producers: publish to the partitions of a super stream.
 *
 * A message's routing key decides which partition it goes to. Within a partition messages
 * keep the order they were sent in. All that producer.h says about messages, confirms,
 * back-pressure and closing holds here as well, unless said otherwise.
 *
 * A partition is connected to when the first message goes there. Messages are accepted
 * from the start: they wait, within the window, until the partitions of the super stream,
 * or the route of their key, are known. */
#ifndef RSTREAM_SUPER_PRODUCER_H
#define RSTREAM_SUPER_PRODUCER_H

#include "rstream/producer.h"
#include "rstream/super_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rstream_super_producer rstream_super_producer;

typedef enum rstream_routing {
  RSTREAM_ROUTING_HASH = 0, /* murmur3 of the key, modulo the number of partitions, as all
                               clients of RabbitMQ but the Python one do: a key goes to
                               one partition, the same from every client. When partitions
                               are added or removed, keys move */
  RSTREAM_ROUTING_KEY = 1, /* to the partitions that are bound with the key, as the broker
                              says (command Route). Answers are remembered */
  RSTREAM_ROUTING_PYTHON_HASH = 2 /* as the Python client (the package rstream) routes by
                                     hash, which is a way of its own: for programs that go
                                     on with what it published. The key must be UTF-8, any
                                     other has no route */
} rstream_routing;

/* Outcomes of messages that share one status and one partition. Borrowed until the
 * callback returns. */
typedef struct rstream_super_confirms {
  size_t struct_size;    /* size of what the library filled */
  int status;            /* as in rstream_confirms, or RSTREAM_ENOROUTE: there is no
                            partition for the key */
  size_t count;          /* messages */
  const uint64_t *ids;   /* their ids, as sending gave them; no order promised */
  const char *partition; /* where they are stored, or should have been; NULL when that was
                            none, or several */
} rstream_super_confirms;

/* Comes for all messages, with and without a callback of their own. A message that went
 * to several partitions has one outcome, when all of them have told: 0 if each has stored
 * it, else the first failure. */
typedef void (*rstream_super_confirm_cb)(rstream_super_producer *producer,
                                         const rstream_super_confirms *confirms,
                                         void *user);

/* The window has room again after sending gave RSTREAM_EAGAIN: messages and bytes in
 * flight, of all partitions together, are down to half of their limits. Once for each
 * time it filled. */
typedef void (*rstream_super_writable_cb)(rstream_super_producer *producer, void *user);

/* OPEN comes once the partitions are known, CLOSED when the producer ended by itself:
 * there is no such super stream, or not any more. `stream` of the state is the super
 * stream's name. */
typedef void (*rstream_super_producer_state_cb)(rstream_super_producer *producer,
                                                const rstream_state *state, void *user);

typedef void (*rstream_super_producer_partition_cb)(rstream_super_producer *producer,
                                                    const rstream_partition_event *event,
                                                    void *user);

/* Gives the routing key of a message that is sent without one: sets `*key` and
 * `*key_size` and returns 1, or returns 0: the message has no route. The key is copied
 * when the callback has returned. Comes from inside the call that sends the message; it
 * must not call functions of rstream on this producer. */
typedef int (*rstream_routing_key_cb)(const rstream_message *message, const char **key,
                                      size_t *key_size, void *user);

/* The application's own routing: writes the indexes of the partitions that a message goes
 * to, each once, into `chosen`, which has room for all, and returns how many; 0 is no
 * route. `partitions` are in the broker's order. It may come from inside the call that
 * sends the message; it must not call functions of rstream on this producer. */
typedef size_t (*rstream_route_cb)(const char *routing_key, size_t routing_key_size,
                                   const char *const *partitions, size_t partition_count,
                                   size_t *chosen, void *user);

/* The last callback of a super producer; as rstream_producer_closed_cb. */
typedef void (*rstream_super_producer_closed_cb)(rstream_super_producer *producer,
                                                 int status, void *user);

/* Set with rstream_super_producer_options_init(), then change what differs. 0 or NULL
 * means the default. Everything is copied. */
typedef struct rstream_super_producer_options {
  size_t struct_size;       /* set by rstream_super_producer_options_init() */
  const char *super_stream; /* required; 1 to 255 bytes */
  const rstream_producer_options *producer;
  /* How it publishes to each partition; NULL: all defaults. `stream` and the callbacks
   * must be NULL, but for on_filter_value, which gets this `user`. Each partition
   * recovers by itself, but not with RSTREAM_RECOVERY_MANUAL, which is refused.
   * `max_messages_in_flight` and `max_bytes_in_flight` are for all partitions together; a
   * message that goes to several counts once, its bytes for each. The broker keeps the
   * publishing ids of `name` for each partition. */
  rstream_routing routing;               /* default RSTREAM_ROUTING_HASH */
  rstream_route_cb on_route;             /* the application's own routing, instead of
                                            `routing`; default: none */
  rstream_routing_key_cb on_routing_key; /* default: none, each message is sent with its
                                            key */
  rstream_super_confirm_cb on_confirm;   /* default: outcomes are counted only */
  rstream_super_writable_cb on_writable; /* default: none */
  rstream_super_producer_state_cb on_state;         /* default: none */
  rstream_super_producer_partition_cb on_partition; /* default: none */
  void *user; /* passed to each callback of this producer */

  uint32_t refresh_interval_ms; /* the broker is asked so often whether partitions were
                                   added or removed, and with RSTREAM_ROUTING_KEY, where
                                   keys in use go; besides, when a partition becomes
                                   unavailable. Default 60000, at least 1000 */
  uint32_t max_routes;          /* keys whose routes are remembered, with
                                   RSTREAM_ROUTING_KEY; default 10000 */
} rstream_super_producer_options;

#define rstream_super_producer_options_init(o) \
  rstream_super_producer_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_super_producer_options_init_sized(
    rstream_super_producer_options *options, size_t size);

/* Opens a super producer. It returns at once and accepts messages at once. on_state tells
 * when the partitions are known, or why they could not be had within request_timeout_ms
 * of the environment.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (the environment is closing), RSTREAM_ENOMEM,
 * and RSTREAM_EBUSY when the environment already has a super producer of this name on
 * this super stream. `*producer` is NULL then. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_open(
    rstream_super_producer **producer, rstream_env *env,
    const rstream_super_producer_options *options);

/* Accepts a message with its routing key: UTF-8, at most 255 bytes with
 * RSTREAM_ROUTING_KEY, else at most 65535; copied. A NULL key: on_routing_key gives it.
 *
 * Writes the message's id to `*id` unless that is NULL. Ids are unique over all
 * partitions, but do not follow each other: the upper 16 bits number the partition, or
 * are 0 for a message that had to wait for its partition, or has none or several. With
 * ids_given they are the publishing ids, which must grow over all partitions.
 *
 * The message's own callback on_outcome gets NULL for a producer. While messages wait for
 * a route, all later ones wait behind them.
 *
 * Errors, with nothing accepted: as rstream_producer_send(); RSTREAM_EINVAL also without
 * a key, and for one that is too long. That there is no route is no error here but the
 * message's outcome. Never blocks, calls back for on_filter_value, on_routing_key and
 * on_route alone, and allocates nothing in steady state unless messages go to several
 * partitions. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_send(rstream_super_producer *producer,
                                               const rstream_message *message,
                                               const char *routing_key,
                                               size_t routing_key_size, uint64_t *id);

/* The same for a bare body. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_send_bytes(rstream_super_producer *producer,
                                                     const void *body, size_t body_size,
                                                     const char *routing_key,
                                                     size_t routing_key_size,
                                                     uint64_t *id);

/* Accepts an array of messages, each with its own key, the first ones as far as there is
 * room: as rstream_producer_send_many(), returns included. `routing_keys` and
 * `routing_key_sizes` have `count` members. Without sizes (NULL) the keys end with a 0;
 * without keys (NULL), and for each that is NULL, on_routing_key gives it. `ids` has room
 * for `count` ids, which do not follow each other, or is NULL; as many are written as
 * messages were accepted.
 *
 * Errors: as rstream_super_producer_send(). Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_send_many(
    rstream_super_producer *producer, const rstream_message *messages, size_t count,
    const char *const *routing_keys, const size_t *routing_key_sizes, uint64_t *ids);

/* Accepts 1 to 65535 messages as one sub-entry of the partition that one key leads to:
 * as rstream_producer_send_sub_entry(). A NULL key: on_routing_key gives that of the
 * first message. `*first_id` is the first one's id; without ids_given the others follow
 * it.
 *
 * A sub-entry does not wait for its route: as long as the partitions or the route are not
 * known, or other messages wait, it is refused with RSTREAM_EAGAIN, and on_writable tells
 * when to try again.
 *
 * Errors: as rstream_super_producer_send() and rstream_producer_send_sub_entry(); and
 * RSTREAM_ENOROUTE (there is no partition for the key), RSTREAM_ENOTSUP also where there
 * are several, RSTREAM_EUNAVAILABLE or what else ended the partition's own producer,
 * until the next look at the partitions. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_send_sub_entry(
    rstream_super_producer *producer, const rstream_message *messages, size_t count,
    rstream_compression compression, const char *routing_key, size_t routing_key_size,
    uint64_t *first_id);

/* For programs without a loop of their own: sends a message, then steps the environment's
 * loop until its outcome is known. As rstream_producer_send_wait(). Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_send_wait(rstream_super_producer *producer,
                                                    const rstream_message *message,
                                                    const char *routing_key,
                                                    size_t routing_key_size,
                                                    uint32_t timeout_ms, uint64_t *id);

/* Calls `on_flushed` once every message accepted so far has its outcome; open frames are
 * sent without waiting for linger_ms. `status` is 0, or RSTREAM_ECLOSED when the producer
 * was closed before. `on_flushed` may be NULL: then it only sends.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED, RSTREAM_ENOMEM. Since 0.1.0. */
typedef void (*rstream_super_flushed_cb)(rstream_super_producer *producer, int status,
                                         void *user);
RSTREAM_EXPORT int rstream_super_producer_flush(rstream_super_producer *producer,
                                                rstream_super_flushed_cb on_flushed,
                                                void *user);

/* Closes a super producer, all partitions at the same time: as rstream_producer_close()
 * and rstream_producer_close_within(). Messages that still wait for a route are drained,
 * too. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_close(
    rstream_super_producer *producer, rstream_super_producer_closed_cb on_closed);
RSTREAM_EXPORT int rstream_super_producer_close_within(
    rstream_super_producer *producer, uint32_t timeout_ms,
    rstream_super_producer_closed_cb on_closed);

/* Where it stands; RSTREAM_STATE_CLOSED for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_handle_state
rstream_super_producer_state(const rstream_super_producer *producer);
/* The environment it was opened in; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_env *rstream_super_producer_env(
    const rstream_super_producer *producer);
/* The `user` of its options; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT void *rstream_super_producer_user(const rstream_super_producer *producer);

/* The partitions as they were found last, in the broker's order: how many, and their
 * names, NULL beyond. A name is borrowed for the producer's life. Since 0.1.0. */
RSTREAM_EXPORT size_t
rstream_super_producer_partition_count(const rstream_super_producer *producer);
RSTREAM_EXPORT const char *rstream_super_producer_partition(
    const rstream_super_producer *producer, size_t index);

/* What the partition's own producer has counted; see rstream_producer_stats_get(). All
 * zero when none was opened. Errors: RSTREAM_EINVAL (no such partition). Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_partition_stats(
    const rstream_super_producer *producer, size_t index, rstream_producer_stats *stats);

typedef struct rstream_super_producer_stats {
  size_t struct_size;          /* set by the caller; cut to it */
  uint64_t messages_sent;      /* accepted */
  uint64_t messages_confirmed; /* of those */
  uint64_t messages_failed;    /* of those */
  uint64_t messages_in_flight; /* accepted, no outcome yet */
  uint64_t bytes_in_flight;    /* on the wire, of those */
  uint64_t messages_waiting;   /* of those in flight, for their route */
  uint64_t messages_unrouted;  /* of those failed, for want of a route */
  uint64_t refreshes;          /* times the partitions were looked at */
  uint32_t partitions;         /* of the super stream, as found last */
  uint32_t partitions_open;    /* that have a producer now */
  uint32_t routes;             /* keys whose routes are remembered */
} rstream_super_producer_stats;

/* Set struct_size first. Errors: RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_producer_stats_get(
    const rstream_super_producer *producer, rstream_super_producer_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
