// Scenario 36, the way out: each type in its shortest form, each section in its place.
#include "codec/amqp_encode.h"

#include <gtest/gtest.h>

#include "amqp_text.h"

using namespace rstream;
using namespace rstream::test;

namespace {

using value = rstream_amqp_value;

const uint8_t sixteen[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

struct vector {
  value v;
  const char *hex;
};

void expect_all(std::initializer_list<vector> vectors) {
  for (const vector &x : vectors) {
    EXPECT_EQ(amqp_hex_of(x.v), plain_hex(x.hex)) << show(x.v);
  }
}

value array_of(const std::vector<value> &items) {
  return rstream_amqp_array(items.data(), items.size());
}
value list_of(const std::vector<value> &items) {
  return rstream_amqp_list(items.data(), items.size());
}

}  // namespace

TEST(scenario_36_amqp_encode, integers_take_their_shortest_form) {
  expect_all({
      {rstream_amqp_ubyte(0), "5000"},
      {rstream_amqp_ubyte(255), "50ff"},
      {rstream_amqp_ushort(0x0102), "600102"},
      {rstream_amqp_uint(0), "43"},
      {rstream_amqp_uint(1), "5201"},
      {rstream_amqp_uint(255), "52ff"},
      {rstream_amqp_uint(256), "7000000100"},
      {rstream_amqp_uint(UINT32_MAX), "70ffffffff"},
      {rstream_amqp_ulong(0), "44"},
      {rstream_amqp_ulong(255), "53ff"},
      {rstream_amqp_ulong(256), "800000000000000100"},
      {rstream_amqp_ulong(UINT64_MAX), "80ffffffffffffffff"},
      {rstream_amqp_byte(-1), "51ff"},
      {rstream_amqp_short(-2), "61fffe"},
      {rstream_amqp_int(0), "5400"},
      {rstream_amqp_int(-128), "5480"},
      {rstream_amqp_int(127), "547f"},
      {rstream_amqp_int(128), "7100000080"},
      {rstream_amqp_int(-129), "71ffffff7f"},
      {rstream_amqp_long(-128), "5580"},
      {rstream_amqp_long(128), "810000000000000080"},
      {rstream_amqp_long(INT64_MIN), "818000000000000000"},
  });
}

TEST(scenario_36_amqp_encode, the_other_types_of_fixed_size) {
  expect_all({
      {rstream_amqp_null(), "40"},
      {rstream_amqp_boolean(7), "41"},
      {rstream_amqp_boolean(0), "42"},
      {rstream_amqp_float(1.5f), "723fc00000"},
      {rstream_amqp_double(-2.0), "82c000000000000000"},
      {rstream_amqp_decimal32(sixteen), "7400010203"},
      {rstream_amqp_decimal64(sixteen), "840001020304050607"},
      {rstream_amqp_decimal128(sixteen), "94000102030405060708090a0b0c0d0e0f"},
      {rstream_amqp_char(0x1f600), "730001f600"},
      {rstream_amqp_timestamp(-1), "83ffffffffffffffff"},
      {rstream_amqp_timestamp(1700000000000), "830000018bcfe56800"},
      {rstream_amqp_uuid(sixteen), "98000102030405060708090a0b0c0d0e0f"},
  });
}

TEST(scenario_36_amqp_encode, text_and_bytes_have_a_size_of_one_byte_up_to_255) {
  std::string longest = fill(255);
  std::string longer = fill(256);
  expect_all({
      {rstream_amqp_binary("\0\1", 2), "a0020001"},
      {rstream_amqp_string(""), "a100"},
      {rstream_amqp_string("h\xc3\xa9"), "a10368c3a9"},
      {rstream_amqp_symbol("x-opt"), "a305782d6f7074"},
  });
  EXPECT_EQ(amqp_hex_of(rstream_amqp_string(longest.c_str())), "a1ff" + hex_of(longest));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_string(longer.c_str())),
            "b100000100" + hex_of(longer));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_symbol(longer.c_str())),
            "b300000100" + hex_of(longer));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_binary(longer.data(), 256)),
            "b000000100" + hex_of(longer));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_string_n("abc", 2)), "a1026162");
  EXPECT_EQ(amqp_hex_of(rstream_amqp_symbol_n("abc", 1)), "a30161");
}

