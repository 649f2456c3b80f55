#include "wire/cursor.h"

#include <gtest/gtest.h>

#include "hex.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_reader, integers_are_big_endian) {
  byte_vector data = from_hex("01 0203 04050607 08090a0b0c0d0e0f fffe");
  reader r = reader_of(data);
  EXPECT_EQ(r.u8(), 0x01u);
  EXPECT_EQ(r.u16(), 0x0203u);
  EXPECT_EQ(r.u32(), 0x04050607u);
  EXPECT_EQ(r.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(r.i16(), -2);
  EXPECT_EQ(r.left(), 0u);
  EXPECT_FALSE(r.failed);
}

TEST(wire_reader, signed_integers_keep_their_sign) {
  byte_vector data = from_hex("ff fffffffe fffffffffffffffd");
  reader r = reader_of(data);
  EXPECT_EQ(r.i8(), -1);
  EXPECT_EQ(r.i32(), -2);
  EXPECT_EQ(r.i64(), -3);
}

TEST(wire_reader, out_of_bounds_yields_zero_and_fails_for_good) {
  exact_buffer buffer(from_hex("ffff"));
  reader r = reader_of(buffer.span());
  EXPECT_EQ(r.u32(), 0u);
  EXPECT_TRUE(r.failed);
  EXPECT_EQ(r.u8(), 0u);
  EXPECT_EQ(r.u16(), 0u);
  EXPECT_EQ(r.u64(), 0u);
  EXPECT_TRUE(r.str().empty());
  EXPECT_TRUE(r.blob().empty());
  EXPECT_EQ(r.p, r.end);
}

TEST(wire_reader, no_bytes_at_all_can_be_read_from) {
  reader r = reader_of({});
  EXPECT_EQ(r.left(), 0u);
  EXPECT_TRUE(r.take(0).empty());
  EXPECT_FALSE(r.failed);
  EXPECT_EQ(r.u8(), 0u);
  EXPECT_TRUE(r.failed);
}

TEST(wire_reader, a_null_string_is_told_from_an_empty_one) {
  byte_vector data = from_hex("ffff 0000 0002 6869");
  reader r = reader_of(data);
  EXPECT_EQ(r.str().data(), nullptr);
  std::string_view empty = r.str();
  EXPECT_NE(empty.data(), nullptr);
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(r.str(), "hi");
  EXPECT_FALSE(r.failed);
}

TEST(wire_reader, an_empty_string_may_end_the_bytes) {
  exact_buffer buffer(from_hex("0000"));
  reader r = reader_of(buffer.span());
  std::string_view s = r.str();
  EXPECT_FALSE(r.failed);
  EXPECT_NE(s.data(), nullptr);
}

TEST(wire_reader, string_lengths_are_unsigned) {
  byte_vector data(2 + 0x8000, 'x');
  store_u16be(data.data(), 0x8000);
  reader r = reader_of(data);
  EXPECT_EQ(r.str().size(), 0x8000u);
  EXPECT_FALSE(r.failed);
}

TEST(wire_reader, a_string_longer_than_the_bytes_fails) {
  exact_buffer buffer(from_hex("0003 6869"));
  reader r = reader_of(buffer.span());
  EXPECT_EQ(r.str().data(), nullptr);
  EXPECT_TRUE(r.failed);
}

TEST(wire_reader, blobs_can_be_null_empty_or_have_bytes) {
  byte_vector data = from_hex("ffffffff 00000000 00000001 aa");
  reader r = reader_of(data);
  EXPECT_EQ(r.blob().data(), nullptr);
  bytes empty = r.blob();
  EXPECT_NE(empty.data(), nullptr);
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(to_hex(r.blob()), "aa");
  EXPECT_FALSE(r.failed);
}

TEST(wire_reader, blobs_of_negative_or_hostile_length_fail) {
  for (const char *hex : {"fffffffe 00", "80000000 00", "7fffffff 00", "00000002 00"}) {
    exact_buffer buffer(from_hex(hex));
    reader r = reader_of(buffer.span());
    EXPECT_TRUE(r.blob().empty());
    EXPECT_TRUE(r.failed) << hex;
  }
}

TEST(wire_writer, writes_what_the_reader_reads) {
  exact_buffer buffer(1 + 2 + 4 + 8 + 4 + 2 + 2 + 7);
  writer w = writer_of(buffer.span());
  w.u8(1);
  w.u16(0x0203);
  w.u32(0x04050607);
  w.u64(0x08090a0b0c0d0e0f);
  w.str("hi");
  w.i16(-2);
  w.null_str();
  w.blob(bytes_of("abc"));
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(to_hex(buffer.span()),
            "01020304050607"
            "08090a0b0c0d0e0f"
            "00026869"
            "fffe"
            "ffff"
            "00000003616263");
}

TEST(wire_writer, a_string_without_data_is_empty_unless_it_is_optional) {
  exact_buffer buffer(4);
  writer w = writer_of(buffer.span());
  w.str({});
  w.optional_str({});
  EXPECT_EQ(to_hex(buffer.span()), "0000ffff");
}

TEST(wire_writer, a_blob_without_data_is_null) {
  exact_buffer buffer(4);
  writer w = writer_of(buffer.span());
  w.blob({});
  EXPECT_EQ(to_hex(buffer.span()), "ffffffff");
}

TEST(wire_writer, overflow_fails_for_good_writes_nothing_more_and_counts_on) {
  byte_vector buffer(8, 0xa5);
  writer w = writer_of({buffer.data(), 3});
  w.u16(0x0102);
  w.u16(0x0304);
  EXPECT_TRUE(w.failed);
  w.u8(0x05);
  EXPECT_EQ(w.written, 2u + 2u + 1u);
  EXPECT_EQ(to_hex(buffer), "0102a5a5a5a5a5a5");
}

TEST(wire_writer, strings_have_at_most_what_an_int16_can_say) {
  std::string longest(32767, 'x');
  writer w = counting_writer();
  w.str(longest);
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(w.written, 2u + 32767u);
  longest += 'x';
  w.str(longest);
  EXPECT_TRUE(w.failed);
}

TEST(wire_writer, counting_needs_no_buffer) {
  writer w = counting_writer();
  w.u8(1);
  w.u64(2);
  w.str("abc");
  w.blob(bytes_of("defg"));
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(w.written, 1u + 8u + 5u + 8u);
}

TEST(wire_writer, no_buffer_is_full_at_once) {
  writer w = writer_of({});
  EXPECT_FALSE(w.failed);
  w.u8(1);
  EXPECT_TRUE(w.failed);
}
