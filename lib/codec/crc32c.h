#pragma once

#include <cstdint>
#include <span>

namespace rstream {

// CRC-32C (Castagnoli), which Snappy's framing format carries.
uint32_t crc32c_of(std::span<const uint8_t> bytes);

}  // namespace rstream
