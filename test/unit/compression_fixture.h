// A compression set over counted memory.
#pragma once

#include <gtest/gtest.h>

#include "codec/compression.h"
#include "counting_memory.h"
#include "hex.h"
#include "rstream/error.h"

namespace rstream::test {

struct compression_test : testing::Test {
  counting_memory blocks;
  slab_pool *pool = slab_pool_create(blocks.functions());
  compression_set *set = compression_set_create(pool);

  void TearDown() override {
    compression_set_unref(set);
    slab_pool_leave(pool);
    EXPECT_EQ(blocks.bytes, 0u);
  }

  // What it becomes, "no memory", "damaged" or "wrong size".
  std::string unpack(uint8_t compression, std::span<const uint8_t> packed, size_t size) {
    exact_buffer in(packed);
    exact_buffer out(size);
    switch (compression_unpack(*set, compression, in.span(), out.span())) {
    case unpack_result::done: return text_of(out.span());
    case unpack_result::damaged: return "damaged";
    case unpack_result::wrong_size: return "wrong size";
    case unpack_result::no_memory: return "no memory";
    }
    return "unheard of";
  }

  // Empty when it fails.
  byte_vector pack(uint8_t compression, std::string_view raw) {
    exact_buffer in(bytes_of(raw));
    exact_buffer out(compression_bound(*set, compression, raw.size()));
    ptrdiff_t n = compression_pack(*set, compression, in.span(), out.span());
    EXPECT_GT(n, 0) << rstream_error_text(static_cast<int>(n));
    if (n <= 0) return {};
    return {out.data.get(), out.data.get() + n};
  }
};

// For vectors of a format that may not be built in.
template <uint8_t compression>
struct vectors_test : compression_test {
  void SetUp() override {
    if (!compression_available(*set, compression))
      GTEST_SKIP() << "this build does not have it";
  }
  std::string unpack(std::span<const uint8_t> packed, size_t size) {
    return compression_test::unpack(compression, packed, size);
  }
};

// What most vectors hold: the records "hello", "world" and "".
inline const std::string three_records(
    "\0\0\0\5hello"
    "\0\0\0\5world"
    "\0\0\0\0",
    22);

inline std::string repeated(std::string_view part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; i++) text += part;
  return text;
}

// Bytes that compress somewhat, and are the same each time.
inline std::string prose(size_t bytes) {
  std::string text;
  uint32_t x = 12345;
  while (text.size() < bytes) {
    x = x * 1664525 + 1013904223;
    text += "invoice ";
    text += std::to_string(x >> 12);
    text += x >> 31 ? " paid, " : " open, ";
  }
  text.resize(bytes);
  return text;
}

// Bytes that do not compress.
inline std::string noise(size_t bytes) {
  std::string text(bytes, 0);
  uint64_t x = 88172645463325252u;
  for (char &c : text) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>(x);
  }
  return text;
}

}  // namespace rstream::test