TEST(scenario_36_amqp_encode, compounds_are_short_while_they_can_be) {
  value items[] = {rstream_amqp_int(1), rstream_amqp_string("a")};
  rstream_amqp_pair pairs[] = {{rstream_amqp_symbol("k"), rstream_amqp_null()}};
  expect_all({
      {rstream_amqp_list(nullptr, 0), "45"},
      {rstream_amqp_list(items, 2), "c0 06 02 5401 a10161"},
      {rstream_amqp_map(nullptr, 0), "c1 01 00"},
      {rstream_amqp_map(pairs, 1), "c1 05 02 a3016b 40"},
      {rstream_amqp_described(items), "00 5401 a10161"},
  });
}

TEST(scenario_36_amqp_encode, compounds_grow_when_their_items_do) {
  std::string fits = fill(252);
  std::string too_long = fill(253);
  value short_item = rstream_amqp_string(fits.c_str());
  value long_item = rstream_amqp_string(too_long.c_str());
  EXPECT_EQ(amqp_hex_of(rstream_amqp_list(&short_item, 1)), "c0ff01a1fc" + hex_of(fits));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_list(&long_item, 1)),
            "d00000010300000001a1fd" + hex_of(too_long));
  // So does what holds them, and an item behind stays behind.
  value inner = rstream_amqp_list(&long_item, 1);
  value outer[] = {inner, rstream_amqp_boolean(1)};
  EXPECT_EQ(amqp_hex_of(rstream_amqp_list(outer, 2)),
            "d00000010d00000002d00000010300000001a1fd" + hex_of(too_long) + "41");
}

TEST(scenario_36_amqp_encode, more_than_255_items_need_a_wide_count) {
  std::vector<value> nulls(255);
  EXPECT_EQ(amqp_hex_of(list_of(nulls)), "d000000103000000ff" + hex_of(fill(255, '@')))
      << "254 bytes are the most behind a count of one byte";
  nulls.resize(254);
  EXPECT_EQ(amqp_hex_of(list_of(nulls)), "c0fffe" + hex_of(fill(254, '@')));
  nulls.resize(256);
  EXPECT_EQ(amqp_hex_of(list_of(nulls)), "d00000010400000100" + hex_of(fill(256, '@')));
  std::vector<value> elements(256);
  EXPECT_EQ(amqp_hex_of(array_of(elements)), "f0000000050000010040");
}

TEST(scenario_36_amqp_encode, elements_of_an_array_share_the_shortest_code_for_all) {
  auto u = rstream_amqp_uint;
  auto l = rstream_amqp_long;
  expect_all({
      {array_of({}), "e0 02 00 40"},
      {array_of({rstream_amqp_boolean(1), rstream_amqp_boolean(0)}), "e0 04 02 56 01 00"},
      {array_of({u(0), u(255)}), "e0 04 02 52 00 ff"},
      {array_of({u(0), u(256)}), "e0 0a 02 70 00000000 00000100"},
      {array_of({rstream_amqp_ulong(0)}), "e0 03 01 53 00"},
      {array_of({rstream_amqp_ulong(256)}), "e0 0a 01 80 0000000000000100"},
      {array_of({rstream_amqp_int(-1), rstream_amqp_int(-128)}), "e0 04 02 54 ff 80"},
      {array_of({rstream_amqp_int(128)}), "e0 06 01 71 00000080"},
      {array_of({l(1), l(-129)}), "e0 12 02 81 0000000000000001 ffffffffffffff7f"},
      {array_of({rstream_amqp_ubyte(1)}), "e0 03 01 50 01"},
      {array_of({rstream_amqp_short(-1)}), "e0 04 01 61 ffff"},
      {array_of({rstream_amqp_double(1)}), "e0 0a 01 82 3ff0000000000000"},
      {array_of({rstream_amqp_decimal32(sixteen)}), "e0 06 01 74 00010203"},
      {array_of({rstream_amqp_char('a')}), "e0 06 01 73 00000061"},
      {array_of({rstream_amqp_uuid(sixteen)}),
       "e0 12 01 98 000102030405060708090a0b0c0d0e0f"},
      {array_of({rstream_amqp_symbol("a"), rstream_amqp_symbol("bc")}),
       "e0 07 02 a3 01 61 02 6263"},
  });
  std::string longer = fill(256);
  EXPECT_EQ(amqp_hex_of(array_of(
                {rstream_amqp_string("a"), rstream_amqp_string(longer.c_str())})),
            "f00000010e00000002b100000001"
            "61"
            "00000100" +
                hex_of(longer));
}

TEST(scenario_36_amqp_encode, elements_that_are_compounds) {
  value one = rstream_amqp_int(1);
  rstream_amqp_pair pair = {rstream_amqp_string("k"), rstream_amqp_int(1)};
  std::vector<value> elements = {one, one};
  expect_all({
      {array_of({rstream_amqp_list(&one, 1), rstream_amqp_list(nullptr, 0)}),
       "e0 14 02 d0 00000006 00000001 5401 00000004 00000000"},
      {array_of({rstream_amqp_map(&pair, 1)}),
       "e0 0f 01 d1 00000009 00000002 a1016b 5401"},
      {array_of({array_of(elements)}), "e0 0d 01 f0 00000007 00000002 54 0101"},
  });
}

