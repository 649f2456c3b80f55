// Frames: the one being filled, the sealed ones, and their way to the connection.
#include <cassert>

#include "client/env.h"
#include "client/producer_internal.h"

namespace rstream {

namespace {

// Slabs grow with the traffic up to this. A frame ends with its slab, so this is where
// frames end in practice; larger ones were measured to gain nothing. Whoever asks for
// larger frames by max_batch_bytes gets slabs that hold them.
constexpr uint32_t usual_largest_slab_bytes = 128u << 10;
// Sub-entries are worth more the more messages they hold, and can't go on in another
// slab.
constexpr uint32_t sub_entry_largest_slab_bytes = 1u << 20;
// Frames waiting for outcomes, finished ones behind an unfinished one included. Reached
// only when a broker confirms a million frames but not an earlier one.
constexpr uint32_t max_batches = 1u << 20;

// The bits behind a frame are set aside for so many messages at a time.
constexpr uint32_t bits_per_step = 64;

// What a frame of one entry needs of its slab.
uint64_t space_for_one(uint64_t entry_bytes, uint32_t messages) {
  return wire::publish_header_bytes + entry_bytes + batch_padding +
         2 * uint64_t{batch_bits_bytes(messages + bits_per_step)};
}

// A new slab is worth its price when the frame to come, judged by the last one, would not
// fit.
bool fits_slab(const producer *p, uint64_t space) {
  if (!p->slab) return false;
  uint64_t room = p->slab->capacity - p->slab_used;
  uint64_t expected = uint64_t{p->last_frame_bytes} + p->last_frame_bytes / 8;
  if (expected > p->slab->capacity / 2) expected = p->slab->capacity / 2;
  return room >= space && room >= expected;
}

uint32_t largest_slab_bytes(const producer *p) {
  uint32_t asked = p->options.max_batch_bytes;
  uint32_t usual = p->options.sub_entry_messages > 1 ? sub_entry_largest_slab_bytes
                                                     : usual_largest_slab_bytes;
  return asked > usual / 2 ? asked * 2 : usual;
}

int take_slab(producer *p, uint64_t space) {
  uint64_t bytes = space;
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

// Takes the frame's largest size from the environment's budget; what it does not use is
// returned when it is sealed.
bool take_budget(producer *p, batch *b, uint64_t entry_bytes) {
  env *e = p->env;
  if (e->max_bytes_in_flight == 0) return true;
  uint64_t left = e->max_bytes_in_flight - e->bytes_in_flight;
  if (e->bytes_in_flight >= e->max_bytes_in_flight) left = 0;
  if (left < entry_bytes && e->bytes_in_flight == 0) left = entry_bytes;
  if (left < entry_bytes) return false;
  uint64_t room = p->frame_room - wire::publish_header_bytes;
  uint64_t of_slab = p->slab->capacity - p->slab_used;
  if (room > of_slab) room = of_slab;
  b->budget_bytes = room < left ? room : left;
  e->bytes_in_flight += b->budget_bytes;
  p->frame_room = wire::publish_header_bytes + b->budget_bytes;
  return true;
}

void wait_for_budget(producer *p, uint64_t entry_bytes) {
  env *e = p->env;
  p->budget_wanted = entry_bytes;
  if (list_linked(p->budget_node)) return;
  bool idle = producer_in_flight(p) == 0;
  list_push_back(idle ? e->idle_budget_waiters : e->budget_waiters, p->budget_node);
}

// As with a producer's own window, sending goes on at half of the limit: frames of a few
// messages for each bit that comes back would be a waste. But one that has nothing in
// flight goes on as soon as there is room: others may keep more than half for long.
void tell_budget_waiters(env *e) {
  bool half = e->bytes_in_flight <= e->max_bytes_in_flight / 2;
  if (half) list_take_all(e->idle_budget_waiters, e->budget_waiters);
  while (!list_empty(e->idle_budget_waiters)) {
    producer *p = RSTREAM_OWNER(e->idle_budget_waiters.next, producer, budget_node);
    if (!half && e->bytes_in_flight + p->budget_wanted > e->max_bytes_in_flight) return;
    list_remove(p->budget_node);
    net_task_queue(*e->world, p->task, task_stage::gather);
  }
}

void reduce_budget(env *e, batch *b, uint64_t bytes) {
  if (b->budget_bytes == bytes) return;
  e->bytes_in_flight -= b->budget_bytes - bytes;
  b->budget_bytes = bytes;
  tell_budget_waiters(e);
}

send_way way_into(const producer *p, frame_kind kind) {
  bool asks = kind == frame_kind::filtered || p->options.on_filter_value ||
              p->options.ids_given || p->options.sub_entry_messages > 1;
  if (asks) return send_way::asking;
  return p->options.codec == RSTREAM_CODEC_AMQP ? send_way::amqp : send_way::raw;
}

void begin_frame(producer *p, batch *b, frame_kind kind) {
  p->open_batch = b;
  p->open_count = p->merged_count = 0;
  p->at = b->frame + wire::publish_header_bytes;
  p->way = way_into(p, kind);
  producer_move_limit(p);
  if (p->options.linger_ms == 0) {
    net_task_queue(*p->env->world, p->task, task_stage::gather);
  } else if (!p->linger_timer.active) {
    net_timer_start(*p->env->world, p->linger_timer, p->options.linger_ms);
  }
}

void drop_open_batch(producer *p) {
  producer_release_batch(p, p->open_batch);
  p->open_batch = nullptr;
  p->at = p->limit = nullptr;
  p->way = send_way::asking;
}

}  // namespace

void producer_set_limits(producer *p, uint32_t frame_max) {
  // The negotiated size does not count the size field itself.
  p->frame_limit = frame_max + static_cast<uint32_t>(wire::frame_size_bytes);
  uint32_t asked = p->options.max_batch_bytes;
  p->batch_limit = asked && asked < p->frame_limit ? asked : p->frame_limit;
}

// Everything that sealing and sending need is set aside here, so that an accepted message
// cannot be lost for want of memory.
int producer_open_frame(producer *p, uint64_t entry_bytes, uint32_t messages,
                        frame_kind kind) {
  if (p->batches.count >= max_batches) return producer_window_is_full(p);
  if (!ring_reserve(env_memory(p->env), p->batches, 1)) return RSTREAM_ENOMEM;
  uint64_t space = space_for_one(entry_bytes, messages);
  if (!fits_slab(p, space)) {
    int rc = take_slab(p, space);
    if (rc < 0) return rc;
  }
  batch *b = object_acquire(env_memory(p->env), p->env->batches);
  if (!b) return RSTREAM_ENOMEM;
  p->frame_room = wire::publish_header_bytes + entry_bytes;  // at least this entry
  if (p->frame_room < p->batch_limit) p->frame_room = p->batch_limit;
  if (!take_budget(p, b, entry_bytes)) {
    object_recycle(p->env->batches, b);
    wait_for_budget(p, entry_bytes);
    return producer_window_is_full(p);
  }
  slab_ref(p->slab);
  b->owner = p->slab;
  b->frame = p->slab->data() + p->slab_used;
  b->first_id = p->next_id;
  b->version = kind == frame_kind::filtered ? 2 : 1;
  b->sub_entries = kind == frame_kind::sub_entries;
  begin_frame(p, b, kind);
  return 0;
}

uint8_t *producer_frame_end(const producer *p, uint32_t count) {
  uint8_t *frame = p->open_batch->frame;
  auto space = static_cast<uint64_t>(p->slab->data() + p->slab->capacity - frame);
  uint64_t tail = batch_tail_bytes(*p->open_batch, count);
  if (tail > space) return frame;  // the bits alone are too many
  space -= tail;
  return frame + (space < p->frame_room ? space : p->frame_room);
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
  uint32_t step = bits_per_step;
  if (p->sub_entry.begin && sub_entry_messages_left(p) < step)
    step = sub_entry_messages_left(p);
  p->count_check = most - p->open_count > step ? p->open_count + step : most;
  uint8_t *frame_end = producer_frame_end(p, p->count_check);
  p->limit = p->sub_entry.begin ? sub_entry_limit(p, frame_end) : frame_end;
  // More bits may need room that messages have taken already.
  if (p->limit < p->at) p->limit = p->at;
}

int producer_step_limit(producer *p) {
  producer_move_limit(p);
  return 0;
}

void producer_seal(producer *p) {
  if (!p->open_batch) return;
  sub_entry_close(p);
  net_timer_stop(*p->env->world, p->linger_timer);
  batch *b = p->open_batch;
  if (p->open_count == 0) {
    drop_open_batch(p);
    return;
  }
  uint32_t frame_bytes = static_cast<uint32_t>(p->at - b->frame);
  p->slab_used += batch_seal(*b, p->member.id, frame_bytes, p->open_count,
                             p->open_count - p->merged_count);
  assert(p->slab_used <= p->slab->capacity);
  p->last_frame_bytes = frame_bytes;
  p->open_batch = nullptr;
  p->at = p->limit = nullptr;
  p->way = send_way::asking;
  p->env->messages_sent += p->open_count;
  if (b->budget_bytes) reduce_budget(p->env, b, batch_entries_bytes(b));
  b->closed_ms = net_now_ms(*p->env->world);
  // Reserved when the frame was opened.
  p->batches.count++;
  p->batches.back() = b;
  p->unsent++;
  producer_watch_confirms(p);
}

void producer_pump(producer *p) {
  conn *link = member_conn(p->member);
  if (p->phase != producer_phase::open || p->fitting || !link) return;
  for (; p->unsent > 0; p->unsent--) {
    batch *b = p->batches[p->batches.count - p->unsent];
    if (b->left == 0) continue;  // given up before it could be sent
    if (conn_is_full(link)) return;
    wire::patch_publisher_id(b->frame, p->member.id);
    if (conn_send_slice(link, b->owner, b->frame, b->frame_bytes) < 0) {
      net_timer_start(*p->env->world, p->retry_timer, memory_retry_ms);
      return;
    }
    p->frames_sent++;
    if (b->sent) p->messages_resent += b->left;
    b->sent = true;
  }
}

void producer_rewind(producer *p) {
  p->unsent = p->batches.count;
  p->hint = 0;
}

void producer_shift_ids(producer *p, uint64_t delta) {
  producer_seal(p);
  p->id_base += delta;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (p->batches[i]->left > 0) batch_shift_ids(*p->batches[i], delta);
  }
}

void producer_release_idle_memory(producer *p) {
  if (producer_in_flight(p) > 0 || p->open_batch) return;
  if (p->sub_entry.gathered) slab_unref(p->sub_entry.gathered);
  p->sub_entry.gathered = nullptr;
  if (!p->slab) return;
  slab_unref(p->slab);
  p->slab = nullptr;
  if (p->last_frame_bytes * 2 <= slab_smallest_bytes)
    p->next_slab_bytes = slab_smallest_bytes;
}

void producer_return_budget(env *e, batch *b) { reduce_budget(e, b, 0); }

void producer_is_idle(producer *p) {
  if (!list_linked(p->budget_node)) return;
  list_remove(p->budget_node);
  list_push_back(p->env->idle_budget_waiters, p->budget_node);
  tell_budget_waiters(p->env);
}

void producer_release_batch(producer *p, batch *b) {
  if (b->owner) slab_unref(b->owner);
  producer_return_budget(p->env, b);
  object_recycle(p->env->batches, b);
}

uint64_t producer_first_waiting(const producer *p) {
  if (!p->batches.empty()) return p->batches.front()->first_id;
  return p->open_batch ? p->open_batch->first_id : p->next_id;
}

void producer_drop_settled(producer *p) {
  uint32_t dropped = 0;
  for (; !p->batches.empty() && p->batches.front()->left == 0; dropped++) {
    producer_release_batch(p, p->batches.front());
    ring_pop_front(p->batches);
  }
  p->hint = p->hint > dropped ? p->hint - dropped : 0;
  if (p->unsent > p->batches.count) p->unsent = p->batches.count;
  uint64_t first_waiting = producer_first_waiting(p);
  for (; !p->given_ids.empty() && p->first_given < first_waiting; p->first_given++)
    ring_pop_front(p->given_ids);
}

void producer_release_frames(producer *p) {
  memory &mem = env_memory(p->env);
  if (p->open_batch) drop_open_batch(p);
  for (uint32_t i = 0; i < p->batches.count; i++)
    producer_release_batch(p, p->batches[i]);
  ring_release(mem, p->batches);
  ring_release(mem, p->completions);
  ring_release(mem, p->given_ids);
  if (p->sub_entry.gathered) slab_unref(p->sub_entry.gathered);
  if (p->slab) slab_unref(p->slab);
  p->sub_entry.gathered = p->slab = nullptr;
}

}  // namespace rstream
