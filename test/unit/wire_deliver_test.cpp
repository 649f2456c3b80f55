#include <gtest/gtest.h>

#include "wire/consume.h"
#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

namespace {

// Five records in three entries, the last one a sub-batch.
const char chunk_hex[] =
    "50000003000000050000018bcfe56800000000000000000100000000000000647a8673280000002d"
    "00000000000000000000000268690000000673747265616d8000030000001200000012000000016100"
    "0000026262"
    "00000003636363";

// A chunk is not looked at here, so it may end anywhere.
frame_shape ends_from(size_t first, size_t size) {
  frame_shape shape = {.open_ended = true};
  for (size_t n = first; n < size; n++) {
    shape.short_bodies.push_back(n);
  }
  return shape;
}

}  // namespace

TEST(wire_deliver, version_1_example) {
  byte_vector chunk = from_hex(chunk_hex);
  deliver x = {.subscription_id = 7, .version = 1, .chunk = chunk};
  auto e = check_example(x, std::string("00000062 0008 0001 07") + chunk_hex);
  EXPECT_EQ(e.x.subscription_id, 7);
  EXPECT_EQ(e.x.committed_chunk_id, 0u);
  EXPECT_EQ(to_hex(e.x.chunk), to_hex(chunk));
  EXPECT_EQ(e.frame.size() - chunk.size(), deliver_prefix_bytes(1));
}

TEST(wire_deliver, version_2_example) {
  byte_vector chunk = from_hex(chunk_hex);
  deliver x = {
      .subscription_id = 7, .version = 2, .committed_chunk_id = 100, .chunk = chunk};
  auto e =
      check_example(x, std::string("0000006a 0008 0002 07 0000000000000064") + chunk_hex);
  EXPECT_EQ(e.x.subscription_id, 7);
  EXPECT_EQ(e.x.committed_chunk_id, 100u);
  EXPECT_EQ(to_hex(e.x.chunk), to_hex(chunk));
  EXPECT_EQ(e.frame.size() - chunk.size(), deliver_prefix_bytes(2));
}

TEST(wire_deliver, both_versions_round_trip) {
  byte_vector chunk = from_hex(chunk_hex);
  check_frame(deliver{255, 1, 0, chunk}, 0x0008, ends_from(1, 1 + chunk.size()));
  check_frame(deliver{255, 2, 9, chunk}, 0x0008, ends_from(9, 9 + chunk.size()));
}

TEST(wire_deliver, the_chunk_is_borrowed_not_copied) {
  byte_vector body = from_hex("07 50000003");
  reader r = reader_of(body);
  deliver x;
  ASSERT_TRUE(decode(r, x, 1));
  EXPECT_EQ(x.chunk.data(), body.data() + 1);
  EXPECT_EQ(x.chunk.size(), 4u);
}

TEST(wire_deliver, there_is_no_version_0_or_3) {
  for (uint16_t version : {uint16_t{0}, uint16_t{3}}) {
    EXPECT_EQ(encoded_size(deliver{.version = version}), 0u);
    byte_vector body(32, 0);
    reader r = reader_of(body);
    deliver x;
    EXPECT_FALSE(decode(r, x, version));
  }
}
