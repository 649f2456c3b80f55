/* Reads the orders of one region from those that filter_publish.c has published.
 *
 *   filter_consume [uri] [stream] [region] [count]
 *
 * The one idea: filtering in two steps. The broker spares a consumer with filter_values
 * the chunks that have no message with one of them. Those it sends have others, too, and
 * with the messages it sends no values: on_filter makes the exact choice from what is in
 * a message. What it drops counts as read when offsets are stored. Needs a broker from
 * 3.13 on; on an older one the consumer ends with RSTREAM_ENOTSUP. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct reader {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  const char *region;
  unsigned long count; /* how many to read */
  unsigned long received;
  unsigned long dropped; /* messages of other regions that were received */
  int failed;
};

static void fail(struct reader *self, const char *what, const char *why) {
  fprintf(stderr, "filter_consume: %s: %s\n", what, why);
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

/* "emea: order 7" is of the region emea. Called for each message of the chunks that came,
 * so it should be quick, and must not call functions of rstream. */
static int on_filter(const rstream_message_view *message, void *user) {
  struct reader *self = user;
  size_t size = strlen(self->region);
  const char *body = (const char *)message->body;
  if (message->body_size > size && memcmp(body, self->region, size) == 0 &&
      body[size] == ':') {
    return 1;
  }
  self->dropped++;
  return 0;
}

/* Only sees what on_filter has let through. */
static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct reader *self = user;
  if (self->received < 3) {
    printf("%llu: %.*s\n", (unsigned long long)message->offset, (int)message->body_size,
           (const char *)message->body);
  }
  self->received++;
  if (self->received == self->count) rstream_consumer_close(consumer, on_consumer_closed);
}

static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
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
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.filter_values = &self->region; /* an array of one; copied */
  options.filter_value_count = 1;
  /* Messages that have no filter value come as well with options.match_unfiltered = 1. */
  options.on_filter = on_filter;
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
  self.region = argc > 3 ? argv[3] : "emea";
  self.count = argc > 4 ? strtoul(argv[4], NULL, 10) : 250;
  if (self.count == 0) return 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "filter_consume: %s: %s\n", rstream_error_text(rc), error);
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
  printf("%lu of %s, %lu of others dropped\n", self.received, self.region, self.dropped);
  return self.failed || self.received != self.count ? 1 : 0;
}
