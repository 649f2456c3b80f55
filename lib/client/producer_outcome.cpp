// Outcomes: confirms and errors of the broker, and those the library gives itself. A
// message is found by index arithmetic: the batch by its ids, the bit by the distance
// from the first.
#include <algorithm>

#include "client/env.h"
#include "client/producer_internal.h"

namespace rstream {

namespace {

constexpr uint32_t not_found = UINT32_MAX;

bool holds(const batch *b, uint64_t id) { return id - b->first_id < b->count; }

// Outcomes come nearly in order: in the batch of the last one, or the next. The broker
// can't know what was not sent, whatever it says.
uint32_t find_batch(const producer *p, uint64_t id) {
  uint32_t low = 0;
  uint32_t high = p->batches.count - p->unsent;
  if (p->hint < high && holds(p->batches[p->hint], id)) return p->hint;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const batch *b = p->batches[middle];
    if (holds(b, id)) return middle;
    if (b->first_id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return not_found;
}

// The id of our own counting; 0 when there is none.
uint64_t id_of_given(const producer *p, uint64_t publishing_id) {
  uint32_t low = 0;
  uint32_t high = p->given_ids.count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (p->given_ids[middle] < publishing_id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  bool found = low < p->given_ids.count && p->given_ids[low] == publishing_id;
  return found ? p->first_given + low : 0;
}

uint64_t id_of(const producer *p, uint64_t publishing_id) {
  return p->options.ids_given ? id_of_given(p, publishing_id)
                              : publishing_id - p->id_base;
}

void count_settled(producer *p, uint32_t count) {
  p->messages_settled += count;
  p->window_end_id += count;
  if (producer_in_flight(p) == 0) producer_is_idle(p);
}

// After outcomes were marked in a batch.
void settled(producer *p, batch *b, uint32_t count) {
  if (b->left == 0) {
    p->bytes_in_flight -= batch_entries_bytes(b);
    slab_unref(b->owner);
    b->owner = nullptr;
    producer_return_budget(p->env, b);
  }
  count_settled(p, count);
}

uint32_t find_completion(const producer *p, uint64_t id) {
  uint32_t low = 0;
  uint32_t high = p->completions.count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (p->completions[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < p->completions.count && p->completions[low].id == id ? low : not_found;
}

// The messages' own callbacks, which may send more with such.
void tell_completions(producer *p, int status, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint64_t id = p->env->outcome_ids[i];
    uint32_t index = find_completion(p, id);
    if (index == not_found || !p->completions[index].on_outcome) continue;
    completion c = p->completions[index];
    p->completions[index].on_outcome = nullptr;
    bool shows = !p->copy_outcome || c.on_outcome == p->copy_outcome;
    c.on_outcome(shows ? p : nullptr, producer_told_id(p, id), status, c.user);
  }
  while (!p->completions.empty() && !p->completions.front().on_outcome)
    ring_pop_front(p->completions);
}

void tell(producer *p, int status, size_t count) {
  if (count == 0) return;
  uint64_t *ids = p->env->outcome_ids;
  if (status == 0) {
    p->messages_confirmed += count;
    p->env->messages_confirmed += count;
  } else {
    p->messages_failed += count;
    p->env->messages_failed += count;
  }
  if (!p->completions.empty()) tell_completions(p, status, count);
  if (!p->options.on_confirm) return;
  if (p->options.ids_given) {
    for (size_t i = 0; i < count; i++) ids[i] = producer_told_id(p, ids[i]);
  }
  rstream_confirms confirms{sizeof confirms, status, count, ids};
  p->options.on_confirm(p, &confirms, p->options.user);
}

// Gathers outcomes with one status; tells them when the piece is full or the status
// changes.
struct teller {
  producer *p;
  int status = 0;
  uint32_t count = 0;

  void add(uint64_t id, int new_status) {
    if (count == outcome_piece || (count && status != new_status)) flush();
    status = new_status;
    p->env->outcome_ids[count++] = id;
  }
  void add_range(uint64_t first_id, uint32_t messages, int new_status) {
    if (count && status != new_status) flush();
    status = new_status;
    while (messages > 0) {
      if (count == outcome_piece) flush();
      uint32_t n = std::min(messages, outcome_piece - count);
      uint64_t *out = p->env->outcome_ids + count;
      for (uint32_t i = 0; i < n; i++) out[i] = first_id + i;
      count += n;
      first_id += n;
      messages -= n;
    }
  }
  void flush() {
    uint32_t n = count;
    count = 0;
    tell(p, status, n);
  }
};

// The one outcome of the messages of an entry, by the last one's publishing id. False
// when there is no such entry, or it had its outcome.
bool settle_entry(teller &t, uint64_t publishing_id, int status) {
  producer *p = t.p;
  uint64_t id = id_of(p, publishing_id);
  uint32_t index = find_batch(p, id);
  if (index == not_found || p->batches[index]->left == 0) return false;
  batch *b = p->batches[index];
  p->hint = index;
  auto last = static_cast<uint32_t>(id - b->first_id);
  uint32_t messages = batch_entry_messages(*b, last);
  if (messages == 0 || !batch_mark_range(*b, last + 1 - messages, messages)) return false;
  settled(p, b, messages);
  t.add_range(id + 1 - messages, messages, status);
  return true;
}

void add_outcome(teller &t, uint64_t publishing_id, int status) {
  if (!settle_entry(t, publishing_id, status)) t.p->unknown_confirms++;
}

void fail_batch(teller &t, batch *b, int status) {
  uint64_t first_id = b->first_id;
  uint32_t count = b->count;
  for (uint32_t k = 0; b->left > 0 && k < count; k++) {
    if (!batch_mark(*b, k)) continue;
    settled(t.p, b, 1);
    t.add(first_id + k, status);
  }
}

// Callbacks may send meanwhile, which only adds frames at the end.
template <class Which>
void fail_where(producer *p, int status, Which which) {
  teller t{p};
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (which(p, i)) fail_batch(t, p->batches[i], status);
  }
  t.flush();
}

// The broker confirms in runs of consecutive ids: takes as much of one as lies in one
// batch and fits the piece. Returns how many ids it took, 0 when the first one needs a
// closer look.
uint32_t add_run(teller &t, const uint8_t *at, uint32_t ids_left) {
  producer *p = t.p;
  uint64_t publishing_id = wire::load_u64be(at);
  if (p->options.ids_given) return 0;
  uint64_t id = publishing_id - p->id_base;
  uint32_t index = find_batch(p, id);
  if (index == not_found || p->batches[index]->left == 0 || p->batches[index]->ends)
    return 0;
  if (t.count == outcome_piece) t.flush();
  batch *b = p->batches[index];
  p->hint = index;
  uint32_t first = static_cast<uint32_t>(id - b->first_id);
  uint32_t most = std::min({ids_left, b->count - first, outcome_piece - t.count});
  uint64_t *out = p->env->outcome_ids + t.count;
  uint32_t run = 0;
  for (; run < most && wire::load_u64be(at + 8 * size_t{run}) == publishing_id + run;
       run++) {
    out[run] = id + run;
  }
  if (!batch_mark_range(*b, first, run)) return 0;
  settled(p, b, run);
  t.status = 0;
  t.count += run;
  return run;
}

}  // namespace

void producer_confirmed(producer *p, const wire::publish_confirm &frame) {
  recovery_works(p->recovery);
  teller t{p};
  const uint8_t *at = frame.ids.raw.data();
  for (uint32_t left = frame.ids.count; left > 0;) {
    uint32_t taken = add_run(t, at, left);
    if (taken == 0) {
      add_outcome(t, wire::load_u64be(at), 0);
      taken = 1;
    }
    at += 8 * size_t{taken};
    left -= taken;
  }
  t.flush();
  producer_outcomes_told(p);
}

void producer_refused(producer *p, const wire::publish_error &frame) {
  teller t{p};
  wire::seq_iter<wire::failed_id> it(frame.ids);
  wire::failed_id failed;
  while (it.next(failed)) add_outcome(t, failed.id, RSTREAM_EBROKER_BASE - failed.code);
  t.flush();
  producer_outcomes_told(p);
}

void producer_fail_all(producer *p, int status) {
  producer_seal(p);
  p->unsent = 0;
  fail_where(p, status, [](const producer *, uint32_t) { return true; });
  producer_drop_settled(p);
}

void producer_fail_sent(producer *p, int status) {
  fail_where(p, status, [](const producer *q, uint32_t i) {
    return i + q->unsent < q->batches.count;
  });
}

void producer_fail_filtered(producer *p, int status) {
  producer_seal(p);
  p->filtering = false;  // messages without filter values need no such frames now
  fail_where(p, status,
             [](const producer *q, uint32_t i) { return q->batches[i]->version == 2; });
}

void producer_fail_unfit(producer *p) {
  fail_where(p, RSTREAM_EMSGSIZE,
             [](const producer *q, uint32_t i) { return q->batches[i]->unfit; });
}

void producer_expire(producer *p) {
  uint64_t now_ms = net_now_ms(*p->env->world);
  teller t{p};
  for (uint32_t i = 0; i < p->batches.count; i++) {
    batch *b = p->batches[i];
    if (b->left == 0) continue;
    if (b->closed_ms + p->options.confirm_timeout_ms > now_ms) break;
    fail_batch(t, b, RSTREAM_ETIMEDOUT);
  }
  t.flush();
  producer_outcomes_told(p);
  producer_watch_confirms(p);
}

void producer_watch_confirms(producer *p) {
  if (p->options.confirm_timeout_off || p->confirm_timer.active) return;
  if (p->phase >= producer_phase::ended) return;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (p->batches[i]->left == 0) continue;
    uint64_t now_ms = net_now_ms(*p->env->world);
    uint64_t due_ms = p->batches[i]->closed_ms + p->options.confirm_timeout_ms;
    net_timer_start(*p->env->world, p->confirm_timer,
                    due_ms > now_ms ? due_ms - now_ms : 0);
    return;
  }
}

void producer_outcomes_told(producer *p) {
  producer_drop_settled(p);
  producer_release_idle_memory(p);
  if (p->window_full && p->accepting && !list_linked(p->budget_node) &&
      producer_in_flight(p) <= p->options.max_messages_in_flight / 2 &&
      p->bytes_in_flight <= p->options.max_bytes_in_flight / 2) {
    p->window_full = false;
    if (p->options.on_writable) p->options.on_writable(p, p->options.user);
  }
  // Those that callbacks add come in a later turn.
  const list_node *last = p->flush_waiters.prev;
  for (bool more = !list_empty(p->flush_waiters); more;) {
    flush_waiter *waiter = RSTREAM_OWNER(p->flush_waiters.next, flush_waiter, node);
    more = &waiter->node != last;
    bool done = p->batches.empty() || p->batches.front()->first_id > waiter->last_id;
    if (!done) break;
    list_remove(waiter->node);
    flush_waiter w{{}, waiter->last_id, waiter->on_flushed, waiter->user};
    memory_delete(env_memory(p->env), waiter);
    w.on_flushed(p, 0, w.user);
  }
  // Not before: with a flush waiting the task comes back here, and would run for ever.
  if (p->closing && producer_in_flight(p) == 0) {
    net_task_queue(*p->env->world, p->task, task_stage::gather);
  }
}

void producer_replace_completion(producer *p, uint64_t id, rstream_outcome_cb on_outcome,
                                 void *user) {
  uint32_t index = find_completion(p, p->options.ids_given ? id_of_given(p, id) : id);
  if (index == not_found) return;
  p->completions[index].on_outcome = on_outcome;
  p->completions[index].user = user;
}

void producer_fail_waiters(producer *p, int status) {
  while (list_node *node = list_pop_front(p->flush_waiters)) {
    flush_waiter *waiter = RSTREAM_OWNER(node, flush_waiter, node);
    auto on_flushed = waiter->on_flushed;
    void *user = waiter->user;
    memory_delete(env_memory(p->env), waiter);
    on_flushed(p, status, user);
  }
}

}  // namespace rstream
