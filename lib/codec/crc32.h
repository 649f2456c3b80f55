#pragma once

#include <cstdint>
#include <span>

namespace rstream {

// CRC-32 with zlib's polynomial, as chunk headers carry it.
uint32_t crc32_of(std::span<const uint8_t> bytes);

}  // namespace rstream
