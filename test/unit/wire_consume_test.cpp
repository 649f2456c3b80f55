#include "wire/consume.h"

#include <gtest/gtest.h>

#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_consume, subscribe_example) {
  property props[] = {
      {"name", "app"}, {"filter.0", "emea"}, {"match-unfiltered", "true"}};
  wire::subscribe x = {.correlation_id = 7,
                       .subscription_id = 1,
                       .stream = "invoices",
                       .spec = offset_at(42),
                       .credit = 10,
                       .properties = {props}};
  auto e = check_example(
      x,
      "000000560007000100000007010008696e766f696365730004000000000000002a000a00000003"
      "00046e616d650003617070000866696c7465722e300004656d656100106d617463682d756e6669"
      "6c7465726564000474727565");
  EXPECT_EQ(e.x.correlation_id, 7u);
  EXPECT_EQ(e.x.subscription_id, 1);
  EXPECT_EQ(e.x.stream, "invoices");
  EXPECT_EQ(e.x.spec.type, raw(offset_type::offset));
  EXPECT_EQ(e.x.spec.value, 42u);
  EXPECT_EQ(e.x.credit, 10);
  auto got = all(e.x.properties);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[1].key, "filter.0");
  EXPECT_EQ(got[1].value, "emea");
}

TEST(wire_consume, subscribe_without_map_example) {
  wire::subscribe x = {.correlation_id = 8,
                       .subscription_id = 2,
                       .stream = "invoices",
                       .spec = offset_first(),
                       .credit = 10};
  auto e = check_example(x, "000000170007000100000008020008696e766f696365730001000a");
  EXPECT_EQ(e.x.spec.type, raw(offset_type::first));
  EXPECT_TRUE(e.x.properties.empty());
}

TEST(wire_consume, credit_example) {
  auto e = check_example(credit{1, 1}, "0000000700090001010001");
  EXPECT_EQ(e.x.subscription_id, 1);
  EXPECT_EQ(e.x.credits, 1);
}

TEST(wire_consume, credit_error_example) {
  auto e = check_example(credit_error{4, 1}, "0000000780090001000401");
  EXPECT_EQ(e.x.code, 4);
  EXPECT_EQ(e.x.subscription_id, 1);
}

TEST(wire_consume, store_offset_example) {
  auto e =
      check_example(store_offset{"app", "invoices", 100},
                    "0000001b000a000100036170700008696e766f696365730000000000000064");
  EXPECT_EQ(e.x.reference, "app");
  EXPECT_EQ(e.x.stream, "invoices");
  EXPECT_EQ(e.x.offset, 100u);
}

TEST(wire_consume, consumer_update_example) {
  auto e = check_example(consumer_update{0, 1, true}, "0000000a001a0001000000000101");
  EXPECT_EQ(e.x.correlation_id, 0u);
  EXPECT_EQ(e.x.subscription_id, 1);
  EXPECT_TRUE(e.x.active);
}

TEST(wire_consume, consumer_update_reply_examples) {
  auto e = check_example(consumer_update_response{0, 1, offset_at(100)},
                         "00000014801a000100000000000100040000000000000064");
  EXPECT_EQ(e.x.code, 1);
  EXPECT_EQ(e.x.spec.type, raw(offset_type::offset));
  EXPECT_EQ(e.x.spec.value, 100u);
  auto none = check_example(consumer_update_response{0, 1, offset_none()},
                            "0000000c801a00010000000000010000");
  EXPECT_EQ(none.x.spec.type, raw(offset_type::none));
}

TEST(wire_consume, resolve_offset_example) {
  resolve_offset x = {
      .correlation_id = 12, .stream = "s", .spec = offset_timestamp(1700000000000)};
  auto e = check_example(x, "00000019001f00010000000c00017300050000018bcfe5680000000000");
  EXPECT_EQ(e.x.stream, "s");
  EXPECT_EQ(e.x.spec.type, raw(offset_type::timestamp));
  EXPECT_EQ(e.x.spec.value, 1700000000000u);
  EXPECT_TRUE(e.x.properties.empty());
}

TEST(wire_consume, requests_round_trip) {
  property props[] = {{"name", "app"}};
  // Corr 4, id 1, "stream" 8, type 2, offset 8, credit 2: here the map may be left out.
  check_frame(wire::subscribe{7, 255, "stream", offset_at(1), 10, {props}}, 0x0007,
              {.short_bodies = {25}});
  check_frame(wire::subscribe{7, 255, "stream", offset_next(), 10, {}}, 0x0007,
              {.open_ended = true});
  check_frame(unsubscribe{7, 255}, 0x000c);
  check_frame(credit{255, 32767}, 0x0009);
  check_frame(store_offset{"reference", "stream", UINT64_MAX}, 0x000a);
  check_frame(query_offset{7, "reference", "stream"}, 0x000b);
  check_frame(consumer_update{7, 255, false}, 0x001a);
  check_frame(resolve_offset{7, "s", offset_last(), {props}}, 0x001f,
              {.short_bodies = {9}});
}

TEST(wire_consume, responses_round_trip) {
  check_frame(query_offset_response{7, 1, UINT64_MAX}, 0x800b);
  check_frame(query_offset_response{7, 19, 0}, 0x800b, code_only);
  check_frame(credit_error{17, 255}, 0x8009);
  check_frame(resolve_offset_response{7, 1, offset_at(9)}, 0x801f);
  check_frame(resolve_offset_response{7, 19, offset_none()}, 0x801f, code_only);
}

TEST(wire_consume, an_answer_to_consumer_update_always_has_an_offset) {
  check_frame(consumer_update_response{7, 1, offset_at(9)}, 0x801a);
  check_frame(consumer_update_response{7, 1, offset_none()}, 0x801a);
  check_frame(consumer_update_response{7, 15, offset_none()}, 0x801a);
}

TEST(wire_consume, every_offset_type_round_trips) {
  for (offset_spec spec : {offset_none(), offset_first(), offset_last(), offset_next(),
                           offset_at(UINT64_MAX), offset_timestamp(-1)}) {
    byte_vector body = body_of(encoded(consumer_update_response{7, 1, spec}));
    bool has_value = spec.type >= raw(offset_type::offset);
    EXPECT_EQ(body.size(), has_value ? 16u : 8u);
    reader r = reader_of(body);
    consumer_update_response x;
    EXPECT_TRUE(decode(r, x));
    EXPECT_EQ(x.spec.type, spec.type);
    EXPECT_EQ(x.spec.value, spec.value);
  }
}

TEST(wire_consume, unknown_offset_types_are_neither_sent_nor_taken) {
  EXPECT_EQ(encoded_size(consumer_update_response{7, 1, {6, 0}}), 0u);
  EXPECT_FALSE(decodes(consumer_update_response{}, from_hex("00000007 0001 0006")));
  EXPECT_FALSE(decodes(consumer_update_response{},
                       from_hex("00000007 0001 ffff 0000000000000000")));
}

TEST(wire_consume, credits_are_signed) {
  byte_vector body = from_hex("01 ffff");
  reader r = reader_of(body);
  credit x;
  EXPECT_TRUE(decode(r, x));
  EXPECT_EQ(x.credits, -1);
}
