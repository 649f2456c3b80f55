/* Publishes orders from several regions, each with its region as filter value.
 *
 *   filter_publish [uri] [stream] [count]
 *
 * The one idea: rstream_message.filter_value. The broker notes the values of the messages
 * in each chunk, and consumers that ask for one region are spared the chunks that have
 * none of it. The value is not stored with the message: what a consumer needs must be in
 * the message, too. Needs a broker from 3.13 on; on an older one the messages fail with
 * RSTREAM_ENOTSUP. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const regions[] = {"emea", "apac", "amer", NULL};
enum { REGION_COUNT = sizeof regions / sizeof regions[0] };

struct publisher {
  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  unsigned long count;
  unsigned long sent;
  unsigned long confirmed;
  int failed;
};

static void fail(struct publisher *self, const char *what, const char *why) {
  fprintf(stderr, "filter_publish: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_producer_closed(rstream_producer *producer, int status, void *user) {
  struct publisher *self = user;
  (void)producer;
  if (status != 0) {
    fail(self, "closing", rstream_error_text(status));
    return;
  }
  rstream_env_close(self->env, NULL, NULL);
}

static void send_orders(struct publisher *self) {
  while (self->sent < self->count) {
    const char *region = regions[self->sent % REGION_COUNT];
    char body[64];
    rstream_message message;
    int rc;
    rstream_message_init(&message);
    message.body = body;
    message.body_size = (size_t)snprintf(body, sizeof body, "%s: order %lu",
                                         region ? region : "anywhere", self->sent);
    if (region != NULL) { /* messages with and without a value may be mixed */
      message.filter_value = region;
      message.filter_value_size = strlen(region);
    }
    rc = rstream_producer_send(self->producer, &message, NULL);
    if (rc == RSTREAM_EAGAIN) return; /* on_writable will come */
    if (rc != 0) {
      fail(self, "sending", rstream_error_text(rc));
      return;
    }
    self->sent++;
  }
  rstream_producer_close(self->producer, on_producer_closed);
}

static void on_writable(rstream_producer *producer, void *user) {
  (void)producer;
  send_orders(user);
}

static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct publisher *self = user;
  (void)producer;
  if (confirms->status == 0) {
    self->confirmed += confirms->count;
    return;
  }
  fprintf(stderr, "filter_publish: %lu messages: %s\n", (unsigned long)confirms->count,
          rstream_error_text(confirms->status));
  self->failed = 1;
}

static void on_state(rstream_producer *producer, const rstream_state *state, void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct publisher *self = user;
  rstream_producer_options options;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  rstream_producer_options_init(&options);
  options.stream = self->stream;
  /* Instead of a value with each message: options.on_filter_value finds it in one. */
  options.on_confirm = on_confirm;
  options.on_writable = on_writable;
  options.on_state = on_state;
  options.user = self;
  if (rstream_producer_open(&self->producer, env, &options) != 0) {
    fail(self, "opening the producer", rstream_env_error_text(env));
    return;
  }
  send_orders(self);
}

int main(int argc, char **argv) {
  struct publisher self = {0};
  rstream_env_options options;
  char error[256] = "";
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "filter_publish: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%lu sent, %lu confirmed\n", self.sent, self.confirmed);
  return self.failed || self.confirmed != self.count ? 1 : 0;
}
