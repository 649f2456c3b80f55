#include "rstream/super_consumer.h"

#include "api/checks.h"
#include "api/handle_options.h"
#include "api/options.h"
#include "client/super_consumer.h"

using namespace rstream;

namespace {

constexpr uint32_t default_refresh_ms = 60000;
constexpr uint32_t least_refresh_ms = 1000;
constexpr uint32_t most_refresh_ms = 24u * 3600 * 1000;

int check_options(env *e, const rstream_super_consumer_options &o) {
  int rc = check_name(e, "the super stream's name", o.super_stream);
  return rc < 0 ? rc
                : check_range(e, "refresh_interval_ms", o.refresh_interval_ms,
                              least_refresh_ms, most_refresh_ms);
}

int read_of_partitions(env *e, const rstream_consumer_options *from,
                       rstream_consumer_options &o) {
  int rc = consumer_options_read(e, from, o);
  if (rc == 0 && o.stream)
    rc = env_error(e, RSTREAM_EINVAL,
                   "the consumer options of a super consumer have no stream");
  return rc;
}

}  // namespace

void rstream_super_consumer_options_init_sized(rstream_super_consumer_options *options,
                                               size_t size) {
  sized_init(options, size);
}

int rstream_super_consumer_open(rstream_super_consumer **out, rstream_env *e,
                                const rstream_super_consumer_options *options) {
  if (!out) return RSTREAM_EINVAL;
  *out = nullptr;
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  rstream_super_consumer_options o;
  rstream_super_consumer_options_init(&o);
  if (!sized_read(o, options)) {
    return env_error(e, RSTREAM_EINVAL,
                     "the options are missing or were not initialised");
  }
  default_to(o.refresh_interval_ms, default_refresh_ms);
  rstream_consumer_options of_partitions;
  rc = check_options(e, o);
  if (rc == 0) rc = read_of_partitions(e, o.consumer, of_partitions);
  return rc < 0 ? rc : super_consumer_open(out, e, o, of_partitions);
}

int rstream_super_consumer_close(rstream_super_consumer *s,
                                 rstream_super_consumer_closed_cb on_closed) {
  return s ? super_consumer_close(s, on_closed) : RSTREAM_EINVAL;
}

int rstream_super_consumer_pause(rstream_super_consumer *s) {
  return s ? super_consumer_pause(s, true) : RSTREAM_EINVAL;
}
int rstream_super_consumer_resume(rstream_super_consumer *s) {
  return s ? super_consumer_pause(s, false) : RSTREAM_EINVAL;
}

rstream_handle_state rstream_super_consumer_state(const rstream_super_consumer *s) {
  return s ? super_consumer_state(s) : RSTREAM_STATE_CLOSED;
}
rstream_env *rstream_super_consumer_env(const rstream_super_consumer *s) {
  return s ? s->env : nullptr;
}
void *rstream_super_consumer_user(const rstream_super_consumer *s) {
  return s ? s->options.user : nullptr;
}

size_t rstream_super_consumer_partition_count(const rstream_super_consumer *s) {
  return s ? s->count : 0;
}

const char *rstream_super_consumer_partition(const rstream_super_consumer *s,
                                             size_t index) {
  return s && index < s->count ? s->by_index[index]->stream : nullptr;
}

rstream_consumer *rstream_super_consumer_partition_consumer(
    const rstream_super_consumer *s, size_t index) {
  if (!s || index >= s->count || s->by_index[index]->leaving) return nullptr;
  return s->by_index[index]->link;
}

rstream_super_consumer *rstream_consumer_super(const rstream_consumer *c) {
  return c && c->partition ? c->partition->owner : nullptr;
}
