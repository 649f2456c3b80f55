// Deliver frames that their owner takes while they arrive, so that large ones need no
// memory of their size.
#include "conn/conn_internal.h"

namespace rstream {

namespace {

constexpr size_t longest_prefix = wire::deliver_prefix_bytes(2) - wire::frame_size_bytes;
static_assert(longest_prefix < frame_head_bytes);

// `x` then is the frame's begin.
bool is_deliver(const conn *c, wire::bytes head, wire::deliver &x) {
  wire::reader r = wire::reader_of(head);
  wire::frame_header h;
  return c->state >= conn_state::ready && decode(r, h) &&
         h.key == wire::raw(wire::key::deliver) && (h.version == 1 || h.version == 2) &&
         decode(r, x, h.version);
}

}  // namespace

void conn_expect_pieces(conn *c, uint32_t chunk_bytes) {
  uint64_t frame_bytes =
      chunk_bytes + (wire::deliver_prefix_bytes(1) - wire::frame_size_bytes);
  if (frame_bytes < frame_head_bytes) frame_bytes = frame_head_bytes;
  if (frame_bytes < c->reader.ask_bytes) c->reader.ask_bytes = frame_bytes;
}

void conn_frame_asked(conn *c, const frame &head) {
  wire::deliver &x = c->in_pieces;
  if (is_deliver(c, head.bytes, x)) {
    auto prefix = static_cast<uint32_t>(head.bytes.size() - x.chunk.size());
    uint32_t chunk_bytes = head.left - prefix;
    if (c->events->wants_pieces(c, x.subscription_id, chunk_bytes)) {
      c->counters->frames_received++;
      c->is_first_piece = true;
      frame_reader_pieces(c->reader, prefix);
      return;
    }
  }
  frame_reader_whole(c->reader);
}

void conn_frame_piece(conn *c, const frame &fr) {
  c->in_pieces.chunk = fr.bytes;
  piece_taken taken =
      c->events->on_deliver_piece(c, {c->in_pieces, fr.left, c->is_first_piece});
  if (taken.bytes > 0) c->is_first_piece = false;
  frame_reader_take(c->reader, taken.bytes, taken.wanted);
}

}  // namespace rstream
