// Chunks that are handed out while they arrive, so that memory need not hold them.
#include <algorithm>

#include "client/consumer_internal.h"
#include "client/env.h"
#include "codec/crc32.h"

namespace rstream {

namespace {

using stage = streamed_chunk::stage;

// Its messages come from here on.
void start_reading(consumer *c, const deliver_piece &piece) {
  streamed_chunk &s = c->streamed;
  s.at = stage::reading;
  s.chunk_bytes = piece.left;
  s.data_left = s.header.data_bytes;
  s.rest = chunk_rest_of(s.header);
  bool goes_on =
      s.unverified.is_set && s.unverified.first_offset == s.header.first_offset;
  s.began_at = goes_on ? s.unverified.began_at : c->skip_below;
  unpacker_start(s.sub_entries, *c->env->compression, consumer_unpack_limits(c),
                 unpack_keep::latest);
  consumer_stand_at(c, s.header);
}

void begin(consumer *c, const deliver_piece &piece) {
  streamed_chunk &s = c->streamed;
  unpacker_release(s.sub_entries);
  auto unverified = s.unverified;
  s = {};
  s.unverified = unverified;
  s.at = stage::dropping;
  flow_arrived(c, 0);  // it will not be held
  if (!consumer_wants_messages(c)) return;
  if (chunk_drop_late(c)) return;
  if (!chunk_parse_header(piece.frame.chunk, piece.left, s.header))
    return chunk_found_malformed(c);
  consumer_note_committed(c, piece.frame);
  if (chunk_drop_unwanted(c, nullptr, s.header)) return;
  chunks_hand_out_waiting(c);
  if (!consumer_wants_messages(c)) return;
  if (consumer_must_wait(c)) {
    // Waiting would take memory.
    c->stats.chunks_dropped++;
    flow_resubscribe(c, chunk_resume_point(c, &s.header));
    return;
  }
  start_reading(c, piece);
}

// The rest of the chunk is asked for anew, once there is reason to.
void cut(consumer *c) {
  streamed_chunk &s = c->streamed;
  s.is_cut = true;
  s.at = stage::passing;
  c->stats.chunks_dropped++;
  flow_resubscribe(c, chunk_resume_point(c, &s.header));
}

// After the application was called. False when no more shall be handed out.
bool may_go_on(consumer *c) {
  streamed_chunk &s = c->streamed;
  if (s.at != stage::reading) return false;  // the connection was lost meanwhile
  bool all_told = s.reached == s.header.first_offset + s.header.record_count;
  if (all_told) return true;
  if (!consumer_wants_messages(c)) {
    s.at = stage::dropping;
  } else if (c->flow.paused) {
    cut(c);
  }
  return s.at == stage::reading;
}

void count(consumer *c, const message_walk &walk) {
  streamed_chunk &s = c->streamed;
  bool is_news = messages_count(c, walk);
  s.reached = walk.next_offset;
  s.handed_out += walk.handed_out;
  if (is_news && c->options.crc_off)
    tracker_finished(c, walk.next_offset, walk.handed_out);
}

// An entry that is not waited for.
void tell_large(consumer *c, const chunk_gap &gap) {
  if (gap_is_below(gap, c->skip_below)) {
    c->stats.messages_filtered += gap.record_count;
  } else {
    messages_tell_gap(c, gap, RSTREAM_ECODEC);
  }
  count(c, {gap.first_offset + gap.record_count, 0});
}

// Bytes at the begin of `arrived` are done with.
void take(streamed_chunk &s, wire::bytes &arrived, size_t bytes) {
  s.crc = crc32_more(s.crc, arrived.first(bytes));
  s.data_left -= static_cast<uint32_t>(bytes);
  arrived = arrived.subspan(bytes);
}

// Returns how many bytes are needed to go on; 0: no more is handed out.
uint32_t read(consumer *c, wire::bytes &arrived) {
  streamed_chunk &s = c->streamed;
  while (may_go_on(c)) {
    if (s.large_left > 0) {
      auto n = std::min<size_t>(s.large_left, arrived.size());
      take(s, arrived, n);
      s.large_left -= static_cast<uint32_t>(n);
      if (s.large_left > 0) return 1;
    }
    chunk_run run = chunk_cut_run(s.rest, arrived, c->options.max_sub_entry_bytes);
    take(s, arrived, run.bytes);
    count(c, messages_walk(c, run.cursor, s.sub_entries));
    if (!may_go_on(c)) return 0;
    if (run.end == run_end::needs_more) return run.wanted;
    if (run.end == run_end::too_large) {
      s.large_left = run.large_bytes;
      tell_large(c, run.large);
    } else {
      s.at = stage::passing;
    }
  }
  return 0;
}

// All of its data was there.
void end(consumer *c) {
  streamed_chunk &s = c->streamed;
  unpacker_release(s.sub_entries);
  s.at = stage::dropping;
  s.unverified = {};
  consumer_queue_task(c);  // stopping may have waited for it
  if (!c->options.crc_off && s.crc != s.header.crc) {
    if (consumer_wants_messages(c)) chunk_found_damaged(c, s.header, s.began_at);
    return;
  }
  chunk_found_good(c, s.header);
  if (!c->options.crc_off && s.reached > s.began_at)
    tracker_finished(c, s.reached, s.handed_out);
  if (s.is_cut) return;
  c->stats.chunks++;
  c->stats.bytes += s.chunk_bytes;
  flow_finished(c);
  consumer_tell_caught_up(c, s.header);
}

}  // namespace

piece_taken consumer_delivered_piece(consumer *c, const deliver_piece &piece) {
  streamed_chunk &s = c->streamed;
  wire::bytes arrived = piece.frame.chunk;
  auto size = static_cast<uint32_t>(arrived.size());
  if (piece.is_first) {
    bool has_header = size >= chunk_header_bytes || piece.left < chunk_header_bytes;
    if (!has_header) return {0, chunk_header_bytes};
    begin(c, piece);
    arrived = arrived.subspan(std::min<size_t>(size, chunk_header_bytes));
  }
  if (s.at == stage::reading) {
    uint32_t wanted = read(c, arrived);
    if (wanted > 0) return {size - static_cast<uint32_t>(arrived.size()), wanted};
  }
  if (s.at == stage::passing) {
    take(s, arrived, std::min<size_t>(s.data_left, arrived.size()));
    if (s.data_left == 0) end(c);
  }
  return {size, 1};
}

void streaming_stop(consumer *c) {
  streamed_chunk &s = c->streamed;
  if (s.at == stage::none) return;
  bool is_open = s.at == stage::reading || s.at == stage::passing;
  if (is_open) s.unverified = {true, s.header.first_offset, s.began_at};
  unpacker_release(s.sub_entries);
  s.at = stage::none;
}

}  // namespace rstream
