#pragma once

// The compression of sub-entries: what is built in, and what the application registered.

#include <cstddef>
#include <cstdint>
#include <span>

#include "rstream/codec.h"
#include "util/slab.h"
#include "wire/cursor.h"

namespace rstream {

constexpr uint8_t compression_count = 8;  // the protocol has three bits for it

// Of an environment. Its contexts are made at the first use and kept, so that packing and
// unpacking allocate nothing from then on. Counted by reference, as a retained chunk may
// still be unpacked when its environment is gone.
struct compression_set;

// nullptr when out of memory.
[[nodiscard]] compression_set *compression_set_create(slab_pool *pool);
void compression_set_ref(compression_set *set);
void compression_set_unref(compression_set *set);

// `compressor` is complete and takes the place of what is there; copied. RSTREAM_EBUSY
// once that has been used.
[[nodiscard]] int compression_register(compression_set &set,
                                       const rstream_compressor &compressor);

// Of RSTREAM_COMPRESSION_NONE as well: it has nothing to do, but can always be asked for.
bool compression_available(const compression_set &set, uint8_t compression);

// The rest is for a compression that is available, and not for RSTREAM_COMPRESSION_NONE.

// What `raw_bytes` grow to at most when they are packed.
size_t compression_bound(compression_set &set, uint8_t compression, size_t raw_bytes);

// Bytes written; or RSTREAM_ENOMEM, RSTREAM_EMSGSIZE (more than `out` holds) or
// RSTREAM_ECODEC (the application's own codec failed). An `out` smaller than
// compression_bound() may be refused although the result would just fit.
[[nodiscard]] ptrdiff_t compression_pack(compression_set &set, uint8_t compression,
                                         wire::bytes raw, std::span<uint8_t> out);

enum class unpack_result : uint8_t {
  done,
  damaged,     // not what the compression's format allows
  wrong_size,  // more or fewer bytes than asked for
  no_memory
};

// Fills `out`, which is not empty, to its last byte or fails.
[[nodiscard]] unpack_result compression_unpack(compression_set &set, uint8_t compression,
                                               wire::bytes packed,
                                               std::span<uint8_t> out);

// False when no `packed_bytes` of this compression can hold so many bytes: then nothing
// needs to be set aside for them. What the application's own can do is not known.
[[nodiscard]] bool compression_can_hold(const compression_set &set, uint8_t compression,
                                        size_t packed_bytes, size_t raw_bytes);

}  // namespace rstream
