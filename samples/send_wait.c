/* Publishes a few messages, one after the other, and knows what became of each.
 *
 *   send_wait [uri] [stream] [count]
 *
 * The one idea: rstream_producer_send_wait() for a program that has no loop, no other
 * work, and not much to send. It sends one message, steps the environment's loop until
 * the outcome is known, and returns it. Each message waits for its own round trip, so
 * this is the slow way: see publish.c for the fast one. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 10000

static int fail(const char *what, int rc) {
  fprintf(stderr, "send_wait: %s: %s\n", what, rstream_error_text(rc));
  return 1;
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  (void)env;
  (void)text;
  *(int *)user = status;
}

/* The same for a request: start it, step the loop until its callback came. */
static int create_stream(rstream_env *env, const char *stream) {
  enum { PENDING = 1 }; /* no status is positive */
  int status = PENDING;
  int rc = rstream_stream_create(env, stream, NULL, on_created, &status);
  if (rc != 0) return rc;
  while (status == PENDING) rstream_env_run(env, -1);
  return status == RSTREAM_BROKER_STREAM_EXISTS ? 0 : status;
}

/* Ends the environment, with all that is open in it. */
static void close_and_wait(rstream_env *env) {
  rstream_env_close(env, NULL, NULL);
  while (rstream_env_run(env, -1) == 0) continue;
}

static int publish(rstream_env *env, const char *stream, unsigned long count) {
  rstream_producer_options options;
  rstream_producer *producer;
  unsigned long i;
  int rc;

  rstream_producer_options_init(&options);
  options.stream = stream;
  rc = rstream_producer_open(&producer, env, &options);
  if (rc != 0) return fail("opening the producer", rc);

  for (i = 0; i < count; i++) {
    char body[64];
    rstream_message message;
    rstream_message_init(&message);
    message.body = body;
    message.body_size = (size_t)snprintf(body, sizeof body, "message %lu", i);
    /* The first one waits for the connection, too. The message's id isn't needed. */
    rc = rstream_producer_send_wait(producer, &message, PATIENCE_MS, NULL);
    if (rc != 0) return fail("sending", rc);
  }
  printf("%lu sent and confirmed\n", i);
  return 0;
}

int main(int argc, char **argv) {
  const char *stream = argc > 2 ? argv[2] : "rstream-samples";
  unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 10;
  rstream_env_options options;
  rstream_env *env;
  int rc, failed;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  rc = rstream_env_create(&env, NULL, &options);
  if (rc != 0) return fail("starting", rc);

  rc = create_stream(env, stream);
  failed = rc != 0 ? fail("creating the stream", rc) : publish(env, stream, count);
  close_and_wait(env);
  return failed;
}
