// Deliver frames, and the chunks made of them.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

// ---- chunk objects

rstream_chunk *chunk_of(list_node *node) {
  return RSTREAM_OWNER(node, rstream_chunk, node);
}

// nullptr when out of memory.
rstream_chunk *make_chunk(consumer *c, const wire::deliver &frame, slab *owner,
                          const chunk_header &header, wire::bytes entries) {
  rstream_chunk *chunk = object_acquire(env_memory(c->env), c->env->chunks);
  if (!chunk) return nullptr;
  chunk->slab = owner;
  if (!flow_hold(c, chunk)) {
    object_recycle(c->env->chunks, chunk);
    return nullptr;
  }
  slab_ref(owner);
  chunk->refs = 1;
  chunk->consumer = c;
  chunk->frame_bytes = static_cast<uint32_t>(frame.chunk.size());
  chunk->header = header;
  chunk->entries = entries;
  chunk->committed_offset = frame.committed_chunk_id;
  chunk->codec = c->options.codec;
  chunk->cursor = chunk_cursor_of(header, entries);
  compression_set_ref(c->env->compression);
  unpacker_start(chunk->unpacker, *c->env->compression, consumer_unpack_limits(c),
                 unpack_keep::all);
  c->stats.chunks_held++;
  c->stats.bytes_held += chunk->frame_bytes;
  return chunk;
}

// Lets go of the bytes. The object stays: it stands for its place in the order.
void release_bytes(rstream_chunk *chunk) {
  unpacker_release(chunk->unpacker);
  compression_set_unref(chunk->unpacker.set);
  flow_let_go(chunk->consumer, chunk);
  slab_unref(chunk->slab);
  chunk->slab = nullptr;
  chunk->consumer->stats.chunks_held--;
  chunk->consumer->stats.bytes_held -= chunk->frame_bytes;
}

void recycle(consumer *c, rstream_chunk *chunk) {
  list_remove(chunk->node);
  object_recycle(c->env->chunks, chunk);
}

// Chunks may be finished in any order; what counts is that all before are finished too.
void count_finished(consumer *c) {
  while (!list_empty(c->chunks)) {
    rstream_chunk *chunk = chunk_of(c->chunks.next);
    if (chunk->slab) return;
    if (chunk->cut) c->cut = true;
    uint64_t end = chunk->header.first_offset + chunk->header.record_count;
    if (!c->cut && chunk->messages > 0) tracker_finished(c, end, chunk->messages);
    recycle(c, chunk);
  }
}

void finish_chunk(consumer *c, rstream_chunk *chunk) {
  if (chunk->stray) {
    release_bytes(chunk);
    recycle(c, chunk);
    return flow_finished(c);
  }
  // Closing made the iteration end early: nobody has seen the rest.
  uint64_t end = chunk->header.first_offset + chunk->header.record_count;
  chunk->cut = c->closing && chunk->told && chunk->cursor.offset < end;
  release_bytes(chunk);
  flow_finished(c);
  count_finished(c);
}

void count_messages(consumer *c, rstream_chunk *chunk) {
  const chunk_header &header = chunk->header;
  uint64_t skipped = 0;
  if (c->skip_below > header.first_offset) skipped = c->skip_below - header.first_offset;
  if (skipped > header.record_count) skipped = header.record_count;
  chunk->messages = header.record_count - skipped;
  c->stats.messages_filtered += skipped;
  c->stats.messages += chunk->messages;
  c->env->messages_consumed += chunk->messages;
}

void tell_chunk(consumer *c, rstream_chunk *chunk) {
  chunk->skip_below = c->skip_below;
  count_messages(c, chunk);
  uint64_t end = chunk->header.first_offset + chunk->header.record_count;
  if (end > c->skip_below) c->skip_below = end;
  list_push_back(c->chunks, chunk->node);
  chunk->told = true;
  c->options.on_chunk(c, chunk, c->options.user);
  if (chunk->refs > 1) chunk->told = false;  // it is the application's own now
  chunk_handle_release(chunk);
}

