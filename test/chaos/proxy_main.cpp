// The proxy as a program, for scripts: chaos_proxy --target PORT [OPTIONS]. Prints the
// port it listens on, then what it did when INT or TERM ends it. USR1 cuts all
// connections, USR2 makes them half-open.
#include <getopt.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "chaos/proxy.h"

using namespace rstream::test;

namespace {

struct settings {
  uint16_t target = 0;
  uint16_t listen = 0;
  uint64_t seed = 1;
  chaos_options options{};
};

struct setting {
  const char *name;
  const char *help;
  uint64_t most;
  void (*set)(settings &s, uint64_t value);
};

constexpr setting all_settings[] = {
    {"target", "the port on 127.0.0.1 that it leads to; required", UINT16_MAX,
     [](settings &s, uint64_t n) { s.target = static_cast<uint16_t>(n); }},
    {"listen", "its own port (any that is free)", UINT16_MAX,
     [](settings &s, uint64_t n) { s.listen = static_cast<uint16_t>(n); }},
    {"seed", "decides what is random (1)", UINT64_MAX,
     [](settings &s, uint64_t n) { s.seed = n; }},
    {"delay-ms", "each way", 60000,
     [](settings &s, uint64_t n) { s.options.delay_ms = static_cast<uint32_t>(n); }},
    {"jitter-ms", "later by up to this", 60000,
     [](settings &s, uint64_t n) { s.options.jitter_ms = static_cast<uint32_t>(n); }},
    {"rate", "bytes per second, each way of a connection", UINT32_MAX,
     [](settings &s, uint64_t n) { s.options.bytes_per_second = n; }},
    {"piece", "bytes at once", UINT32_MAX,
     [](settings &s, uint64_t n) { s.options.piece = n; }},
    {"cut-after", "a connection ends after so many bytes on average", UINT32_MAX,
     [](settings &s, uint64_t n) { s.options.cut_after = n; }},
    {"half-open-after", "likewise: nothing passes any more, and nobody is told",
     UINT32_MAX, [](settings &s, uint64_t n) { s.options.half_open_after = n; }},
    {"flip-up", "one bit is changed in so many bytes to the target on average",
     UINT32_MAX, [](settings &s, uint64_t n) { s.options.flip_one_in_up = n; }},
    {"flip-down", "likewise of those that come from there", UINT32_MAX,
     [](settings &s, uint64_t n) { s.options.flip_one_in_down = n; }},
};
constexpr int setting_count = sizeof all_settings / sizeof *all_settings;

int usage() {
  fprintf(stderr, "usage: chaos_proxy --target PORT [OPTIONS]\n");
  for (const setting &s : all_settings)
    fprintf(stderr, "  --%-16s N  %s\n", s.name, s.help);
  return 2;
}

bool parse(int argc, char **argv, settings &s) {
  option longs[setting_count + 1] = {};
  for (int i = 0; i < setting_count; i++)
    longs[i] = {all_settings[i].name, required_argument, nullptr, i};
  for (int which; (which = getopt_long(argc, argv, "", longs, nullptr)) != -1;) {
    if (which >= setting_count) return false;
    char *end = nullptr;
    uint64_t value = strtoull(optarg, &end, 10);
    if (*end || end == optarg || value > all_settings[which].most) return false;
    all_settings[which].set(s, value);
  }
  return optind == argc && s.target != 0;
}

void print(const chaos_counts &c) {
  printf("%" PRIu64 " connections, %" PRIu64 " refused, %" PRIu64 " cut, %" PRIu64
         " half-open; %" PRIu64 " bytes passed on, %" PRIu64 " dropped, %" PRIu64
         " changed\n",
         c.accepted, c.refused, c.cuts, c.half_opened, c.bytes, c.dropped, c.flipped);
}

void on_signal(uv_signal_t *signal, int number) {
  auto &p = *static_cast<chaos_proxy *>(signal->data);
  if (number == SIGUSR1) {
    chaos_cut_all(p, chaos_cut::reset);
  } else if (number == SIGUSR2) {
    chaos_half_open_all(p);
  } else {
    uv_stop(p.loop);
  }
}

}  // namespace

int main(int argc, char **argv) {
  settings s;
  if (!parse(argc, argv, s)) return usage();
  uv_loop_t *loop = uv_default_loop();
  chaos_proxy proxy;
  proxy.options = s.options;
  uv_signal_t signals[4];
  constexpr int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
  for (int i = 0; i < 4; i++) {
    uv_signal_init(loop, &signals[i]);
    signals[i].data = &proxy;
    uv_signal_start(&signals[i], on_signal, numbers[i]);
  }
  int rc = chaos_open(proxy, loop, s.target, s.seed, s.listen);
  if (rc < 0) {
    fprintf(stderr, "chaos_proxy: can't listen: %s\n", uv_strerror(rc));
    return 1;
  }
  printf("%u\n", proxy.port);
  fflush(stdout);
  uv_run(loop, UV_RUN_DEFAULT);
  chaos_close(proxy);
  print(proxy.counts);
  for (uv_signal_t &signal : signals)
    uv_close(reinterpret_cast<uv_handle_t *>(&signal), nullptr);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0 ? 0 : 1;
}
