// The life of a super producer: find the partitions, keep track of them, drain, leave.
#include "client/super_producer.h"

#include <cassert>
#include <cstdio>
#include <cstring>

#include "client/super_producer_internal.h"
#include "util/array.h"

namespace rstream {

namespace {

void finish(super_producer *s);

// ---- producers of partitions

void set_link(super_partition *part, producer *link) {
  super_producer *s = part->owner;
  part->link = link;
  memo_clear(s->memo);
  for (uint32_t i = 0; i < s->count; i++) {
    if (s->by_index[i] == part) s->links[i] = link;
  }
}

// What a producer has counted is added to what others have.
void add_counters(rstream_producer_stats &sum, const producer *link) {
  rstream_producer_stats own{};
  producer_stats(link, own);
  sum.messages_confirmed += own.messages_confirmed;
  sum.messages_failed += own.messages_failed;
  sum.messages_in_flight += own.messages_in_flight;
  sum.bytes_in_flight += own.bytes_in_flight;
  sum.frames_sent += own.frames_sent;
  sum.unknown_confirms += own.unknown_confirms;
  sum.recoveries += own.recoveries;
  sum.messages_resent += own.messages_resent;
}

// Its counters, and where its ids end, go to the partition.
void take_over(super_partition *part) {
  producer *link = part->link;
  add_counters(part->before, link);
  part->before.messages_in_flight = part->before.bytes_in_flight = 0;
  part->next_id = link->next_id;
  if (link->window_full) super_on_writable(link, part);  // it won't tell any more
  set_link(part, nullptr);
}

void on_link_closed(rstream_producer *, int status, void *user) {
  auto *part = static_cast<super_partition *>(user);
  super_producer *s = part->owner;
  if (part->link) {
    take_over(part);
    if (s->closing && status < 0 && s->end_reason == 0) s->end_reason = status;
  }
  part->leaving = false;
  s->leaving_count--;
  super_queue_task(s);
}

// It has its outcomes, and goes in a later turn.
void close_link(super_partition *part, uint32_t timeout_ms) {
  if (part->leaving) return;
  part->leaving = true;
  part->owner->leaving_count++;
  int rc = producer_close(part->link, timeout_ms, on_link_closed);
  assert(rc == 0);
  (void)rc;
}

void on_link_state(rstream_producer *, const rstream_state *state, void *user) {
  auto *part = static_cast<super_partition *>(user);
  super_producer *s = part->owner;
  if (state->state == RSTREAM_STATE_CLOSED) {
    part->reason = state->reason;
    close_link(part, 0);
    take_over(part);
  }
  if (state->state != RSTREAM_STATE_OPEN) watch_hurry(s->watch);
  partition_tell(part, RSTREAM_PARTITION_STATE, state->state, state->reason, state->text);
  super_queue_task(s);
}

// The application's own, with what the super producer has for `user`.
int on_filter_value(const rstream_message *message, const char **value, size_t *size,
                    void *user) {
  super_producer *s = static_cast<super_partition *>(user)->owner;
  return s->producer_options.on_filter_value(message, value, size, s->options.user);
}

// ---- the list of partitions

// Arrays that are as long as the list.
struct list_arrays {
  super_partition **by_index = nullptr;
  producer **links = nullptr;
  const char **names = nullptr;
  size_t *chosen = nullptr;
  super_partition **targets = nullptr;
};

list_arrays arrays_of(const super_producer *s) {
  return {s->by_index, s->links, s->names, s->chosen, s->targets};
}

void release_arrays(memory &mem, const list_arrays &a) {
  memory_release(mem, a.by_index);
  memory_release(mem, a.links);
  memory_release(mem, a.names);
  memory_release(mem, a.chosen);
  memory_release(mem, a.targets);
}

bool make_arrays(memory &mem, uint32_t room, list_arrays &a) {
  a.by_index = array_allocate<super_partition *>(mem, room);
  a.links = array_allocate<producer *>(mem, room);
  a.names = array_allocate<const char *>(mem, room);
  a.chosen = array_allocate<size_t>(mem, room);
  a.targets = array_allocate<super_partition *>(mem, room);
  return a.by_index && a.links && a.names && a.chosen && a.targets;
}

bool reserve(super_producer *s, uint32_t count) {
  if (count <= s->room) return true;
  memory &mem = env_memory(s->env);
  uint32_t room = s->room ? s->room : 4;
  while (room < count) room *= 2;
  list_arrays a;
  if (!make_arrays(mem, room, a)) {
    release_arrays(mem, a);
    return false;
  }
  std::copy_n(s->by_index, s->count, a.by_index);
  std::copy_n(s->links, s->count, a.links);
  std::copy_n(s->names, s->count, a.names);
  release_arrays(mem, arrays_of(s));
  s->by_index = a.by_index;
  s->links = a.links;
  s->names = a.names;
  s->chosen = a.chosen;
  s->targets = a.targets;
  s->room = room;
  return true;
}

bool same_list(const super_producer *s, const wire::seq<std::string_view> &streams) {
  if (streams.size() != s->count) return false;
  wire::seq_iter<std::string_view> it(streams);
  uint32_t i = 0;
  for (std::string_view name; it.next(name); i++) {
    if (name != s->names[i]) return false;
  }
  return true;
}

super_partition *add_partition(super_producer *s, std::string_view stream) {
  if (s->last_number == most_partition_numbers) return nullptr;
  auto *part = partitions_add<super_partition>(s, stream);
  if (!part) return nullptr;
  part->number = ++s->last_number;
  part->next_id = (uint64_t{part->number} << partition_number_shift) + 1;
  return part;
}

// Those that are not known yet are made first, so that nothing changes without memory.
bool find_all(super_producer *s, const wire::seq<std::string_view> &streams) {
  if (!reserve(s, static_cast<uint32_t>(streams.size()))) return false;
  wire::seq_iter<std::string_view> it(streams);
  uint32_t i = 0;
  for (std::string_view name; it.next(name); i++) {
    bool stays = i < s->count && name == s->names[i];
    s->targets[i] = stays ? s->by_index[i] : super_find_partition(s, name);
    if (!s->targets[i]) return false;
  }
  return true;
}

void put_in_order(super_producer *s, uint32_t count) {
  super_each(s, [](super_partition *part) { part->listed = false; });
  for (uint32_t i = 0; i < count; i++) {
    super_partition *part = s->targets[i];
    part->listed = true;
    s->by_index[i] = part;
    s->links[i] = part->leaving ? nullptr : part->link;
    s->names[i] = part->stream;
  }
  s->count = count;
  s->unsettled = false;
  s->by_hash.set(count);
  super_not_straight(s);
}

// What ended may be tried again, what is not listed any more is left.
void settle_links(super_producer *s) {
  super_each(s, [&](super_partition *part) {
    if (part->listed && part->leaving) watch_hurry(s->watch);
    if (part->listed && !part->leaving) part->reason = 0;
    if (part->listed || !part->link || part->leaving) return;
    part->reason = RSTREAM_EUNAVAILABLE;
    producer *link = part->link;
    close_link(part, s->producer_options.close_timeout_ms);
    set_link(part, nullptr);
    part->link = link;  // until it is closed
  });
}

void become_open(super_producer *s) {
  super_set_phase(s, super_phase::open);
  log_line(s->env->log, log_level::info, "super producer open on %s, %u partitions",
           s->super_stream, s->count);
  super_tell_state(s, RSTREAM_STATE_OPEN, 0, "");
}

void on_partitions(partition_watch *watch, const wire::seq<std::string_view> &streams) {
  super_producer *s = RSTREAM_OWNER(watch, super_producer, watch);
  s->generation++;
  memo_clear(s->memo);
  if (s->unsettled || !same_list(s, streams)) {
    if (!find_all(s, streams)) {
      log_line(s->env->log, log_level::warn,
               "no memory for the partitions of super stream %s", s->super_stream);
      watch_hurry(s->watch);
      return;
    }
    put_in_order(s, static_cast<uint32_t>(streams.size()));
    super_forget_routes(s);
  }
  settle_links(s);
  partitions_tell_changes<super_partition>(s);
  if (s->phase == super_phase::looking) become_open(s);
  super_queue_task(s);
}

// ---- the end

bool links_gone(const super_producer *s) {
  bool gone = s->leaving_count == 0;
  super_each(s, [&](super_partition *part) { gone = gone && !part->link; });
  return gone;
}

void close_links(super_producer *s, uint32_t timeout_ms) {
  super_each(s, [&](super_partition *part) {
    if (!part->link) return;
    if (!part->leaving) return close_link(part, timeout_ms);
    if (timeout_ms > 0) return;
    int rc = producer_close(part->link, 0, nullptr);  // cut short
    (void)rc;
  });
}

void end(super_producer *s, int reason, const char *text) {
  log_line(s->env->log, log_level::error, "super producer on %s ended: %s: %s",
           s->super_stream, rstream_error_text(reason), text);
  if (s->phase < super_phase::ending) super_set_phase(s, super_phase::ending);
  s->accepting = false;
  super_not_straight(s);
  s->end_reason = reason;
  snprintf(s->end_text, sizeof s->end_text, "%s", text);
  watch_stop(s->watch);
  letter_fail_waiting(s, reason);
  close_links(s, s->producer_options.close_timeout_ms);
  super_queue_task(s);
}

void on_failed(partition_watch *watch, int status, const char *text) {
  end(RSTREAM_OWNER(watch, super_producer, watch), status, text);
}

uint32_t time_left(const super_producer *s) {
  uint64_t now_ms = net_now_ms(*s->env->world);
  return s->give_up_ms > now_ms ? static_cast<uint32_t>(s->give_up_ms - now_ms) : 0;
}

void give_up(super_producer *s) {
  if (super_in_flight(s) > 0 && s->end_reason == 0) s->end_reason = RSTREAM_ECLOSED;
  letter_fail_waiting(s, RSTREAM_ECLOSED);
  close_links(s, 0);
}

bool everything_told(const super_producer *s) {
  return s->letters_out == 0 && list_empty(s->told) && links_gone(s);
}

void look_how_far_it_got(super_producer *s) {
  if (s->closing) {
    uint32_t left_ms = time_left(s);
    if (left_ms == 0) {
      give_up(s);
    } else if (!s->first_waiting) {
      close_links(s, left_ms);
    }
    if (everything_told(s)) finish(s);
  } else if (s->phase == super_phase::ending && everything_told(s)) {
    super_set_phase(s, super_phase::ended);
    super_tell_state(s, RSTREAM_STATE_CLOSED, s->end_reason, s->end_text);
  }
}

void on_task(net_task *task) {
  super_producer *s = RSTREAM_OWNER(task, super_producer, task);
  super_deliver(s);
  letter_tell(s);
  super_tell_writable(s);
  super_tell_flushes(s);
  look_how_far_it_got(s);
}

void on_close_due(net_timer *timer) {
  super_queue_task(RSTREAM_OWNER(timer, super_producer, close_timer));
}

void on_letters_due(net_timer *timer) {
  letter_watch_timeout(RSTREAM_OWNER(timer, super_producer, letter_timer));
}

void on_route_due(net_timer *timer) {
  super_queue_task(RSTREAM_OWNER(timer, super_producer, route_timer));
}

void release(super_producer *s) {
  memory &mem = env_memory(s->env);
  super_release_routes(s);
  letters_release(s);
  partitions_release<super_partition>(
      s, [&](super_partition *part) { ring_release(mem, part->letter_ids); });
  release_arrays(mem, arrays_of(s));
  memory_release(mem, s->super_stream);
  memory_release(mem, s->name);
  memory_delete(mem, s);
}

// Runs from the task only, never inside a callback of this super producer.
void finish(super_producer *s) {
  env *e = s->env;
  super_set_phase(s, super_phase::closed);
  watch_stop(s->watch);
  net_timer_stop(*e->world, s->close_timer);
  net_timer_stop(*e->world, s->letter_timer);
  net_timer_stop(*e->world, s->route_timer);
  super_fail_flushes(s, RSTREAM_ECLOSED);
  net_task_cancel(s->task);
  list_remove(s->node);
  if (s->on_closed) s->on_closed(s, s->end_reason, s->options.user);
  release(s);
  env_check_closing(e);
}

bool name_is_taken(const env *e, const char *name, const char *super_stream) {
  for (list_node *n = e->super_producers.next; n != &e->super_producers; n = n->next) {
    const super_producer *s = RSTREAM_OWNER(n, super_producer, node);
    if (s->name && strcmp(s->name, name) == 0 &&
        strcmp(s->super_stream, super_stream) == 0)
      return true;
  }
  return false;
}

void init(super_producer *s) {
  s->watch.env = s->env;
  s->watch.super_stream = s->super_stream;
  s->watch.interval_ms = s->options.refresh_interval_ms;
  s->watch.on_partitions = on_partitions;
  s->watch.on_failed = on_failed;
  s->routes.most = s->options.max_routes;
  s->task.run = on_task;
  s->close_timer.on_due = on_close_due;
  s->letter_timer.on_due = on_letters_due;
  s->route_timer.on_due = on_route_due;
}

bool copy_texts(super_producer *s, const rstream_super_producer_options &options,
                const rstream_producer_options &of_partitions) {
  memory &mem = env_memory(s->env);
  s->options = options;
  s->producer_options = of_partitions;
  s->options.producer = &s->producer_options;
  s->options.super_stream = s->super_stream = memory_copy_text(mem, options.super_stream);
  if (of_partitions.name) s->name = memory_copy_text(mem, of_partitions.name);
  s->producer_options.name = s->name;
  return s->super_stream && (s->name || !of_partitions.name);
}

}  // namespace

void super_queue_task(super_producer *s) {
  if (s->phase < super_phase::closed)
    net_task_queue(*s->env->world, s->task, task_stage::gather);
}

super_partition *super_find_partition(super_producer *s, std::string_view stream) {
  auto *found = partitions_find<super_partition>(s, stream);
  return found ? found : add_partition(s, stream);
}

int super_link(super_partition *part, producer **link) {
  super_producer *s = part->owner;
  if (part->reason) return part->reason;
  if (!part->link) {
    if (part->leaving) return RSTREAM_EUNAVAILABLE;
    rstream_producer_options o = s->producer_options;
    o.stream = part->stream;
    o.on_confirm = super_on_confirm;
    o.on_writable = super_on_writable;
    o.on_state = on_link_state;
    o.user = part;
    if (o.on_filter_value) o.on_filter_value = on_filter_value;
    producer_role role{part->next_id, on_copy_outcome};
    producer *opened = nullptr;
    int rc = producer_open(&opened, s->env, o, &role);
    if (rc < 0) return rc;
    set_link(part, opened);
  }
  *link = part->link;
  return 0;
}

int super_producer_open(super_producer **out, env *e,
                        const rstream_super_producer_options &options,
                        const rstream_producer_options &of_partitions) {
  if (of_partitions.name && name_is_taken(e, of_partitions.name, options.super_stream)) {
    return env_error(e, RSTREAM_EBUSY,
                     "a super producer named %s is open on super stream %s",
                     of_partitions.name, options.super_stream);
  }
  auto *s = memory_new<super_producer>(env_memory(e));
  if (!s) return env_error(e, RSTREAM_ENOMEM, "no memory for a super producer");
  s->env = e;
  s->serial = ++e->producers_opened;
  int rc = copy_texts(s, options, of_partitions) ? 0 : RSTREAM_ENOMEM;
  if (rc == 0) {
    init(s);
    list_push_back(e->super_producers, s->node);
    rc = watch_start(s->watch);
    if (rc < 0) {
      net_task_cancel(s->task);
      net_timer_stop(*e->world, s->close_timer);
      list_remove(s->node);
    }
  }
  if (rc < 0) {
    release(s);
    return env_error(e, rc, "can't open a super producer on %s", options.super_stream);
  }
  *out = s;
  return 0;
}

int super_producer_close(super_producer *s, uint32_t timeout_ms,
                         rstream_super_producer_closed_cb on_closed) {
  if (s->closing && on_closed) return RSTREAM_ECLOSED;
  if (s->phase == super_phase::closed) return 0;
  s->closing = true;
  s->accepting = false;
  super_not_straight(s);
  if (on_closed) s->on_closed = on_closed;
  s->give_up_ms = net_now_ms(*s->env->world) + timeout_ms;
  if (timeout_ms) net_timer_start(*s->env->world, s->close_timer, timeout_ms);
  super_queue_task(s);
  return 0;
}

rstream_handle_state super_producer_state(const super_producer *s) {
  if (s->phase >= super_phase::ended) return RSTREAM_STATE_CLOSED;
  if (s->closing || s->phase == super_phase::ending) return RSTREAM_STATE_DRAINING;
  return s->phase == super_phase::open ? RSTREAM_STATE_OPEN : RSTREAM_STATE_OPENING;
}

void super_partition_stats(const super_partition *part, rstream_producer_stats &stats) {
  const producer *link = part->link;
  stats = part->before;
  if (link) add_counters(stats, link);
  uint64_t base = (uint64_t{part->number} << partition_number_shift) + 1;
  stats.messages_sent = (link ? link->next_id : part->next_id) - base;
}

void super_producer_stats(const super_producer *s, rstream_super_producer_stats &stats) {
  super_each(s, [&](super_partition *part) {
    rstream_producer_stats of_part{};
    super_partition_stats(part, of_part);
    stats.messages_sent += of_part.messages_sent;
    stats.messages_confirmed += of_part.messages_confirmed;
    stats.messages_failed += of_part.messages_failed;
    if (part->link) stats.partitions_open++;
  });
  stats.messages_sent += s->last_letter - s->copies_made;
  stats.messages_confirmed += s->letters_confirmed - s->copies_confirmed;
  stats.messages_failed += s->letters_failed - s->copies_failed;
  stats.messages_in_flight = super_in_flight(s);
  stats.bytes_in_flight = super_bytes_in_flight(s);
  stats.messages_waiting = s->waiting_count;
  stats.messages_unrouted = s->unrouted;
  stats.refreshes = s->watch.answers;
  stats.partitions = s->count;
  stats.routes = s->routes.count;
}

}  // namespace rstream
