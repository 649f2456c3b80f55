// Deliver frames, and the chunks made of them.
#include "client/consumer.h"
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

// Message by message, without a chunk object: the frame stays as it is while this runs.
void deliver_messages(consumer *c, const chunk_header &header, wire::bytes entries) {
  chunk_cursor cursor = chunk_cursor_of(header, entries);
  chunk_record record;
  chunk_gap gap;
  rstream_message_cb on_message = c->options.on_message;
  void *user = c->options.user;
  uint64_t skip_below = c->skip_below;
  uint64_t handed_out = 0;
  rstream_message_view view{};
  rstream_codec codec = c->options.codec;
  unpacker u;
  unpacker_start(u, *c->env->compression, limits_of(c), unpack_keep::latest);
  for (;;) {
    chunk_step step = chunk_next(cursor, record, gap);
    if (step == chunk_step::record) {
      if (record.offset < skip_below) {
        c->stats.messages_filtered++;
        continue;
      }
      consumer_fill_view(view, record, codec);
      handed_out++;
      on_message(c, &view, user);
    } else if (step == chunk_step::packed) {
      deliver_packed(c, u, cursor, gap);
    } else if (step == chunk_step::gap) {
      tell_gap(c, gap, RSTREAM_ECODEC);
    } else {
      break;
    }
    if (c->closing) break;
  }
  unpacker_release(u);
  c->stats.messages += handed_out;
  c->env->messages_consumed += handed_out;
}

void unlink_chunk(rstream_chunk *chunk) {
  consumer *c = chunk->consumer;
  list_remove(chunk->node);
  c->stats.chunks_held--;
  c->stats.bytes_held -= chunk->frame_bytes;
  chunk->consumer = nullptr;
}

void count_chunk_messages(consumer *c, const chunk_header &header) {
  uint64_t skipped = 0;
  if (c->skip_below > header.first_offset) skipped = c->skip_below - header.first_offset;
  if (skipped > header.record_count) skipped = header.record_count;
  c->stats.messages_filtered += skipped;
  c->stats.messages += header.record_count - skipped;
  c->env->messages_consumed += header.record_count - skipped;
}

// False when out of memory.
bool deliver_chunk(consumer *c, const wire::deliver &frame, slab *owner,
                   const chunk_header &header, wire::bytes entries) {
  rstream_chunk *chunk = object_acquire(env_memory(c->env), c->env->chunks);
  if (!chunk) return false;
  slab_ref(owner);
  chunk->slab = owner;
  chunk->refs = 1;
  chunk->consumer = c;
  chunk->frame_bytes = static_cast<uint32_t>(frame.chunk.size());
  chunk->header = header;
  chunk->entries = entries;
  chunk->committed_offset = frame.committed_chunk_id;
  chunk->skip_below = c->skip_below;
  chunk->codec = c->options.codec;
  chunk->cursor = chunk_cursor_of(header, entries);
  compression_set_ref(c->env->compression);
  unpacker_start(chunk->unpacker, *c->env->compression, limits_of(c), unpack_keep::all);
  list_push_back(c->chunks, chunk->node);
  c->stats.chunks_held++;
  c->stats.bytes_held += chunk->frame_bytes;
  count_chunk_messages(c, header);
  chunk->told = true;
  c->options.on_chunk(c, chunk, c->options.user);
  chunk->told = false;
  chunk_handle_release(chunk);
  return true;
}

// False when the consumer has ended over it.
bool check_chunk(consumer *c, const wire::deliver &frame, chunk_header &header,
                 wire::bytes &entries) {
  if (!chunk_parse(frame.chunk, header, entries)) {
    c->stats.chunks_bad++;
    consumer_end(c, RSTREAM_EPROTO, "a chunk's header is malformed");
    return false;
  }
  if (!c->options.crc_off && !chunk_crc_matches(header, entries)) {
    c->stats.chunks_bad++;
    consumer_end(c, RSTREAM_ECHECKSUM, "a chunk's CRC-32 does not match");
    return false;
  }
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
  if (!wants_messages(c)) return;
  chunk_header header;
  wire::bytes entries;
  if (!check_chunk(c, frame, header, entries)) return;
  c->stats.chunks++;
  c->stats.bytes += frame.chunk.size();
  if (header.type != chunk_type_user) {
    consumer_return_credit(c);  // the broker's own book-keeping
    return;
  }
  uint64_t end_offset = header.first_offset + header.record_count;
  if (c->options.on_chunk) {
    // The application may open and close while it is called; the consumer itself stays.
    if (!deliver_chunk(c, frame, owner, header, entries)) {
      consumer_end(c, RSTREAM_ENOMEM, "out of memory for a chunk");
      return;
    }
  } else {
    deliver_messages(c, header, entries);
    consumer_return_credit(c);
  }
  if (end_offset > c->skip_below) c->skip_below = end_offset;
  c->stats.next_offset = end_offset;
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
    return &chunk->view;
  }
}

void chunk_handle_rewind(rstream_chunk *chunk) {
  chunk->cursor = chunk_cursor_of(chunk->header, chunk->entries);
  unpacker_rewind(chunk->unpacker);
}

void chunk_handle_release(rstream_chunk *chunk) {
  if (--chunk->refs > 0) return;
  consumer *c = chunk->consumer;
  slab *owner = chunk->slab;
  unpacker_release(chunk->unpacker);
  compression_set_unref(chunk->unpacker.set);
  if (c) {
    unlink_chunk(chunk);
    object_recycle(c->env->chunks, chunk);
    if (!c->closing) consumer_return_credit(c);
  } else {
    // The slab goes last: the pool that the memory belongs to may go with it.
    memory_delete(owner->pool->mem, chunk);
  }
  slab_unref(owner);
}

void chunk_handles_orphan(consumer *c) {
  while (!list_empty(c->chunks))
    unlink_chunk(RSTREAM_OWNER(c->chunks.next, rstream_chunk, node));
}

}  // namespace rstream
