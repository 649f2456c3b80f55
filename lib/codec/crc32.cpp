#include "codec/crc32.h"

#ifdef RSTREAM_HAS_DEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

namespace rstream {

uint32_t crc32_of(std::span<const uint8_t> bytes) { return crc32_more(0, bytes); }

// libdeflate folds with carry-less multiplication where the processor has it, which the
// zlib that most systems come with does not.
uint32_t crc32_more(uint32_t crc, std::span<const uint8_t> bytes) {
  // Given no bytes, both would begin anew.
  if (bytes.empty()) return crc;
#ifdef RSTREAM_HAS_DEFLATE
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
#else
  return static_cast<uint32_t>(crc32_z(crc, bytes.data(), bytes.size()));
#endif
}

}  // namespace rstream
