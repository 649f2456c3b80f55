/* Super consumers: read all partitions of a super stream, each with a consumer of its
 * own.
 *
 * The callbacks are those of an ordinary consumer, see consumer.h. The consumer they are
 * given is the partition's: rstream_consumer_stream() names the partition, and all that
 * consumers can do works on it (offsets, pausing, statistics ...) but for closing, which
 * is up to the super consumer. Messages of one partition come in order; those of several
 * come as they arrive. */
#ifndef RSTREAM_SUPER_CONSUMER_H
#define RSTREAM_SUPER_CONSUMER_H

#include "rstream/consumer.h"
#include "rstream/super_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rstream_super_consumer rstream_super_consumer;

/* OPEN comes once the partitions are known and the consumer of each is open, or has
 * ended. CLOSED comes when the super consumer ended by itself: there is no such super
 * stream, or not any more. `stream` of the state is the super stream's name. */
typedef void (*rstream_super_consumer_state_cb)(rstream_super_consumer *consumer,
                                                const rstream_state *state, void *user);

typedef void (*rstream_super_consumer_partition_cb)(rstream_super_consumer *consumer,
                                                    const rstream_partition_event *event,
                                                    void *user);

/* The last callback of a super consumer, and of the consumers of its partitions. Chunks
 * that were retained stay valid until released. `status` is 0, or the reason that ended
 * it before. */
typedef void (*rstream_super_consumer_closed_cb)(rstream_super_consumer *consumer,
                                                 int status, void *user);

/* Set with rstream_super_consumer_options_init(), then change what differs. 0 or NULL
 * means the default. Everything is copied. */
typedef struct rstream_super_consumer_options {
  size_t struct_size;       /* set by rstream_super_consumer_options_init() */
  const char *super_stream; /* required; 1 to 255 bytes */
  const rstream_consumer_options *consumer;
  /* Required: how each partition is read. `stream` must be NULL; `user` is passed to the
   * callbacks in there. `max_bytes_held` is for all partitions together, each has an
   * equal share. The broker keeps the offsets of `name` for each partition.
   *
   * With `single_active`, of all super consumers with this name, in whatever process,
   * each partition is read by one, and the broker spreads the partitions over them. */
  rstream_super_consumer_state_cb on_state;         /* default: none */
  rstream_super_consumer_partition_cb on_partition; /* default: none */
  void *user;                   /* passed to these two, and to the close callback */
  uint32_t refresh_interval_ms; /* the broker is asked so often whether partitions were
                                   added or removed; besides, when one becomes
                                   unavailable. Default 60000, at least 1000 */
} rstream_super_consumer_options;

#define rstream_super_consumer_options_init(o) \
  rstream_super_consumer_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. Since 0.1.0. */
RSTREAM_EXPORT void rstream_super_consumer_options_init_sized(
    rstream_super_consumer_options *options, size_t size);

/* Opens a super consumer. It returns at once and connects in the background. on_state
 * tells when it is open, or why the partitions could not be had within request_timeout_ms
 * of the environment; on_partition tells about each partition.
 *
 * A partition that fails leaves the others as they are. It is opened anew, behind the
 * last message that was finished, if the next look at the super stream still finds it. A
 * partition that was added later is read from its first message where the options say
 * RSTREAM_OFFSET_NEXT or RSTREAM_OFFSET_LAST: all it has was published meanwhile.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (the environment is closing), RSTREAM_ENOMEM.
 * `*consumer` is NULL then. Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_consumer_open(
    rstream_super_consumer **consumer, rstream_env *env,
    const rstream_super_consumer_options *options);

/* Closes it with the consumers of all partitions: no message or chunk callback comes from
 * here on. Tells the broker, then calls `on_closed`, which may be NULL.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED (closing already). Since 0.1.0. */
RSTREAM_EXPORT int rstream_super_consumer_close(
    rstream_super_consumer *consumer, rstream_super_consumer_closed_cb on_closed);

/* rstream_consumer_pause() and rstream_consumer_resume() for all partitions, also for
 * those that are opened meanwhile. Errors: RSTREAM_EINVAL, RSTREAM_ECLOSED. Since 0.1.0.
 */
RSTREAM_EXPORT int rstream_super_consumer_pause(rstream_super_consumer *consumer);
RSTREAM_EXPORT int rstream_super_consumer_resume(rstream_super_consumer *consumer);

/* Where it stands; RSTREAM_STATE_CLOSED for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_handle_state
rstream_super_consumer_state(const rstream_super_consumer *consumer);
/* The environment it was opened in; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT rstream_env *rstream_super_consumer_env(
    const rstream_super_consumer *consumer);
/* The `user` of its options; NULL for NULL. Since 0.1.0. */
RSTREAM_EXPORT void *rstream_super_consumer_user(const rstream_super_consumer *consumer);

/* How many partitions were found last, and their names in the broker's order; NULL beyond
 * that. A name is borrowed for the super consumer's life. Since 0.1.0. */
RSTREAM_EXPORT size_t
rstream_super_consumer_partition_count(const rstream_super_consumer *consumer);
RSTREAM_EXPORT const char *rstream_super_consumer_partition(
    const rstream_super_consumer *consumer, size_t index);

/* The partition's own consumer; NULL when none is open, or there is no such partition.
 * Borrowed until the super consumer tells that it was REMOVED or is CLOSED. Since 0.1.0.
 */
RSTREAM_EXPORT rstream_consumer *rstream_super_consumer_partition_consumer(
    const rstream_super_consumer *consumer, size_t index);

/* The super consumer that a consumer belongs to; NULL for one of the application's own.
 * Since 0.1.0. */
RSTREAM_EXPORT rstream_super_consumer *rstream_consumer_super(
    const rstream_consumer *consumer);

#ifdef __cplusplus
}
#endif
#endif
