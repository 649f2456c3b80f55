#pragma once

#include <cstdint>
#include <span>

namespace rstream {

// CRC-32 with zlib's polynomial, as chunk headers carry it.
uint32_t crc32_of(std::span<const uint8_t> bytes);
// Of what came before, whose CRC is `crc` (0 for nothing), and these bytes behind it.
uint32_t crc32_more(uint32_t crc, std::span<const uint8_t> bytes);

}  // namespace rstream
