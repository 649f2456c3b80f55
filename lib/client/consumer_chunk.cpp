// Deliver frames, and the chunks made of them.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

bool wants_messages(const consumer *c) {
  return !c->closing && c->phase != consumer_phase::ended;
}

unpack_limits limits_of(const consumer *c) {
  return {c->options.max_sub_entry_bytes, c->options.max_chunk_decompressed_bytes};
}

void tell_gap(consumer *c, const chunk_gap &gap, int status) {
  c->stats.entries_bad++;
  log_line(c->env->log, log_level::error,
           "consumer on %s: %llu messages from offset %llu: %s", c->stream,
           static_cast<unsigned long long>(gap.record_count),
           static_cast<unsigned long long>(gap.first_offset), gap.reason);
  if (!c->options.on_entry_error) return;
  rstream_entry_error error{sizeof error,     status,           gap.first_offset,
                            gap.record_count, gap.bytes.data(), gap.bytes.size(),
                            gap.reason};
  c->options.on_entry_error(c, &error, c->options.user);
}

// Whether nothing of a sub-entry is wanted, so that it need not be unpacked.
bool all_below(const chunk_gap &gap, uint64_t offset) {
  return gap.first_offset + gap.record_count <= offset;
}

// A sub-entry before its messages: on to them, or past it.
void deliver_packed(consumer *c, unpacker &u, chunk_cursor &cursor, chunk_gap &gap) {
  if (all_below(gap, c->skip_below)) {
    c->stats.messages_filtered += gap.record_count;
    return;
  }
  int rc = unpacker_open(u, *c->env->pool, cursor, gap);
  if (rc < 0) tell_gap(c, gap, rc);
}

bool is_unwanted(const consumer *c, const rstream_message_view &view) {
  return c->options.on_filter && !c->options.on_filter(&view, c->options.user);
}

// After the walk over a chunk's messages.
void count_delivered(consumer *c, uint64_t handed_out, uint64_t next_offset) {
  c->stats.messages += handed_out;
  c->env->messages_consumed += handed_out;
  if (next_offset <= c->skip_below) return;
  c->skip_below = next_offset;
  tracker_finished(c, next_offset, handed_out);
}

// Message by message, without a chunk object: the frame stays as it is while this runs.
// False when it was paused before the end; c->skip_below tells where to go on.
bool deliver_messages(consumer *c, const chunk_header &header, wire::bytes entries) {
  chunk_cursor cursor = chunk_cursor_of(header, entries);
  chunk_record record;
  chunk_gap gap;
  rstream_message_cb on_message = c->options.on_message;
  void *user = c->options.user;
  uint64_t skip_below = c->skip_below;
  uint64_t handed_out = 0;
  bool filters = c->options.on_filter;
  bool stopped = false;
  rstream_message_view view{};
  rstream_codec codec = c->options.codec;
  unpacker u;
  unpacker_start(u, *c->env->compression, limits_of(c), unpack_keep::latest);
  while (!stopped) {
    chunk_step step = chunk_next(cursor, record, gap);
    if (step == chunk_step::record) {
      if (record.offset < skip_below) {
        c->stats.messages_filtered++;
        continue;
      }
      consumer_fill_view(view, record, codec);
      if (filters && is_unwanted(c, view)) {
        c->stats.messages_filtered++;
        continue;
      }
      handed_out++;
      on_message(c, &view, user);
    } else if (step == chunk_step::packed) {
      deliver_packed(c, u, cursor, gap);
    } else if (step == chunk_step::gap) {
      tell_gap(c, gap, RSTREAM_ECODEC);
    } else {
      break;
    }
    stopped = c->closing || c->flow.paused;
  }
  unpacker_release(u);
  count_delivered(c, handed_out, cursor.offset);
  return !stopped || cursor.offset == header.first_offset + header.record_count;
}

// ---- chunk objects

rstream_chunk *chunk_of(list_node *node) {
  return RSTREAM_OWNER(node, rstream_chunk, node);
}

