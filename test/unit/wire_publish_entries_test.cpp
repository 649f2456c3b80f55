#include <gtest/gtest.h>

#include "wire/publish.h"
#include "wire_frames.h"

using namespace rstream;
using namespace rstream::test;
using rstream::wire::publish_entries;
using rstream::wire::publish_entry;

namespace {

std::vector<publish_entry> entries_of(publish_entries it) {
  std::vector<publish_entry> out;
  publish_entry e;
  while (it.next(e)) {
    out.push_back(e);
  }
  EXPECT_FALSE(it.failed);
  return out;
}

const char two_simple[] =
    "00000024000200010000000002000000000000000000000002686900000000000000010000000178";
const char two_filtered[] =
    "0000002c00020002000000000200000000000000020004656d65610000000268690000000000000003"
    "ffff0000000178";
const char one_sub_batch[] =
    "0000002700020001000000000100000000000000078000020000000b0000000b000000016100000002"
    "6262";

publish_entry sub_batch(std::string_view data) {
  return {.id = 7,
          .body = bytes_of(data),
          .is_sub_batch = true,
          .record_count = 2,
          .uncompressed_bytes = 11};
}

const std::string_view sub_batch_data = {"\0\0\0\1a\0\0\0\2bb", 11};

bool walks(std::string_view hex, uint32_t count, uint16_t version) {
  exact_buffer buffer(from_hex(hex));
  publish_entries it = wire::publish_entries_of(buffer.span(), count, version);
  publish_entry e;
  uint32_t n = 0;
  while (it.next(e)) {
    n++;
  }
  EXPECT_EQ(it.failed, n != count);
  return !it.failed;
}

}  // namespace

TEST(wire_publish_entries, simple_example) {
  publish_entry items[] = {{.id = 0, .body = bytes_of("hi")},
                           {.id = 1, .body = bytes_of("x")}};
  wire::publish x = {.publisher_id = 0, .version = 1, .entries = {items}};
  auto e = check_example(x, two_simple);
  EXPECT_EQ(e.x.publisher_id, 0);
  auto got = entries_of(e.x.entries);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].id, 0u);
  EXPECT_EQ(text_of(got[0].body), "hi");
  EXPECT_FALSE(got[0].is_sub_batch);
  EXPECT_EQ(got[1].id, 1u);
  EXPECT_EQ(text_of(got[1].body), "x");
  EXPECT_EQ(to_hex(got[1].whole),
            "0000000000000001"
            "00000001"
            "78");
}

TEST(wire_publish_entries, filtered_example) {
  publish_entry items[] = {{.id = 2, .filter = "emea", .body = bytes_of("hi")},
                           {.id = 3, .body = bytes_of("x")}};
  wire::publish x = {.publisher_id = 0, .version = 2, .entries = {items}};
  auto e = check_example(x, two_filtered);
  auto got = entries_of(e.x.entries);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].filter, "emea");
  EXPECT_EQ(text_of(got[0].body), "hi");
  EXPECT_EQ(got[1].filter.data(), nullptr);
  EXPECT_EQ(to_hex(got[1].whole),
            "0000000000000003"
            "ffff"
            "00000001"
            "78");
}

TEST(wire_publish_entries, sub_batch_example) {
  publish_entry items[] = {sub_batch(sub_batch_data)};
  wire::publish x = {.publisher_id = 0, .version = 1, .entries = {items}};
  auto e = check_example(x, one_sub_batch);
  auto got = entries_of(e.x.entries);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].id, 7u);
  EXPECT_TRUE(got[0].is_sub_batch);
  EXPECT_EQ(got[0].compression, 0);
  EXPECT_EQ(got[0].record_count, 2);
  EXPECT_EQ(got[0].uncompressed_bytes, 11u);
  EXPECT_EQ(to_hex(got[0].body), to_hex(bytes_of(sub_batch_data)));
}

