/* Super streams: several streams, the partitions, behind one name.
 *
 * A super stream keeps no messages itself. Its partitions are ordinary streams, bound to
 * the super stream by binding keys and kept by the broker in an order of their own, by
 * which hash routing goes.
 *
 * This header creates super streams and asks about them: requests to the broker that
 * return at once, with the rules of stream.h for callbacks, errors, names and options.
 * Publishing to all partitions is in super_producer.h, reading them in super_consumer.h.
 * All since 0.1.0. */
#ifndef RSTREAM_SUPER_STREAM_H
#define RSTREAM_SUPER_STREAM_H

#include "rstream/state.h"
#include "rstream/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Arguments of a new super stream (command CreateSuperStream). */
typedef struct rstream_super_stream_options {
  size_t struct_size;  /* set by rstream_super_stream_options_init() */
  uint32_t partitions; /* so many, 1 to 1000 by the broker's own default limit: their
                          names are NAME-0, NAME-1 ..., their binding keys "0", "1" ... */
  const char *const *binding_keys; /* instead of `partitions`: one for each of these,
                                      named NAME-KEY. All differ, 1 to 255 bytes each.
                                      NULL: not used */
  size_t binding_key_count;        /* 1 to 1000 when there are binding_keys, else 0 */
  const rstream_stream_options *arguments; /* of each partition; NULL: the broker's
                                              defaults. Leaders are spread over the nodes
                                              unless its leader_locator says otherwise */
} rstream_super_stream_options;

#define rstream_super_stream_options_init(o) \
  rstream_super_stream_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. */
RSTREAM_EXPORT void rstream_super_stream_options_init_sized(
    rstream_super_stream_options *options, size_t size);

/* Creates a super stream and its partitions. The names of partitions may be 255 bytes
 * long like those of other streams. Exactly one of `partitions` and `binding_keys` is to
 * be given.
 *
 * RSTREAM_BROKER_STREAM_EXISTS when there is one of this name,
 * RSTREAM_BROKER_PRECONDITION_FAILED when the broker does not like an argument,
 * RSTREAM_EMSGSIZE when all the names do not fit a frame, RSTREAM_ENOTSUP on a broker
 * before 3.13: there, super streams are made with the broker's own tools. */
RSTREAM_EXPORT int rstream_super_stream_create(
    rstream_env *env, const char *name, const rstream_super_stream_options *options,
    rstream_result_cb on_result, void *user);

/* Deletes a super stream, its partitions and all their messages. Handles on partitions
 * end as with rstream_stream_delete(). Broker 3.13, below it RSTREAM_ENOTSUP. */
RSTREAM_EXPORT int rstream_super_stream_delete(rstream_env *env, const char *name,
                                               rstream_result_cb on_result, void *user);

/* Names of streams. `partitions` has `count` of them and means something only when
 * `status` is 0; borrowed until the callback returns. */
typedef void (*rstream_partitions_cb)(rstream_env *env, int status,
                                      const char *const *partitions, size_t count,
                                      void *user);

/* All partitions, in the order that hash routing goes by. Broker 3.11. A super stream
 * that does not exist gives RSTREAM_BROKER_STREAM_DOES_NOT_EXIST. */
RSTREAM_EXPORT int rstream_super_stream_partitions(rstream_env *env, const char *name,
                                                   rstream_partitions_cb on_result,
                                                   void *user);

/* The partitions that are bound with this key: none (`count` 0 and status 0), one, or
 * several. Keys are UTF-8, at most 255 bytes, and may be empty. Broker 3.11. */
RSTREAM_EXPORT int rstream_super_stream_route(rstream_env *env, const char *name,
                                              const char *routing_key,
                                              size_t routing_key_size,
                                              rstream_partitions_cb on_result,
                                              void *user);

/* What super producers and super consumers tell about a partition. */
typedef enum rstream_partition_change {
  RSTREAM_PARTITION_ADDED = 1,   /* the super stream has it: found when opening, or new */
  RSTREAM_PARTITION_REMOVED = 2, /* the super stream does not have it any more */
  RSTREAM_PARTITION_STATE = 3    /* the producer or consumer on it changed its state */
} rstream_partition_change;

/* Borrowed, with all its texts, until the callback returns. */
typedef struct rstream_partition_event {
  size_t struct_size; /* size of what the library filled */
  rstream_partition_change change;
  rstream_handle_state state; /* for STATE: the new one, as in rstream_state. CLOSED: it
                                 ended by itself. That leaves all others as they are; it
                                 is opened anew when the super stream still has the
                                 partition by the next look at it */
  int reason;                 /* 0, or why: an error code */
  const char *text;           /* the reason in words, never NULL */
  const char *partition;      /* its name */
} rstream_partition_event;

#ifdef __cplusplus
}
#endif
#endif
