/* What producers and consumers tell about themselves. */
#ifndef RSTREAM_STATE_H
#define RSTREAM_STATE_H

#include <stddef.h>

#include "rstream/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rstream_handle_state {
  RSTREAM_STATE_OPENING =
      0, /* looking up, connecting, declaring; work is accepted already */
  RSTREAM_STATE_OPEN = 1,     /* the broker knows it */
  RSTREAM_STATE_DRAINING = 2, /* close was called, outcomes are still awaited */
  RSTREAM_STATE_CLOSED = 3    /* ended, see `reason`; nothing is accepted any more */
} rstream_handle_state;

/* One change of state. Borrowed, with all its texts, until the callback returns.
 *
 * OPEN comes once the broker has accepted the handle. CLOSED comes when the handle ended
 * by itself, after every message got its outcome; the handle stays valid and must still
 * be closed with its close function. A close that the application asked for is told by
 * the close callback alone. */
typedef struct rstream_state {
  size_t struct_size;         /* size of what the library filled */
  rstream_handle_state state; /* the new state */
  int reason;                 /* 0, or why: an error code */
  const char *text;           /* the reason in words, never NULL */
  const char *stream;         /* the stream concerned */
} rstream_state;

#ifdef __cplusplus
}
#endif
#endif
