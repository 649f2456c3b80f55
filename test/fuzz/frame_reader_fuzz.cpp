// The frame reader: the first bytes say how the stream is cut into reads. Frames must be
// the same however it is cut, and in pieces, and memory stays near what has arrived.
#include <algorithm>
#include <cstring>

#include "fuzz.h"
#include "net/frame_reader.h"

using namespace rstream;

namespace {

constexpr uint32_t max_frame_bytes = 1u << 20;

struct reading {
  std::vector<uint8_t> frames;  // all of them, back to back
  bool malformed = false;
};

void add(reading &to, std::span<const uint8_t> bytes) {
  to.frames.insert(to.frames.end(), bytes.begin(), bytes.end());
}

// Frames of at least this size come in pieces, each taken but for its last bytes.
constexpr uint32_t pieces_from = 40;
constexpr uint32_t left_of_a_piece = 3;

frame_result next(frame_reader &reader, reading &result) {
  frame fr;
  frame_result got = frame_reader_next(reader, fr);
  if (got == frame_result::ready) add(result, fr.bytes);
  if (got == frame_result::asked && fr.left <= max_frame_bytes) {
    add(result, fr.bytes.first(1));
    frame_reader_pieces(reader, 1);
  } else if (got == frame_result::asked) {
    frame_reader_whole(reader);
  } else if (got == frame_result::piece) {
    auto n = static_cast<uint32_t>(fr.bytes.size());
    if (n < fr.left) n = n > left_of_a_piece ? n - left_of_a_piece : 0;
    add(result, fr.bytes.first(n));
    frame_reader_take(reader, n, 1);
  }
  return got;
}

// Reads of `step` bytes, or of what fits.
reading read_all(const uint8_t *data, size_t size, size_t step, uint64_t ask_bytes) {
  reading result;
  slab_pool *pool = slab_pool_create(memory_functions_default());
  frame_reader reader;
  frame_reader_init(reader, *pool, max_frame_bytes);
  reader.ask_bytes = ask_bytes;
  while (size > 0 && !result.malformed) {
    std::span<uint8_t> space = frame_reader_space(reader);
    if (space.empty()) abort();
    size_t n = std::min({size, step, space.size()});
    memcpy(space.data(), data, n);
    data += n;
    size -= n;
    frame_reader_filled(reader, n);
    frame_result got;
    do {
      got = next(reader, result);
    } while (got != frame_result::none && got != frame_result::malformed);
    result.malformed = got == frame_result::malformed;
  }
  frame_reader_release(reader);
  slab_pool_leave(pool);
  return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  size_t step = size_t{data[0]} + 1;
  reading whole = read_all(data + 1, size - 1, SIZE_MAX, UINT64_MAX);
  reading cut = read_all(data + 1, size - 1, step, UINT64_MAX);
  if (whole.malformed != cut.malformed || whole.frames != cut.frames) abort();
  reading pieces = read_all(data + 1, size - 1, step, pieces_from);
  // Of a frame that is not complete pieces have come. A large one's size is judged later.
  if (pieces.malformed && !whole.malformed) abort();
  if (pieces.frames.size() < whole.frames.size()) abort();
  if (!std::equal(whole.frames.begin(), whole.frames.end(), pieces.frames.begin()))
    abort();
  return 0;
}
