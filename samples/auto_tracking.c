/* Reads a stream in as many runs as one likes, each going on where the last one stood.
 *
 *   auto_tracking [uri] [stream] [count] [name]
 *
 * The one idea: a consumer with a name. The library stores the offset of the last message
 * it is done with, every so many messages or seconds and when it is closed, and begins
 * behind it next time. Run this twice. A run that was killed has stored less than it did:
 * the next one reads some messages again, and misses none. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct reader {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  const char *name;
  unsigned long count; /* how many to read in this run */
  unsigned long received;
  uint64_t first, last; /* offsets of what was read */
  int failed;
};

static void fail(struct reader *self, const char *what, const char *why) {
  fprintf(stderr, "auto_tracking: %s: %s\n", what, why);
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

/* A message is done with when this returns. To work on it longer, see retain.c. */
static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct reader *self = user;
  if (self->received == 0) self->first = message->offset;
  self->last = message->offset;
  self->received++;
  /* Stores this message's offset once more, then ends. */
  if (self->received == self->count) rstream_consumer_close(consumer, on_consumer_closed);
}

static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  rstream_consumer_stats stats;
  if (state->state == RSTREAM_STATE_CLOSED) {
    fail(user, state->stream, state->text);
    return;
  }
  stats.struct_size = sizeof stats;
  rstream_consumer_stats_get(consumer, &stats);
  if (stats.has_stored) {
    printf("goes on behind offset %llu\n", (unsigned long long)stats.stored_offset);
  } else {
    printf("begins with the first message\n");
  }
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct reader *self = user;
  rstream_consumer_options options;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  rstream_consumer_options_init(&options);
  options.stream = self->stream;
  options.name = self->name; /* one living consumer of a name, or see sac.c */
  /* Only counts when nothing is stored yet. */
  options.offset_type = RSTREAM_OFFSET_FIRST;
  /* Each store is a write into the stream: not for every message. These two are the
   * defaults, whichever comes first. */
  options.store_every_messages = 10000;
  options.store_interval_ms = 5000;
  options.on_message = on_message;
  options.on_state = on_state;
  options.user = self;
  if (rstream_consumer_open(&self->consumer, env, &options) != 0)
    fail(self, "opening the consumer", rstream_env_error_text(env));
}

int main(int argc, char **argv) {
  struct reader self = {0};
  rstream_env_options options;
  char error[256] = "";
  unsigned long before = 0;
  time_t last;
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
  self.name = argc > 4 ? argv[4] : "rstream-auto-tracking";
  if (self.count == 0) return 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "auto_tracking: %s: %s\n", rstream_error_text(rc), error);
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
      /* Closing the environment closes the consumer, which stores what it did. */
      fail(&self, self.stream, "no message for 30 seconds");
    }
  }
  if (self.received > 0) {
    printf("read %llu to %llu\n", (unsigned long long)self.first,
           (unsigned long long)self.last);
  }
  return self.failed || self.received != self.count ? 1 : 0;
}
