#pragma once

// An environment and the loop it brings, as a program without a loop of its own uses
// them.

#include <rstream/rstream.h>

namespace interop {

// Says why and ends the program: what it would go on with is not there.
[[noreturn]] void fail(const char *what, const char *why);

// Fails unless `status` is 0.
void check(int status, const char *what);

rstream_env *session_open(const char *uri);
void session_close(rstream_env *env);

// Lets things happen until `done` is true.
template <typename Condition>
void run_until(rstream_env *env, Condition done) {
  while (!done()) check(rstream_env_run(env, -1), "running");
}

void create_stream(const char *uri, const char *stream);
void delete_stream(const char *uri, const char *stream);

// Publishes the manifest on standard input.
void publish(const char *uri, const char *stream, const char *codec, const char *form);

// Prints the manifest of the first `count` messages.
void consume(const char *uri, const char *stream, size_t count, const char *codec);

// As one of a group of single active consumers.
struct group_turn {
  uint64_t count;  // messages to read
  uint64_t done;   // of those, what is stored by hand; means something to who stays
  bool stays;      // until it is killed, else leaves
};

// Prints "joined" and the offsets it reads. Who stays then prints what is stored.
void take_turn(const char *uri, const char *stream, const char *name,
               const group_turn &turn);

// ---- super streams

void create_super(const char *uri, const char *name, uint32_t partitions);
void delete_super(const char *uri, const char *name);

// Publishes the lines of standard input, each with itself as its key.
void publish_super(const char *uri, const char *name);

// Prints partition and body of the first `count` messages.
void read_super(const char *uri, const char *name, size_t count);

// One member of a group, until SIGTERM: prints "joined", then for each message the time
// in nanoseconds, the partition, the offset and the body.
void join_super(const char *uri, const char *name, const char *group);

}  // namespace interop