TEST(scenario_36_amqp_encode, received_compounds_go_on_as_they_are) {
  // A list in the long form stays in the long form.
  byte_vector bytes = from_hex("d0 00000006 00000001 5401");
  wire::reader r = wire::reader_of(bytes);
  value list = amqp_read(r, 0);
  EXPECT_EQ(amqp_hex_of(list), to_hex(bytes));
  EXPECT_EQ(amqp_hex_of(rstream_amqp_list(&list, 1)), "c00c01" + to_hex(bytes));
  // In an array all have one form.
  byte_vector other_bytes = from_hex("c0 03 01 5402");
  r = wire::reader_of(other_bytes);
  value other = amqp_read(r, 0);
  byte_vector empty_bytes = from_hex("45");
  r = wire::reader_of(empty_bytes);
  value empty = amqp_read(r, 0);
  EXPECT_EQ(amqp_hex_of(array_of({list, other, empty})),
            plain_hex("e0 1e 03 d0 00000006 00000001 5401 00000006 00000001 5402 "
                      "00000004 00000000"));
}

// ---- sections

TEST(scenario_36_amqp_encode, data_alone_is_the_minimal_message) {
  EXPECT_EQ(amqp_message_hex(no_sections(), "hi"), "005375a0026869");
  EXPECT_EQ(amqp_message_hex(no_sections()), "005375a000");
  std::string longest = fill(255);
  std::string longer = fill(256);
  EXPECT_EQ(amqp_message_hex(no_sections(), longest), "005375a0ff" + hex_of(longest));
  EXPECT_EQ(amqp_message_hex(no_sections(), longer), "005375b000000100" + hex_of(longer));
  std::string huge = fill(65536);
  EXPECT_EQ(amqp_message_hex(no_sections(), huge), "005375b000010000" + hex_of(huge));
  EXPECT_EQ(rstream_amqp_encode(nullptr, "hi", 2, nullptr, 0), 7);
}

TEST(scenario_36_amqp_encode, the_inline_header_of_a_data_section_is_the_same) {
  for (size_t size : {0u, 1u, 255u, 256u, 65535u, 65536u, 0x12345678u}) {
    exact_buffer out(amqp_data_header_bytes(size));
    EXPECT_EQ(amqp_write_data_header(out.data.get(), size), out.data.get() + out.size);
    EXPECT_EQ(out.size, size > 255 ? 8u : 5u);
    EXPECT_EQ(out.data[3], size > 255 ? 0xb0 : 0xa0);
    if (size <= 255) EXPECT_EQ(out.data[4], size);
    if (size > 255) EXPECT_EQ(wire::load_u32be(out.data.get() + 4), size);
  }
}

TEST(scenario_36_amqp_encode, header_and_properties_are_cut_behind_the_last_one_set) {
  rstream_amqp_header header;
  rstream_amqp_header_init(&header);
  rstream_amqp_properties properties;
  rstream_amqp_properties_init(&properties);
  rstream_amqp_sections s = no_sections();
  s.header = &header;
  s.properties = &properties;
  EXPECT_EQ(amqp_message_hex(s, "x"), "005375a00178") << "nothing is set";
  header.durable = rstream_amqp_boolean(1);
  properties.subject = rstream_amqp_string("s");
  EXPECT_EQ(amqp_message_hex(s, "x"),
            plain_hex("005370 c0 02 01 41  005373 c0 07 04 40 40 40 a10173  "
                      "005375 a0 01 78"));
}

