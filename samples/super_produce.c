/* Publishes orders to a super stream: the customer decides which partition an order goes
 * to, so that the orders of a customer stay in order.
 *
 *   super_produce [uri] [super stream] [count] [partitions]
 *
 * The one idea: a routing key goes with each message, the rest is as with one stream. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_PARTITIONS 100

struct shop {
  rstream_env *env;
  rstream_super_producer *producer;
  const char *name;
  unsigned long count;     /* how many to send */
  unsigned long sent;      /* accepted by the library */
  unsigned long confirmed; /* stored by the broker */
  int failed;
};

static void fail(struct shop *self, const char *what, const char *why) {
  fprintf(stderr, "super_produce: %s: %s\n", what, why);
  self->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(self->env, NULL, NULL);
}

/* The last moment when its partitions can be asked how much went to each. */
static void tell_partitions(const struct shop *self) {
  size_t count = rstream_super_producer_partition_count(self->producer);
  for (size_t i = 0; i < count && i < MOST_PARTITIONS; i++) {
    rstream_producer_stats stats;
    stats.struct_size = sizeof stats;
    if (rstream_super_producer_partition_stats(self->producer, i, &stats) != 0) return;
    printf("%s: %llu orders\n", rstream_super_producer_partition(self->producer, i),
           (unsigned long long)stats.messages_confirmed);
  }
}

static void on_closed(rstream_super_producer *producer, int status, void *user) {
  struct shop *self = user;
  (void)producer;
  tell_partitions(self);
  if (status != 0) {
    fail(self, "closing", rstream_error_text(status));
    return;
  }
  rstream_env_close(self->env, NULL, NULL);
}

static void send_orders(struct shop *self) {
  while (self->sent < self->count) {
    char customer[32], order[64];
    int customer_size =
        snprintf(customer, sizeof customer, "customer %lu", self->sent * 7919 % 100);
    int size = snprintf(order, sizeof order, "order %lu of %s", self->sent, customer);
    int rc = rstream_super_producer_send_bytes(self->producer, order, (size_t)size,
                                               customer, (size_t)customer_size, NULL);
    if (rc == RSTREAM_EAGAIN) return; /* on_writable will come */
    if (rc != 0) {
      fail(self, "sending", rstream_error_text(rc));
      return;
    }
    self->sent++;
  }
  rstream_super_producer_close(self->producer, on_closed);
}

static void on_writable(rstream_super_producer *producer, void *user) {
  (void)producer;
  send_orders(user);
}

/* One call tells about many messages of one partition. */
static void on_confirm(rstream_super_producer *producer,
                       const rstream_super_confirms *confirms, void *user) {
  struct shop *self = user;
  (void)producer;
  if (confirms->status == 0) {
    self->confirmed += confirms->count;
    return;
  }
  fprintf(stderr, "super_produce: %lu orders for %s: %s\n",
          (unsigned long)confirms->count,
          confirms->partition ? confirms->partition : "no partition",
          rstream_error_text(confirms->status));
  self->failed = 1;
}

static void on_state(rstream_super_producer *producer, const rstream_state *state,
                     void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct shop *self = user;
  rstream_super_producer_options options;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(self, "creating the super stream", text);
    return;
  }
  rstream_super_producer_options_init(&options);
  options.super_stream = self->name;
  options.on_confirm = on_confirm;
  options.on_writable = on_writable;
  options.on_state = on_state;
  options.user = self;
  if (rstream_super_producer_open(&self->producer, env, &options) != 0) {
    fail(self, "opening the producer", rstream_env_error_text(env));
    return;
  }
  send_orders(self); /* accepted at once, sent when the partitions are known */
}

int main(int argc, char **argv) {
  struct shop self = {0};
  rstream_env_options options;
  rstream_super_stream_options made;
  char error[256] = "";
  int rc;

  self.name = argc > 2 ? argv[2] : "rstream-orders";
  self.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&self.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "super_produce: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rstream_super_stream_options_init(&made);
  made.partitions = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 3;
  rc = rstream_super_stream_create(self.env, self.name, &made, on_created, &self);
  if (rc != 0) fail(&self, "creating the super stream", rstream_env_error_text(self.env));

  while (rstream_env_run(self.env, -1) == 0) continue;

  printf("%lu sent, %lu confirmed\n", self.sent, self.confirmed);
  return self.failed || self.confirmed != self.count ? 1 : 0;
}
