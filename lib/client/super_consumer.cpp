#include "client/super_consumer.h"

#include <cassert>
#include <cstdio>
#include <cstring>

#include "client/env.h"
#include "client/super_partitions.h"
#include "util/array.h"

namespace rstream {

namespace {

// That there ever were: more than anybody has, few enough for whatever the broker says.
constexpr uint32_t most_partitions = 0xffff;

void finish(super_consumer *s);

template <class Use>
void each(const super_consumer *s, Use use) {
  partitions_each<super_subscription>(s, use);
}

void queue_task(super_consumer *s) {
  if (s->phase < super_consumer_phase::closed)
    net_task_queue(*s->env->world, s->task, task_stage::gather);
}

// ---- consumers of partitions

void on_link_closed(rstream_consumer *c, int, void *) {
  super_subscription *part = c->partition;
  if (part->link == c) part->link = nullptr;
  part->leaving = false;
  queue_task(part->owner);
}

// What is finished is known; a new consumer goes on behind it.
void leave(super_subscription *part) {
  if (!part->link || part->leaving) return;
  const offset_tracker &tracker = part->link->tracker;
  if (tracker.has_finished) {
    part->has_resume = true;
    part->resume_offset = tracker.finished_end;
  }
  part->leaving = true;
  part->awaited = false;
  int rc = consumer_close(part->link, on_link_closed);
  assert(rc == 0);
  (void)rc;
}

void on_link_state(rstream_consumer *c, const rstream_state *state, void *user) {
  super_subscription *part = c->partition;
  super_consumer *s = part->owner;
  part->awaited = false;
  if (state->state != RSTREAM_STATE_OPEN) watch_hurry(s->watch);
  if (s->consumer_options.on_state) s->consumer_options.on_state(c, state, user);
  partition_tell(part, RSTREAM_PARTITION_STATE, state->state, state->reason, state->text);
  if (state->state == RSTREAM_STATE_CLOSED) leave(part);
  queue_task(s);
}

// Where the next consumer of a partition begins.
void set_start(const super_subscription *part, rstream_consumer_options &o) {
  bool next =
      o.offset_type == RSTREAM_OFFSET_NEXT || o.offset_type == RSTREAM_OFFSET_LAST;
  if (part->has_resume) {
    o.offset_type = RSTREAM_OFFSET_OFFSET;
    o.offset_value = part->resume_offset;
  } else if (part->later && next) {
    o.offset_type = RSTREAM_OFFSET_FIRST;
  }
}

void open_link(super_subscription *part) {
  super_consumer *s = part->owner;
  rstream_consumer_options o = s->consumer_options;
  o.stream = part->stream;
  o.on_state = on_link_state;
  set_start(part, o);
  consumer_role role{s, part};
  int rc = consumer_open(&part->link, s->env, o, &role);
  if (rc < 0) {
    log_line(s->env->log, log_level::warn, "can't open partition %s: %s", part->stream,
             rstream_error_text(rc));
    part->awaited = false;
    watch_hurry(s->watch);
    return;
  }
  if (s->closing) return leave(part);  // a log callback has closed it
  if (!s->paused) return;
  rc = consumer_pause(part->link);
  (void)rc;
}

// Each has an equal part of what may be held.
void share_bytes(super_consumer *s) {
  uint64_t all = s->consumer_options.max_bytes_held;
  if (all == 0 || s->count == 0) return;
  uint64_t share = all / s->count;
  each(s, [&](super_subscription *part) {
    if (part->link) part->link->options.max_bytes_held = share > 0 ? share : 1;
  });
}

// ---- the list of partitions

super_subscription *add(super_consumer *s, std::string_view stream) {
  if (s->known == most_partitions) return nullptr;
  auto *part = partitions_add<super_subscription>(s, stream);
  if (!part) return nullptr;
  part->awaited = s->phase == super_consumer_phase::looking;
  part->later = !part->awaited;
  s->known++;
  return part;
}

// False when out of memory; the list stays as it was then.
bool take_list(super_consumer *s, const wire::seq<std::string_view> &streams) {
  memory &mem = env_memory(s->env);
  auto **by_index = array_allocate<super_subscription *>(mem, streams.size() + 1);
  if (!by_index) return false;
  uint32_t n = 0;
  wire::seq_iter<std::string_view> it(streams);
  for (std::string_view name; it.next(name); n++) {
    bool stays = n < s->count && name == s->by_index[n]->stream;
    super_subscription *part =
        stays ? s->by_index[n] : partitions_find<super_subscription>(s, name);
    by_index[n] = part ? part : add(s, name);
    if (by_index[n]) continue;
    memory_release(mem, by_index);
    return false;
  }
  each(s, [](super_subscription *part) { part->listed = false; });
  for (uint32_t i = 0; i < n; i++) by_index[i]->listed = true;
  memory_release(mem, s->by_index);
  s->by_index = by_index;
  s->count = n;
  return true;
}

// A log callback may close the super consumer in between.
void settle_links(super_consumer *s) {
  each(s, [&](super_subscription *part) {
    if (s->closing) return;
    if (!part->listed) {
      leave(part);
    } else if (part->leaving) {
      watch_hurry(s->watch);
    } else if (!part->link) {
      open_link(part);
    }
  });
  share_bytes(s);
}

void on_partitions(partition_watch *watch, const wire::seq<std::string_view> &streams) {
  super_consumer *s = RSTREAM_OWNER(watch, super_consumer, watch);
  if (s->closing) return;
  if (!take_list(s, streams)) {
    log_line(s->env->log, log_level::warn,
             "no memory for the partitions of super stream %s", s->super_stream);
    watch_hurry(s->watch);
    return;
  }
  if (s->phase == super_consumer_phase::looking)
    super_set_phase(s, super_consumer_phase::opening);
  settle_links(s);
  partitions_tell_changes<super_subscription>(s);
  queue_task(s);
}

// ---- the end

bool links_gone(const super_consumer *s) {
  bool gone = true;
  each(s, [&](const super_subscription *part) { gone = gone && !part->link; });
  return gone;
}

void close_links(super_consumer *s) {
  each(s, [](super_subscription *part) { leave(part); });
}

void on_failed(partition_watch *watch, int status, const char *text) {
  super_consumer *s = RSTREAM_OWNER(watch, super_consumer, watch);
  log_line(s->env->log, log_level::error, "super consumer on %s ended: %s: %s",
           s->super_stream, rstream_error_text(status), text);
  super_set_phase(s, super_consumer_phase::ending);
  s->end_reason = status;
  snprintf(s->end_text, sizeof s->end_text, "%s", text);
  watch_stop(s->watch);
  close_links(s);
  queue_task(s);
}

bool all_awaited_told(const super_consumer *s) {
  bool told = true;
  each(s, [&](const super_subscription *part) { told = told && !part->awaited; });
  return told;
}

void on_task(net_task *task) {
  super_consumer *s = RSTREAM_OWNER(task, super_consumer, task);
  if (s->closing) {
    if (links_gone(s)) finish(s);
  } else if (s->phase == super_consumer_phase::opening && all_awaited_told(s)) {
    super_set_phase(s, super_consumer_phase::open);
    log_line(s->env->log, log_level::info, "super consumer open on %s, %u partitions",
             s->super_stream, s->count);
    super_tell_state(s, RSTREAM_STATE_OPEN, 0, "");
  } else if (s->phase == super_consumer_phase::ending && links_gone(s)) {
    super_set_phase(s, super_consumer_phase::ended);
    super_tell_state(s, RSTREAM_STATE_CLOSED, s->end_reason, s->end_text);
  }
}

void release(super_consumer *s) {
  memory &mem = env_memory(s->env);
  partitions_release<super_subscription>(s, [](super_subscription *) {});
  if (s->filter_values) {
    for (size_t i = 0; i < s->consumer_options.filter_value_count; i++)
      memory_release(mem, s->filter_values[i]);
  }
  memory_release(mem, s->filter_values);
  memory_release(mem, s->by_index);
  memory_release(mem, s->super_stream);
  memory_release(mem, s->name);
  memory_delete(mem, s);
}

// Runs from the task only, never inside a callback of this super consumer.
void finish(super_consumer *s) {
  env *e = s->env;
  super_set_phase(s, super_consumer_phase::closed);
  watch_stop(s->watch);
  net_task_cancel(s->task);
  list_remove(s->node);
  if (s->on_closed) s->on_closed(s, s->end_reason, s->options.user);
  release(s);
  env_check_closing(e);
}

// Consumers that are opened later need them as well.
bool copy_filters(super_consumer *s) {
  rstream_consumer_options &o = s->consumer_options;
  if (o.filter_value_count == 0) return true;
  memory &mem = env_memory(s->env);
  s->filter_values = array_allocate<char *>(mem, o.filter_value_count);
  if (!s->filter_values) return false;
  std::fill_n(s->filter_values, o.filter_value_count, nullptr);
  bool copied = true;
  for (size_t i = 0; i < o.filter_value_count; i++) {
    s->filter_values[i] = memory_copy_text(mem, o.filter_values[i]);
    copied = copied && s->filter_values[i];
  }
  o.filter_values = s->filter_values;
  return copied;
}

bool copy_texts(super_consumer *s, const rstream_super_consumer_options &options,
                const rstream_consumer_options &of_partitions) {
  memory &mem = env_memory(s->env);
  s->options = options;
  s->consumer_options = of_partitions;
  s->options.consumer = &s->consumer_options;
  s->options.super_stream = s->super_stream = memory_copy_text(mem, options.super_stream);
  if (of_partitions.name) s->name = memory_copy_text(mem, of_partitions.name);
  s->consumer_options.name = s->name;
  return copy_filters(s) && s->super_stream && (s->name || !of_partitions.name);
}

void init(super_consumer *s) {
  s->watch.env = s->env;
  s->watch.super_stream = s->super_stream;
  s->watch.interval_ms = s->options.refresh_interval_ms;
  s->watch.on_partitions = on_partitions;
  s->watch.on_failed = on_failed;
  s->task.run = on_task;
}

}  // namespace

int super_consumer_open(super_consumer **out, env *e,
                        const rstream_super_consumer_options &options,
                        const rstream_consumer_options &of_partitions) {
  auto *s = memory_new<super_consumer>(env_memory(e));
  if (!s) return env_error(e, RSTREAM_ENOMEM, "no memory for a super consumer");
  s->env = e;
  int rc = copy_texts(s, options, of_partitions) ? 0 : RSTREAM_ENOMEM;
  if (rc == 0) {
    init(s);
    // Before anything is logged, as the log callback may close the environment.
    list_push_back(e->super_consumers, s->node);
    rc = watch_start(s->watch);
    if (rc < 0) {
      net_task_cancel(s->task);
      list_remove(s->node);
    }
  }
  if (rc < 0) {
    release(s);
    return env_error(e, rc, "can't open a super consumer on %s", options.super_stream);
  }
  *out = s;
  return 0;
}

int super_consumer_close(super_consumer *s, rstream_super_consumer_closed_cb on_closed) {
  if (s->closing) return RSTREAM_ECLOSED;
  s->closing = true;
  s->on_closed = on_closed;
  watch_stop(s->watch);
  close_links(s);
  queue_task(s);
  return 0;
}

int super_consumer_pause(super_consumer *s, bool paused) {
  if (s->closing || s->phase >= super_consumer_phase::ending) return RSTREAM_ECLOSED;
  s->paused = paused;
  each(s, [&](super_subscription *part) {
    if (!part->link || part->leaving) return;
    int rc = paused ? consumer_pause(part->link) : consumer_resume(part->link);
    (void)rc;  // one that has ended has nothing to hand out
  });
  return 0;
}

rstream_handle_state super_consumer_state(const super_consumer *s) {
  if (s->closing) return RSTREAM_STATE_DRAINING;
  if (s->phase >= super_consumer_phase::ending) return RSTREAM_STATE_CLOSED;
  return s->phase == super_consumer_phase::open ? RSTREAM_STATE_OPEN
                                                : RSTREAM_STATE_OPENING;
}

}  // namespace rstream
