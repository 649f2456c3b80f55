/* The environment: one per libuv loop and broker cluster. It owns the connections and
 * everything that is opened through it.
 *
 * THREADS. Everything in rstream belongs to the thread that runs the environment's loop:
 * call every function from that thread, and expect every callback on it. The single
 * exception is rstream_env_post(). The library starts no thread, installs no signal
 * handler, and keeps no global state. (libuv itself resolves host names on its own thread
 * pool, one at a time for each name.)
 *
 * CALLBACKS. A function either returns an error, or its callback comes exactly once,
 * later; never both, and never from inside the call itself. Any function of rstream may
 * be called from any callback, closing included. Views handed to a callback are borrowed
 * until it returns, unless said otherwise. */
#ifndef RSTREAM_ENV_H
#define RSTREAM_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/auth.h"
#include "rstream/error.h"
#include "rstream/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t; <uv.h> is needed only by those who use it anyway. */

typedef struct rstream_env rstream_env;

typedef enum rstream_log_level {
  RSTREAM_LOG_ERROR = 0, /* something was lost or can't go on */
  RSTREAM_LOG_WARN = 1,  /* a fault that was survived */
  RSTREAM_LOG_INFO = 2,  /* connections and handles opening and closing */
  RSTREAM_LOG_DEBUG = 3, /* every state change and ignored frame */
  RSTREAM_LOG_OFF = 4    /* as a level asked for: nothing at all */
} rstream_log_level;

/* One line of log. `text` is NUL-terminated, has no newline, holds no password, and is
 * borrowed until the callback returns. */
typedef void (*rstream_log_cb)(rstream_log_level level, const char *text, void *user);

/* Where memory comes from. All three are required when any is given; `resize` and
 * `release` must accept NULL as realloc() and free() do. They are called on the loop's
 * thread, and from rstream_env_post() on the thread that calls it. Returning NULL is
 * answered with RSTREAM_ENOMEM. */
typedef struct rstream_allocator {
  void *(*allocate)(size_t bytes, void *user);
  void *(*resize)(void *memory, size_t bytes, void *user);
  void (*release)(void *memory, void *user);
  void *user;
} rstream_allocator;

/* Which of the nodes that have a stream is connected to. */
typedef enum rstream_node_choice {
  RSTREAM_NODE_DEFAULT = 0, /* producers: LEADER; consumers: a replica if there is one,
                               else the leader */
  RSTREAM_NODE_LEADER = 1,  /* the leader alone */
  RSTREAM_NODE_REPLICA =
      2 /* replicas alone, one at random: waits while there is none.
           Brokers pass on to the leader what producers publish there. */
} rstream_node_choice;

/* Where a node is, to be changed in place: `host` has room for `host_capacity` bytes with
 * its NUL. */
typedef struct rstream_address {
  size_t struct_size;
  char *host;
  size_t host_capacity; /* 256 */
  uint16_t port;
} rstream_address;

/* Turns the address that a node gives itself, or one of the environment's own, into the
 * one that can be reached from here: behind port mappings and other translations. Comes
 * on the loop's thread before each connection. With TLS certificates are still checked
 * against the name that was given. */
typedef void (*rstream_address_cb)(rstream_env *env, rstream_address *address,
                                   void *user);

/* A connection of producers or consumers has ended, other than by the library's own wish.
 * Comes before the handles concerned are told. Borrowed until the callback returns. */
typedef struct rstream_connection_loss {
  size_t struct_size; /* size of what the library filled */
  const char *host;   /* whom it led to */
  uint16_t port;
  int reason;                 /* an error code */
  const char *text;           /* the reason in words */
  const char *const *streams; /* of the producers or consumers on it, each once */
  size_t stream_count;
  size_t handle_count; /* producers or consumers on it */
} rstream_connection_loss;

typedef void (*rstream_connection_lost_cb)(rstream_env *env,
                                           const rstream_connection_loss *loss,
                                           void *user);

/* Set with rstream_env_options_init(), then change what differs. 0 or NULL means the
 * default. Everything is copied; the struct may go once rstream_env_create() returned. */
