/* What producers and consumers tell about themselves. */
#ifndef RSTREAM_STATE_H
#define RSTREAM_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "rstream/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rstream_handle_state {
  RSTREAM_STATE_OPENING =
      0, /* looking up, connecting, declaring; work is accepted already */
  RSTREAM_STATE_OPEN = 1,       /* the broker knows it */
  RSTREAM_STATE_DRAINING = 2,   /* close was called, outcomes are still awaited */
  RSTREAM_STATE_CLOSED = 3,     /* ended, see `reason`; nothing is accepted any more */
  RSTREAM_STATE_RECOVERING = 4, /* was open and lost its connection or its stream's node;
                                   work is accepted, and it tries again by itself */
  RSTREAM_STATE_DISCONNECTED =
      5 /* the same with RSTREAM_RECOVERY_MANUAL: it waits to be told */
} rstream_handle_state;

/* What becomes of a producer or consumer that was open and loses its connection, or whose
 * stream moves or becomes unavailable for a while. Reasons that no attempt can mend end
 * it in any case: the stream was deleted, access is refused, the credentials are not
 * valid any more (those for which rstream_error_is_retriable() is 0). */
typedef enum rstream_recovery {
  RSTREAM_RECOVERY_AUTOMATIC = 0, /* it tries again until it is open or closed; see
                                     recovery_first_ms of the environment */
  RSTREAM_RECOVERY_MANUAL = 1,    /* it keeps what it has and waits for
                                     rstream_producer_reconnect() or
                                     rstream_consumer_reconnect() */
  RSTREAM_RECOVERY_NONE = 2       /* it ends with that reason */
} rstream_recovery;

/* One change of state. Borrowed, with all its texts, until the callback returns.
 *
 * OPEN comes once the broker has accepted the handle, and again each time it was
 * recovered. RECOVERING comes when it lost its connection and after each attempt in vain,
 * with the reason. CLOSED comes when the handle ended
 * by itself, after every message got its outcome; the handle stays valid and must still
 * be closed with its close function. A close that the application asked for is told by
 * the close callback alone. */
typedef struct rstream_state {
  size_t struct_size;         /* size of what the library filled */
  rstream_handle_state state; /* the new state */
  int reason;                 /* 0, or why: an error code */
  const char *text;           /* the reason in words, never NULL */
  const char *stream;         /* the stream concerned */
  uint32_t attempt;  /* RECOVERING: the attempt that comes next, from 1 on. Counted anew
                        once the handle was seen to work */
  uint32_t retry_ms; /* RECOVERING: when that is, from now */
} rstream_state;

#ifdef __cplusplus
}
#endif
#endif
