#include <gtest/gtest.h>

#include "hex.h"
#include "wire/cursor.h"
#include "wire/publish.h"
#include "wire/topology.h"
#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

namespace {

template <class T>
std::string written(const seq<T> &s) {
  writer count = counting_writer();
  put(count, s);
  exact_buffer buffer(count.written);
  writer w = writer_of(buffer.span());
  put(w, s);
  EXPECT_FALSE(w.failed);
  return to_hex(buffer.span());
}

template <class T>
bool reads(std::string_view hex) {
  exact_buffer buffer(from_hex(hex));
  reader r = reader_of(buffer.span());
  seq<T> s;
  get(r, s);
  EXPECT_EQ(r.failed, !s.decoded());
  walk(s);
  return !r.failed;
}

}  // namespace

TEST(wire_seq, borrowed_elements_are_iterated_in_order) {
  uint64_t ids[] = {3, 1, 2};
  seq<uint64_t> s = {ids};
  EXPECT_EQ(s.size(), 3u);
  EXPECT_EQ(all(s), (std::vector<uint64_t>{3, 1, 2}));
}

TEST(wire_seq, decoded_elements_are_iterated_in_order) {
  byte_vector data = from_hex("00000002 0001 61 0000");
  reader r = reader_of(data);
  seq<std::string_view> s;
  get(r, s);
  EXPECT_FALSE(r.failed);
  EXPECT_EQ(all(s), (std::vector<std::string_view>{"a", ""}));
}

TEST(wire_seq, can_be_iterated_more_than_once) {
  byte_vector data = from_hex("00000001 0007");
  reader r = reader_of(data);
  seq<uint16_t> s;
  get(r, s);
  EXPECT_EQ(all(s), std::vector<uint16_t>{7});
  EXPECT_EQ(all(s), std::vector<uint16_t>{7});
}

TEST(wire_seq, nothing_is_an_empty_array) {
  seq<property> s;
  EXPECT_TRUE(s.empty());
  EXPECT_TRUE(all(s).empty());
  EXPECT_EQ(written(s), "00000000");
}

TEST(wire_seq, an_empty_array_is_decoded_as_such) {
  byte_vector data = from_hex("00000000");
  reader r = reader_of(data);
  seq<property> s;
  get(r, s);
  EXPECT_FALSE(r.failed);
  EXPECT_TRUE(s.decoded());
  EXPECT_TRUE(s.empty());
  EXPECT_EQ(written(s), "00000000");
}

TEST(wire_seq, decoded_ones_encode_to_the_same_bytes) {
  byte_vector data = from_hex("00000002 0001 61 0001 62 ffff 0000 99");
  reader r = reader_of(data);
  seq<property> s;
  get(r, s);
  EXPECT_EQ(r.left(), 1u);
  EXPECT_EQ(written(s),
            "00000002"
            "000161"
            "000162"
            "ffff"
            "0000");
}

TEST(wire_seq, a_count_beyond_the_bytes_fails) {
  EXPECT_FALSE(reads<uint64_t>("00000002 0000000000000001 00000000000002"));
  EXPECT_FALSE(reads<std::string_view>("00000002 0000 00"));
  EXPECT_FALSE(reads<property>("00000001 0000 00"));
  EXPECT_FALSE(reads<failed_id>("00000001 000000000000000100"));
}

TEST(wire_seq, hostile_counts_fail_at_once) {
  for (const char *hex :
       {"ffffffff", "ffffffff 00000000 00000000 00000000",
        "80000000 00000000 00000000 00000000", "7fffffff 00000000 00000000 00000000",
        "20000001 00000000 00000000 00000000"}) {
    EXPECT_FALSE(reads<uint16_t>(hex)) << hex;
    EXPECT_FALSE(reads<uint64_t>(hex)) << hex;
    EXPECT_FALSE(reads<std::string_view>(hex)) << hex;
    EXPECT_FALSE(reads<property>(hex)) << hex;
    EXPECT_FALSE(reads<stream_info>(hex)) << hex;
  }
}

TEST(wire_seq, an_element_longer_than_the_bytes_fails) {
  EXPECT_FALSE(reads<std::string_view>("00000001 0003 6162"));
  EXPECT_FALSE(reads<property>("00000001 0001 61 0003 6162"));
  EXPECT_FALSE(reads<property>("00000001 fffe 61 0003 6162"));
}

TEST(wire_seq, a_hostile_count_inside_an_element_fails) {
  EXPECT_TRUE(reads<stream_info>("00000001 000173 0001 0000 00000001 0002"));
  EXPECT_FALSE(reads<stream_info>("00000001 000173 0001 0000 ffffffff 0002"));
  EXPECT_FALSE(reads<stream_info>("00000001 000173 0001 0000 00000002 0002"));
}

TEST(wire_seq, a_trailing_map_may_be_left_out) {
  exact_buffer buffer(byte_vector{});
  reader r = reader_of(buffer.span());
  property one[] = {{"a", "b"}};
  seq<property> s = {one};
  get_trailing_map(r, s);
  EXPECT_FALSE(r.failed);
  EXPECT_TRUE(s.empty());
}

TEST(wire_seq, half_a_trailing_map_fails) {
  exact_buffer buffer(from_hex("000000"));
  reader r = reader_of(buffer.span());
  seq<property> s;
  get_trailing_map(r, s);
  EXPECT_TRUE(r.failed);
}
