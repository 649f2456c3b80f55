#include "wire/publish.h"

#include <gtest/gtest.h>

#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_publish, declare_publisher_example) {
  declare_publisher x = {
      .correlation_id = 6, .publisher_id = 0, .reference = {}, .stream = "invoices"};
  auto e = check_example(x, "0000001500010001000000060000000008696e766f69636573");
  EXPECT_EQ(e.x.correlation_id, 6u);
  EXPECT_EQ(e.x.publisher_id, 0);
  EXPECT_EQ(e.x.reference, "");
  EXPECT_EQ(e.x.stream, "invoices");
}

TEST(wire_publish, publish_confirm_example) {
  uint64_t ids[] = {0, 1};
  auto e = check_example(publish_confirm{0, {ids}},
                         "0000001900030001000000000200000000000000000000000000000001");
  EXPECT_EQ(e.x.publisher_id, 0);
  EXPECT_EQ(all(e.x.ids), (std::vector<uint64_t>{0, 1}));
}

TEST(wire_publish, publish_error_example) {
  failed_id ids[] = {{9, 18}};
  auto e = check_example(publish_error{0, {ids}},
                         "0000001300040001000000000100000000000000090012");
  auto got = all(e.x.ids);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].id, 9u);
  EXPECT_EQ(got[0].code, 18);
}

TEST(wire_publish, requests_round_trip) {
  check_frame(declare_publisher{7, 255, "reference", "stream"}, 0x0001);
  check_frame(delete_publisher{7, 255}, 0x0006);
  check_frame(query_sequence{7, "reference", "stream"}, 0x0005);
}

TEST(wire_publish, responses_round_trip) {
  check_frame(query_sequence_response{7, 1, 0x0102030405060708}, 0x8005);
  check_frame(query_sequence_response{7, 16, 0}, 0x8005, code_only);
}

TEST(wire_publish, outcomes_round_trip) {
  uint64_t ids[] = {1, 2, UINT64_MAX};
  failed_id failed[] = {{1, 17}, {UINT64_MAX, 18}};
  check_frame(publish_confirm{255, {ids}}, 0x0003);
  check_frame(publish_confirm{255, {}}, 0x0003);
  check_frame(publish_error{255, {failed}}, 0x0004);
}

TEST(wire_publish, a_confirm_with_a_hostile_count_is_malformed) {
  for (const char *hex : {"00 ffffffff 0000000000000001", "00 00000002 0000000000000001",
                          "00 20000001 0000000000000001"}) {
    EXPECT_FALSE(decodes(publish_confirm{}, from_hex(hex))) << hex;
    EXPECT_FALSE(decodes(publish_error{}, from_hex(hex))) << hex;
  }
}

TEST(wire_publish, a_null_reference_is_told_from_an_empty_one) {
  byte_vector body = from_hex("00000001 00 ffff 000173");
  reader r = reader_of(body);
  declare_publisher x;
  EXPECT_TRUE(decode(r, x));
  EXPECT_EQ(x.reference.data(), nullptr);
  EXPECT_EQ(x.stream, "s");
}

TEST(wire_publish, a_sequence_left_out_by_a_refusal_is_zero) {
  byte_vector body = from_hex("00000001 0010");
  reader r = reader_of(body);
  query_sequence_response x = {.sequence = 5};
  EXPECT_TRUE(decode(r, x));
  EXPECT_EQ(x.sequence, 0u);
}
