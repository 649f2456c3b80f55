#include "rstream/codec.h"

#include "api/checks.h"
#include "api/options.h"
#include "client/env.h"

using namespace rstream;

void rstream_compressor_init_sized(rstream_compressor *compressor, size_t size) {
  sized_init(compressor, size);
}

int rstream_env_register_compressor(rstream_env *e,
                                    const rstream_compressor *compressor) {
  if (!e) return RSTREAM_EINVAL;
  int rc = check_open(e);
  if (rc < 0) return rc;
  rstream_compressor c{};
  if (!sized_read(c, compressor)) {
    return env_error(e, RSTREAM_EINVAL,
                     "the compressor is missing or was not initialised");
  }
  rc = check_range(e, "compression", c.compression, 1, compression_count - 1);
  if (rc < 0) return rc;
  if (!c.bound || !c.compress || !c.decompress) {
    return env_error(e, RSTREAM_EINVAL, "a compressor needs all three of its functions");
  }
  rc = compression_register(*e->compression, c);
  if (rc < 0) {
    return env_error(e, rc, "compression %u has been used already",
                     unsigned{c.compression});
  }
  return 0;
}

int rstream_env_has_compression(const rstream_env *e, int compression) {
  if (!e || compression < 0 || compression >= compression_count) return 0;
  return compression_available(*e->compression, static_cast<uint8_t>(compression));
}