typedef struct rstream_env_options {
  size_t struct_size; /* set by rstream_env_options_init() */

  /* rabbitmq-stream://user:password@host:port/vhost, or rabbitmq-stream+tls:// for TLS.
   * Default: rabbitmq-stream://guest:guest@localhost:5552/%2f. Reserved characters in
   * user, password and vhost are percent-encoded; a missing vhost, or one that is empty,
   * is "/". The members below override what the URI says. */
  const char *uri;
  const char *host;     /* default: of the URI */
  uint16_t port;        /* default: of the URI, else 5552, with TLS 5551 */
  const char *username; /* default: of the URI, else "guest" */
  const char *password; /* default: of the URI, else "guest"; at most 7168 bytes */
  const char *vhost;    /* default: of the URI, else "/" */

  /* Shown by the broker's management as the connection's name, with a suffix telling what
   * the connection is for. Default: "rstream". At most 255 bytes. */
  const char *connection_name;

  uint32_t connect_timeout_ms; /* for a connection, from looking up the name to the end of
                                  the handshake, whatever number of addresses it has;
                                  default 10000 */
  uint32_t
      request_timeout_ms; /* for the answer to a request; default 15000. The broker holds
                             back some refusals for 3 s and takes up to 10 s for Metadata:
                             below 5000 a wrong password looks like a time-out. */
  uint32_t heartbeat_s;   /* asked for in Tune; default 60; at most 3600. The lower of
                             ours and the broker's counts. See heartbeat_off. */
  uint32_t max_frame_bytes; /* asked for in Tune; default 1048576; at least 256. The lower
                               of ours and the broker's counts. Limits what we send. */
  uint32_t max_deliver_bytes; /* largest frame accepted from the broker once the
                                 connection is open; default 134217728 (128 MiB). A chunk
                                 arrives as one frame, whatever max_frame_bytes says. Not
                                 for chunks that are streamed, see consumer.h. */
  uint16_t
      max_producers_per_connection; /* default 256, which is also the protocol's limit */
  uint16_t max_consumers_per_connection; /* default 256, likewise */
  uint8_t heartbeat_off; /* 1: ask for no heartbeats. The broker then does not notice a
                            dead client either. */

  rstream_log_cb on_log;       /* default: nothing is logged */
  rstream_log_level log_level; /* most detailed level wanted; default RSTREAM_LOG_INFO as
                                  set by rstream_env_options_init() */
  void *user;                  /* passed to on_log; see rstream_env_user() */

  const rstream_allocator *allocator; /* default: malloc, realloc, free */

  /* When rstream_env_create() fails, the reason in words is written here, NUL-terminated
   * and cut to fit. NULL: not wanted. Owned by the caller. */
  char *error_text;
  size_t error_text_size;

  uint64_t max_bytes_in_flight; /* of all producers together, in bytes on the wire: beyond
                                   it, sending gives RSTREAM_EAGAIN. Default: no limit but
                                   each producer's own. One message always fits when
                                   nothing is in flight. */

  /* What is trusted and shown when connecting with TLS, see tls.h. NULL: the defaults if
   * the URI says rabbitmq-stream+tls://, else no TLS. Given, it asks for TLS by itself,
   * and goes with a URI that says so or with none. */
  const rstream_tls_options *tls;

  rstream_auth auth;          /* default PLAIN; see auth.h */
  const char *auth_mechanism; /* with RSTREAM_AUTH_CUSTOM: its name, at most 255 bytes */
  rstream_credentials_cb
      on_credentials;        /* with PLAIN: instead of username and password */
  rstream_login_cb on_login; /* with RSTREAM_AUTH_CUSTOM: required */
  void *auth_user;           /* passed to both */

  /* Instead of `uri`: several, of which one that works is needed to begin with, tried in
   * this order. They differ in host and port alone; what one does not say, an earlier one
   * does. A name with several addresses, of IPv6 and IPv4, is tried with each of them in
   * any case (at most 16): the two kinds in turns, the next one when one fails or does
   * not answer within 250 ms, and the first that is connected is used. */
  const char *const *uris;
  size_t uri_count; /* at most 256 */

  /* 1: the addresses above are of a load balancer, and nodes can't be reached but through
   * it. A connection to a certain node is tried again until the balancer leads there, at
   * most 30 times with growing random pauses. Nodes tell who they are by their advertised
   * host and port. With TLS certificates are checked against the balancer's name. */
  uint8_t load_balancer;

  rstream_node_choice producer_node;
  rstream_node_choice consumer_node;

  rstream_address_cb on_address; /* default: addresses are dialled as they are */
  void *address_user;            /* passed to on_address */

  /* Producers and consumers that lost their connection pause before each attempt for a
   * random time: at most the first of these, then at most twice as long each time, up to
   * the second. */
  uint32_t recovery_first_ms;   /* default 100 */
  uint32_t recovery_longest_ms; /* default 10000 */
  uint32_t max_recoveries;      /* so many try at the same time; default 64 */
  rstream_connection_lost_cb on_connection_lost; /* default: logged and counted only */
} rstream_env_options;

