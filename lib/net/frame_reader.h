#pragma once

#include <cstdint>
#include <span>

#include "util/slab.h"

namespace rstream {

// Cuts length-prefixed frames out of the bytes that arrive, in place. The transport reads
// straight into a slab; a frame is a slice of it. A frame that does not fit the rest of
// its slab is moved once to a fresh one; one larger than a slab gets a block that doubles
// as bytes arrive, so that a peer can make us hold little more than what it really sent.
//
// Frames of at least `ask_bytes` are asked about when their first bytes are there. Such a
// frame can be had in pieces instead: each time all of it that has arrived and was not
// taken yet, so that no more of it is held than whoever takes it needs at once.
struct frame_reader {
  slab_pool *pool = nullptr;
  slab *current = nullptr;
  uint32_t begin = 0;               // first byte not handed out yet
  uint32_t end = 0;                 // behind the last byte received
  uint32_t max_frame_bytes = 0;     // a larger size field is an error
  uint32_t slab_bytes = 0;          // of the next slab; grows while reads fill it
  uint64_t ask_bytes = UINT64_MAX;  // sizes from here on are asked about
  bool comes_whole = false;         // the frame at hand was asked about
  uint32_t piece_left = 0;          // of a frame that comes in pieces: bytes not taken,
  uint32_t piece_wanted = 0;        // and how many make the next piece at least
};

struct frame {
  std::span<const uint8_t> bytes;  // after the size field
  slab *owner;                     // slab_ref() it to keep the bytes
  uint32_t left;                   // when asked, all of the frame; of a piece to its end
};

enum class frame_result {
  none,
  ready,
  asked,  // frame_reader_whole() or frame_reader_pieces() must follow
  piece,  // frame_reader_take() must follow
  malformed
};

// A frame needs a key and a version.
constexpr uint32_t frame_smallest_bytes = 4;
// Of a frame that is asked about, so much is shown. `ask_bytes` is no less.
constexpr uint32_t frame_head_bytes = 16;

void frame_reader_init(frame_reader &reader, slab_pool &pool, uint32_t max_frame_bytes);
void frame_reader_release(frame_reader &reader);

// Room for bytes to come; empty when out of memory.
std::span<uint8_t> frame_reader_space(frame_reader &reader);
// That many bytes were put there.
void frame_reader_filled(frame_reader &reader, size_t bytes);
// The next whole frame, or piece. It is valid until the next call of
// frame_reader_space(), or as long as its owner is referenced.
frame_result frame_reader_next(frame_reader &reader, frame &fr);

// The frame asked about comes whole, if it is not above the limit.
void frame_reader_whole(frame_reader &reader);
// It comes in pieces, from its byte `skipped` on, whatever its size; `skipped` is less
// than frame_head_bytes. Its end is where piece_left is 0.
void frame_reader_pieces(frame_reader &reader, uint32_t skipped);
// So much of the piece is done with. What is left of it comes again, with what follows,
// once there are `wanted` bytes: more than there are now, unless the frame ends before.
void frame_reader_take(frame_reader &reader, uint32_t taken, uint32_t wanted);

}  // namespace rstream
