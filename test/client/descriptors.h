#pragma once

#include <cstddef>
#include <filesystem>

namespace rstream::test {

// Of this process; the one that it takes to look is counted each time.
inline size_t open_descriptors() {
  size_t n = 0;
  for ([[maybe_unused]] auto &one : std::filesystem::directory_iterator("/proc/self/fd"))
    n++;
  return n;
}

}  // namespace rstream::test
