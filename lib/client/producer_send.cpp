// From a message to the wire: the frame being filled, sealed frames, and their way to the
// connection.
#include <cstring>

#include "client/env.h"
#include "client/producer_internal.h"

namespace rstream {

namespace {

// Slabs grow with the traffic up to this. A frame ends with its slab, so this is where
// frames end in practice; larger ones were measured to gain nothing. Whoever asks for
// larger frames by max_batch_bytes gets slabs that hold them.
constexpr uint32_t usual_largest_slab_bytes = 128u << 10;
// Frames waiting for outcomes, finished ones behind an unfinished one included. Reached
// only when a broker confirms a million frames but not an earlier one.
constexpr uint32_t max_batches = 1u << 20;
constexpr uint32_t memory_retry_ms = 10;

// The bits behind a frame are set aside for so many messages at a time.
constexpr uint32_t bits_per_step = 64;

// What a frame of one message needs of its slab.
uint64_t space_for_one(uint64_t entry_bytes) {
  return wire::publish_header_bytes + entry_bytes + batch_padding +
         batch_bits_bytes(bits_per_step);
}

// A new slab is worth its price when the frame to come, judged by the last one, would not
// fit.
bool fits_slab(const producer *p, uint64_t entry_bytes) {
  if (!p->slab) return false;
  uint64_t room = p->slab->capacity - p->slab_used;
  uint64_t expected = uint64_t{p->last_frame_bytes} + p->last_frame_bytes / 8;
  if (expected > p->slab->capacity / 2) expected = p->slab->capacity / 2;
  return room >= space_for_one(entry_bytes) && room >= expected;
}

uint32_t largest_slab_bytes(const producer *p) {
  uint32_t asked = p->options.max_batch_bytes;
  return asked > usual_largest_slab_bytes / 2 ? asked * 2 : usual_largest_slab_bytes;
}

int take_slab(producer *p, uint64_t entry_bytes) {
  uint64_t bytes = space_for_one(entry_bytes);
  bool grow = p->slab && p->next_slab_bytes < largest_slab_bytes(p);
  if (grow) p->next_slab_bytes *= 2;
  if (bytes < p->next_slab_bytes) bytes = p->next_slab_bytes;
  slab *fresh = slab_acquire(*p->env->pool, bytes);
  if (!fresh) return RSTREAM_ENOMEM;
  if (p->slab) slab_unref(p->slab);
  p->slab = fresh;
  p->slab_used = 0;
  return 0;
}

// Everything that sealing and sending need is set aside here, so that an accepted message
// cannot be lost for want of memory.
int open_frame(producer *p, uint64_t entry_bytes) {
  if (p->batches.count >= max_batches) return RSTREAM_EAGAIN;
  if (!ring_reserve(env_memory(p->env), p->batches, 1)) return RSTREAM_ENOMEM;
  if (!fits_slab(p, entry_bytes)) {
    int rc = take_slab(p, entry_bytes);
    if (rc < 0) return rc;
  }
  batch *b = object_acquire(env_memory(p->env), p->env->batches);
  if (!b) return RSTREAM_ENOMEM;
  slab_ref(p->slab);
  b->owner = p->slab;
  b->frame = p->slab->data() + p->slab_used;
  b->first_id = p->next_id;
  p->open_batch = b;
  p->open_count = 0;
  p->at = b->frame + wire::publish_header_bytes;
  p->frame_room = wire::publish_header_bytes + entry_bytes;  // at least this message
  if (p->frame_room < p->batch_limit) p->frame_room = p->batch_limit;
  producer_move_limit(p);
  if (p->options.linger_ms == 0) {
    net_task_queue(*p->env->world, p->task, task_stage::gather);
  } else if (!p->linger_timer.active) {
    net_timer_start(*p->env->world, p->linger_timer, p->options.linger_ms);
  }
  return 0;
}

bool window_has_room(const producer *p, uint64_t entry_bytes) {
  if (producer_in_flight(p) == 0) return true;  // one message always fits
  return p->next_id < p->window_end_id &&
         p->bytes_in_flight + entry_bytes <= p->options.max_bytes_in_flight;
}

// `frame_bytes` of a sealed batch that count against the window.
uint32_t entries_bytes(const batch *b) {
  return b->frame_bytes - static_cast<uint32_t>(wire::publish_header_bytes);
}

void release_batch(producer *p, batch *b) {
  if (b->owner) slab_unref(b->owner);
  object_recycle(p->env->batches, b);
}

// ---- cutting frames anew

// Copies entries of one frame into frames within the limit.
struct recut {
  producer *p;
  ring<batch *> *out;
  slab *owner;
  uint32_t used;  // of the slab
  batch *current = nullptr;
  uint32_t frame_bytes = 0;
  uint32_t count = 0;
};

void recut_seal(recut &r) {
  if (!r.current) return;
  r.used += batch_seal(*r.current, 0, r.frame_bytes, r.count);
  r.out->count++;
  r.out->back() = r.current;
  r.current = nullptr;
}

bool recut_begin(recut &r, uint64_t id) {
  if (!ring_reserve(env_memory(r.p->env), *r.out, 1)) return false;
  r.current = object_acquire(env_memory(r.p->env), r.p->env->batches);
  if (!r.current) return false;
  slab_ref(r.owner);
  r.current->owner = r.owner;
  r.current->frame = r.owner->data() + r.used;
  r.current->first_id = id;
  r.current->cut = true;
  r.frame_bytes = static_cast<uint32_t>(wire::publish_header_bytes);
  r.count = 0;
  return true;
}

bool recut_add(recut &r, uint64_t id, wire::bytes entry) {
  if (r.current && r.frame_bytes + entry.size() > r.p->frame_limit) recut_seal(r);
  if (!r.current && !recut_begin(r, id)) return false;
  memcpy(r.current->frame + r.frame_bytes, entry.data(), entry.size());
  r.frame_bytes += static_cast<uint32_t>(entry.size());
  r.count++;
  return true;
}

bool fits_limit(const producer *p, wire::bytes entry) {
  return wire::publish_header_bytes + entry.size() <= p->frame_limit;
}

// Room for the worst case, one message per frame.
uint64_t recut_space(const batch *b) {
  return entries_bytes(b) + uint64_t{b->count} * space_for_one(0);
}

bool recut_batch(producer *p, batch *b, ring<batch *> &out) {
  slab *owner = slab_acquire(*p->env->pool, static_cast<size_t>(recut_space(b)));
  if (!owner) return false;
  recut r{p, &out, owner, 0};
  wire::bytes entries(b->frame + wire::publish_header_bytes, entries_bytes(b));
  wire::publish_entries it = wire::publish_entries_of(entries, b->count, 1);
  wire::publish_entry entry;
  bool ok = true;
  for (uint64_t id = b->first_id; ok && it.next(entry); id++) {
    if (fits_limit(p, entry.whole)) {
      ok = recut_add(r, id, entry.whole);
    } else {
      recut_seal(r);  // ids are consecutive within a frame
    }
  }
  if (ok) recut_seal(r);
  if (r.current) release_batch(p, r.current);
  slab_unref(owner);
  return ok;
}

// Drops what was cut; the frames it was cut from are still in place.
void recut_undo(producer *p, ring<batch *> &out) {
  for (uint32_t i = 0; i < out.count; i++) {
    if (out[i]->cut) release_batch(p, out[i]);
  }
  ring_release(env_memory(p->env), out);
}

// Frames in `out` replace those they were cut from; the others stay.
void recut_commit(producer *p, const ring<batch *> &out) {
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (p->batches[i]->frame_bytes > p->frame_limit) release_batch(p, p->batches[i]);
  }
  ring_release(env_memory(p->env), p->batches);
  p->batches = out;
  p->unsent = out.count;
  p->hint = 0;
  p->bytes_in_flight = 0;
  for (uint32_t i = 0; i < out.count; i++) {
    out[i]->cut = false;
    p->bytes_in_flight += entries_bytes(out[i]);
  }
}

// Messages left out of every frame are those that can't fit one. Callbacks may send
// meanwhile, which only adds frames at the end.
void fail_missing(producer *p, uint64_t first_id, uint64_t end_id) {
  uint64_t next = first_id;
  for (uint32_t i = 0; next < end_id && i < p->batches.count; i++) {
    uint64_t begin = p->batches[i]->first_id;
    uint64_t behind = begin + p->batches[i]->count;
    for (; next < begin; next++) producer_fail_one(p, next, RSTREAM_EMSGSIZE);
    next = behind;
  }
  for (; next < end_id; next++) producer_fail_one(p, next, RSTREAM_EMSGSIZE);
}

}  // namespace

