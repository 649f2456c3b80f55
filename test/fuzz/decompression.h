// What the targets of the compressions share. The input: three bytes for the size that
// the bytes behind them are said to become.
#pragma once

#include "codec/compression.h"
#include "fuzz.h"

namespace rstream::fuzz {

constexpr size_t largest_unpacked_bytes = 1u << 18;

struct unpacking {
  std::unique_ptr<uint8_t[]> out;
  size_t size;
  unpack_result result;

  unpacking(compression_set &set, uint8_t compression, wire::bytes packed, size_t n)
      : out(new uint8_t[n]()), size(n) {
    result = compression_unpack(set, compression, packed, {out.get(), n});
  }
  bool same_as(const unpacking &other) const {
    if (result != other.result) return false;
    if (result != unpack_result::done) return true;
    return std::equal(out.get(), out.get() + size, other.out.get());
  }
};

// What has been unpacked is packed, and unpacked again.
inline void check_round_trip(compression_set &set, uint8_t compression,
                             const unpacking &first) {
  std::vector<uint8_t> packed(compression_bound(set, compression, first.size));
  ptrdiff_t n = compression_pack(set, compression, {first.out.get(), first.size}, packed);
  if (n <= 0) abort();
  wire::bytes bytes(packed.data(), static_cast<size_t>(n));
  if (!first.same_as(unpacking(set, compression, bytes, first.size))) abort();
}

// The same bytes give the same result, whatever the contexts were used for before; and
// what can be unpacked was not held for impossible.
inline void unpack_input(uint8_t compression, const uint8_t *data, size_t size) {
  if (size < 3) return;
  size_t declared = data[0] | size_t{data[1]} << 8 | size_t{data[2]} << 16;
  declared = 1 + declared % largest_unpacked_bytes;
  std::unique_ptr<uint8_t[]> exact(new uint8_t[size - 3]);
  std::copy(data + 3, data + size, exact.get());
  wire::bytes packed(exact.get(), size - 3);

  slab_pool *pool = slab_pool_create(memory_functions_default());
  compression_set *set = compression_set_create(pool);
  if (compression_available(*set, compression)) {
    unpacking first(*set, compression, packed, declared);
    unpacking second(*set, compression, packed, declared);
    if (!first.same_as(second)) abort();
    if (first.result == unpack_result::done) {
      if (!compression_can_hold(*set, compression, packed.size(), declared)) abort();
      check_round_trip(*set, compression, first);
    }
  }
  compression_set_unref(set);
  slab_pool_leave(pool);
}

}  // namespace rstream::fuzz
