/* Streams: create, delete, look up, and what the broker stores for names.
 *
 * All of these are requests to the broker. They return at once; the callback comes
 * exactly once, on the loop's thread, with 0 or an error: the broker's own refusal
 * (RSTREAM_BROKER_...), the reason why no connection could be had (a code of libuv,
 * RSTREAM_BROKER_AUTHENTICATION_FAILURE
 * ...), RSTREAM_ETIMEDOUT, RSTREAM_ECONNLOST, or RSTREAM_ECANCELED when the environment
 * closes first. Views in callbacks are borrowed until the callback returns.
 *
 * The functions themselves return 0, or RSTREAM_EINVAL (a name is missing, empty or
 * longer than 255 bytes, an option is out of range), RSTREAM_ENOMEM, RSTREAM_ECLOSED (the
 * environment is closing); the callback does not come then. Names and options are copied.
 * All since 0.1.0, for every broker with streams (3.9) unless said otherwise. */
#ifndef RSTREAM_STREAM_H
#define RSTREAM_STREAM_H

#include "rstream/env.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The outcome of a request without further result. `text` explains a failure, never NULL.
 */
typedef void (*rstream_result_cb)(rstream_env *env, int status, const char *text,
                                  void *user);

/* Arguments of a new stream (command Create). A 0 or NULL leaves the broker's own
 * default. */
typedef struct rstream_stream_options {
  size_t struct_size;         /* set by rstream_stream_options_init() */
  uint64_t max_length_bytes;  /* retention: bytes kept; whole segments are dropped */
  const char *max_age;        /* retention: a number and one of Y M D h m s, "6h" */
  uint64_t max_segment_bytes; /* size of a segment file; at most 3000000000; the broker's
                                 default is 500000000 */
  uint32_t initial_cluster_size; /* replicas, the leader included */
  const char *leader_locator;    /* "client-local" (the broker's default), "balanced";
                                    "random" and "least-leaders" on older brokers */
  uint8_t filter_size_bytes; /* of each chunk's Bloom filter, 16 to 255; broker 3.13 */
} rstream_stream_options;

#define rstream_stream_options_init(o) rstream_stream_options_init_sized((o), sizeof *(o))
/* What the macro calls; `size` is the caller's sizeof. */
RSTREAM_EXPORT void rstream_stream_options_init_sized(rstream_stream_options *options,
                                                      size_t size);

/* Creates a stream. `options` may be NULL. A stream that exists with the same arguments
 * gives RSTREAM_BROKER_STREAM_EXISTS, with other arguments
 * RSTREAM_BROKER_PRECONDITION_FAILED. The new stream may need some hundred milliseconds
 * until it has a leader; producers and consumers opened meanwhile wait for it. */
RSTREAM_EXPORT int rstream_stream_create(rstream_env *env, const char *stream,
                                         const rstream_stream_options *options,
                                         rstream_result_cb on_result, void *user);

/* Deletes a stream and all its messages. Handles on it end with RSTREAM_EUNAVAILABLE. */
RSTREAM_EXPORT int rstream_stream_delete(rstream_env *env, const char *stream,
                                         rstream_result_cb on_result, void *user);

/* Whether a stream exists: `exists` is 1 or 0, and only means something when status is 0.
 */
typedef void (*rstream_exists_cb)(rstream_env *env, int status, int exists, void *user);
RSTREAM_EXPORT int rstream_stream_exists(rstream_env *env, const char *stream,
                                         rstream_exists_cb on_result, void *user);

/* Where streams live (command Metadata). An accessor, not an array: the library owns it.
 */
typedef struct rstream_metadata rstream_metadata;

typedef struct rstream_node {
  const char *host; /* as the broker advertises it */
  uint32_t port;
} rstream_node;

typedef struct rstream_stream_info {
  size_t struct_size; /* set it before rstream_metadata_get() */
  const char *stream;
  int status;           /* 0, or RSTREAM_BROKER_STREAM_DOES_NOT_EXIST ... */
  int has_leader;       /* 0 during an election */
  rstream_node leader;  /* means something when has_leader is 1 */
  size_t replica_count; /* without the leader; see rstream_metadata_replica() */
} rstream_stream_info;

/* `metadata` is NULL when status is not 0; borrowed until the callback returns. */
typedef void (*rstream_metadata_cb)(rstream_env *env, int status,
                                    const rstream_metadata *metadata, void *user);

/* Asks for 1 to 1000 streams at once. The order of the answer is the broker's. */
RSTREAM_EXPORT int rstream_stream_metadata(rstream_env *env, const char *const *streams,
                                           size_t count, rstream_metadata_cb on_result,
                                           void *user);

/* How many streams the answer tells about. */
RSTREAM_EXPORT size_t rstream_metadata_count(const rstream_metadata *metadata);
/* Fills `*info` for one of them. Errors: RSTREAM_EINVAL (no such index). */
RSTREAM_EXPORT int rstream_metadata_get(const rstream_metadata *metadata, size_t index,
                                        rstream_stream_info *info);
/* A replica of a stream. Errors: RSTREAM_EINVAL (no such index). */
RSTREAM_EXPORT int rstream_metadata_replica(const rstream_metadata *metadata,
                                            size_t index, size_t replica,
                                            rstream_node *node);

/* Statistics of a stream (command StreamStats, broker 3.11; below it RSTREAM_ENOTSUP).
 * Each member is -1 when the stream is empty or the broker does not tell it. */
typedef struct rstream_stream_statistics {
  size_t struct_size;         /* size of what the library filled */
  int64_t first_chunk_id;     /* offset of the first message still in the stream */
  int64_t committed_chunk_id; /* first offset of the last chunk a quorum has */
  int64_t last_chunk_id;      /* first offset of the last chunk written */
  int64_t committed_offset;   /* last offset a quorum has; broker 4.3 */
} rstream_stream_statistics;

/* `statistics` is NULL when status is not 0; borrowed until the callback returns. */
typedef void (*rstream_stats_cb)(rstream_env *env, int status,
                                 const rstream_stream_statistics *statistics, void *user);
/* Asks for them. */
RSTREAM_EXPORT int rstream_stream_stats(rstream_env *env, const char *stream,
                                        rstream_stats_cb on_result, void *user);

/* A 64-bit answer; `value` means something only when status is 0. */
typedef void (*rstream_value_cb)(rstream_env *env, int status, uint64_t value,
                                 void *user);

/* The offset stored under a consumer's name. Nothing stored: RSTREAM_BROKER_NO_OFFSET. */
RSTREAM_EXPORT int rstream_query_offset(rstream_env *env, const char *name,
                                        const char *stream, rstream_value_cb on_result,
                                        void *user);

/* Stores an offset under a consumer's name: by convention that of the last message that
 * was processed. The broker never answers to it, nor does it compare with what is stored,
 * so a late store moves the offset backwards; query it to be sure. `on_result` may be
 * NULL; it comes with 0 once the frame was handed to a connection. Storing is a write
 * into the stream: not for each message. */
RSTREAM_EXPORT int rstream_store_offset(rstream_env *env, const char *name,
                                        const char *stream, uint64_t offset,
                                        rstream_result_cb on_result, void *user);

/* The highest publishing id stored for a producer's name; 0 also when it never published.
 */
RSTREAM_EXPORT int rstream_query_publisher_sequence(rstream_env *env, const char *name,
                                                    const char *stream,
                                                    rstream_value_cb on_result,
                                                    void *user);

#ifdef __cplusplus
}
#endif
#endif
