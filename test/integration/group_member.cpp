// A process of its own that can be killed: a member of a group of single active consumers
// on a super stream.
//
//   integration_member URI SUPER-STREAM GROUP STORED
//
// It prints a line for each thing that happens: "joined"; "+PARTITION" when it gets to be
// the active one there, "-PARTITION" when it is not any more; "PARTITION OFFSET BODY" for
// a message; "stored PARTITION OFFSET" when it stores, which it does once per partition:
// after so many messages.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "rstream/rstream.h"

namespace {

struct member {
  uint64_t stored = 0;
  std::map<std::string, uint64_t> read;
};

void check(int rc, const char *what) {
  if (rc >= 0) return;
  fprintf(stderr, "%s: %s\n", what, rstream_error_text(rc));
  exit(1);
}

void on_message(rstream_consumer *consumer, const rstream_message_view *m, void *user) {
  auto &self = *static_cast<member *>(user);
  const char *partition = rstream_consumer_stream(consumer);
  auto offset = static_cast<unsigned long long>(m->offset);
  printf("%s %llu %.*s\n", partition, offset, static_cast<int>(m->body_size),
         reinterpret_cast<const char *>(m->body));
  if (++self.read[partition] == self.stored) {
    check(rstream_consumer_store_offset(consumer, m->offset), "storing");
    printf("stored %s %llu\n", partition, offset);
  }
  fflush(stdout);
}

rstream_update_reply on_update(rstream_consumer *consumer, int active, void *) {
  printf("%c%s\n", active ? '+' : '-', rstream_consumer_stream(consumer));
  fflush(stdout);
  return RSTREAM_UPDATE_DEFAULT;
}

void on_state(rstream_super_consumer *, const rstream_state *state, void *) {
  if (state->state == RSTREAM_STATE_CLOSED) check(state->reason, state->text);
  puts("joined");
  fflush(stdout);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  member self;
  self.stored = strtoull(argv[4], nullptr, 10);
  rstream_env_options eo;
  rstream_env_options_init(&eo);
  eo.uri = argv[1];
  rstream_env *env = nullptr;
  check(rstream_env_create(&env, nullptr, &eo), "creating the environment");
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  co.name = argv[3];
  co.single_active = 1;
  co.tracking = RSTREAM_TRACKING_MANUAL;
  co.offset_type = RSTREAM_OFFSET_FIRST;
  co.on_message = on_message;
  co.on_update = on_update;
  co.user = &self;
  rstream_super_consumer_options o;
  rstream_super_consumer_options_init(&o);
  o.super_stream = argv[2];
  o.consumer = &co;
  o.on_state = on_state;
  rstream_super_consumer *consumer = nullptr;
  check(rstream_super_consumer_open(&consumer, env, &o), "opening the consumer");
  // Until it is killed.
  for (;;) check(rstream_env_run(env, 1000), "running");
}
