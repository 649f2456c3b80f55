/* One of several programs that read a stream, of which one at a time does the work.
 *
 *   sac [uri] [stream] [count] [name]
 *
 * The one idea: a single active consumer. Start this in several terminals: the broker
 * picks one, and another one when that leaves or dies. on_update tells whose turn it is,
 * and is where the next one finds out how far the one before it came. That may take a
 * while, so it is answered later. Without on_update, or when it returns
 * RSTREAM_UPDATE_DEFAULT, the library does it all: goes on behind the stored offset,
 * stores when its turn is over. This program keeps the offset itself, in order to show
 * how; a database would do as well. Needs a broker from 3.11 on. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct member {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  const char *name;    /* of the group */
  unsigned long count; /* how many to read before it leaves */
  unsigned long received;
  uint64_t first, last; /* offsets of what was read */
  int failed;
};

static void fail(struct member *self, const char *what, const char *why) {
  fprintf(stderr, "sac: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_consumer_closed(rstream_consumer *consumer, int status, void *user) {
  struct member *self = user;
  (void)consumer;
  (void)status;          /* not 0 only if on_state told the reason before */
  self->consumer = NULL; /* it is gone when this returns, and main() looks at it */
  rstream_env_close(self->env, NULL, NULL);
}

/* What the one before has stored; it did so before the broker asked us. */
static void on_stored_offset(rstream_consumer *consumer, int status, uint64_t offset,
                             void *user) {
  struct member *self = user;
  if (status == 0) {
    printf("active, goes on behind %llu\n", (unsigned long long)offset);
    rstream_consumer_update_done(consumer, RSTREAM_OFFSET_OFFSET, offset + 1);
  } else if (status == RSTREAM_BROKER_NO_OFFSET) {
    printf("active, the first one\n");
    rstream_consumer_update_done(consumer, RSTREAM_OFFSET_FIRST, 0);
  } else if (status != RSTREAM_ECANCELED) { /* that is: it is being closed */
    fail(self, "asking for the stored offset", rstream_error_text(status));
  }
}

static rstream_update_reply on_update(rstream_consumer *consumer, int active,
                                      void *user) {
  struct member *self = user;
  if (active) {
    if (rstream_consumer_query_offset(consumer, on_stored_offset, self) == 0)
      return RSTREAM_UPDATE_LATER; /* answered there, within update_timeout_ms */
    fail(self, "asking for the stored offset", rstream_env_error_text(self->env));
    return RSTREAM_UPDATE_DEFAULT;
  }
  /* Another one gets its turn as soon as this has returned. */
  printf("standby\n");
  if (self->received > 0) rstream_consumer_store_offset(consumer, self->last);
  return RSTREAM_UPDATE_DEFAULT;
}

/* Never called while another member of the group is active. */
static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct member *self = user;
  if (self->received == 0) self->first = message->offset;
  self->last = message->offset;
  if (++self->received < self->count) return;
  rstream_consumer_store_offset(consumer, self->last);
  rstream_consumer_close(consumer, on_consumer_closed); /* the next one's turn */
}

static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct member *self = user;
  rstream_consumer_options options;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  rstream_consumer_options_init(&options);
  options.stream = self->stream;
  options.name = self->name; /* who has the same name is in the group */
  options.single_active = 1;
  options.on_update = on_update;
  options.tracking = RSTREAM_TRACKING_MANUAL; /* we store; the default would by itself */
  options.on_message = on_message;
  options.on_state = on_state;
  options.user = self;
  if (rstream_consumer_open(&self->consumer, env, &options) != 0)
    fail(self, "opening the consumer", rstream_env_error_text(env));
}

/* A standby waits as long as it takes for its turn, but not for ever for a message. */
static int is_standby(const struct member *self) {
  return rstream_consumer_activity(self->consumer) == RSTREAM_ACTIVITY_STANDBY;
}

int main(int argc, char **argv) {
  struct member self = {0};
  rstream_env_options options;
  char error[256] = "";
  unsigned long before = 0;
  time_t last;
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
  self.name = argc > 4 ? argv[4] : "rstream-sac";
  if (self.count == 0) return 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "sac: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  /* Comes back when something happened, or after a second, to watch the time. */
  last = time(NULL);
  while (rstream_env_run(self.env, 1000) == 0) {
    if (self.received != before || self.failed || is_standby(&self)) {
      before = self.received;
      last = time(NULL);
    } else if (time(NULL) - last > 30) {
      fail(&self, self.stream, "no message for 30 seconds");
    }
  }
  if (self.received > 0) {
    printf("read %llu to %llu\n", (unsigned long long)self.first,
           (unsigned long long)self.last);
  }
  return self.failed || self.received != self.count ? 1 : 0;
}
