#pragma once

// What lost its connection tries again by itself: after a random pause that grows with
// each attempt in vain, and not too many at a time.

#include "net/net.h"
#include "rstream/state.h"
#include "util/list.h"

struct rstream_env;

namespace rstream {

struct recovery_config {
  uint32_t first_ms = 0;    // the first pause is at most this long
  uint32_t longest_ms = 0;  // the limit doubles up to this
  uint32_t parallel = 0;    // so many try at a time
};

// The environment's part.
struct recovery_scheduler {
  recovery_config config;
  list waiting;            // due, but enough others are trying
  uint32_t under_way = 0;  // trying
  uint64_t attempts = 0;   // begun, ever
  uint64_t successes = 0;
};

enum class recovery_step : uint8_t { idle, pausing, waiting, under_way };

// The part of a producer or consumer.
struct recovery {
  rstream_env *env = nullptr;
  recovery_step at = recovery_step::idle;
  uint32_t attempt = 0;       // since it was last known to work
  uint64_t succeeded_ms = 0;  // when it last became open
  list_node node;
  net_timer pause;
  // The attempt begins. Never from inside the functions below.
  void (*on_due)(recovery *r) = nullptr;
};

// Whether another attempt may get further after `status`. Beside what is retriable for
// everybody: "precondition failed" is also said by a broker whose disk is full or that
// has not noticed yet that an older connection is gone.
bool recovery_may_help(int status);

void recovery_init(recovery &r, rstream_env *env, void (*on_due)(recovery *r));
// Begins the pause before the next attempt, and returns its length. The attempt under
// way, if there was one, has failed.
uint32_t recovery_again(recovery &r);
// The same without a pause.
void recovery_now(recovery &r);
// The attempt has led to something.
void recovery_succeeded(recovery &r);
// It is seen to work: the next loss begins with the shortest pause. Until then, one that
// is open only to be lost again waits longer each time.
inline void recovery_works(recovery &r) { r.attempt = 0; }
// No attempt any more.
void recovery_cancel(recovery &r);

// The connection is gone: begins the pause before the next attempt, or, when attempts are
// the application's to ask for, none. What the application is told of it; stream and text
// are the caller's to add.
rstream_state recovery_begin(recovery &r, rstream_recovery mode, int reason);
// The state of a handle that is neither open nor closed.
rstream_handle_state recovery_state(const recovery &r, bool recovering, bool was_open);

}  // namespace rstream
