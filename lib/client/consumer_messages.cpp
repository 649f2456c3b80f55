// Messages one by one: from a chunk that is there, or from the part of one that is.
#include "client/consumer_internal.h"
#include "client/env.h"

namespace rstream {

namespace {

// A sub-entry before its messages: on to them, or past it.
void open_packed(consumer *c, unpacker &u, chunk_cursor &cursor, chunk_gap &gap) {
  if (gap_is_below(gap, c->skip_below)) {
    c->stats.messages_filtered += gap.record_count;
    return;
  }
  int rc = unpacker_open(u, *c->env->pool, cursor, gap);
  if (rc < 0) messages_tell_gap(c, gap, rc);
}

}  // namespace

void messages_tell_gap(consumer *c, const chunk_gap &gap, int status) {
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

message_walk messages_walk(consumer *c, chunk_cursor cursor, unpacker &u) {
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
  while (!stopped) {
    chunk_step step = chunk_next(cursor, record, gap);
    if (step == chunk_step::record) {
      if (record.offset < skip_below) {
        c->stats.messages_filtered++;
        continue;
      }
      consumer_fill_view(view, record, codec);
      if (filters && consumer_filters_out(c, view)) {
        c->stats.messages_filtered++;
        continue;
      }
      handed_out++;
      on_message(c, &view, user);
    } else if (step == chunk_step::packed) {
      open_packed(c, u, cursor, gap);
    } else if (step == chunk_step::gap) {
      messages_tell_gap(c, gap, RSTREAM_ECODEC);
    } else {
      break;
    }
    stopped = c->closing || c->flow.paused;
  }
  return {cursor.offset, handed_out};
}

bool messages_count(consumer *c, const message_walk &walk) {
  c->stats.messages += walk.handed_out;
  c->env->messages_consumed += walk.handed_out;
  if (walk.next_offset <= c->skip_below) return false;
  c->skip_below = walk.next_offset;
  return true;
}

bool messages_hand_out(consumer *c, const chunk_header &header, wire::bytes entries) {
  unpacker u;
  unpacker_start(u, *c->env->compression, consumer_unpack_limits(c), unpack_keep::latest);
  message_walk walk = messages_walk(c, chunk_cursor_of(header, entries), u);
  unpacker_release(u);
  if (messages_count(c, walk)) tracker_finished(c, walk.next_offset, walk.handed_out);
  return walk.next_offset == header.first_offset + header.record_count;
}

}  // namespace rstream
