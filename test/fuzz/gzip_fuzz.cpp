#include "decompression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  rstream::fuzz::unpack_input(RSTREAM_COMPRESSION_GZIP, data, size);
  return 0;
}
