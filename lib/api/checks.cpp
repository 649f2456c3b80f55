#include "api/checks.h"

#include <cinttypes>
#include <cstring>

namespace rstream {

int check_optional_name(env *e, const char *what, const char *name) {
  return name ? check_name(e, what, name) : 0;
}

int check_name(env *e, const char *what, const char *name) {
  if (!name || !*name)
    return env_error(e, RSTREAM_EINVAL, "%s is missing or empty", what);
  size_t bytes = strlen(name);
  if (bytes <= max_name_bytes) return 0;
  return env_error(e, RSTREAM_EINVAL, "%s is %zu bytes long, at most %zu are allowed",
                   what, bytes, max_name_bytes);
}

int check_range(env *e, const char *what, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return 0;
  return env_error(e, RSTREAM_EINVAL,
                   "%s is %" PRIu64 ", allowed are %" PRIu64 " to %" PRIu64, what, value,
                   low, high);
}

int check_compression(env *e, const rstream_compression &compression) {
  uint32_t number = number_of(compression);
  int rc = check_range(e, "compression", number, 0, compression_count - 1);
  if (rc < 0 || compression_available(*e->compression, static_cast<uint8_t>(number)))
    return rc;
  return env_error(e, RSTREAM_ENOTSUP,
                   "compression %d is not built in, nor was it registered",
                   static_cast<int>(number));
}

int check_open(env *e) {
  if (e->state == env_state::open) return 0;
  return env_error(e, RSTREAM_ECLOSED, "the environment is closing");
}

}  // namespace rstream
