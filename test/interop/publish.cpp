#include <cstring>
#include <memory>

#include "amqp_fields.h"
#include "session.h"

namespace interop {

namespace {

// So many messages make a sub-entry; the first one has one, which may be as large as a
// frame.
constexpr size_t sub_entry_messages = 4;

struct publisher {
  rstream_env *env;
  rstream_producer *producer;
  bool amqp;
  uint64_t sent;
  uint64_t confirmed;
};

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  check(confirms->status, "publishing");
  static_cast<publisher *>(user)->confirmed += confirms->count;
}

void on_state(rstream_producer *, const rstream_state *state, void *) {
  if (state->state == RSTREAM_STATE_CLOSED) fail("producer", state->text);
}

void await_outcomes(publisher *self) {
  run_until(self->env, [&] { return self->confirmed == self->sent; });
}

// A body alone goes without sections, as most messages do.
bool body_alone(const manifest_line &line) {
  return line.size() == 1 && line[0].name == "body";
}

rstream_message make_message(const publisher *self, const manifest_line &line,
                             message_parts *parts) {
  rstream_message message;
  rstream_message_init(&message);
  fill_parts(parts, line);
  if (self->amqp && !body_alone(line)) message.amqp = &parts->sections;
  message.body = parts->body.data();
  message.body_size = parts->body.size();
  return message;
}

void send_plain(publisher *self) {
  std::string line;
  while (read_line(&line)) {
    message_parts parts;
    rstream_message message = make_message(self, parse_line(line), &parts);
    check(rstream_producer_send(self->producer, &message, nullptr), "sending");
    self->sent++;
  }
  await_outcomes(self);
}

// False when there was no line left.
bool send_sub_entry(publisher *self, rstream_compression compression) {
  std::unique_ptr<message_parts[]> parts(new message_parts[sub_entry_messages]);
  rstream_message messages[sub_entry_messages];
  size_t most = self->sent == 0 ? 1 : sub_entry_messages;
  size_t count = 0;
  std::string line;
  while (count < most && read_line(&line)) {
    messages[count] = make_message(self, parse_line(line), &parts[count]);
    count++;
  }
  if (count == 0) return false;
  check(rstream_producer_send_sub_entry(self->producer, messages, count, compression,
                                        nullptr),
        "sending a sub-entry");
  self->sent += count;
  return true;
}

// Each waits for the one before, so that none shares its chunk with another: some clients
// can read only the first of a chunk.
void send_sub_entries(publisher *self, rstream_compression compression) {
  while (send_sub_entry(self, compression)) await_outcomes(self);
}

void open_producer(publisher *self, const char *stream) {
  rstream_producer_options options;
  rstream_producer_options_init(&options);
  options.stream = stream;
  options.codec = self->amqp ? RSTREAM_CODEC_AMQP : RSTREAM_CODEC_RAW;
  options.on_confirm = on_confirm;
  options.on_state = on_state;
  options.user = self;
  check(rstream_producer_open(&self->producer, self->env, &options),
        "opening the producer");
}

}  // namespace

void publish(const char *uri, const char *stream, const char *codec, const char *form) {
  publisher self = {};
  self.env = session_open(uri);
  self.amqp = strcmp(codec, "amqp") == 0;
  open_producer(&self, stream);
  if (strcmp(form, "plain") == 0) {
    send_plain(&self);
  } else {
    send_sub_entries(&self, strcmp(form, "gzip") == 0 ? RSTREAM_COMPRESSION_GZIP
                                                      : RSTREAM_COMPRESSION_NONE);
  }
  session_close(self.env);
}

}  // namespace interop
