#include "rstream/super_stream.h"

#include <cstring>

#include "api/checks.h"
#include "api/options.h"
#include "client/super_stream_requests.h"

using namespace rstream;

namespace {

constexpr uint32_t most_partitions = 1000;

int check_request(env *e, const char *name, bool has_callback) {
  if (!e) return RSTREAM_EINVAL;
  if (!has_callback) return env_error(e, RSTREAM_EINVAL, "the callback is missing");
  int rc = check_open(e);
  return rc < 0 ? rc : check_name(e, "the super stream's name", name);
}

int check_partition_name(env *e, const char *name, size_t key_bytes) {
  size_t bytes = strlen(name) + 1 + key_bytes;
  if (bytes <= max_name_bytes) return 0;
  return env_error(e, RSTREAM_EINVAL,
                   "a partition's name is %zu bytes long, at most %zu are allowed", bytes,
                   max_name_bytes);
}

bool repeats(const char *const *keys, size_t index) {
  for (size_t i = 0; i < index; i++) {
    if (strcmp(keys[i], keys[index]) == 0) return true;
  }
  return false;
}

int check_keys(env *e, const char *name, const rstream_super_stream_options &o) {
  int rc = check_range(e, "binding_key_count", o.binding_key_count, 1, most_partitions);
  for (size_t i = 0; rc == 0 && i < o.binding_key_count; i++) {
    rc = check_name(e, "a binding key", o.binding_keys[i]);
    if (rc == 0) rc = check_partition_name(e, name, strlen(o.binding_keys[i]));
    if (rc == 0 && repeats(o.binding_keys, i))
      rc = env_error(e, RSTREAM_EINVAL, "binding key %s is given twice",
                     o.binding_keys[i]);
  }
  return rc;
}

int check_layout(env *e, const char *name, const rstream_super_stream_options &o) {
  if (o.binding_keys) {
    if (o.partitions)
      return env_error(e, RSTREAM_EINVAL,
                       "partitions and binding_keys exclude each other");
    return check_keys(e, name, o);
  }
  if (o.binding_key_count)
    return env_error(e, RSTREAM_EINVAL, "the binding keys are missing");
  int rc = check_range(e, "partitions", o.partitions, 1, most_partitions);
  constexpr size_t most_digits = 3;  // of an index below 1000
  return rc < 0 ? rc : check_partition_name(e, name, most_digits);
}

}  // namespace

void rstream_super_stream_options_init_sized(rstream_super_stream_options *options,
                                             size_t size) {
  sized_init(options, size);
}

int rstream_super_stream_create(rstream_env *e, const char *name,
                                const rstream_super_stream_options *options,
                                rstream_result_cb on_result, void *user) {
  int rc = check_request(e, name, on_result);
  if (rc < 0) return rc;
  rstream_super_stream_options o;
  rstream_super_stream_options_init(&o);
  rstream_stream_options arguments;
  rstream_stream_options_init(&arguments);
  if (!sized_read(o, options) || (o.arguments && !sized_read(arguments, o.arguments)))
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  rc = check_stream_options(e, arguments);
  if (rc == 0) rc = check_layout(e, name, o);
  return rc < 0 ? rc : request_create_super(e, name, o, arguments, on_result, user);
}

int rstream_super_stream_delete(rstream_env *e, const char *name,
                                rstream_result_cb on_result, void *user) {
  int rc = check_request(e, name, on_result);
  return rc < 0 ? rc : request_delete_super(e, name, on_result, user);
}

int rstream_super_stream_partitions(rstream_env *e, const char *name,
                                    rstream_partitions_cb on_result, void *user) {
  int rc = check_request(e, name, on_result);
  return rc < 0 ? rc : request_partitions(e, name, on_result, user);
}

int rstream_super_stream_route(rstream_env *e, const char *name, const char *routing_key,
                               size_t routing_key_size, rstream_partitions_cb on_result,
                               void *user) {
  int rc = check_request(e, name, on_result);
  if (rc == 0 && !routing_key && routing_key_size)
    rc = env_error(e, RSTREAM_EINVAL, "the routing key is missing");
  if (rc == 0)
    rc = check_range(e, "routing_key_size", routing_key_size, 0, max_name_bytes);
  if (rc < 0) return rc;
  std::string_view key(routing_key ? routing_key : "", routing_key_size);
  return request_route(e, name, key, on_result, user);
}
