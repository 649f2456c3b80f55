// A whole connection, and all of the client above it: see connection/session.h. The first
// two bytes are settings, the rest operations. With RSTREAM_FUZZ_TRACE in the environment
// every step is printed.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "connection/session.h"

using namespace rstream;
using namespace rstream::fuzz;

namespace {

// Nobody may hold more than this, whatever sizes the peer claims: an input has a few
// kilobytes, and so has what the broker stores.
constexpr uint64_t most_bytes_held = 24u << 20;
constexpr int most_operations = 200;
constexpr uint64_t events_to_close = 200000;

constexpr uint64_t waits_us[] = {0,      200,     1000,    5000,     20000,   100000,
                                 500000, 1000000, 3000000, 10000000, 31000000};

void on_time(void *arg) { sim::simulation_stop(*static_cast<sim::simulation *>(arg)); }

void check_world(session &s) {
  FUZZ_CHECK(s, !sim::simulation_failed(s.world), "%s", s.world.failure.c_str());
  if (!s.env) return;
  rstream_env_stats stats;
  stats.struct_size = sizeof stats;
  FUZZ_CHECK(s, rstream_env_stats_get(s.env, &stats) == 0, "no statistics");
  FUZZ_CHECK(s, stats.bytes_allocated <= most_bytes_held, "%" PRIu64 " bytes are held",
             stats.bytes_allocated);
}

void advance(session &s, uint64_t us) {
  sim::simulation &w = s.world;
  uint64_t until = w.now_us + us;
  sim::simulation_call(w, us, on_time, &w);
  for (bool arrived = false; !arrived && s.events_left > 0;) {
    uint64_t before = w.events_run;
    w.stopped = false;
    bool ran_dry = sim::simulation_run(w, s.events_left) && w.queue.empty();
    s.events_left -= std::min(s.events_left, w.events_run - before);
    arrived = ran_dry || w.now_us >= until;
  }
}

void run_operations(session &s, wire::reader &in) {
  for (int i = 0; i < most_operations && in.left() > 0 && s.events_left > 0; i++) {
    auto what = static_cast<op>(in.u8() & op_mask);
    sim::trace_line(s.world, nullptr, "operation %u", static_cast<unsigned>(what));
    if (what == op::advance) {
      advance(s, waits_us[in.u8() % std::size(waits_us)]);
    } else if (what <= op::last_of_application) {
      run_application_op(s, what, in);
    } else {
      run_peer_op(s, what, in);
    }
    check_world(s);
  }
}

// Whatever the peer does, or does not do, everything gets closed.
void finish(session &s) {
  s.memory.fail_at = UINT64_MAX;
  s.memory.fail_from = false;
  hurry(s);
  s.events_left = events_to_close;
  if (s.env && !s.env_closing) close_env(s);
  while (!s.env_closed && s.env && s.events_left > 0) advance(s, 1000000);
  FUZZ_CHECK(s, !s.env || s.env_closed, "the environment does not get closed");
  check_application(s);
  while (!s.held.empty()) release_chunk(s, s.held.size() - 1);
  FUZZ_CHECK(s, s.memory.blocks == 0, "%" PRIu64 " blocks leaked", s.memory.blocks);
  sim::cluster_stop(s.brokers);
  s.world.stopped = false;
  bool dry = sim::simulation_run(s.world, events_to_close);
  while (dry && !s.world.queue.empty()) {
    s.world.stopped = false;
    dry = sim::simulation_run(s.world, events_to_close);
  }
  FUZZ_CHECK(s, dry, "the network does not come to rest");
  check_world(s);
  for (const sim::host *h : s.world.hosts) FUZZ_CHECK(s, !h, "a host is left");
  FUZZ_CHECK(s, s.world.host_memory.bytes_held == 0, "the network has leaked");
  sim::simulation_release(s.world);
}

}  // namespace

void rstream::fuzz::give_up(session &s, const char *format, ...) {
  fprintf(stderr, "after %" PRIu64 " events, %" PRIu64 " us: ", s.world.events_run,
          s.world.now_us);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static FILE *const trace = getenv("RSTREAM_FUZZ_TRACE") ? stderr : nullptr;
  session s;
  s.world.trace = trace;
  wire::reader in = wire::reader_of({data, size});
  uint8_t broker_settings = in.u8();
  uint8_t client_settings = in.u8();
  sim::simulation_init(s.world, 1);
  start_brokers(s, broker_settings);
  open_env(s, client_settings);
  run_operations(s, in);
  finish(s);
  return 0;
}
