// Letters: messages that wait for their route, or go to several partitions, or to none.
#include <cstring>

#include "client/producer_internal.h"
#include "client/super_producer_internal.h"
#include "util/array.h"

namespace rstream {

namespace {

letter *letter_of(list_node *node) { return RSTREAM_OWNER(node, letter, node); }

void free_letter(letter *l) {
  memory &mem = env_memory(l->owner->env);
  memory_release(mem, l->several);
  l->~letter();
  memory_release(mem, l);
}

// ---- accepting

struct letter_parts {
  content body;
  std::string_view key, filter;
};

int measure(super_producer *s, const rstream_message &m, letter_parts &parts) {
  const rstream_producer_options &o = s->producer_options;
  uint32_t limit = s->env->config.max_frame_bytes + wire::frame_size_bytes;
  int rc = content_measure(s->env, o.codec, limit, m, parts.body);
  if (rc < 0) return rc;
  const char *filter = m.filter_value;
  size_t filter_bytes = m.filter_value_size;
  bool has = filter || (o.on_filter_value &&
                        o.on_filter_value(&m, &filter, &filter_bytes, s->options.user));
  if (has && filter && filter_bytes > 0) {
    parts.filter = {filter, filter_bytes};
    rc = filter_check(s->env, o, parts.filter);
  }
  uint64_t entry = wire::publish_header_bytes + wire::publish_filtered_entry_overhead +
                   uint64_t{parts.filter.size()} + parts.body.bytes;
  if (rc == 0 && entry > limit)
    rc = env_error(s->env, RSTREAM_EMSGSIZE,
                   "a message of %zu bytes does not fit a frame of %u bytes",
                   parts.body.bytes, limit);
  return rc;
}

letter *make_letter(super_producer *s, const rstream_message &m,
                    const letter_parts &parts) {
  size_t bytes =
      sizeof(letter) + parts.body.bytes + parts.key.size() + parts.filter.size();
  void *block = memory_allocate(env_memory(s->env), bytes);
  if (!block) return nullptr;
  auto *l = new (block) letter();
  l->owner = s;
  l->publishing_id = m.publishing_id;
  l->on_outcome = m.on_outcome;
  l->outcome_user = m.outcome_user;
  l->content_bytes = static_cast<uint32_t>(parts.body.bytes);
  l->key_bytes = static_cast<uint32_t>(parts.key.size());
  l->filter_bytes = static_cast<uint32_t>(parts.filter.size());
  uint8_t *at = reinterpret_cast<uint8_t *>(l + 1);
  if (parts.body.bytes) at = content_write(at, parts.body);
  if (!parts.key.empty()) memcpy(at, parts.key.data(), parts.key.size());
  at += parts.key.size();
  if (!parts.filter.empty()) memcpy(at, parts.filter.data(), parts.filter.size());
  return l;
}

// Keeps where it goes. False when out of memory.
bool set_route(letter *l, const route_answer &route) {
  memory &mem = env_memory(l->owner->env);
  if (route.count > 1) {
    l->several = array_copy(mem, route.several, route.count);
    if (!l->several) return false;
  } else {
    l->one = route.one;
  }
  l->routed = true;
  l->count = route.count;
  if (route.count == 0) l->status = route.status ? route.status : RSTREAM_ENOROUTE;
  return true;
}

void await_route(letter *l, route *by_key) {
  if (l->by_key) l->by_key->waiting--;
  l->by_key = by_key;
  if (by_key) by_key->waiting++;
}

void enter_queue(letter *l) {
  super_producer *s = l->owner;
  list_push_back(s->letters, l->node);
  l->serial = ++s->last_letter;
  l->since_ms = net_now_ms(*s->env->world);
  s->letters_out++;
  s->waiting_count++;
  s->waiting_bytes += l->content_bytes;
  super_not_straight(s);
  if (!s->first_waiting) s->first_waiting = l;
}

// ---- the end of one

void done(letter *l) {
  super_producer *s = l->owner;
  list_remove(l->node);
  list_push_back(s->told, l->node);
  s->letters_out--;
  if (l->status == 0) {
    s->letters_confirmed++;
  } else {
    s->letters_failed++;
    if (l->status == RSTREAM_ENOROUTE) s->unrouted++;
  }
  if (l->next == 0) {  // nobody else has counted it
    s->env->messages_sent++;
    s->env->messages_failed++;
  }
  super_queue_task(s);
}

// It is the first that waits, and does not any more.
void leave_queue(letter *l) {
  super_producer *s = l->owner;
  list_node *next = l->node.next;
  s->first_waiting = next == &s->letters ? nullptr : letter_of(next);
  s->waiting_count--;
  s->waiting_bytes -= l->content_bytes;
  l->waiting = false;
  await_route(l, nullptr);
  if (l->left == 0) done(l);
}

// ---- delivering

int send_copy(letter *l, super_partition *part) {
  super_producer *s = l->owner;
  producer *link = nullptr;
  int rc = super_link(part, &link);
  if (rc < 0) return rc;
  if (!ring_reserve(env_memory(s->env), part->letter_ids, part->copies + 1))
    return RSTREAM_ENOMEM;
  rstream_message m{};
  m.struct_size = sizeof m;
  m.body = l->content();
  m.body_size = l->content_bytes;
  m.filter_value = l->filter_bytes ? l->filter() : nullptr;
  m.filter_value_size = l->filter_bytes;
  m.publishing_id = l->publishing_id;
  m.on_outcome = on_copy_outcome;
  m.outcome_user = l;
  rc = producer_send_encoded(link, m, nullptr);
  if (rc < 0) return rc;
  part->copies++;
  s->copies_out++;
  s->copies_made++;
  return 0;
}

// What is told to the application: the first failure.
void note(letter *l, int status) {
  if (status < 0 && l->status == 0) l->status = status;
}

// Letters with the same outcome at the same partition, as many as are told at once.
struct letter_group {
  list letters;
  uint32_t count = 0;
  int status = 0;
  super_partition *one = nullptr;
};

void take_group(super_producer *s, letter_group &group) {
  while (!list_empty(s->told) && group.count < outcome_piece) {
    letter *l = letter_of(s->told.next);
    bool same = group.count == 0 || (l->status == group.status && l->one == group.one);
    if (!same) return;
    group.status = l->status;
    group.one = l->one;
    s->env->outcome_ids[group.count++] = l->id;
    list_remove(l->node);
    list_push_back(group.letters, l->node);
  }
}

}  // namespace

int letter_post(super_producer *s, const rstream_message &m, std::string_view key,
                bool has_key, const route_answer &route, uint64_t *id) {
  letter_parts parts;
  int rc = measure(s, m, parts);
  if (rc < 0) return rc;
  bool found = route.verdict == route_verdict::found;
  if (!found) parts.key = key;
  letter *l = make_letter(s, m, parts);
  if (!l) return RSTREAM_ENOMEM;
  l->has_key = has_key;
  if (found && !set_route(l, route)) {
    free_letter(l);
    return RSTREAM_ENOMEM;
  }
  bool given = s->producer_options.ids_given;
  l->id = given ? m.publishing_id : s->next_letter_id++;
  if (given) s->last_given = m.publishing_id;
  if (id) *id = l->id;
  super_book(s, 1, parts.body.bytes + bare_overhead);
  enter_queue(l);
  if (!found) await_route(l, route.by_key);
  super_deliver(s);
  letter_watch_timeout(s);
  return 0;
}

bool letter_deliver(letter *l) {
  super_producer *s = l->owner;
  if (!l->routed) {
    if (l->by_key && l->by_key->state == route_state::asking) return false;
    route_answer route = super_route(s, l->key());
    if (route.verdict == route_verdict::asked) {
      await_route(l, route.by_key);
      return false;
    }
    if (!set_route(l, route)) {
      net_timer_start(*s->env->world, s->route_timer, memory_retry_ms);
      return false;
    }
  }
  for (; l->next < l->count; l->next++) {
    int rc = send_copy(l, l->several ? l->several[l->next] : l->one);
    if (rc == RSTREAM_EAGAIN) return false;
    if (rc < 0) {
      note(l, rc);
    } else {
      l->left++;
    }
  }
  leave_queue(l);
  return true;
}

void on_copy_outcome(rstream_producer *p, uint64_t id, int status, void *user) {
  auto *l = static_cast<letter *>(user);
  auto *part = static_cast<super_partition *>(p->options.user);
  super_producer *s = l->owner;
  part->letter_ids.count++;  // reserved when it was sent
  part->letter_ids.back() = id;
  part->copies--;
  s->copies_out--;
  if (status == 0) {
    s->copies_confirmed++;
  } else {
    s->copies_failed++;
  }
  note(l, status);
  if (--l->left == 0 && !l->waiting) done(l);
}

void letter_fail_waiting(super_producer *s, int status) {
  while (letter *l = s->first_waiting) {
    note(l, status);
    leave_queue(l);
  }
}

void letter_tell(super_producer *s) {
  while (!list_empty(s->told)) {
    letter_group group;
    take_group(s, group);
    uint64_t *ids = s->env->outcome_ids;
    while (list_node *node = list_pop_front(group.letters)) {
      letter *l = letter_of(node);
      if (l->on_outcome) l->on_outcome(nullptr, l->id, l->status, l->outcome_user);
      free_letter(l);
    }
    if (!s->options.on_confirm) continue;
    rstream_super_confirms confirms{sizeof confirms, group.status, group.count, ids,
                                    group.one ? group.one->stream : nullptr};
    s->options.on_confirm(s, &confirms, s->options.user);
  }
}

bool letter_replace_completion(super_producer *s, void *user,
                               rstream_outcome_cb on_outcome, void *new_user) {
  for (list *all : {&s->letters, &s->told}) {
    for (list_node *n = all->next; n != all; n = n->next) {
      letter *l = letter_of(n);
      if (l->outcome_user != user) continue;
      l->on_outcome = on_outcome;
      l->outcome_user = new_user;
      return true;
    }
  }
  return false;
}

void letter_watch_timeout(super_producer *s) {
  if (s->producer_options.confirm_timeout_off) return;
  uint64_t now_ms = net_now_ms(*s->env->world);
  while (letter *l = s->first_waiting) {
    uint64_t due_ms = l->since_ms + s->producer_options.confirm_timeout_ms;
    if (due_ms > now_ms) {
      if (!s->letter_timer.active)
        net_timer_start(*s->env->world, s->letter_timer, due_ms - now_ms);
      return;
    }
    note(l, RSTREAM_ETIMEDOUT);
    leave_queue(l);
  }
}

void letters_release(super_producer *s) {
  for (list *all : {&s->letters, &s->told}) {
    while (list_node *node = list_pop_front(*all)) free_letter(letter_of(node));
  }
}

}  // namespace rstream
