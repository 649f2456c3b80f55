// One member of a group of single active consumers.
#include <cstdio>

#include "session.h"

namespace interop {

namespace {

struct member {
  group_turn turn;
  uint64_t read;
  bool left;
};

void on_closed(rstream_consumer *, int status, void *user) {
  check(status, "consuming");
  static_cast<member *>(user)->left = true;
}

// The broker never tells that it stored something.
void on_stored(rstream_consumer *, int status, uint64_t offset, void *) {
  check(status, "asking for the stored offset");
  printf("stored %llu\n", static_cast<unsigned long long>(offset));
  fflush(stdout);
}

void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                void *user) {
  auto *self = static_cast<member *>(user);
  printf("%llu\n", static_cast<unsigned long long>(message->offset));
  self->read++;
  if (self->turn.stays && self->read == self->turn.done)
    check(rstream_consumer_store_offset(consumer, message->offset), "storing");
  if (self->read < self->turn.count) return;
  if (!self->turn.stays) {
    // What is stored then is the library's own business.
    check(rstream_consumer_close(consumer, on_closed), "leaving");
    return;
  }
  check(rstream_consumer_pause(consumer), "pausing");
  check(rstream_consumer_query_offset(consumer, on_stored, nullptr), "asking");
}

void on_state(rstream_consumer *, const rstream_state *state, void *) {
  if (state->state == RSTREAM_STATE_CLOSED) fail("consumer", state->text);
  puts("joined");
  fflush(stdout);
}

}  // namespace

void take_turn(const char *uri, const char *stream, const char *name,
               const group_turn &turn) {
  member self = {turn, 0, false};
  rstream_env *env = session_open(uri);
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.stream = stream;
  options.name = name;
  options.single_active = 1;
  options.offset_type = RSTREAM_OFFSET_FIRST;
  if (turn.stays) options.tracking = RSTREAM_TRACKING_MANUAL;
  options.on_message = on_message;
  options.on_state = on_state;
  options.user = &self;
  rstream_consumer *consumer = nullptr;
  check(rstream_consumer_open(&consumer, env, &options), "opening the consumer");
  // Who stays does so until it is killed.
  run_until(env, [&] { return self.left; });
  session_close(env);
}

}  // namespace interop
