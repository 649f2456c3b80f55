#include "net/frame_reader.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace rstream {

namespace {

constexpr uint32_t first_slab_bytes = 16u << 10;     // an idle connection holds no more
constexpr uint32_t largest_slab_bytes = 256u << 10;  // enough to make system calls rare
constexpr uint32_t smallest_read_bytes = 4096;  // less room than this isn't worth a read
constexpr uint32_t size_field_bytes = 4;

uint32_t load_size(const uint8_t *p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

uint32_t pending(const frame_reader &r) { return r.end - r.begin; }

bool is_asked(const frame_reader &r, uint32_t size) {
  return size >= r.ask_bytes && !r.comes_whole;
}

// Bytes of what is at hand, its size field included, or 0 while that is not known: a
// frame, the head of one, a piece.
uint64_t wanted(const frame_reader &r) {
  if (r.piece_left > 0) return r.piece_wanted;
  if (pending(r) < size_field_bytes) return 0;
  uint32_t size = load_size(r.current->data() + r.begin);
  return uint64_t{size_field_bytes} + (is_asked(r, size) ? frame_head_bytes : size);
}

// How large the next block is for the frame at hand: a normal slab if that is enough,
// else never more than four times what has arrived.
size_t next_capacity(const frame_reader &r) {
  uint64_t want = std::max<uint64_t>(wanted(r), r.slab_bytes);
  uint64_t trusted = std::max<uint64_t>(uint64_t{pending(r)} * 4, r.slab_bytes);
  return static_cast<size_t>(std::min(want, trusted));
}

bool move_to(frame_reader &r, size_t capacity) {
  slab *fresh = slab_acquire(*r.pool, capacity);
  if (!fresh) return false;
  uint32_t kept = pending(r);
  if (kept) memcpy(fresh->data(), r.current->data() + r.begin, kept);
  if (r.current) slab_unref(r.current);
  r.current = fresh;
  r.begin = 0;
  r.end = kept;
  return true;
}

bool needs_another_slab(const frame_reader &r) {
  uint32_t room = r.current->capacity - r.end;
  uint64_t want = wanted(r);
  if (want == 0) return room < smallest_read_bytes;
  if (r.begin + want <= r.current->capacity) return false;
  // A block that has to grow more than once is filled first: each read would move it all.
  return next_capacity(r) >= want || room < smallest_read_bytes;
}

frame_result ask(const frame_reader &r, frame &fr, uint32_t size) {
  if (pending(r) < size_field_bytes + frame_head_bytes) return frame_result::none;
  fr.bytes = {r.current->data() + r.begin + size_field_bytes, frame_head_bytes};
  fr.owner = r.current;
  fr.left = size;
  return frame_result::asked;
}

frame_result next_piece(const frame_reader &r, frame &fr) {
  uint32_t arrived = std::min(pending(r), r.piece_left);
  if (arrived < r.piece_wanted) return frame_result::none;
  fr.bytes = {r.current->data() + r.begin, arrived};
  fr.owner = r.current;
  fr.left = r.piece_left;
  return frame_result::piece;
}

}  // namespace

void frame_reader_init(frame_reader &r, slab_pool &pool, uint32_t max_frame_bytes) {
  r = frame_reader();
  r.pool = &pool;
  r.max_frame_bytes = max_frame_bytes;
  r.slab_bytes = first_slab_bytes;
}

void frame_reader_release(frame_reader &r) {
  if (r.current) slab_unref(r.current);
  r.current = nullptr;
  r.begin = r.end = 0;
}

std::span<uint8_t> frame_reader_space(frame_reader &r) {
  if (r.current && pending(r) == 0) {
    if (r.current->refs == 1 && r.current->capacity >= r.slab_bytes &&
        r.current->capacity <= largest_slab_bytes) {
      r.begin = r.end = 0;
    } else if (r.current->capacity < r.slab_bytes ||
               r.current->capacity > largest_slab_bytes || needs_another_slab(r)) {
      // The block of a large frame goes back, too: others may need it.
      frame_reader_release(r);
    }
  }
  if (!r.current || needs_another_slab(r)) {
    if (!move_to(r, r.current ? next_capacity(r) : r.slab_bytes)) return {};
  }
  return {r.current->data() + r.end, r.current->capacity - r.end};
}

void frame_reader_filled(frame_reader &r, size_t bytes) {
  assert(r.current && bytes <= r.current->capacity - r.end);
  r.end += static_cast<uint32_t>(bytes);
  if (r.end == r.current->capacity && r.slab_bytes < largest_slab_bytes)
    r.slab_bytes *= 4;
}

frame_result frame_reader_next(frame_reader &r, frame &fr) {
  if (r.piece_left > 0) return next_piece(r, fr);
  if (pending(r) < size_field_bytes) return frame_result::none;
  const uint8_t *at = r.current->data() + r.begin;
  uint32_t size = load_size(at);
  if (is_asked(r, size)) return ask(r, fr, size);
  if (size < frame_smallest_bytes || size > r.max_frame_bytes)
    return frame_result::malformed;
  if (pending(r) - size_field_bytes < size) return frame_result::none;
  fr.bytes = {at + size_field_bytes, size};
  fr.owner = r.current;
  r.begin += size_field_bytes + size;
  r.comes_whole = false;
  return frame_result::ready;
}

void frame_reader_whole(frame_reader &r) { r.comes_whole = true; }

void frame_reader_pieces(frame_reader &r, uint32_t skipped) {
  assert(skipped < frame_head_bytes);
  r.piece_left = load_size(r.current->data() + r.begin) - skipped;
  r.piece_wanted = 1;
  r.begin += size_field_bytes + skipped;
}

void frame_reader_take(frame_reader &r, uint32_t taken, uint32_t wanted) {
  assert(taken <= pending(r) && taken <= r.piece_left);
  r.begin += taken;
  r.piece_left -= taken;
  // Asking for what was seen already would never end.
  uint32_t seen = std::min(pending(r), r.piece_left);
  r.piece_wanted = std::min(std::max(wanted, seen + 1), r.piece_left);
}

}  // namespace rstream
