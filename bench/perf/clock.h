#pragma once

#include <sys/resource.h>
#include <uv.h>

#include <cstdint>

namespace perf {

inline uint64_t now_us() { return uv_hrtime() / 1000; }

// Of the calling thread.
struct cpu_time {
  double user_s = 0;
  double system_s = 0;
};

inline double seconds_of(const timeval &t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

inline cpu_time cpu_now() {
  rusage u;
  if (getrusage(RUSAGE_THREAD, &u) != 0) return {};
  return {seconds_of(u.ru_utime), seconds_of(u.ru_stime)};
}

inline cpu_time operator-(const cpu_time &a, const cpu_time &b) {
  return {a.user_s - b.user_s, a.system_s - b.system_s};
}

}  // namespace perf
