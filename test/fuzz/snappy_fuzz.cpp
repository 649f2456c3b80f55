#include "decompression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rstream::fuzz::unpack_input(RSTREAM_COMPRESSION_SNAPPY, data, size);
  return 0;
}
