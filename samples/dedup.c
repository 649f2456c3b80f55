/* Publishes numbered records so that each is stored once, however often this is run.
 *
 *   dedup [uri] [stream] [count] [name]
 *
 * The one idea: a name, and publishing ids that come from the data. The broker remembers
 * the highest id that a name has stored in a stream, and drops what is not above it. So a
 * program that was killed, and does not know how far it came, may start over: run this
 * twice, or with a larger count. It could also ask and skip, as it does here for the
 * report alone. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

struct publisher {
  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  const char *name;
  unsigned long long count;  /* records: 1, 2 ... */
  unsigned long long sent;   /* the number of the last one accepted by the library */
  unsigned long long before; /* the highest number stored by earlier runs */
  unsigned long long confirmed;
  int failed;
};

static void fail(struct publisher *self, const char *what, const char *why) {
  fprintf(stderr, "dedup: %s: %s\n", what, why);
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

static void send_records(struct publisher *self) {
  while (self->sent < self->count) {
    unsigned long long number = self->sent + 1;
    char body[64];
    rstream_message message;
    int rc;
    rstream_message_init(&message);
    message.body = body;
    message.body_size = (size_t)snprintf(body, sizeof body, "record %llu", number);
    message.publishing_id = number; /* must grow from message to message */
    rc = rstream_producer_send(self->producer, &message, NULL);
    if (rc == RSTREAM_EAGAIN) return; /* on_writable will come */
    if (rc != 0) {
      fail(self, "sending", rstream_env_error_text(self->env));
      return;
    }
    self->sent = number;
  }
  rstream_producer_close(self->producer, on_producer_closed);
}

static void on_writable(rstream_producer *producer, void *user) {
  (void)producer;
  send_records(user);
}

/* A record that is stored already is confirmed like one that is stored now. */
static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct publisher *self = user;
  (void)producer;
  if (confirms->status == 0) {
    self->confirmed += confirms->count;
    return;
  }
  fprintf(stderr, "dedup: record %llu: %s\n", (unsigned long long)confirms->ids[0],
          rstream_error_text(confirms->status));
  self->failed = 1;
}

static void on_state(rstream_producer *producer, const rstream_state *state, void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_sequence(rstream_env *env, int status, uint64_t value, void *user) {
  struct publisher *self = user;
  rstream_producer_options options;

  if (status != 0) {
    fail(self, "asking for the sequence", rstream_error_text(status));
    return;
  }
  self->before = value;
  rstream_producer_options_init(&options);
  options.stream = self->stream;
  options.name = self->name; /* one living producer of a name, please */
  options.ids_given = 1;     /* the ids are ours; without, the library counts on itself */
  options.on_confirm = on_confirm;
  options.on_writable = on_writable;
  options.on_state = on_state;
  options.user = self;
  if (rstream_producer_open(&self->producer, env, &options) != 0) {
    fail(self, "opening the producer", rstream_env_error_text(env));
    return;
  }
  send_records(self);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct publisher *self = user;
  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the stream", text);
    return;
  }
  if (rstream_query_publisher_sequence(env, self->name, self->stream, on_sequence,
                                       self) != 0) {
    fail(self, "asking for the sequence", rstream_env_error_text(env));
  }
}

int main(int argc, char **argv) {
  struct publisher self = {0};
  rstream_env_options options;
  char error[256] = "";
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
  self.name = argc > 4 ? argv[4] : "rstream-dedup";

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "dedup: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%llu sent, %llu confirmed, %llu of them stored by earlier runs\n", self.sent,
         self.confirmed, self.before < self.count ? self.before : self.count);
  return self.failed || self.confirmed != self.count ? 1 : 0;
}
