/* Reads a super stream as one of a group. Run several, watch them share the partitions;
 * end one, and the others take over where it stood.
 *
 *   super_consume [uri] [super stream] [count] [group]
 *
 * Ends after `count` messages; 0: never. The one idea: one handle, a consumer for each
 * partition behind it, whose callbacks tell which partition they are about. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

struct reader {
  rstream_env *env;
  rstream_super_consumer *consumer;
  unsigned long count; /* how many to read; 0: no end */
  unsigned long read;
  int done;
  int failed;
};

static void fail(struct reader *self, const char *what, const char *why) {
  fprintf(stderr, "super_consume: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

static void on_closed(rstream_super_consumer *consumer, int status, void *user) {
  struct reader *self = user;
  (void)consumer;
  (void)status;
  rstream_env_close(self->env, NULL, NULL);
}

static void on_message(rstream_consumer *partition, const rstream_message_view *message,
                       void *user) {
  struct reader *self = user;
  printf("%s %llu: %.*s\n", rstream_consumer_stream(partition),
         (unsigned long long)message->offset, (int)message->body_size,
         (const char *)message->body);
  /* Closing stores how far each partition was read; no message comes after it. */
  if (++self->read == self->count) {
    self->done = 1;
    rstream_super_consumer_close(self->consumer, on_closed);
  }
}

/* The broker gives this member a partition, or takes it away. What the library does by
 * itself is right: begin behind the offset stored last, store before another begins. */
static rstream_update_reply on_update(rstream_consumer *partition, int active,
                                      void *user) {
  (void)user;
  printf("%s is %s\n", rstream_consumer_stream(partition), active ? "ours" : "another's");
  fflush(stdout);
  return RSTREAM_UPDATE_DEFAULT;
}

/* One partition that fails leaves the others as they are. */
static void on_partition(rstream_super_consumer *consumer,
                         const rstream_partition_event *event, void *user) {
  (void)consumer;
  (void)user;
  if (event->change == RSTREAM_PARTITION_STATE && event->state == RSTREAM_STATE_CLOSED)
    fprintf(stderr, "super_consume: %s: %s\n", event->partition, event->text);
}

static void on_state(rstream_super_consumer *consumer, const rstream_state *state,
                     void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

int main(int argc, char **argv) {
  struct reader self = {0};
  rstream_env_options options;
  rstream_consumer_options each;
  rstream_super_consumer_options all;
  char error[256] = "";
  int rc;

  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "super_consume: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }

  rstream_consumer_options_init(&each); /* how each partition is read */
  each.name = argc > 4 ? argv[4] : "rstream-group";
  each.single_active = 1;
  each.offset_type = RSTREAM_OFFSET_FIRST;
  each.on_message = on_message;
  each.on_update = on_update;
  each.user = &self;

  rstream_super_consumer_options_init(&all);
  all.super_stream = argc > 2 ? argv[2] : "rstream-orders";
  all.consumer = &each;
  all.on_state = on_state;
  all.on_partition = on_partition;
  all.user = &self;
  rc = rstream_super_consumer_open(&self.consumer, self.env, &all);
  if (rc != 0) fail(&self, "opening the consumer", rstream_env_error_text(self.env));

  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%lu read\n", self.read);
  return self.failed || (self.count > 0 && !self.done) ? 1 : 0;
}