void producer_set_limits(producer *p, uint32_t frame_max) {
  // The negotiated size does not count the size field itself.
  p->frame_limit = frame_max + static_cast<uint32_t>(wire::frame_size_bytes);
  uint32_t asked = p->options.max_batch_bytes;
  p->batch_limit = asked && asked < p->frame_limit ? asked : p->frame_limit;
}

// Behind the frame there is room for the bits of up to count_check messages.
void producer_move_limit(producer *p) {
  uint32_t most = p->options.max_batch_messages;
  if (p->open_count >= most) {
    p->limit = p->at;
    // A full frame does not linger.
    net_task_queue(*p->env->world, p->task, task_stage::gather);
    return;
  }
  p->count_check =
      most - p->open_count > bits_per_step ? p->open_count + bits_per_step : most;
  uint8_t *slab_end = p->slab->data() + p->slab->capacity;
  uint8_t *by_slab = slab_end - batch_padding - batch_bits_bytes(p->count_check);
  uint8_t *frame = p->open_batch->frame;
  p->limit = static_cast<uint64_t>(by_slab - frame) < p->frame_room
                 ? by_slab
                 : frame + p->frame_room;
  // More bits may need room that messages have taken already.
  if (p->limit < p->at) p->limit = p->at;
}

int producer_send_slow(producer *p, const void *body, size_t body_size, uint64_t *id) {
  if (!p->accepting) return RSTREAM_ECLOSED;
  uint64_t entry_bytes = wire::publish_entry_overhead + uint64_t{body_size};
  if (body_size >= max_inline_body ||
      wire::publish_header_bytes + entry_bytes > p->frame_limit) {
    return RSTREAM_EMSGSIZE;
  }
  if (!window_has_room(p, entry_bytes)) {
    p->window_full = true;
    return RSTREAM_EAGAIN;
  }
  if (entry_bytes > static_cast<size_t>(p->limit - p->at)) {
    producer_seal(p);
    producer_pump(p);
    int rc = open_frame(p, entry_bytes);
    if (rc < 0) {
      if (rc == RSTREAM_EAGAIN) p->window_full = true;
      return rc;
    }
  }
  producer_put(p, body, body_size, id);
  return 0;
}

