#include "codec/crc32c.h"

#include <gtest/gtest.h>

#include "hex.h"

using namespace rstream;
using namespace rstream::test;

TEST(crc32c, is_that_of_rfc_3720) {
  byte_vector up(32), down(32);
  for (uint8_t i = 0; i < 32; i++) {
    up[i] = i;
    down[i] = static_cast<uint8_t>(31 - i);
  }
  EXPECT_EQ(crc32c_of(byte_vector(32, 0)), 0x8a9136aau);
  EXPECT_EQ(crc32c_of(byte_vector(32, 0xff)), 0x62a8ab43u);
  EXPECT_EQ(crc32c_of(up), 0x46dd794eu);
  EXPECT_EQ(crc32c_of(down), 0x113fdb5cu);
  EXPECT_EQ(crc32c_of(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c_of({}), 0u);
}

// Bit by bit, as the definition goes, for every length and alignment around eight bytes.
TEST(crc32c, is_the_same_for_every_length_and_alignment) {
  byte_vector bytes(64);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(i * 37 + 11);
  for (size_t from = 0; from < 8; from++) {
    for (size_t size = 0; from + size < bytes.size(); size++) {
      std::span<const uint8_t> part(&bytes[from], size);
      exact_buffer exact(part);
      uint32_t expected = ~uint32_t{0};
      for (uint8_t byte : exact.span()) {
        expected ^= byte;
        for (int i = 0; i < 8; i++)
          expected = expected >> 1 ^ (expected & 1 ? 0x82f63b78u : 0);
      }
      ASSERT_EQ(crc32c_of(exact.span()), ~expected) << from << ' ' << size;
      ASSERT_EQ(crc32c_of(part), ~expected);
    }
  }
}
