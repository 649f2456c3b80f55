/* Publishes a message with properties, reads it back, and prints what it has.
 *
 *   amqp [uri] [stream]
 *
 * The one idea: RSTREAM_CODEC_AMQP on both sides. Messages are AMQP 1.0 then, which every
 * other stream client and every AMQP client of the broker understands. Properties lie
 * beside the body, in a struct to publish them, and are looked up one by one when
 * reading; nothing else of the message is decoded for that. */
#include <rstream/rstream.h>
#include <stdio.h>
#include <time.h>

struct app {
  rstream_env *env;
  const char *stream;
  long long sent_at_ms; /* tells this run's message from those of earlier runs */
  int received;
  int failed;
};

static void fail(struct app *app, const char *what, const char *why) {
  fprintf(stderr, "amqp: %s: %s\n", what, why);
  app->failed = 1;
  /* Ends whatever is going on. It may be closing already, which is just as good. */
  rstream_env_close(app->env, NULL, NULL);
}

/* Everything in here may die when rstream_producer_send() returns: it is encoded by then,
 * into the frame that goes out. */
static int send_order(rstream_producer *producer, long long now_ms) {
  static const char body[] = "{\"item\": \"teapot\", \"count\": 3}";
  rstream_amqp_pair application[2];
  rstream_amqp_properties properties;
  rstream_amqp_sections sections;
  rstream_message message;

  rstream_amqp_properties_init(&properties); /* all of them absent */
  properties.message_id = rstream_amqp_ulong(1001);
  properties.subject = rstream_amqp_string("order");
  properties.content_type = rstream_amqp_symbol("application/json");
  properties.creation_time = rstream_amqp_timestamp(now_ms);

  application[0].key = rstream_amqp_string("region");
  application[0].value = rstream_amqp_string("emea");
  application[1].key = rstream_amqp_string("express");
  application[1].value = rstream_amqp_boolean(1);

  rstream_amqp_sections_init(&sections);
  sections.properties = &properties;
  sections.application_properties = application;
  sections.application_property_count = 2;

  rstream_message_init(&message);
  message.body = body;
  message.body_size = sizeof body - 1;
  message.amqp = &sections;
  return rstream_producer_send(producer, &message, NULL);
}

/* Text is borrowed from the message and has no NUL behind it. */
static void print_text(const char *name, const rstream_amqp_value *value) {
  printf("%s: %.*s\n", name, (int)value->size, (const char *)value->as.bytes);
}

static int is_ours(const struct app *app, const rstream_message_view *message) {
  rstream_amqp_value created;
  return rstream_amqp_find_property(message->body, message->body_size,
                                    RSTREAM_AMQP_CREATION_TIME, &created) == 1 &&
         created.type == RSTREAM_AMQP_TIMESTAMP && created.as.i == app->sent_at_ms;
}

static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct app *app = user;
  const uint8_t *m = message->body;
  size_t size = message->body_size;
  rstream_amqp_value value;
  rstream_amqp_body body;
  (void)consumer;

  if (!is_ours(app, message)) return;
  /* A property has the type its writer gave it: look before using it. */
  if (rstream_amqp_find_property(m, size, RSTREAM_AMQP_MESSAGE_ID, &value) == 1 &&
      value.type == RSTREAM_AMQP_ULONG) {
    printf("message-id: %llu\n", (unsigned long long)value.as.u);
  }
  if (rstream_amqp_find_property(m, size, RSTREAM_AMQP_SUBJECT, &value) == 1 &&
      value.type == RSTREAM_AMQP_STRING) {
    print_text("subject", &value);
  }
  if (rstream_amqp_find_application_property(m, size, "region", &value) == 1 &&
      value.type == RSTREAM_AMQP_STRING) {
    print_text("region", &value);
  }
  if (rstream_amqp_find_application_property(m, size, "express", &value) == 1 &&
      value.type == RSTREAM_AMQP_BOOLEAN) {
    printf("express: %s\n", value.as.u ? "yes" : "no");
  }
  body.struct_size = sizeof body;
  if (rstream_amqp_body_get(m, size, &body) == 0) print_text("body", &body.value);
  app->received = 1;
  rstream_env_close(app->env, NULL, NULL);
}

static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  (void)producer;
  if (confirms->status != 0) {
    fail(user, "publishing", rstream_error_text(confirms->status));
  }
}

static void on_producer_state(rstream_producer *producer, const rstream_state *state,
                              void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_consumer_state(rstream_consumer *consumer, const rstream_state *state,
                              void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct app *app = user;
  rstream_producer *producer;
  rstream_consumer *consumer;
  rstream_producer_options po;
  rstream_consumer_options co;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(app, "creating the stream", text);
    return;
  }
  rstream_producer_options_init(&po);
  po.stream = app->stream;
  po.codec = RSTREAM_CODEC_AMQP;
  po.on_confirm = on_confirm;
  po.on_state = on_producer_state;
  po.user = app;
  rstream_consumer_options_init(&co);
  co.stream = app->stream;
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.on_message = on_message;
  co.on_state = on_consumer_state;
  co.user = app;
  if (rstream_producer_open(&producer, env, &po) != 0 ||
      send_order(producer, app->sent_at_ms) != 0 ||
      rstream_consumer_open(&consumer, env, &co) != 0) {
    fail(app, "publishing", rstream_env_error_text(env));
  }
}

int main(int argc, char **argv) {
  struct app app = {0};
  rstream_env_options options;
  char error[256] = "";
  int rc;

  app.stream = argc > 2 ? argv[2] : "rstream-samples";
  app.sent_at_ms = (long long)time(NULL) * 1000;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&app.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "amqp: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  rc = rstream_stream_create(app.env, app.stream, NULL, on_created, &app);
  if (rc != 0) fail(&app, "creating the stream", rstream_env_error_text(app.env));

  /* Everything happens in here, until the environment has closed. */
  while (rstream_env_run(app.env, -1) == 0) continue;

  return app.failed || !app.received ? 1 : 0;
}
