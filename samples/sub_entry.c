/* Publishes small messages a hundred at a time, compressed.
 *
 *   sub_entry [uri] [stream] [count]
 *
 * The one idea: two options. With sub_entry_messages and compression the producer packs
 * messages together; everything else is as in publish.c, and a consumer of any client
 * reads single messages again. The broker keeps, counts and sends a sub-entry as one, so
 * this is many times faster than single messages, and takes less network and disk.
 * What is lost: the broker confirms, and by a name deduplicates, whole sub-entries, and
 * filter values are not possible. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

struct publisher {
  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  unsigned long count;
  unsigned long sent;
  unsigned long confirmed;
  unsigned long long body_bytes;
  unsigned long long sent_bytes; /* by all connections */
  int failed;
};

static void fail(struct publisher *self, const char *what, const char *why) {
  fprintf(stderr, "sub_entry: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_producer_closed(rstream_producer *producer, int status, void *user) {
  struct publisher *self = user;
  rstream_env_stats stats;
  (void)producer;
  if (status != 0) {
    fail(self, "closing", rstream_error_text(status));
    return;
  }
  stats.struct_size = sizeof stats;
  rstream_env_stats_get(self->env, &stats);
  self->sent_bytes = stats.bytes_sent;
  rstream_env_close(self->env, NULL, NULL);
}

static void send_messages(struct publisher *self) {
  while (self->sent < self->count) {
    char body[128];
    int size = snprintf(body, sizeof body,
                        "{\"sensor\": \"hall %lu\", \"celsius\": %lu, \"ok\": true}",
                        self->sent % 7, 18 + self->sent % 5);
    int rc = rstream_producer_send_bytes(self->producer, body, (size_t)size, NULL);
    if (rc == RSTREAM_EAGAIN) return; /* on_writable will come */
    if (rc != 0) {
      fail(self, "sending", rstream_error_text(rc));
      return;
    }
    self->sent++;
    self->body_bytes += (unsigned long long)size;
  }
  /* What is not a hundred yet goes out, too. */
  rstream_producer_close(self->producer, on_producer_closed);
}

static void on_writable(rstream_producer *producer, void *user) {
  (void)producer;
  send_messages(user);
}

static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct publisher *self = user;
  (void)producer;
  if (confirms->status == 0) {
    self->confirmed += confirms->count; /* messages, not sub-entries */
    return;
  }
  fprintf(stderr, "sub_entry: %lu messages: %s\n", (unsigned long)confirms->count,
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
  options.sub_entry_messages = 100;
  options.compression = RSTREAM_COMPRESSION_GZIP; /* which every client can read */
  options.on_confirm = on_confirm;
  options.on_writable = on_writable;
  options.on_state = on_state;
  options.user = self;
  if (rstream_producer_open(&self->producer, env, &options) != 0) {
    fail(self, "opening the producer", rstream_env_error_text(env));
    return;
  }
  send_messages(self);
}

int main(int argc, char **argv) {
  struct publisher self = {0};
  rstream_env_options options;
  char error[256] = "";
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-samples";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 10000;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "sub_entry: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(self.env, self.stream, NULL, on_created, &self);
  if (rc != 0) fail(&self, "creating the stream", rstream_env_error_text(self.env));

  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%lu sent, %lu confirmed; %llu bytes of bodies, %llu on the wire\n", self.sent,
         self.confirmed, self.body_bytes, self.sent_bytes);
  return self.failed || self.confirmed != self.count ? 1 : 0;
}
