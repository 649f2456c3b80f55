/* Publishes numbered transfers and reads them back, whatever happens to the broker.
 *
 *   reliable [uri] [stream] [count] [per second]
 *
 * The one idea: there is no code for reconnecting. The producer has a name, so what it
 * sends again after a broken connection is stored once; the consumer goes on where it
 * stood; the callbacks below only watch. Kill the broker, restart it, cut the network, as
 * often as you like: at the end each transfer was stored once and in order, which
 * on_message checks against the offsets. Stop this program itself and start it again: it
 * goes on behind what is stored.
 *
 * The stream must be this program's alone: create a new one to begin anew. */
#define _XOPEN_SOURCE 700 /* uv.h needs more than plain C99 */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS  20
#define PAUSE_MS 500 /* before a question is asked again */

struct ledger {
  uv_timer_t timer; /* paces the transfers */
  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  unsigned long long count; /* the number of the last transfer */
  unsigned long long each_tick;
  unsigned long long sent;     /* the number of the last one accepted by the library */
  unsigned long long received; /* and of the last one read */
  unsigned recoveries;
  unsigned pause_ms; /* until the next question */
  int prepared;      /* what is stored is known, producer and consumer are open */
  int failed;
};

/* Ends the program; also when all is done. */
static void end(struct ledger *self) {
  if (uv_is_closing((uv_handle_t *)&self->timer)) return;
  uv_close((uv_handle_t *)&self->timer, NULL);
  rstream_env_close(self->env, NULL, NULL);
}

static void fail(struct ledger *self, const char *what, const char *why) {
  fprintf(stderr, "reliable: %s: %s\n", what, why);
  self->failed = 1;
  end(self);
}

/* A few at each tick. With the window full, after the broker was gone for long, the
 * next tick tries again. */
static void send_transfers(struct ledger *self) {
  unsigned long long until = self->sent + self->each_tick;
  while (self->sent < self->count && self->sent < until) {
    char body[64];
    rstream_message message;
    int rc;
    rstream_message_init(&message);
    message.body = body;
    message.body_size =
        (size_t)snprintf(body, sizeof body, "transfer %llu", self->sent + 1);
    message.publishing_id = self->sent + 1;
    rc = rstream_producer_send(self->producer, &message, NULL);
    if (rc == RSTREAM_EAGAIN) return;
    if (rc != 0) {
      fail(self, "sending", rstream_env_error_text(self->env));
      return;
    }
    self->sent++;
  }
}

/* Each transfer gets its outcome once. With a name and without a time-out it is never a
 * "perhaps": it comes when the broker, or the next one, has stored it. */
static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  (void)producer;
  if (confirms->status != 0)
    fail(user, "a transfer", rstream_error_text(confirms->status));
}

static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct ledger *self = user;
  char expected[64];
  size_t size;
  (void)consumer;
  size = (size_t)snprintf(expected, sizeof expected, "transfer %llu",
                          (unsigned long long)message->offset + 1);
  if (message->body_size != size || memcmp(message->body, expected, size) != 0) {
    fprintf(stderr, "reliable: \"%.*s\" where %s belongs\n", (int)message->body_size,
            (const char *)message->body, expected);
    self->failed = 1;
    end(self);
    return;
  }
  self->received = message->offset + 1;
  if (self->received == self->count) end(self);
}

/* For those who watch. CLOSED is the one that matters: no attempt can mend it. */
static void tell(struct ledger *self, const char *who, const rstream_state *state) {
  if (state->state == RSTREAM_STATE_OPEN) {
    printf("%s: open\n", who);
  } else if (state->state == RSTREAM_STATE_RECOVERING) {
    if (state->attempt == 1) self->recoveries++;
    printf("%s: %s; attempt %u in %u ms\n", who, state->text, (unsigned)state->attempt,
           (unsigned)state->retry_ms);
  } else if (state->state == RSTREAM_STATE_CLOSED) {
    fail(self, who, state->text);
  }
  fflush(stdout);
}

