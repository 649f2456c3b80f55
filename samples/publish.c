/* Publishes messages and counts their confirms.
 *
 *   publish [uri] [stream] [count]
 *
 * The one idea: send until RSTREAM_EAGAIN, go on in on_writable, and let the close do the
 * waiting. This program has no event loop of its own, so the environment brings one and
 * main() steps it. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

struct publisher {
  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  unsigned long count;     /* how many to send */
  unsigned long sent;      /* accepted by the library */
  unsigned long confirmed; /* stored by the broker */
  int failed;
};

static void fail(struct publisher *self, const char *what, const char *why) {
  fprintf(stderr, "publish: %s: %s\n", what, why);
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
  rstream_env_close(self->env, NULL, NULL); /* the last thing to do; main() sees it */
}

/* Sends what is left, as far as the window of unconfirmed messages allows. */
static void send_messages(struct publisher *self) {
  while (self->sent < self->count) {
    char body[64];
    int size = snprintf(body, sizeof body, "message %lu", self->sent);
    /* The body is copied. The message's id isn't needed here: NULL. */
    int rc = rstream_producer_send_bytes(self->producer, body, (size_t)size, NULL);
    if (rc == RSTREAM_EAGAIN) return; /* on_writable will come */
    if (rc != 0) {
      fail(self, "sending", rstream_error_text(rc));
      return;
    }
    self->sent++;
  }
  /* Sends what is still buffered, waits for the outcomes, then calls on_producer_closed.
   */
  rstream_producer_close(self->producer, on_producer_closed);
}

static void on_writable(rstream_producer *producer, void *user) {
  (void)producer;
  send_messages(user);
}

/* Each message gets exactly one outcome; one call tells many. */
static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct publisher *self = user;
  (void)producer;
  if (confirms->status == 0) {
    self->confirmed += confirms->count;
    return;
  }
  fprintf(stderr, "publish: %lu messages from id %llu on: %s\n",
          (unsigned long)confirms->count, (unsigned long long)confirms->ids[0],
          rstream_error_text(confirms->status));
  self->failed = 1;
}

/* Tells when the broker has accepted the producer, and when it ended by itself. */
static void on_state(rstream_producer *producer, const rstream_state *state, void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct publisher *self = user;
  rstream_producer_options options;
  int rc;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  rstream_producer_options_init(&options);
  options.stream = self->stream;
  options.on_confirm = on_confirm;
  options.on_writable = on_writable;
  options.on_state = on_state;
  options.user = self;
  rc = rstream_producer_open(&self->producer, env, &options);
  if (rc != 0) {
    fail(self, "opening the producer", rstream_env_error_text(env));
    return;
  }
  send_messages(self); /* accepted at once, sent when the producer is open */
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
    fprintf(stderr, "publish: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  /* Everything happens in here, until the environment has closed. */
  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%lu sent, %lu confirmed\n", self.sent, self.confirmed);
  return self.failed || self.confirmed != self.count ? 1 : 0;
}
