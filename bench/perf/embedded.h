#pragma once

#include <uv.h>

#include <cstdint>

#include "perf/options.h"

namespace rstream::fake {
struct uv_cluster;
}

namespace perf {

// The in-memory broker of test/fake, for --embedded: on a thread and a loop of its own,
// so that the CPU time of the workers' threads is the client's alone. It speaks through
// real sockets, as a server would.
struct embedded_broker {
  const options *opt = nullptr;
  uv_loop_t loop;
  uv_async_t stop;
  uv_sem_t ready;
  uv_thread_t thread;
  rstream::fake::uv_cluster *cluster = nullptr;  // nullptr once ready: it failed
  bool started = false;
  char uri[96] = "";
};

// Why the options do not go together with --embedded; nullptr: they do.
const char *embedded_objection(const options &o);

// With --consume-only the stream has its messages when this returns. False when there is
// no memory, socket or thread to be had; nothing is left behind then.
[[nodiscard]] bool embedded_start(embedded_broker &b, const options &o);
// Of the broker's thread since it began.
double embedded_cpu_s(const embedded_broker &b);
// All connections should be closed; those left are reset.
void embedded_stop(embedded_broker &b);

}  // namespace perf