// nullptr when out of memory.
rstream_chunk *make_chunk(consumer *c, const wire::deliver &frame, slab *owner,
                          const chunk_header &header, wire::bytes entries) {
  rstream_chunk *chunk = object_acquire(env_memory(c->env), c->env->chunks);
  if (!chunk) return nullptr;
  slab_ref(owner);
  chunk->slab = owner;
  chunk->refs = 1;
  chunk->consumer = c;
  chunk->frame_bytes = static_cast<uint32_t>(frame.chunk.size());
  chunk->header = header;
  chunk->entries = entries;
  chunk->committed_offset = frame.committed_chunk_id;
  chunk->codec = c->options.codec;
  chunk->cursor = chunk_cursor_of(header, entries);
  compression_set_ref(c->env->compression);
  unpacker_start(chunk->unpacker, *c->env->compression, limits_of(c), unpack_keep::all);
  c->stats.chunks_held++;
  c->stats.bytes_held += chunk->frame_bytes;
  return chunk;
}

// Lets go of the bytes. The object stays: it stands for its place in the order.
void release_bytes(rstream_chunk *chunk) {
  unpacker_release(chunk->unpacker);
  compression_set_unref(chunk->unpacker.set);
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

// Until a chunk has been handed out, the consumer stands at its begin. What lies before
// was not asked for, or has no message for it.
void stand_at(consumer *c, const chunk_header &header) {
  c->stats.next_offset = header.first_offset;
}

// By what the broker told last, which may be more than it told with a chunk that waited.
void tell_caught_up(consumer *c, const chunk_header &header) {
  c->stats.next_offset = header.first_offset + header.record_count;
  bool caught_up =
      c->knows_committed && header.first_offset >= c->stats.committed_chunk_id;
  bool news = caught_up && !c->caught_up;
  c->caught_up = caught_up;
  if (news && c->options.on_caught_up && !c->closing)
    c->options.on_caught_up(c, c->stats.next_offset, c->options.user);
}

// ---- chunks that wait

bool waits(const consumer *c) { return c->flow.paused || !list_empty(c->waiting); }

// Hands out one that has waited. False when it has to wait again.
bool hand_out_waiting(consumer *c, rstream_chunk *chunk) {
  list_remove(chunk->node);
  chunk_header header = chunk->header;
  stand_at(c, header);
  if (c->options.on_chunk) {
    tell_chunk(c, chunk);
  } else if (deliver_messages(c, header, chunk->entries)) {
    release_bytes(chunk);
    recycle(c, chunk);
    flow_finished(c);
  } else {
    list_push_front(c->waiting, chunk->node);
    return false;
  }
  tell_caught_up(c, header);
  return true;
}

// ---- bad chunks

constexpr uint32_t most_bad_attempts = 3;

// Where to have the broker begin anew.
wire::offset_spec resume_point(const consumer *c, const chunk_header *header) {
  if (c->skip_below > 0) return wire::offset_at(c->skip_below);
  bool from_first = c->options.offset_type == RSTREAM_OFFSET_FIRST;
  return header && !from_first ? wire::offset_at(header->first_offset) : consumer_spec(c);
}

rstream_bad_chunk action_for(consumer *c, uint64_t offset) {
  if (c->options.bad_chunk != RSTREAM_BAD_CHUNK_RESUBSCRIBE) return c->options.bad_chunk;
  if (c->bad_attempts > 0 && c->bad_offset != offset) c->bad_attempts = 0;
  c->bad_offset = offset;
  return c->bad_attempts++ < most_bad_attempts ? RSTREAM_BAD_CHUNK_RESUBSCRIBE
                                               : RSTREAM_BAD_CHUNK_END;
}

void handle_bad_chunk(consumer *c, int status, const chunk_header *header,
                      const char *text) {
  c->stats.chunks_bad++;
  rstream_chunk_error error{sizeof error,
                            status,
                            header ? header->first_offset : c->skip_below,
                            header ? header->record_count : 0,
                            RSTREAM_BAD_CHUNK_END,
                            text};
  wire::offset_spec resume = resume_point(c, header);
  error.action = action_for(c, error.first_offset);
  log_line(c->env->log, log_level::error, "consumer on %s: at offset %llu: %s", c->stream,
           static_cast<unsigned long long>(error.first_offset), text);
  if (c->options.on_chunk_error) c->options.on_chunk_error(c, &error, c->options.user);
  if (c->closing) return;
  switch (error.action) {
  case RSTREAM_BAD_CHUNK_RESUBSCRIBE: flow_resubscribe(c, resume); break;
  case RSTREAM_BAD_CHUNK_SKIP: flow_dropped(c); break;
  case RSTREAM_BAD_CHUNK_END: consumer_end(c, status, text); break;
  }
}

// False when it is bad, and dealt with.
bool check_chunk(consumer *c, const wire::deliver &frame, chunk_header &header,
                 wire::bytes &entries) {
  if (!chunk_parse(frame.chunk, header, entries)) {
    handle_bad_chunk(c, RSTREAM_EPROTO, nullptr, "a chunk's header is malformed");
    return false;
  }
  if (!c->options.crc_off && !chunk_crc_matches(header, entries)) {
    handle_bad_chunk(c, RSTREAM_ECHECKSUM, &header, "a chunk's CRC-32 does not match");
    return false;
  }
  return true;
}

// What is not handed out at all, and why not. True when it was dealt with.
bool drop_unwanted(consumer *c, const chunk_header &header) {
  if (header.type != chunk_type_user) {
    flow_dropped(c);  // the broker's own book-keeping
    return true;
  }
  if (c->active && flow_has_room(c)) return false;
  c->stats.chunks_dropped++;
  if (c->active) {
    flow_resubscribe(c, resume_point(c, &header));
  } else {
    flow_dropped(c);
  }
  return true;
}

// False when out of memory.
bool hand_out(consumer *c, const wire::deliver &frame, slab *owner,
              const chunk_header &header, wire::bytes entries) {
  bool must_wait = waits(c);
  if (list_empty(c->waiting)) stand_at(c, header);
  if (!c->options.on_chunk && !must_wait) {
    if (deliver_messages(c, header, entries)) {
      flow_finished(c);
      tell_caught_up(c, header);
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
  tell_caught_up(c, header);
  return true;
}

// Tells the consumer, if there still is one. False when the application gave up the chunk
// meanwhile: then it is gone.
bool tell_chunk_gap(rstream_chunk *chunk, const chunk_gap &gap, int status) {
  if (!chunk->consumer) return true;
  chunk->refs++;
  tell_gap(chunk->consumer, gap, status);
  bool wanted = chunk->refs > 1;
  chunk_handle_release(chunk);
  return wanted;
}

// As deliver_packed().
bool open_packed(rstream_chunk *chunk, chunk_gap &gap) {
  if (all_below(gap, chunk->skip_below)) return true;
  int rc = unpacker_open(chunk->unpacker, *chunk->slab->pool, chunk->cursor, gap);
  return rc == 0 || tell_chunk_gap(chunk, gap, rc);
}

}  // namespace

void consumer_delivered(consumer *c, const wire::deliver &frame, slab *owner) {
  flow_arrived(c, frame.chunk.size());
  if (!wants_messages(c)) return;
  if (c->resubscribe == resubscribe_step::unsubscribing) {
    c->stats.chunks_dropped++;
    return;
  }
  chunk_header header;
  wire::bytes entries;
  if (!check_chunk(c, frame, header, entries)) return;
  c->bad_attempts = 0;
  c->stats.chunks++;
  c->stats.bytes += frame.chunk.size();
  c->stats.committed_chunk_id = frame.committed_chunk_id;
  c->knows_committed = frame.version >= 2;
  if (drop_unwanted(c, header)) return;
  if (!hand_out(c, frame, owner, header, entries))
    consumer_end(c, RSTREAM_ENOMEM, "out of memory for a chunk");
}

void chunks_hand_out_waiting(consumer *c) {
  while (!list_empty(c->waiting) && !c->flow.paused && wants_messages(c)) {
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
    if (chunk->consumer && is_unwanted(chunk->consumer, chunk->view)) continue;
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

void chunk_handles_orphan(consumer *c) {
  chunks_drop_waiting(c);
  while (!list_empty(c->chunks)) {
    rstream_chunk *chunk = chunk_of(c->chunks.next);
    if (chunk->slab) {
      list_remove(chunk->node);
      chunk->consumer = nullptr;
    } else {
      recycle(c, chunk);
    }
  }
}

}  // namespace rstream
