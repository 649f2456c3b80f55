// rstream-perf: publishes and consumes, and tells how fast that went. It uses nothing of
// rstream but the public headers, as any application would; only the broker of --embedded
// is made of more.
#include "perf/options.h"
#include "perf/run.h"

int main(int argc, char **argv) {
  perf::options o;
  switch (perf::options_parse(o, argc, argv)) {
  case perf::parse_result::run: return perf::run(o);
  case perf::parse_result::help: perf::options_help(); return 0;
  case perf::parse_result::wrong: break;
  }
  return 2;
}
