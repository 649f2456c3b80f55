/* Reads a part of a stream, and remembers by hand how far it came.
 *
 *   offsets [uri] [stream] [where] [count] [name]
 *
 * `where`: first, stored (the default: behind what an earlier run has stored, or from the
 * first message), an offset, or @ and milliseconds since 1970, say @1700000000000.
 *
 * The one idea: an offset is a number that the broker keeps under a name, for one stream.
 * By convention it is that of the last message one is done with. This program stores it
 * once, at the end, and asks whether it is there, since the broker never says that it
 * stored something. See auto_tracking.c for having it done. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct reader {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  const char *where;
  const char *name;
  unsigned long count; /* how many to read */
  unsigned long received;
  uint64_t first, last; /* offsets of what was read */
  int failed;
};

static void fail(struct reader *self, const char *what, const char *why) {
  fprintf(stderr, "offsets: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_consumer_closed(rstream_consumer *consumer, int status, void *user) {
  struct reader *self = user;
  (void)consumer;
  (void)status; /* not 0 only if on_state told the reason before */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_stored(rstream_consumer *consumer, int status, uint64_t offset,
                      void *user) {
  struct reader *self = user;
  if (status != 0) {
    fail(self, "asking for the stored offset", rstream_error_text(status));
    return;
  }
  printf("stored for %s: %llu\n", self->name, (unsigned long long)offset);
  rstream_consumer_close(consumer, on_consumer_closed);
}

static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct reader *self = user;
  if (self->received == 0) self->first = message->offset;
  self->last = message->offset;
  if (++self->received < self->count) return;
  printf("read %llu to %llu\n", (unsigned long long)self->first,
         (unsigned long long)self->last);
  /* No message after this one. What was asked for already waits in the library. */
  rstream_consumer_pause(consumer);
  /* Both go out on the consumer's connection, so the question is behind the store. */
  if (rstream_consumer_store_offset(consumer, message->offset) != 0 ||
      rstream_consumer_query_offset(consumer, on_stored, self) != 0) {
    fail(self, "storing", rstream_env_error_text(self->env));
  }
}

static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

/* Where the consumer begins. */
static void set_offset(rstream_consumer_options *options, const char *where) {
  if (where[0] == '@') {
    /* The first chunk stored from then on: the time is that of chunks, not of messages.
     */
    options->offset_type = RSTREAM_OFFSET_TIMESTAMP;
    options->timestamp_ms = strtoll(where + 1, NULL, 10);
  } else if (where[0] >= '0' && where[0] <= '9') {
    options->offset_type = RSTREAM_OFFSET_OFFSET;
    options->offset_value = strtoull(where, NULL, 10);
  } else {
    options->offset_type = RSTREAM_OFFSET_FIRST;
  }
}

static void open_consumer(struct reader *self) {
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.stream = self->stream;
  options.name = self->name;
  /* MANUAL: begins behind the stored offset if there is one. NONE: begins where it is
   * told to. In both, nothing is stored but by rstream_consumer_store_offset(). */
  options.tracking = strcmp(self->where, "stored") == 0 ? RSTREAM_TRACKING_MANUAL
                                                        : RSTREAM_TRACKING_NONE;
  set_offset(&options, self->where);
  options.on_message = on_message;
  options.on_state = on_state;
  options.user = self;
  if (rstream_consumer_open(&self->consumer, self->env, &options) != 0)
    fail(self, "opening the consumer", rstream_env_error_text(self->env));
}

/* What the broker tells about the stream. Brokers before 3.11 don't. */
static void on_stats(rstream_env *env, int status,
                     const rstream_stream_statistics *statistics, void *user) {
  (void)env;
  if (status == 0) {
    printf("first offset %lld, last chunk from %lld on\n",
           (long long)statistics->first_chunk_id, /* -1: there is none yet */
           (long long)statistics->committed_chunk_id);
  } else if (status != RSTREAM_ENOTSUP) {
    fail(user, "asking for statistics", rstream_error_text(status));
    return;
  }
  open_consumer(user);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct reader *self = user;
  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  if (rstream_stream_stats(env, self->stream, on_stats, self) != 0)
    fail(self, "asking for statistics", rstream_env_error_text(env));
}

int main(int argc, char **argv) {
  struct reader self = {0};
  rstream_env_options options;
  char error[256] = "";
  unsigned long before = 0;
  time_t last;
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.where = argc > 3 ? argv[3] : "stored";
  self.count = argc > 4 ? strtoul(argv[4], NULL, 10) : 100;
  self.name = argc > 5 ? argv[5] : "rstream-offsets";
  if (self.count == 0) return 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "offsets: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  /* Comes back when something happened, or after a second, to watch the time. */
  last = time(NULL);
  while (rstream_env_run(self.env, 1000) == 0) {
    if (self.received != before || self.failed) {
      before = self.received;
      last = time(NULL);
    } else if (time(NULL) - last > 30) {
      fail(&self, self.stream, "no message for 30 seconds");
    }
  }
  return self.failed || self.received != self.count ? 1 : 0;
}
