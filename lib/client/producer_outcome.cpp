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

// Outcomes come nearly in order: in the batch of the last one, or the next.
uint32_t find_batch(const producer *p, uint64_t id) {
  if (p->hint < p->batches.count && holds(p->batches[p->hint], id)) return p->hint;
  uint32_t low = 0;
  uint32_t high = p->batches.count;
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

// After outcomes were marked in a batch.
void settled(producer *p, batch *b, uint32_t count) {
  p->messages_settled += count;
  p->window_end_id += count;
  if (b->left > 0) return;
  p->bytes_in_flight -= b->frame_bytes - wire::publish_header_bytes;
  slab_unref(b->owner);
  b->owner = nullptr;
}

// True when this is the message's one outcome.
bool settle(producer *p, uint64_t id) {
  uint32_t index = find_batch(p, id);
  if (index == not_found) return false;
  batch *b = p->batches[index];
  p->hint = index;
  if (b->left == 0 || !batch_mark(*b, static_cast<uint32_t>(id - b->first_id)))
    return false;
  settled(p, b, 1);
  return true;
}

void tell(producer *p, int status, size_t count) {
  if (count == 0) return;
  if (status == 0) {
    p->messages_confirmed += count;
    p->env->messages_confirmed += count;
  } else {
    p->messages_failed += count;
    p->env->messages_failed += count;
  }
  if (!p->options.on_confirm) return;
  rstream_confirms confirms{sizeof confirms, status, count, p->env->outcome_ids};
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
  void flush() {
    uint32_t n = count;
    count = 0;
    tell(p, status, n);
  }
};

void add_outcome(teller &t, uint64_t publishing_id, int status) {
  uint64_t id = publishing_id - t.p->id_base;
  if (settle(t.p, id)) {
    t.add(id, status);
  } else {
    t.p->unknown_confirms++;
  }
}

// The broker confirms in runs of consecutive ids: takes as much of one as lies in one
// batch and fits the piece. Returns how many ids it took, 0 when the first one needs a
// closer look.
uint32_t add_run(teller &t, const uint8_t *at, uint32_t ids_left) {
  producer *p = t.p;
  uint64_t publishing_id = wire::load_u64be(at);
  uint64_t id = publishing_id - p->id_base;
  uint32_t index = find_batch(p, id);
  if (index == not_found || p->batches[index]->left == 0) return 0;
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

void producer_fail_one(producer *p, uint64_t id, int status) {
  p->messages_settled++;
  p->window_end_id++;
  p->env->outcome_ids[0] = id;
  tell(p, status, 1);
}

void producer_fail_all(producer *p, int status) {
  producer_seal(p);
  p->unsent = 0;
  teller t{p};
  for (uint32_t i = 0; i < p->batches.count; i++) {
    batch *b = p->batches[i];
    for (uint32_t k = 0; b->left > 0 && k < b->count; k++) {
      if (batch_is_done(*b, k)) continue;
      uint64_t id = b->first_id + k;
      settle(p, id);
      t.add(id, status);
    }
  }
  t.flush();
  producer_drop_settled(p);
}

void producer_outcomes_told(producer *p) {
  producer_drop_settled(p);
  producer_release_idle_slab(p);
  if (p->window_full && p->accepting &&
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
