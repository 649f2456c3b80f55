// LZ4 frames: vectors made by lz4(1) and by Python's lz4.frame.
#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t lz4 = RSTREAM_COMPRESSION_LZ4;

// Stored, with a checksum of the content.
const byte_vector of_lz4 = from_hex(
    "04224d18 6440a7 16000080 0000000568656c6c6f00000005776f726c6400000000 00000000 "
    "45fc71f4");
// 20 times "abcdefghij": without any checksum; with one of the content and of the block;
// with the size of the content.
const byte_vector without_checksums = from_hex(
    "04224d18 604082 14000000 af6162636465666768696a0a00a650666768696a 00000000");
const byte_vector with_checksums = from_hex(
    "04224d18 7440bd 14000000 af6162636465666768696a0a00a650666768696a 116cd111 00000000 "
    "8f58832e");
const byte_vector with_size = from_hex(
    "04224d18 6840c800000000000000d4 14000000 af6162636465666768696a0a00a650666768696a "
    "00000000");

const std::string alphabets = repeated("abcdefghij", 20);

using compression_lz4 = vectors_test<lz4>;

byte_vector operator+(byte_vector a, const byte_vector &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_F(compression_lz4, reads_what_others_wrote) {
  EXPECT_EQ(unpack(of_lz4, 22), three_records);
  EXPECT_EQ(unpack(without_checksums, 200), alphabets);
  EXPECT_EQ(unpack(with_checksums, 200), alphabets);
  EXPECT_EQ(unpack(with_size, 200), alphabets);
}

// Two blocks of at most 64 KiB, the second of which repeats the first.
TEST_F(compression_lz4, reads_blocks_that_are_linked) {
  byte_vector frame = from_hex("04224d18 44405e 14010000 af6162636465666768696a0a00") +
                      byte_vector(256, 0xff) + from_hex("de506263646566 1b000000 0ffa") +
                      byte_vector(18, 0xff) +
                      from_hex("6950666768696a 00000000 48425123");
  EXPECT_TRUE(unpack(frame, 70000) == repeated("abcdefghij", 7000));
}

TEST_F(compression_lz4, passes_over_frames_that_hold_no_data) {
  byte_vector skippable = from_hex("502a4d18 03000000 616263");
  EXPECT_EQ(unpack(skippable + with_size, 200), alphabets);
  EXPECT_EQ(unpack(with_size + skippable, 200), alphabets);
}

TEST_F(compression_lz4, every_wrong_bit_is_noticed_where_there_are_checksums) {
  for (size_t bit = 0; bit < with_checksums.size() * 8; bit++) {
    byte_vector wrong = with_checksums;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(unpack(wrong, 200), alphabets) << bit;
  }
}

TEST_F(compression_lz4, cut_short_at_every_byte_it_is_damaged) {
  for (const byte_vector *one : {&without_checksums, &with_checksums, &with_size}) {
    for (size_t n = 0; n < one->size(); n++)
      EXPECT_EQ(unpack(std::span(*one).first(n), 200), "damaged") << n;
  }
}

// What other clients' readers insist on: independent blocks (bit 5 of the first byte
// behind the magic), an end mark.
TEST_F(compression_lz4, writes_frames_that_every_client_reads) {
  byte_vector packed = pack(lz4, alphabets);
  EXPECT_EQ(packed, without_checksums);
  byte_vector large = pack(lz4, prose(5000000));
  EXPECT_EQ(to_hex(std::span(large).first(6)), "04224d186070") << "blocks of 4 MiB";
}

TEST_F(compression_lz4, raw_blocks_are_not_its_format) {
  byte_vector block = from_hex("af6162636465666768696a0a00a650666768696a");
  EXPECT_EQ(unpack(block, 200), "damaged");
}