/* Sets every member to its default and struct_size to the caller's own sizeof, which lets
 * a newer library serve programs compiled against an older header. */
#define rstream_env_options_init(o) rstream_env_options_init_sized((o), sizeof *(o))
RSTREAM_EXPORT void rstream_env_options_init_sized(rstream_env_options *options,
                                                   size_t size);

/* Creates an environment. No connection is made before something needs one.
 *
 * `loop`: the loop to live on; borrowed until the environment's close callback came;
 * never run, stopped or closed by rstream. NULL: the library makes a loop of its own,
 * stepped with rstream_env_run(). `options`: may be NULL for all defaults.
 *
 * Errors: RSTREAM_EINVAL (an option is out of range, a certificate or key can't be read),
 * RSTREAM_EURI, RSTREAM_ENOTSUP (TLS, or TLS 1.3, in a build that lacks it),
 * RSTREAM_ENOMEM, or a code of libuv.
 * `*env` is NULL then. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_create(rstream_env **env, struct uv_loop_s *loop,
                                      const rstream_env_options *options);

/* Called last of all callbacks of the environment: when it returns, `env` is gone. */
typedef void (*rstream_env_closed_cb)(rstream_env *env, void *user);

/* Closes every producer (draining it first, within its close_timeout_ms) and every
 * consumer of the environment, ends all connections in order, then calls `on_closed`,
 * once. Requests that are still waiting are answered with RSTREAM_ECANCELED. `on_closed`
 * may be NULL. After it, the loop has no handle of rstream left. A name that the system
 * is just looking up holds it up, as long as the system's resolver takes: such a look-up
 * can't be stopped; the handles that needed it are closed at once. With a loop of its own
 * the environment goes on being stepped with rstream_env_run() until that returns
 * RSTREAM_ECLOSED.
 *
 * Errors: RSTREAM_EINVAL (NULL), RSTREAM_ECLOSED (closing already). Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_close(rstream_env *env, rstream_env_closed_cb on_closed,
                                     void *user);

/* Steps the loop until something happened or `timeout_ms` passed: 0 does what is ready
 * and returns, a negative number waits without limit. Works on the environment's own loop
 * and on the caller's alike; programs that run their loop themselves do not need it.
 *
 * Returns 0; RSTREAM_ECLOSED when the environment was closed meanwhile and is gone;
 * RSTREAM_EBUSY from inside a callback; RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_run(rstream_env *env, int timeout_ms);

/* For embedding in another event loop (epoll, asyncio ...): watch the descriptor for
 * readability, at most for the number of milliseconds that rstream_env_backend_timeout()
 * tells
 * (-1: without limit), then call rstream_env_run(env, 0). The descriptor belongs to the
 * loop and stays the same for the environment's life. Negative on error. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_backend_fd(const rstream_env *env);
RSTREAM_EXPORT int rstream_env_backend_timeout(const rstream_env *env);

/* The loop the environment lives on: the caller's, or its own. Since 0.1.0. */
RSTREAM_EXPORT struct uv_loop_s *rstream_env_loop(const rstream_env *env);

/* The `user` of the options. Since 0.1.0. */
RSTREAM_EXPORT void *rstream_env_user(const rstream_env *env);

