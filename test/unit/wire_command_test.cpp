#include "wire/command.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_command, every_key_is_in_the_table) {
  std::set<std::string> names;
  for (uint16_t k = 1; k <= 31; k++) {
    const command_info *c = command_find(k);
    ASSERT_NE(c, nullptr) << k;
    EXPECT_EQ(raw(c->key), k);
    names.insert(c->name);
  }
  EXPECT_EQ(names.size(), 31u);
}

TEST(wire_command, nothing_else_is_in_the_table) {
  for (uint32_t k : {0u, 32u, 0x7fffu, 0x8001u, 0xffffu}) {
    EXPECT_EQ(command_find(static_cast<uint16_t>(k)), nullptr) << k;
  }
}

TEST(wire_command, keys_are_the_protocols) {
  EXPECT_EQ(raw(key::declare_publisher), 0x01);
  EXPECT_EQ(raw(key::deliver), 0x08);
  EXPECT_EQ(raw(key::metadata_update), 0x10);
  EXPECT_EQ(raw(key::tune), 0x14);
  EXPECT_EQ(raw(key::consumer_update), 0x1a);
  EXPECT_EQ(raw(key::resolve_offset_spec), 0x1f);
}

TEST(wire_command, only_publish_and_deliver_have_a_second_version) {
  for (uint16_t k = first_key; k <= last_key; k++) {
    bool two = k == raw(key::publish) || k == raw(key::deliver);
    EXPECT_EQ(command_find(k)->min_version, 1) << k;
    EXPECT_EQ(command_find(k)->max_version, two ? 2 : 1) << k;
  }
}

TEST(wire_command, the_broker_alone_sends_what_it_starts) {
  std::set<key> broker_only = {key::publish_confirm, key::publish_error, key::deliver,
                               key::metadata_update, key::consumer_update};
  std::set<key> both = {key::tune, key::close, key::heartbeat};
  for (uint16_t k = first_key; k <= last_key; k++) {
    const command_info *c = command_find(k);
    EXPECT_EQ(c->from_client, !broker_only.contains(c->key)) << c->name;
    EXPECT_EQ(c->from_broker, broker_only.contains(c->key) || both.contains(c->key))
        << c->name;
  }
}

TEST(wire_command, one_way_commands_have_no_correlation_id) {
  std::set<key> one_way = {
      key::publish,  key::publish_confirm, key::publish_error,   key::deliver,
      key::credit,   key::store_offset,    key::metadata_update, key::tune,
      key::heartbeat};
  for (uint16_t k = first_key; k <= last_key; k++) {
    const command_info *c = command_find(k);
    EXPECT_EQ(c->has_correlation, !one_way.contains(c->key)) << c->name;
  }
}

TEST(wire_command, names_are_found_with_and_without_the_response_bit) {
  EXPECT_STREQ(command_name(0x0001), "DeclarePublisher");
  EXPECT_STREQ(command_name(0x8001), "DeclarePublisher");
  EXPECT_STREQ(command_name(0x801f), "ResolveOffsetSpec");
  EXPECT_STREQ(command_name(99), "unknown command");
}

TEST(wire_command, the_response_bit_tells_responses) {
  EXPECT_TRUE(is_response(0x8014));
  EXPECT_FALSE(is_response(0x0014));
  EXPECT_EQ(response_key(key::tune), 0x8014);
  EXPECT_EQ(without_response_bit(0x8014), 0x0014);
}

TEST(wire_response, every_code_has_a_name_of_its_own) {
  std::set<std::string> names;
  for (uint16_t code = 1; code <= 21; code++) {
    names.insert(response_name(code));
  }
  EXPECT_EQ(names.size(), 21u);
  EXPECT_STREQ(response_name(1), "ok");
  EXPECT_STREQ(response_name(raw(response::stream_does_not_exist)),
               "stream does not exist");
  EXPECT_STREQ(response_name(raw(response::no_offset)), "no offset");
}

TEST(wire_response, unknown_codes_have_a_name_as_well) {
  for (uint32_t code : {0u, 22u, 0xffffu}) {
    EXPECT_STREQ(response_name(static_cast<uint16_t>(code)), "unknown response code");
  }
}

TEST(wire_frame, begin_and_end_enclose_the_body) {
  exact_buffer buffer(11);
  writer w = writer_of(buffer.span());
  size_t mark = frame_begin(w, 0x0017, 1);
  w.u16(0xabcd);
  w.u8(0xef);
  frame_end(w, mark);
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(to_hex(buffer.span()),
            "00000007"
            "0017"
            "0001"
            "abcdef");
}

TEST(wire_frame, frames_can_follow_each_other_in_one_buffer) {
  exact_buffer buffer(17);
  writer w = writer_of(buffer.span());
  frame_end(w, frame_begin(w, 0x0017, 1));
  size_t mark = frame_begin(w, 0x0001, 2);
  w.u8(0xff);
  frame_end(w, mark);
  EXPECT_EQ(to_hex(buffer.span()),
            "00000004"
            "0017"
            "0001"
            "00000005"
            "0001"
            "0002"
            "ff");
}

TEST(wire_frame, a_header_cut_short_is_malformed) {
  byte_vector header = from_hex("80150001");
  for (size_t n = 0; n <= header.size(); n++) {
    exact_buffer buffer(std::span<const uint8_t>(header.data(), n));
    reader r = reader_of(buffer.span());
    frame_header h;
    EXPECT_EQ(decode(r, h), n == 4);
  }
}

TEST(wire_frame, a_response_frame_takes_its_key_from_the_caller) {
  response_frame x = {.correlation_id = 7, .code = 17};
  EXPECT_EQ(to_hex(encoded(x, key::declare_publisher)),
            "0000000a"
            "80010001"
            "00000007"
            "0011");
  EXPECT_EQ(to_hex(encoded(x, uint16_t{0x8001})),
            to_hex(encoded(x, key::declare_publisher)));
  check_frame(x, 0x8007, {}, key::subscribe);
}
