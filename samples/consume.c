/* Reads a stream from its first message.
 *
 *   consume [uri] [stream] [count]
 *
 * The one idea: a callback per message, and a consumer that may be closed from inside it.
 * Ends after `count` messages; gives up when none came for 30 seconds. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct reader {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  unsigned long count; /* how many to read */
  unsigned long received;
  int failed;
};

static void fail(struct reader *self, const char *what, const char *why) {
  fprintf(stderr, "consume: %s: %s\n", what, why);
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

/* The message, and the body in it, are borrowed: copy what must outlive this call. */
static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct reader *self = user;
  if (self->received < 10) {
    printf("%llu: %.*s\n", (unsigned long long)message->offset, (int)message->body_size,
           (const char *)message->body);
  }
  self->received++;
  if (self->received == 10 && self->count > 10) printf("...\n");
  /* No message comes after this, not even from the chunk at hand. */
  if (self->received == self->count) rstream_consumer_close(consumer, on_consumer_closed);
}

/* Tells when the broker has accepted the consumer, and when it ended by itself. */
static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct reader *self = user;
  rstream_consumer_options options;
  int rc;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  rstream_consumer_options_init(&options);
  options.stream = self->stream;
  options.offset_type =
      RSTREAM_OFFSET_FIRST; /* without this: only what is published from now on */
  options.on_message = on_message;
  options.on_state = on_state;
  options.user = self;
  rc = rstream_consumer_open(&self->consumer, env, &options);
  if (rc != 0) fail(self, "opening the consumer", rstream_env_error_text(env));
}

int main(int argc, char **argv) {
  struct reader self = {0};
  rstream_env_options options;
  char error[256] = "";
  unsigned long before = 0;
  time_t last;
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
  if (self.count == 0) return 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "consume: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  /* Everything happens in rstream_env_run(). It comes back when something happened, or
   * after a second, so that this loop can watch the time. */
  last = time(NULL);
  while (rstream_env_run(self.env, 1000) == 0) {
    if (self.received != before || self.failed) {
      before = self.received;
      last = time(NULL);
    } else if (time(NULL) - last > 30) {
      fail(&self, self.stream, "no message for 30 seconds");
    }
  }
  printf("%lu received\n", self.received);
  return self.failed || self.received != self.count ? 1 : 0;
}
