// Zstandard: vectors made by zstd(1) and by Python's zstandard.
#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t zstd = RSTREAM_COMPRESSION_ZSTD;

// With a checksum of the content.
const byte_vector of_zstd = from_hex(
    "28b52ffd 0458 b10000 0000000568656c6c6f00000005776f726c6400000000 ac13b18b");
// 20 times "abcdefghij": level 19, and without the size of the content.
const byte_vector at_level_19 =
    from_hex("28b52ffd 0068 8d0000 506162636465666768696a0100bb520509");
const byte_vector of_python =
    from_hex("28b52ffd 0000 8d0000 506162636465666768696a0100bb520509");

const std::string alphabets = repeated("abcdefghij", 20);

using compression_zstd = vectors_test<zstd>;

byte_vector operator+(byte_vector a, const byte_vector &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_F(compression_zstd, reads_what_others_wrote) {
  EXPECT_EQ(unpack(of_zstd, 22), three_records);
  EXPECT_EQ(unpack(at_level_19, 200), alphabets);
  EXPECT_EQ(unpack(of_python, 200), alphabets);
}

TEST_F(compression_zstd, passes_over_frames_that_hold_no_data) {
  byte_vector skippable = from_hex("502a4d18 03000000 616263");
  EXPECT_EQ(unpack(skippable + at_level_19, 200), alphabets);
  EXPECT_EQ(unpack(at_level_19 + skippable, 200), alphabets);
}

TEST_F(compression_zstd, cut_short_at_every_byte_it_is_damaged) {
  for (const byte_vector *one : {&of_zstd, &at_level_19, &of_python}) {
    size_t size = one == &of_zstd ? 22 : 200;
    for (size_t n = 0; n < one->size(); n++)
      EXPECT_EQ(unpack(std::span(*one).first(n), size), "damaged") << n;
  }
}

TEST_F(compression_zstd, every_wrong_bit_of_the_data_is_noticed_by_its_checksum) {
  for (size_t bit = 9 * 8; bit < of_zstd.size() * 8; bit++) {
    byte_vector wrong = of_zstd;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(unpack(wrong, 22), "damaged") << bit;
  }
}

// The frame of version 0.7, which the library may still know.
TEST_F(compression_zstd, formats_from_before_the_standard_are_not_read) {
  for (uint8_t magic = 0x1e; magic <= 0x27; magic++) {
    byte_vector old = at_level_19;
    old[0] = magic;
    EXPECT_EQ(unpack(old, 200), "damaged");
    EXPECT_EQ(unpack(at_level_19 + old, 400), "damaged");
  }
}

TEST_F(compression_zstd, writes_the_size_of_the_content) {
  byte_vector packed = pack(zstd, alphabets);
  EXPECT_EQ(to_hex(std::span(packed).first(6)), "28b52ffd20c8") << "one segment, 200";
}
