#pragma once

#include <cstdint>
#include <string>

namespace rstream::test {

// Bytes that no compression makes shorter.
inline std::string noise(size_t bytes, uint32_t seed) {
  std::string text(bytes, 0);
  for (char &c : text) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return text;
}

}  // namespace rstream::test