TEST(wire_publish_entries, frames_round_trip) {
  publish_entry mixed[] = {{.id = 1, .body = bytes_of("one")},
                           sub_batch(sub_batch_data),
                           {.id = UINT64_MAX, .body = {}}};
  mixed[1].compression = 4;
  check_frame(wire::publish{255, 1, {mixed}}, 0x0002);
  publish_entry filtered[] = {{.id = 1, .filter = "a", .body = bytes_of("one")},
                              {.id = 2, .filter = "", .body = bytes_of("two")},
                              {.id = 3, .body = bytes_of("three")}};
  check_frame(wire::publish{255, 2, {filtered}}, 0x0002);
  check_frame(wire::publish{255, 1, {}}, 0x0002);
}

TEST(wire_publish_entries, compression_has_three_bits) {
  publish_entry items[] = {sub_batch(sub_batch_data)};
  for (uint8_t compression = 0; compression < 8; compression++) {
    items[0].compression = compression;
    byte_vector body = body_of(encoded(wire::publish{0, 1, {items}}));
    wire::reader r = wire::reader_of(body);
    wire::publish x;
    ASSERT_TRUE(decode(r, x, 1));
    EXPECT_EQ(entries_of(x.entries)[0].compression, compression);
  }
  items[0].compression = 8;
  EXPECT_EQ(wire::encoded_size(wire::publish{0, 1, {items}}), 0u);
}

TEST(wire_publish_entries, version_2_takes_no_sub_batch) {
  publish_entry items[] = {sub_batch(sub_batch_data)};
  EXPECT_EQ(wire::encoded_size(wire::publish{0, 2, {items}}), 0u);
  EXPECT_FALSE(walks("0000000000000007 ffff 80 0002 0000000b 00000000", 1, 2));
}

TEST(wire_publish_entries, version_1_takes_no_filter) {
  publish_entry items[] = {{.id = 1, .filter = "emea", .body = bytes_of("x")}};
  EXPECT_EQ(wire::encoded_size(wire::publish{0, 1, {items}}), 0u);
}

TEST(wire_publish_entries, there_is_no_version_0_or_3) {
  publish_entry items[] = {{.id = 1, .body = bytes_of("x")}};
  for (uint16_t version : {uint16_t{0}, uint16_t{3}}) {
    EXPECT_EQ(wire::encoded_size(wire::publish{0, version, {items}}), 0u);
    byte_vector body = body_of(from_hex(two_simple));
    wire::reader r = wire::reader_of(body);
    wire::publish x;
    EXPECT_FALSE(decode(r, x, version));
  }
}

TEST(wire_publish_entries, walking_stops_at_the_count) {
  EXPECT_TRUE(walks("0000000000000001 00000001 78 0000000000000002 00000001 79", 1, 1));
}

TEST(wire_publish_entries, a_count_beyond_the_bytes_fails) {
  EXPECT_FALSE(walks("0000000000000001 00000001 78", 2, 1));
  EXPECT_FALSE(walks("0000000000000001 00000001 78", 0xffffffff, 1));
  EXPECT_FALSE(
      decodes(wire::publish{}, from_hex("00 ffffffff 0000000000000001 00000000")));
}

TEST(wire_publish_entries, lengths_past_the_end_fail) {
  EXPECT_FALSE(walks("0000000000000001 7fffffff 78", 1, 1));
  EXPECT_FALSE(walks("0000000000000001 00000002 78", 1, 1));
  EXPECT_FALSE(walks("0000000000000001 fffe 00000001 78", 1, 2));
  EXPECT_FALSE(walks("0000000000000001 80 0001 00000001 ffffffff 78", 1, 1));
}

TEST(wire_publish_entries, what_is_left_of_a_walk_can_be_sent_again) {
  byte_vector frame = from_hex(two_simple);
  byte_vector body = body_of(frame);
  wire::reader r = wire::reader_of(body);
  wire::publish x;
  ASSERT_TRUE(decode(r, x, 1));
  publish_entry first;
  ASSERT_TRUE(x.entries.next(first));
  EXPECT_EQ(to_hex(encoded(x)),
            "00000016"
            "00020001"
            "00"
            "00000001"
            "0000000000000001"
            "00000001"
            "78");
}

TEST(wire_publish_entries, decoded_entries_cannot_change_their_version) {
  byte_vector body = body_of(from_hex(two_simple));
  wire::reader r = wire::reader_of(body);
  wire::publish x;
  ASSERT_TRUE(decode(r, x, 1));
  x.version = 2;
  EXPECT_EQ(wire::encoded_size(x), 0u);
}
