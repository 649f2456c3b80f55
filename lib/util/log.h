#pragma once

#include <cstdarg>

namespace rstream {

enum class log_level : int { error = 0, warn = 1, info = 2, debug = 3, off = 4 };

// Where log lines go. A line is formatted only if somebody wants it.
struct logger {
  void (*write)(log_level level, const char *text, void *user) = nullptr;
  void *user = nullptr;
  log_level level = log_level::info;
};

inline bool log_wanted(const logger &log, log_level level) {
  return log.write && log.level != log_level::off && level <= log.level;
}

// Lines are cut at 512 bytes. Bytes of the network that are not printable become '?'.
[[gnu::format(printf, 3, 4)]] void log_line(const logger &log, log_level level,
                                            const char *format, ...);

}  // namespace rstream
