// The frame reader: the first bytes say how the stream is cut into reads. Frames must be
// the same however it is cut, and memory stays near what has arrived.
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

// Reads of `step` bytes, or of what fits.
reading read_all(const uint8_t *data, size_t size, size_t step) {
  reading result;
  slab_pool *pool = slab_pool_create(memory_functions_default());
  frame_reader reader;
  frame_reader_init(reader, *pool, max_frame_bytes);
  while (size > 0 && !result.malformed) {
    std::span<uint8_t> space = frame_reader_space(reader);
    if (space.empty()) abort();
    size_t n = std::min({size, step, space.size()});
    memcpy(space.data(), data, n);
    data += n;
    size -= n;
    frame_reader_filled(reader, n);
    frame fr;
    frame_result got;
    while ((got = frame_reader_next(reader, fr)) == frame_result::ready) {
      result.frames.insert(result.frames.end(), fr.bytes.begin(), fr.bytes.end());
    }
    result.malformed = got == frame_result::malformed;
  }
  frame_reader_release(reader);
  slab_pool_leave(pool);
  return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  reading whole = read_all(data + 1, size - 1, SIZE_MAX);
  reading cut = read_all(data + 1, size - 1, size_t{data[0]} + 1);
  if (whole.malformed != cut.malformed || whole.frames != cut.frames) abort();
  return 0;
}
