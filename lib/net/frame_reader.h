#pragma once

#include <cstdint>
#include <span>

#include "util/slab.h"

namespace rstream {

// Cuts length-prefixed frames out of the bytes that arrive, in place. The transport reads
// straight into a slab; a frame is a slice of it. A frame that does not fit the rest of
// its slab is moved once to a fresh one; one larger than a slab gets a block that doubles
// as bytes arrive, so that a peer can make us hold little more than what it really sent.
struct frame_reader {
  slab_pool *pool = nullptr;
  slab *current = nullptr;
  uint32_t begin = 0;            // first byte not handed out yet
  uint32_t end = 0;              // behind the last byte received
  uint32_t max_frame_bytes = 0;  // a larger size field is an error
  uint32_t slab_bytes = 0;       // of the next slab; grows while reads fill it
};

struct frame {
  std::span<const uint8_t> bytes;  // after the size field
  slab *owner;                     // slab_ref() it to keep the bytes
};

enum class frame_result { none, ready, malformed };

// A frame needs a key and a version.
constexpr uint32_t frame_smallest_bytes = 4;

void frame_reader_init(frame_reader &reader, slab_pool &pool, uint32_t max_frame_bytes);
void frame_reader_release(frame_reader &reader);

// Room for bytes to come; empty when out of memory.
std::span<uint8_t> frame_reader_space(frame_reader &reader);
// That many bytes were put there.
void frame_reader_filled(frame_reader &reader, size_t bytes);
// The next whole frame. It is valid until the next call of frame_reader_space(), or as
// long as its owner is referenced.
frame_result frame_reader_next(frame_reader &reader, frame &fr);

}  // namespace rstream
