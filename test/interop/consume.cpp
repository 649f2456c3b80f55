#include <cstdio>
#include <cstring>

#include "amqp_fields.h"
#include "session.h"

namespace interop {

namespace {

struct reader {
  size_t left;
  bool amqp;
};

// The body that a consumer hands out, if it is one of bytes, has to be the data
// section's.
void check_body(const rstream_message_view *message, const std::string &fields) {
  if (message->status != 0) fail("message", rstream_error_text(message->status));
  if (message->body_type != RSTREAM_AMQP_BODY_DATA) return;
  std::string body = "body=data:" + to_hex(message->body, message->body_size);
  if (fields.size() < body.size() ||
      fields.compare(fields.size() - body.size(), body.size(), body) != 0) {
    fail("body", "is not the content of the data section");
  }
}

std::string fields_of(const reader *self, const rstream_message_view *message) {
  if (!self->amqp) return "body=data:" + to_hex(message->body, message->body_size);
  std::string fields = format_message(message->encoded, message->encoded_size);
  check_body(message, fields);
  return fields;
}

void on_message(rstream_consumer *, const rstream_message_view *message, void *user) {
  auto *self = static_cast<reader *>(user);
  if (self->left == 0) return;
  self->left--;
  std::string line = "offset=number:" + std::to_string(message->offset);
  puts((line + ' ' + fields_of(self, message)).c_str());
}

void on_entry_error(rstream_consumer *, const rstream_entry_error *error, void *) {
  fail("entry", error->text);
}

void on_state(rstream_consumer *, const rstream_state *state, void *) {
  if (state->state == RSTREAM_STATE_CLOSED) fail("consumer", state->text);
}

}  // namespace

void consume(const char *uri, const char *stream, size_t count, const char *codec) {
  reader self = {count, strcmp(codec, "amqp") == 0};
  rstream_env *env = session_open(uri);
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.stream = stream;
  options.codec = self.amqp ? RSTREAM_CODEC_AMQP : RSTREAM_CODEC_RAW;
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.on_message = on_message;
  options.on_entry_error = on_entry_error;
  options.on_state = on_state;
  options.user = &self;
  rstream_consumer *consumer = nullptr;
  check(rstream_consumer_open(&consumer, env, &options), "opening the consumer");
  run_until(env, [&] { return self.left == 0; });
  session_close(env);
}

}  // namespace interop