TEST(scenario_36_amqp_encode, all_of_header_and_properties) {
  rstream_amqp_header header;
  rstream_amqp_header_init(&header);
  header.durable = rstream_amqp_boolean(0);
  header.priority = rstream_amqp_ubyte(9);
  header.ttl = rstream_amqp_uint(1000);
  header.first_acquirer = rstream_amqp_boolean(1);
  header.delivery_count = rstream_amqp_uint(0);
  rstream_amqp_properties p;
  rstream_amqp_properties_init(&p);
  p.message_id = rstream_amqp_ulong(1);
  p.user_id = rstream_amqp_binary("u", 1);
  p.to = rstream_amqp_string("t");
  p.subject = rstream_amqp_string("s");
  p.reply_to = rstream_amqp_string("r");
  p.correlation_id = rstream_amqp_uuid(sixteen);
  p.content_type = rstream_amqp_symbol("c");
  p.content_encoding = rstream_amqp_symbol("e");
  p.absolute_expiry_time = rstream_amqp_timestamp(2);
  p.creation_time = rstream_amqp_timestamp(3);
  p.group_id = rstream_amqp_string("g");
  p.group_sequence = rstream_amqp_uint(4);
  p.reply_to_group_id = rstream_amqp_string("h");
  rstream_amqp_sections s = no_sections();
  s.header = &header;
  s.properties = &p;
  EXPECT_EQ(amqp_message_hex(s),
            plain_hex("005370 c0 0b 05 42 5009 70000003e8 41 43"
                      "005373 c0 40 0d 5301 a00175 a10174 a10173 a10172"
                      "  98 000102030405060708090a0b0c0d0e0f a30163 a30165"
                      "  83 0000000000000002 83 0000000000000003 a10167 5204 a10168"
                      "005375 a0 00"));
}

TEST(scenario_36_amqp_encode, sections_come_in_the_order_of_the_standard) {
  rstream_amqp_pair d = {rstream_amqp_symbol("d"), rstream_amqp_null()};
  rstream_amqp_pair m[] = {{rstream_amqp_symbol("m"), rstream_amqp_list(nullptr, 0)},
                           {rstream_amqp_ulong(5), rstream_amqp_uint(0)}};
  rstream_amqp_pair a = {rstream_amqp_string("a"), rstream_amqp_boolean(1)};
  rstream_amqp_pair f = {rstream_amqp_symbol("f"), rstream_amqp_boolean(0)};
  rstream_amqp_sections s = no_sections();
  s.delivery_annotations = &d;
  s.delivery_annotation_count = 1;
  s.message_annotations = m;
  s.message_annotation_count = 2;
  s.application_properties = &a;
  s.application_property_count = 1;
  s.footer = &f;
  s.footer_count = 1;
  EXPECT_EQ(amqp_message_hex(s, "x"),
            plain_hex("005371 c1 05 02 a30164 40  005372 c1 08 04 a3016d 45 5305 43 "
                      "005374 c1 05 02 a10161 41  005375 a0 01 78 "
                      "005378 c1 05 02 a30166 42"));
}

TEST(scenario_36_amqp_encode, bodies_that_are_not_data) {
  value items[] = {rstream_amqp_int(1), rstream_amqp_int(2)};
  value lists[] = {rstream_amqp_list(items, 1), rstream_amqp_list(items, 2)};
  value binaries[] = {rstream_amqp_binary("a", 1), rstream_amqp_binary("bc", 2)};
  rstream_amqp_sections s = no_sections();
  s.body_type = RSTREAM_AMQP_BODY_VALUE;
  s.body_values = lists;
  s.body_value_count = 1;
  EXPECT_EQ(amqp_message_hex(s), plain_hex("005377 c0 03 01 5401"));
  s.body_type = RSTREAM_AMQP_BODY_SEQUENCE;
  s.body_value_count = 2;
  EXPECT_EQ(amqp_message_hex(s),
            plain_hex("005376 c0 03 01 5401  005376 c0 05 02 5401 5402"));
  s.body_type = RSTREAM_AMQP_BODY_DATA_LIST;
  s.body_values = binaries;
  EXPECT_EQ(amqp_message_hex(s), plain_hex("005375 a0 01 61  005375 a0 02 6263"));
  s.body_type = RSTREAM_AMQP_BODY_NONE;
  s.body_values = nullptr;
  s.body_value_count = 0;
  EXPECT_EQ(amqp_message_hex(s), "");
  EXPECT_EQ(amqp_message_hex(s, "bytes"), "RSTREAM_EINVAL");
}

TEST(scenario_36_amqp_encode,
     a_shorter_struct_of_an_older_caller_is_read_as_far_as_it_goes) {
  rstream_amqp_properties p;
  rstream_amqp_properties_init(&p);
  p.to = rstream_amqp_string("t");
  p.subject = rstream_amqp_string("not there yet");
  p.struct_size = offsetof(rstream_amqp_properties, subject);
  rstream_amqp_sections s = no_sections();
  s.properties = &p;
  s.footer_count = 7;  // behind what the caller has
  s.struct_size = offsetof(rstream_amqp_sections, application_properties);
  EXPECT_EQ(amqp_message_hex(s), plain_hex("005373 c0 06 03 40 40 a10174 005375 a0 00"));
  s.struct_size = 0;
  EXPECT_EQ(amqp_message_hex(s), "RSTREAM_EINVAL");
}
