// Runs the simulation for many seeds, or replays one of them with a trace.
#include <unistd.h>
#include <cinttypes>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "sim/workload.h"

using namespace rstream::sim;

namespace {

const char *program = "rstream_sim";
uint64_t running = 0;  // the seed at work

int usage() {
  fprintf(stderr,
          "usage: %s [--seeds N] [--first-seed S] [--seed S] [--trace]\n"
          "  --seeds N       run N seeds (500)\n"
          "  --first-seed S  beginning with this one (1)\n"
          "  --seed S        run only this one\n"
          "  --trace         a line for each event, to standard output\n",
          program);
  return 2;
}

void tell_replay(uint64_t seed) {
  fprintf(stderr, "replay: %s --seed %" PRIu64 " --trace\n", program, seed);
}

// A failed assertion or worse: tell which seed it was, then die as before.
void on_crash(int signal_number) {
  fprintf(stderr, "seed %" PRIu64 " crashed\n", running);
  tell_replay(running);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

struct arguments {
  uint64_t first = 1;
  uint64_t count = 500;
  bool trace = false;
};

bool parse(int argc, char **argv, arguments &a) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--trace") == 0) {
      a.trace = true;
      continue;
    }
    if (i + 1 == argc) return false;
    char *end;
    uint64_t value = strtoull(argv[i + 1], &end, 10);
    if (*end || end == argv[i + 1]) return false;
    if (strcmp(argv[i], "--seeds") == 0) {
      a.count = value;
    } else if (strcmp(argv[i], "--first-seed") == 0) {
      a.first = value;
    } else if (strcmp(argv[i], "--seed") == 0) {
      a.first = value;
      a.count = 1;
    } else {
      return false;
    }
    i++;
  }
  return true;
}

void print_totals(const run_report &t, double seconds) {
  printf("environments %" PRIu64 ", producers %" PRIu64 ", consumers %" PRIu64
         ", requests %" PRIu64 ", connections %" PRIu64 " of which lost %" PRIu64
         "; losses told %" PRIu64 ", made good %" PRIu64 "\n",
         t.environments, t.producers, t.consumers, t.requests, t.connections,
         t.connections_lost, t.losses, t.recoveries);
  printf("messages accepted %" PRIu64 ", confirmed %" PRIu64 ", failed %" PRIu64
         ", consumed %" PRIu64 "; windows filled %" PRIu64 ", writes cut short %" PRIu64
         ", chunks kept %" PRIu64 "\n",
         t.messages_accepted, t.messages_confirmed, t.messages_failed,
         t.messages_consumed, t.windows_filled, t.writes_cut_short, t.chunks_kept);
  printf("faults:");
  for (size_t i = 0; i < fault_kinds; i++) {
    printf("%s %s %" PRIu64, i ? "," : "", fault_name(static_cast<fault>(i)),
           t.faults[i]);
  }
  printf("; elections %" PRIu64 ", events held up %" PRIu64 "\n", t.elections,
         t.events_held);
  printf("followers %" PRIu64 ", turns of single active ones %" PRIu64
         ", messages followed %" PRIu64 ", offsets stored %" PRIu64
         ", chunks spoiled %" PRIu64 "\n",
         t.followers, t.turns, t.messages_followed, t.offsets_stored, t.chunks_spoiled);
  printf("%" PRIu64 " events and %.0f s of virtual time in %.1f s\n", t.events,
         static_cast<double>(t.virtual_ms) / 1000, seconds);
}

}  // namespace

int main(int argc, char **argv) {
  program = argv[0];
  arguments a;
  if (!parse(argc, argv, a)) return usage();
  signal(SIGABRT, on_crash);
  signal(SIGSEGV, on_crash);
  run_report total;
  uint64_t failed = 0;
  clock_t begin = clock();
  for (uint64_t i = 0; i < a.count; i++) {
    running = a.first + i;
    run_report r = run_seed(running, a.trace ? stdout : nullptr);
    report_add(total, r);
    if (r.failure.empty()) continue;
    failed++;
    fflush(stdout);
    fprintf(stderr, "seed %" PRIu64 " failed: %s\n", running, r.failure.c_str());
    tell_replay(running);
  }
  print_totals(total, static_cast<double>(clock() - begin) / CLOCKS_PER_SEC);
  printf("%" PRIu64 " passed, %" PRIu64 " failed\n", a.count - failed, failed);
  return failed ? 1 : 0;
}
