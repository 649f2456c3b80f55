#include "wire/topology.h"

#include <gtest/gtest.h>

#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_topology, create_example) {
  property args[] = {{"max-age", "6h"}};
  create_stream x = {.correlation_id = 10, .stream = "invoices", .arguments = {args}};
  auto e = check_example(
      x,
      "00000023000d00010000000a0008696e766f696365730000000100076d61782d61676500023668");
  EXPECT_EQ(e.x.correlation_id, 10u);
  EXPECT_EQ(e.x.stream, "invoices");
  auto got = all(e.x.arguments);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].key, "max-age");
  EXPECT_EQ(got[0].value, "6h");
}

TEST(wire_topology, metadata_update_example) {
  auto e = check_example(metadata_update{6, "invoices"},
                         "000000100010000100060008696e766f69636573");
  EXPECT_EQ(e.x.code, 6);
  EXPECT_EQ(e.x.stream, "invoices");
}

TEST(wire_topology, metadata_reply_example) {
  broker_ref brokers[] = {{0, "n1", 5552}};
  stream_info streams[] = {{.stream = "s", .code = 1, .leader = 0},
                           {.stream = "nope", .code = 2}};
  metadata_response x = {
      .correlation_id = 11, .brokers = {brokers}, .streams = {streams}};
  auto e = check_example(
      x,
      "00000033800f00010000000b00000001000000026e31000015b00000000200017300010000000000"
      "0000046e6f70650002ffff00000000");
  EXPECT_EQ(e.x.correlation_id, 11u);
  auto got_brokers = all(e.x.brokers);
  ASSERT_EQ(got_brokers.size(), 1u);
  EXPECT_EQ(got_brokers[0].reference, 0);
  EXPECT_EQ(got_brokers[0].host, "n1");
  EXPECT_EQ(got_brokers[0].port, 5552u);
  auto got_streams = all(e.x.streams);
  ASSERT_EQ(got_streams.size(), 2u);
  EXPECT_EQ(got_streams[0].stream, "s");
  EXPECT_EQ(got_streams[0].leader, 0);
  EXPECT_EQ(got_streams[1].stream, "nope");
  EXPECT_EQ(got_streams[1].code, 2);
  EXPECT_EQ(got_streams[1].leader, no_broker);
}

TEST(wire_topology, replicas_are_decoded_per_stream) {
  uint16_t first[] = {1, 2};
  uint16_t second[] = {no_broker};
  stream_info streams[] = {{"a", 1, 0, {first}}, {"b", 1, 3, {second}}, {"c", 6}};
  metadata_response x = {.streams = {streams}};
  byte_vector body = body_of(encoded(x));
  reader r = reader_of(body);
  metadata_response got;
  ASSERT_TRUE(decode(r, got));
  auto infos = all(got.streams);
  ASSERT_EQ(infos.size(), 3u);
  EXPECT_EQ(all(infos[0].replicas), (std::vector<uint16_t>{1, 2}));
  EXPECT_EQ(all(infos[1].replicas), std::vector<uint16_t>{no_broker});
  EXPECT_TRUE(infos[2].replicas.empty());
}

TEST(wire_topology, requests_round_trip) {
  property args[] = {{"max-age", "6h"}};
  std::string_view names[] = {"inv-0", "inv-1"};
  std::string_view keys[] = {"0", "1"};
  check_frame(create_stream{7, "stream", {args}}, 0x000d, {.short_bodies = {12}});
  check_frame(delete_stream{7, "stream"}, 0x000e);
  check_frame(metadata{7, {names}}, 0x000f);
  check_frame(metadata_update{6, "stream"}, 0x0010);
  check_frame(route{7, "key", "super"}, 0x0018);
  check_frame(partitions{7, "super"}, 0x0019);
  check_frame(stream_stats{7, "stream"}, 0x001c);
  // Corr 4, "inv" 5, partitions 4 + 14, keys 4 + 6: here the map may be left out.
  check_frame(create_super_stream{7, "inv", {names}, {keys}, {args}}, 0x001d,
              {.short_bodies = {37}});
  check_frame(delete_super_stream{7, "inv"}, 0x001e);
}

TEST(wire_topology, responses_round_trip) {
  std::string_view names[] = {"inv-0", "inv-1"};
  wire::stat stats[] = {{"first_chunk_id", 0}, {"committed_chunk_id", -1}};
  check_frame(route_response{7, 1, {names}}, 0x8018);
  check_frame(route_response{7, 2, {names}}, 0x8018, code_only);
  check_frame(partitions_response{7, 1, {names}}, 0x8019);
  check_frame(partitions_response{7, 2, {names}}, 0x8019, code_only);
  check_frame(stream_stats_response{7, 1, {stats}}, 0x801c);
  check_frame(stream_stats_response{7, 2, {stats}}, 0x801c, code_only);
}

TEST(wire_topology, metadata_response_round_trips) {
  broker_ref brokers[] = {{0, "n1", 5552}, {1, "n2", 5552}};
  uint16_t replicas[] = {1, no_broker};
  stream_info streams[] = {{"a", 1, 0, {replicas}}, {"b", 6}};
  check_frame(metadata_response{7, {brokers}, {streams}}, 0x800f);
}

TEST(wire_topology, statistics_are_signed) {
  wire::stat stats[] = {{"committed_chunk_id", -1}};
  byte_vector body = body_of(encoded(stream_stats_response{7, 1, {stats}}));
  reader r = reader_of(body);
  stream_stats_response x;
  ASSERT_TRUE(decode(r, x));
  EXPECT_EQ(all(x.stats)[0].value, -1);
}

TEST(wire_topology, the_order_of_partitions_is_kept) {
  std::string_view names[] = {"inv-2", "inv-0", "inv-1"};
  byte_vector body = body_of(encoded(partitions_response{7, 1, {names}}));
  reader r = reader_of(body);
  partitions_response x;
  ASSERT_TRUE(decode(r, x));
  EXPECT_EQ(all(x.streams), (std::vector<std::string_view>{"inv-2", "inv-0", "inv-1"}));
}

TEST(wire_topology, hostile_counts_in_metadata_are_malformed) {
  EXPECT_FALSE(decodes(metadata_response{}, from_hex("0000000b ffffffff 00000000")));
  EXPECT_FALSE(decodes(metadata_response{}, from_hex("0000000b 00000000 ffffffff")));
  EXPECT_FALSE(decodes(metadata{}, from_hex("0000000b ffffffff 0000")));
}

TEST(wire_topology, null_strings_are_taken_as_empty) {
  byte_vector body = from_hex("00000007 ffff ffff");
  reader r = reader_of(body);
  route x;
  EXPECT_TRUE(decode(r, x));
  EXPECT_TRUE(x.routing_key.empty());
  EXPECT_EQ(x.super_stream.data(), nullptr);
}

TEST(wire_topology, names_too_long_for_the_wire_are_not_encoded) {
  std::string name(32768, 'x');
  EXPECT_EQ(encoded_size(delete_stream{7, name}), 0u);
  property args[] = {{"key", name}};
  EXPECT_EQ(encoded_size(create_stream{7, "s", {args}}), 0u);
}
