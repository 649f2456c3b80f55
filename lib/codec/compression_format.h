#pragma once

// What each built-in compression provides. One file per format, so that each library's
// header is seen in one place.

#include "codec/compression.h"

namespace rstream {

struct compression_format {
  // What one packed byte can become at most.
  uint32_t largest_expansion;
  size_t (*bound)(size_t raw_bytes);
  // `state` is the format's own: contexts, made at the first use and reset for each one.
  // Else as compression_pack() and compression_unpack().
  ptrdiff_t (*pack)(memory &mem, void *&state, wire::bytes raw, std::span<uint8_t> out);
  unpack_result (*unpack)(memory &mem, void *&state, wire::bytes packed,
                          std::span<uint8_t> out);
  void (*release)(memory &mem, void *state);
};

extern const compression_format gzip_format;
extern const compression_format snappy_format;
extern const compression_format lz4_format;
extern const compression_format zstd_format;

}  // namespace rstream
