#include "util/log.h"

#include <cstdio>

namespace rstream {

void log_line(const logger &log, log_level level, const char *format, ...) {
  if (!log_wanted(log, level)) return;
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (char *c = line; *c; c++) {
    // Control characters would let a peer forge lines; UTF-8 passes.
    if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f) *c = '?';
  }
  log.write(level, line, log.user);
}

}  // namespace rstream
