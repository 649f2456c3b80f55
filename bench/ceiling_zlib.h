#pragma once

#include <stddef.h>
#include <stdint.h>

// What zlib costs by itself: gzip at its default level, in contexts that are kept. All
// end the program when zlib fails.

// The most that `size` bytes can become.
size_t gzip_bound(size_t size);
// Returns how many bytes of `to` it filled.
size_t gzip_pack(const uint8_t *raw, size_t size, uint8_t *to, size_t room);

// The same, or its reverse, so many times: of `count` batches of `size` bytes back to
// back, one after the other. With always the same bytes the processor would learn them by
// heart.
void gzip_pack_again(const uint8_t *batches, size_t size, size_t count, uint64_t times);
void gzip_unpack_again(const uint8_t *batches, size_t size, size_t count, uint64_t times);
