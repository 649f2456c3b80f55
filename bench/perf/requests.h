#pragma once

#include <rstream/rstream.h>

#include <cstdint>

namespace perf {

// Requests to the broker that wait for their answer: they step the environment until it
// is there, which the library's own deadlines see to. For the main thread.
struct answer {
  int status = 0;       // 0, or why not, also when the request could not be made
  uint64_t value = 0;   // when the status is 0
  char text[200] = "";  // the status in words
};

answer ask_create(rstream_env *env, const char *stream);
answer ask_delete(rstream_env *env, const char *stream);
answer ask_create_super(rstream_env *env, const char *name, uint32_t partitions);
answer ask_delete_super(rstream_env *env, const char *name);
// 1: the stream has no messages.
answer ask_empty(rstream_env *env, const char *stream);
// The offset stored under a consumer's name.
answer ask_stored_offset(rstream_env *env, const char *name, const char *stream);

}  // namespace perf
