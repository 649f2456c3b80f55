// What the producers of partitions tell, put together.
#include <new>

#include "client/super_producer_internal.h"

namespace rstream {

namespace {

// The copies of letters are told with their letters. Their ids came in the order in which
// they stand among the others.
size_t without_letters(super_partition *part, uint64_t *ids, size_t count) {
  ring<uint64_t> &letters = part->letter_ids;
  if (letters.empty()) return count;
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (!letters.empty() && letters.front() == ids[i]) {
      ring_pop_front(letters);
    } else {
      ids[kept++] = ids[i];
    }
  }
  return kept;
}

bool has_room(const super_producer *s) {
  const rstream_producer_options &o = s->producer_options;
  return super_in_flight(s) <= o.max_messages_in_flight / 2 &&
         super_bytes_in_flight(s) <= o.max_bytes_in_flight / 2;
}

bool is_flushed(const super_producer *s, super_flush *flush) {
  if (!list_empty(s->letters)) {
    const letter *oldest = RSTREAM_OWNER(s->letters.next, letter, node);
    if (oldest->serial <= flush->last_letter) return false;
  }
  for (uint32_t i = 0; i < flush->count; i++) {
    const super_flush::mark &mark = flush->marks()[i];
    const producer *link = mark.partition->link;
    if (link && producer_first_waiting(link) <= mark.last_id) return false;
  }
  return true;
}

void finish_flush(super_producer *s, super_flush *flush, int status) {
  list_remove(flush->node);
  auto on_flushed = flush->on_flushed;
  void *user = flush->user;
  flush->~super_flush();
  memory_release(env_memory(s->env), flush);
  on_flushed(s, status, user);
}

super_flush *make_flush(super_producer *s) {
  uint32_t count = 0;
  super_each(s, [&](super_partition *part) { count += part->link ? 1 : 0; });
  void *block = memory_allocate(env_memory(s->env),
                                sizeof(super_flush) + count * sizeof(super_flush::mark));
  if (!block) return nullptr;
  auto *flush = new (block) super_flush();
  super_each(s, [&](super_partition *part) {
    if (part->link) flush->marks()[flush->count++] = {part, part->link->next_id - 1};
  });
  return flush;
}

}  // namespace

void super_on_confirm(rstream_producer *p, const rstream_confirms *confirms, void *user) {
  auto *part = static_cast<super_partition *>(user);
  super_producer *s = part->owner;
  // It is this environment's scratch, which the producer has no use for any more.
  uint64_t *ids = p->env->outcome_ids;
  size_t count = without_letters(part, ids, confirms->count);
  bool awaited =
      s->window_full || s->first_waiting || !s->accepting || !list_empty(s->flushes);
  if (awaited) super_queue_task(s);
  if (count == 0 || !s->options.on_confirm) return;
  rstream_super_confirms told{sizeof told, confirms->status, count, ids, part->stream};
  s->options.on_confirm(s, &told, s->options.user);
}

void super_on_writable(rstream_producer *, void *user) {
  super_producer *s = static_cast<super_partition *>(user)->owner;
  s->window_full = true;
  super_queue_task(s);
}

void super_tell_writable(super_producer *s) {
  if (!s->window_full || !s->accepting || !has_room(s)) return;
  s->window_full = false;
  if (s->options.on_writable) s->options.on_writable(s, s->options.user);
}

void super_tell_flushes(super_producer *s) {
  // Those that callbacks add come in a later turn.
  const list_node *last = s->flushes.prev;
  for (bool more = !list_empty(s->flushes); more;) {
    super_flush *flush = RSTREAM_OWNER(s->flushes.next, super_flush, node);
    more = &flush->node != last;
    if (!is_flushed(s, flush)) return;
    finish_flush(s, flush, 0);
  }
}

void super_fail_flushes(super_producer *s, int status) {
  while (!list_empty(s->flushes))
    finish_flush(s, RSTREAM_OWNER(s->flushes.next, super_flush, node), status);
}

int super_flush_all(super_producer *s, rstream_super_flushed_cb on_flushed, void *user) {
  if (!s->accepting) return RSTREAM_ECLOSED;
  if (on_flushed) {
    super_flush *flush = make_flush(s);
    if (!flush) return RSTREAM_ENOMEM;
    flush->on_flushed = on_flushed;
    flush->user = user;
    flush->last_letter = s->last_letter;
    list_push_back(s->flushes, flush->node);
    super_queue_task(s);
  }
  super_each(s, [](super_partition *part) {
    if (!part->link || part->leaving) return;
    int rc = producer_flush(part->link, nullptr, nullptr);
    (void)rc;  // one that ends is told otherwise
  });
  return 0;
}

}  // namespace rstream