static void on_producer_state(rstream_producer *producer, const rstream_state *state,
                              void *user) {
  (void)producer;
  tell(user, "producer", state);
}

static void on_consumer_state(rstream_consumer *consumer, const rstream_state *state,
                              void *user) {
  (void)consumer;
  tell(user, "consumer", state);
}

static int open_producer(struct ledger *self) {
  rstream_producer_options options;
  rstream_producer_options_init(&options);
  options.stream = self->stream;
  options.name = "rstream-reliable"; /* nothing is stored twice */
  options.ids_given = 1;             /* by the transfers' numbers */
  options.confirm_timeout_off = 1;   /* no outcome but a certain one */
  options.retry_opening = 1;         /* the broker may be gone at first, too */
  options.on_confirm = on_confirm;
  options.on_state = on_producer_state;
  options.user = self;
  return rstream_producer_open(&self->producer, self->env, &options);
}

static int open_consumer(struct ledger *self) {
  rstream_consumer *consumer;
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.stream = self->stream;
  options.offset_type = RSTREAM_OFFSET_FIRST; /* checks all there is, in each run */
  options.retry_opening = 1;
  options.on_message = on_message;
  options.on_state = on_consumer_state;
  options.user = self;
  return rstream_consumer_open(&consumer, self->env, &options);
}

/* Handles recover by themselves; a question is answered once, and asked again by whoever
 * wants to. */
static int succeeded(struct ledger *self, int status, const char *what) {
  if (status == 0) return 1;
  if (!rstream_error_is_retriable(status)) {
    fail(self, what, rstream_error_text(status));
    return 0;
  }
  printf("%s: %s\n", what, rstream_error_text(status));
  self->pause_ms = PAUSE_MS;
  return 0;
}

/* How far an earlier run came. */
static void on_sequence(rstream_env *env, int status, uint64_t value, void *user) {
  struct ledger *self = user;
  if (!succeeded(self, status, "asking for the sequence")) return;
  self->sent = value;
  if (open_producer(self) != 0 || open_consumer(self) != 0) {
    fail(self, "opening", rstream_env_error_text(env));
    return;
  }
  self->prepared = 1;
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct ledger *self = user;
  (void)text;
  if (status == RSTREAM_BROKER_STREAM_EXISTS) status = 0;
  if (!succeeded(self, status, "creating the stream")) return;
  if (rstream_query_publisher_sequence(env, "rstream-reliable", self->stream, on_sequence,
                                       self) != 0)
    fail(self, "asking for the sequence", rstream_env_error_text(env));
}

static void prepare(struct ledger *self) {
  if (rstream_stream_create(self->env, self->stream, NULL, on_created, self) != 0)
    fail(self, "creating the stream", rstream_env_error_text(self->env));
}

static void on_tick(uv_timer_t *timer) {
  struct ledger *self = timer->data;
  if (self->prepared) send_transfers(self);
  if (self->pause_ms == 0) return;
  self->pause_ms -= TICK_MS;
  if (self->pause_ms == 0) prepare(self);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  struct ledger self = {0};
  rstream_env_options options;
  char error[256] = "";
  unsigned long long per_second = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000;
  int rc;

  self.stream = argc > 2 ? argv[2] : "rstream-reliable";
  self.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000;
  self.each_tick = per_second * TICK_MS / 1000 + 1;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.connection_name = "rstream-reliable";
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, loop, &options);
  if (rc != 0) {
    fprintf(stderr, "reliable: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  self.timer.data = &self;
  uv_timer_init(loop, &self.timer);
  uv_timer_start(&self.timer, on_tick, TICK_MS, TICK_MS);
  prepare(&self);

  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  if (self.failed) return 1;
  printf("%llu transfers, each stored once and in order; connections lost: %u\n",
         self.received, self.recoveries);
  return 0;
}