// ---- chunks that wait

// Hands out one that has waited. False when it has to wait again.
bool hand_out_waiting(consumer *c, rstream_chunk *chunk) {
  list_remove(chunk->node);
  chunk_header header = chunk->header;
  consumer_stand_at(c, header);
  if (c->options.on_chunk) {
    tell_chunk(c, chunk);
  } else if (messages_hand_out(c, header, chunk->entries)) {
    release_bytes(chunk);
    recycle(c, chunk);
    flow_finished(c);
  } else {
    list_push_front(c->waiting, chunk->node);
    return false;
  }
  consumer_tell_caught_up(c, header);
  return true;
}

// ---- what arrives

// False when it is bad, and dealt with.
bool check_chunk(consumer *c, const wire::deliver &frame, chunk_header &header,
                 wire::bytes &entries) {
  if (!chunk_parse(frame.chunk, header, entries)) {
    chunk_found_malformed(c);
    return false;
  }
  if (!c->options.crc_off && !chunk_crc_matches(header, entries)) {
    chunk_found_damaged(c, header, c->skip_below);
    return false;
  }
  return true;
}

// False when out of memory.
bool hand_out(consumer *c, const wire::deliver &frame, slab *owner,
              const chunk_header &header, wire::bytes entries) {
  bool must_wait = consumer_must_wait(c);
  if (list_empty(c->waiting)) consumer_stand_at(c, header);
  if (!c->options.on_chunk && !must_wait) {
    if (messages_hand_out(c, header, entries)) {
      flow_finished(c);
      consumer_tell_caught_up(c, header);
      return true;
    }
    if (c->closing) return true;
    must_wait = true;
  }
  rstream_chunk *chunk = make_chunk(c, frame, owner, header, entries);
  if (!chunk) return false;
  if (must_wait) {
    list_push_back(c->waiting, chunk->node);
    return true;
  }
  // The application may open and close while it is called; the consumer itself stays.
  tell_chunk(c, chunk);
  consumer_tell_caught_up(c, header);
  return true;
}

// Tells the consumer, if there still is one. False when the application gave up the chunk
// meanwhile: then it is gone.
bool tell_chunk_gap(rstream_chunk *chunk, const chunk_gap &gap, int status) {
  if (!chunk->consumer) return true;
  chunk->refs++;
  messages_tell_gap(chunk->consumer, gap, status);
  bool wanted = chunk->refs > 1;
  chunk_handle_release(chunk);
  return wanted;
}

// As open_packed() of consumer_messages.cpp.
bool open_packed(rstream_chunk *chunk, chunk_gap &gap) {
  if (gap_is_below(gap, chunk->skip_below)) return true;
  int rc = unpacker_open(chunk->unpacker, *chunk->slab->pool, chunk->cursor, gap);
  return rc == 0 || tell_chunk_gap(chunk, gap, rc);
}

}  // namespace

void consumer_note_committed(consumer *c, const wire::deliver &frame) {
  c->stats.committed_chunk_id = frame.committed_chunk_id;
  c->knows_committed = frame.version >= 2;
}

void consumer_stand_at(consumer *c, const chunk_header &header) {
  c->stats.next_offset = header.first_offset;
  if (!consumer_began_for_good(c)) c->began_at = wire::offset_at(header.first_offset);
}

void consumer_tell_caught_up(consumer *c, const chunk_header &header) {
  c->stats.next_offset = header.first_offset + header.record_count;
  bool caught_up =
      c->knows_committed && header.first_offset >= c->stats.committed_chunk_id;
  bool news = caught_up && !c->caught_up;
  c->caught_up = caught_up;
  if (news && c->options.on_caught_up && !c->closing)
    c->options.on_caught_up(c, c->stats.next_offset, c->options.user);
}