void producer_seal(producer *p) {
  batch *b = p->open_batch;
  if (!b) return;
  net_timer_stop(*p->env->world, p->linger_timer);
  uint32_t frame_bytes = static_cast<uint32_t>(p->at - b->frame);
  p->slab_used += batch_seal(*b, p->member.id, frame_bytes, p->open_count);
  p->last_frame_bytes = frame_bytes;
  p->open_batch = nullptr;
  p->at = p->limit = nullptr;
  p->env->messages_sent += p->open_count;
  // Reserved when the frame was opened.
  p->batches.count++;
  p->batches.back() = b;
  p->unsent++;
}

void producer_pump(producer *p) {
  conn *link = member_conn(p->member);
  if (p->phase != producer_phase::open || !link) return;
  for (; p->unsent > 0; p->unsent--) {
    batch *b = p->batches[p->batches.count - p->unsent];
    wire::patch_publisher_id(b->frame, p->member.id);
    if (conn_send_slice(link, b->owner, b->frame, b->frame_bytes) < 0) {
      net_timer_start(*p->env->world, p->retry_timer, memory_retry_ms);
      return;
    }
    p->frames_sent++;
  }
}

bool producer_recut(producer *p) {
  producer_seal(p);
  bool all_fit = true;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (p->batches[i]->frame_bytes > p->frame_limit) all_fit = false;
  }
  if (all_fit) return true;
  uint64_t first_id = p->batches.front()->first_id;
  uint64_t end_id = p->next_id;
  ring<batch *> out;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    batch *b = p->batches[i];
    bool ok = b->frame_bytes > p->frame_limit ? recut_batch(p, b, out)
                                              : ring_push(env_memory(p->env), out, b);
    if (!ok) {
      recut_undo(p, out);
      return false;
    }
  }
  recut_commit(p, out);
  fail_missing(p, first_id, end_id);
  return true;
}

void producer_shift_ids(producer *p, uint64_t delta) {
  producer_seal(p);
  p->id_base += delta;
  for (uint32_t i = 0; i < p->batches.count; i++) batch_shift_ids(*p->batches[i], delta);
}

void producer_release_idle_slab(producer *p) {
  if (producer_in_flight(p) > 0 || p->open_batch || !p->slab) return;
  slab_unref(p->slab);
  p->slab = nullptr;
  if (p->last_frame_bytes * 2 <= slab_smallest_bytes)
    p->next_slab_bytes = slab_smallest_bytes;
}

void producer_drop_settled(producer *p) {
  uint32_t dropped = 0;
  for (; !p->batches.empty() && p->batches.front()->left == 0; dropped++) {
    release_batch(p, p->batches.front());
    ring_pop_front(p->batches);
  }
  p->hint = p->hint > dropped ? p->hint - dropped : 0;
}

void producer_release_frames(producer *p) {
  if (p->open_batch) release_batch(p, p->open_batch);
  p->open_batch = nullptr;
  p->at = p->limit = nullptr;
  for (uint32_t i = 0; i < p->batches.count; i++) release_batch(p, p->batches[i]);
  ring_release(env_memory(p->env), p->batches);
  if (p->slab) slab_unref(p->slab);
  p->slab = nullptr;
}

}  // namespace rstream