/* Calls `fn(env, arg)` on the loop's thread, soon and in the order of posting.
 *
 * THREAD-SAFE: the only function of rstream that may be called from any thread. It must
 * not be called once the environment's close callback may have run; what was posted
 * before but has not run when the environment closes is run before its close callback.
 *
 * Errors: RSTREAM_EINVAL, RSTREAM_ENOMEM, RSTREAM_ECLOSED. Since 0.1.0. */
typedef void (*rstream_post_cb)(rstream_env *env, void *arg);
RSTREAM_EXPORT int rstream_env_post(rstream_env *env, rstream_post_cb fn, void *arg);

/* A secret was taken up, or not: status 0, or why the first connection that could not log
 * in again could not, in `text`, too, which is borrowed until the callback returns. */
typedef void (*rstream_secret_cb)(rstream_env *env, int status, const char *text,
                                  void *user);

/* Logs in anew, with another password or token, before the old one expires.
 *
 * `secret`: from now on the password for PLAIN; copied; at most 7168 bytes. With a
 * callback of auth.h it must be NULL: that is asked again. Connections that come later
 * use the new secret; each connection that is logged in now does so again, without being
 * interrupted (brokers from 3.13 on; the user can't change). A broker that refuses the
 * secret ends the connection. While a disk alarm is on, brokers may end it as well.
 *
 * `on_done`: comes when every connection has the new secret or is gone; may be NULL. With
 * brokers before 3.13 its status is RSTREAM_ENOTSUP: their connections go on with the
 * secret they have, and the next ones use the new one.
 *
 * Errors: RSTREAM_EINVAL (NULL without a callback, not NULL with one, too long, or the
 * mechanism has no secret), RSTREAM_ENOMEM, RSTREAM_ECLOSED. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_update_secret(rstream_env *env, const char *secret,
                                             rstream_secret_cb on_done, void *user);

/* What the last call on this environment, or on anything opened through it, that returned
 * an error objected to: "consumer name is 300 bytes long, at most 255 are allowed". Empty
 * when nothing failed yet. Borrowed until the next call fails. Since 0.1.0. */
RSTREAM_EXPORT const char *rstream_env_error_text(const rstream_env *env);

/* Counters since the environment was created, and sizes as they are now. */
typedef struct rstream_env_stats {
  size_t struct_size;       /* set by rstream_env_stats_get() to what it filled */
  uint64_t bytes_sent;      /* on all connections */
  uint64_t bytes_received;  /* on all connections */
  uint64_t frames_received; /* on all connections */
  uint64_t frames_ignored;  /* unknown key, publisher, subscription or correlation id */
  uint64_t connections_opened;        /* reached the state ready */
  uint64_t connections_lost;          /* ended by the peer, the network or a deadline;
                                         also those that never got ready */
  uint64_t messages_sent;             /* accepted by rstream_producer_send() */
  uint64_t messages_confirmed;        /* of those */
  uint64_t messages_failed;           /* of those */
  uint64_t messages_consumed;         /* handed to the application */
  uint64_t bytes_allocated;           /* memory held now, through the allocator */
  uint64_t allocations;               /* calls of allocate and resize so far */
  uint32_t connections_for_locator;   /* open now, or being opened: at most 1 */
  uint32_t connections_for_producers; /* open now, or being opened */
  uint32_t connections_for_consumers; /* open now, or being opened */
  uint32_t producers;                 /* handles that are not closed yet */
  uint32_t consumers;                 /* handles that are not closed yet */
  uint64_t recovery_attempts;         /* begun by producers and consumers */
  uint64_t recoveries;                /* of those, successful */
  uint64_t connections_closed;        /* of those opened, over now, for whatever reason */
  uint64_t connections_closed_idle;   /* of those, because nobody had used it for 5 s */
  uint32_t connections_idle;          /* open now, for producers or consumers to come */
  uint32_t producers_connected;       /* handles that have a place on a connection */
  uint32_t consumers_connected;       /* handles that have a place on a connection */
} rstream_env_stats;

/* Fills `*stats`. Set struct_size first with `stats.struct_size = sizeof stats`; members
 * beyond it are left out. Never allocates. Errors: RSTREAM_EINVAL. Since 0.1.0. */
RSTREAM_EXPORT int rstream_env_stats_get(const rstream_env *env,
                                         rstream_env_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
