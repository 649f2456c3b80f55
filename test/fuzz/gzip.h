#pragma once

// What a publisher makes of a sub-entry's messages.

#include <zlib.h>

#include <cstdlib>
#include <vector>

#include "wire/cursor.h"

namespace rstream::fuzz {

inline std::vector<uint8_t> gzipped(wire::bytes plain) {
  std::vector<uint8_t> out(plain.size() + 100);
  z_stream z = {};
  if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
  z.next_in = const_cast<Bytef *>(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace rstream::fuzz