void consumer_delivered(consumer *c, const wire::deliver &frame, slab *owner) {
  flow_arrived(c, frame.chunk.size());
  if (!consumer_wants_messages(c)) return;
  if (chunk_drop_late(c)) return;
  chunk_header header;
  wire::bytes entries;
  if (!check_chunk(c, frame, header, entries)) return;
  chunk_found_good(c, header);
  c->stats.chunks++;
  c->stats.bytes += frame.chunk.size();
  consumer_note_committed(c, frame);
  if (chunk_drop_unwanted(c, owner, header)) return;
  if (!hand_out(c, frame, owner, header, entries))
    consumer_end(c, RSTREAM_ENOMEM, "out of memory for a chunk");
}

void chunks_hand_out_waiting(consumer *c) {
  while (!list_empty(c->waiting) && !c->flow.paused && consumer_wants_messages(c)) {
    if (!hand_out_waiting(c, chunk_of(c->waiting.next))) return;
  }
}

void chunks_drop_waiting(consumer *c) {
  while (!list_empty(c->waiting)) {
    rstream_chunk *chunk = chunk_of(c->waiting.next);
    c->stats.chunks_dropped++;
    release_bytes(chunk);
    recycle(c, chunk);
    flow_dropped(c);
  }
}

const rstream_message_view *chunk_handle_next(rstream_chunk *chunk) {
  chunk_record record;
  chunk_gap gap;
  for (;;) {
    // Held longer than the callback, a chunk is the application's own.
    bool cut_off = chunk->told && chunk->refs == 1 && chunk->consumer->closing;
    if (cut_off) return nullptr;
    chunk_step step = chunk_next(chunk->cursor, record, gap);
    if (step == chunk_step::end) return nullptr;
    if (step == chunk_step::gap) {
      if (!tell_chunk_gap(chunk, gap, RSTREAM_ECODEC)) return nullptr;
      continue;
    }
    if (step == chunk_step::packed) {
      if (!open_packed(chunk, gap)) return nullptr;
      continue;
    }
    if (record.offset < chunk->skip_below) continue;
    consumer_fill_view(chunk->view, record, chunk->codec);
    if (chunk->consumer && consumer_filters_out(chunk->consumer, chunk->view)) continue;
    return &chunk->view;
  }
}

size_t chunk_handle_read(rstream_chunk *chunk, const uint8_t **bodies, size_t *sizes,
                         uint64_t *offsets, size_t most) {
  size_t count = 0;
  for (; count < most; count++) {
    const rstream_message_view *view = chunk_handle_next(chunk);
    if (!view) break;
    if (bodies) bodies[count] = view->body;
    if (sizes) sizes[count] = view->body_size;
    if (offsets) offsets[count] = view->offset;
  }
  return count;
}

void chunk_handle_rewind(rstream_chunk *chunk) {
  chunk->cursor = chunk_cursor_of(chunk->header, chunk->entries);
  unpacker_rewind(chunk->unpacker);
}

void chunk_handle_release(rstream_chunk *chunk) {
  if (--chunk->refs > 0) return;
  if (chunk->consumer) {
    finish_chunk(chunk->consumer, chunk);
    return;
  }
  unpacker_release(chunk->unpacker);
  compression_set_unref(chunk->unpacker.set);
  // The slab goes last: the pool that the memory belongs to may go with it.
  slab *owner = chunk->slab;
  memory_delete(owner->pool->mem, chunk);
  slab_unref(owner);
}

void chunks_go_astray(consumer *c) {
  while (!list_empty(c->chunks)) {
    rstream_chunk *chunk = chunk_of(c->chunks.next);
    if (!chunk->slab) {
      recycle(c, chunk);
      continue;
    }
    list_remove(chunk->node);
    list_push_back(c->strays, chunk->node);
    chunk->stray = true;
  }
}

void chunk_handles_orphan(consumer *c) {
  chunks_drop_waiting(c);
  list_take_all(c->chunks, c->strays);
  while (!list_empty(c->chunks)) {
    rstream_chunk *chunk = chunk_of(c->chunks.next);
    if (chunk->slab) {
      list_remove(chunk->node);
      flow_let_go(c, chunk);
      chunk->consumer = nullptr;
    } else {
      recycle(c, chunk);
    }
  }
}

}  // namespace rstream
