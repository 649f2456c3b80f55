#include "api/checks.h"

#include <cinttypes>
#include <cstring>

namespace rstream {

namespace {

constexpr uint64_t max_segment_bytes = 3000000000;

// A number and one of Y M D h m s.
bool is_age(const char *text) {
  size_t digits = strspn(text, "0123456789");
  return digits > 0 && digits < 10 && text[digits] && strchr("YMDhms", text[digits]) &&
         !text[digits + 1];
}

}  // namespace

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

int check_sub_entry(env *e, size_t count, const rstream_compression &compression) {
  int rc = check_range(e, "count", count, 1, most_sub_entry_messages);
  return rc < 0 ? rc : check_compression(e, compression);
}

int check_recovery(env *e, const rstream_recovery &recovery) {
  return check_range(e, "recovery", number_of(recovery), RSTREAM_RECOVERY_AUTOMATIC,
                     RSTREAM_RECOVERY_NONE);
}

int check_open(env *e) {
  if (e->state == env_state::open) return 0;
  return env_error(e, RSTREAM_ECLOSED, "the environment is closing");
}

int check_stream_options(env *e, const rstream_stream_options &o) {
  int rc = check_range(e, "max_segment_bytes", o.max_segment_bytes, 0, max_segment_bytes);
  if (rc < 0) return rc;
  if (o.max_age && !is_age(o.max_age)) {
    return env_error(e, RSTREAM_EINVAL, "max_age is not a number and one of Y M D h m s");
  }
  if (o.filter_size_bytes && o.filter_size_bytes < 16) {
    return env_error(e, RSTREAM_EINVAL, "filter_size_bytes is %u, allowed are 16 to 255",
                     unsigned{o.filter_size_bytes});
  }
  return check_optional_name(e, "leader_locator", o.leader_locator);
}

}  // namespace rstream
