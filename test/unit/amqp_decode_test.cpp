// Scenario 36, the way in: messages, whole and broken.
#include "codec/amqp_decode.h"

#include <gtest/gtest.h>

#include "amqp_text.h"

using namespace rstream;
using namespace rstream::test;

namespace {

using value = rstream_amqp_value;

// All sections, with the short forms and the long ones.
const char full_hex[] =
    "005370 c0 0b 05 41 5009 70000003e8 42 43"
    "005371 c1 05 02 a30164 40"
    "005372 d1 00000014 00000004 a306782d6b657931 5401 a30178 a10179"
    "005373 c0 0f 04 800000000000000001 40 40 a10173"
    "005374 c1 13 06 a10161 5401 a10162 b10000000168 a10163 41"
    "005375 a0 02 6869"
    "005378 c1 05 02 a30166 42";

std::string section_text(const char *name, const value &v) {
  return std::string(name) + ' ' + show(v) + '\n';
}

const char *section_name(rstream_amqp_section which) {
  static const char *const names[] = {"header",     "delivery",    "message",
                                      "properties", "application", "data",
                                      "sequence",   "value",       "footer"};
  return which ? names[which - RSTREAM_AMQP_SECTION_HEADER] : "unknown";
}

// The sections, a line each, and "broken" where they end too soon.
std::string walk(std::span<const uint8_t> bytes) {
  exact_buffer message(bytes);
  rstream_amqp_iter it;
  EXPECT_EQ(rstream_amqp_sections_of(&it, message.data.get(), message.size), 0);
  rstream_amqp_section which;
  value v;
  std::string text;
  int rc;
  while ((rc = rstream_amqp_next_section(&it, &which, &v)) == 1) {
    text += section_text(section_name(which), v);
  }
  if (rc < 0) {
    EXPECT_EQ(rc, RSTREAM_ECODEC);
    EXPECT_EQ(rstream_amqp_next_section(&it, &which, &v), rc) << "the error stays";
    text += "broken\n";
  }
  bool sound = text.find("broken") == text.npos && text.find("ECODEC") == text.npos;
  EXPECT_EQ(rstream_amqp_validate(message.data.get(), message.size),
            sound ? 0 : RSTREAM_ECODEC);
  return text;
}

std::string walk(std::string_view hex) { return walk(from_hex(hex)); }

std::string outcome(int rc, const value &v) {
  if (rc < 0) return rstream_error_name(rc);
  return rc == 1 ? show(v) : "absent";
}

std::string property(std::string_view hex, rstream_amqp_property which) {
  exact_buffer m(from_hex(hex));
  value v{};
  int rc = rstream_amqp_find_property(m.data.get(), m.size, which, &v);
  return outcome(rc, v);
}

std::string header_field(std::string_view hex, rstream_amqp_header_field which) {
  exact_buffer m(from_hex(hex));
  value v{};
  int rc = rstream_amqp_find_header_field(m.data.get(), m.size, which, &v);
  return outcome(rc, v);
}

std::string application_property(std::string_view hex, const char *key) {
  exact_buffer m(from_hex(hex));
  value v{};
  int rc = rstream_amqp_find_application_property(m.data.get(), m.size, key, &v);
  return outcome(rc, v);
}

std::string annotation(std::string_view hex, const char *key) {
  exact_buffer m(from_hex(hex));
  value v{};
  int rc = rstream_amqp_find_message_annotation(m.data.get(), m.size, key, &v);
  return outcome(rc, v);
}

std::string section(std::string_view hex, rstream_amqp_section which) {
  exact_buffer m(from_hex(hex));
  value v{};
  int rc = rstream_amqp_find_section(m.data.get(), m.size, which, &v);
  return outcome(rc, v);
}

// "data 6869", as hex; of other bodies their sections.
std::string body(std::span<const uint8_t> bytes) {
  exact_buffer m(bytes);
  amqp_body b = amqp_body_of(m.span());
  amqp_body slow = amqp_body_slow(m.span());
  EXPECT_EQ(b.content.data(), slow.content.data());
  EXPECT_EQ(b.content.size(), slow.content.size());
  EXPECT_EQ(b.type, slow.type);
  EXPECT_EQ(b.status, slow.status);
  rstream_amqp_body out;
  out.struct_size = sizeof out;
  EXPECT_EQ(rstream_amqp_body_get(m.data.get(), m.size, &out), b.status);
  if (b.status < 0) {
    EXPECT_EQ(b.content.data(), m.data.get()) << "the message as it came";
    EXPECT_EQ(b.content.size(), m.size);
    EXPECT_EQ(b.type, RSTREAM_AMQP_BODY_DATA);
    return rstream_error_name(b.status);
  }
  EXPECT_EQ(out.bytes, b.content.data());
  EXPECT_EQ(out.size, b.content.size());
  EXPECT_EQ(out.type, b.type);
  static const char *const names[] = {"data ", "value ", "sequence ", "none ",
                                      "data-list "};
  std::string text = names[b.type] + to_hex(b.content);
  if (b.type == RSTREAM_AMQP_BODY_VALUE) text += " = " + show(out.value);
  return text;
}

std::string body(std::string_view hex) { return body(from_hex(hex)); }

std::string copied(std::string_view hex, size_t room = 100) {
  exact_buffer m(from_hex(hex));
  exact_buffer out(room);
  int64_t size = rstream_amqp_copy_data(m.data.get(), m.size, out.data.get(), out.size);
  if (size < 0) return rstream_error_name(static_cast<int>(size));
  size_t n = static_cast<size_t>(size) < room ? static_cast<size_t>(size) : room;
  return std::to_string(size) + ' ' + text_of(out.span().first(n));
}

byte_vector nested_in_a_body(size_t depth) {
  byte_vector v = {0x40};
  for (size_t i = 0; i < depth; i++) {
    byte_vector head = from_hex("d0 00000000 00000001");
    wire::store_u32be(&head[1], static_cast<uint32_t>(v.size() + 4));
    v.insert(v.begin(), head.begin(), head.end());
  }
  byte_vector out = from_hex("005373 c0 07 04 40 40 40 a10173 005377");
  out.insert(out.end(), v.begin(), v.end());
  return out;
}

}  // namespace

TEST(scenario_36_amqp_decode, a_walk_over_all_sections) {
  EXPECT_EQ(walk(full_hex),
            "header list[boolean 1, ubyte 9, uint 1000, boolean 0, uint 0]\n"
            "delivery map{symbol d, null}\n"
            "message map{symbol x-key1, int 1, symbol x, string y}\n"
            "properties list[ulong 1, null, null, string s]\n"
            "application map{string a, int 1, string b, string h, string c, boolean 1}\n"
            "data binary hi\n"
            "footer map{symbol f, boolean 0}\n");
  EXPECT_EQ(walk(""), "");
}

TEST(scenario_36_amqp_decode, one_thing_of_a_message) {
  EXPECT_EQ(property(full_hex, RSTREAM_AMQP_MESSAGE_ID), "ulong 1");
  EXPECT_EQ(property(full_hex, RSTREAM_AMQP_USER_ID), "absent") << "null";
  EXPECT_EQ(property(full_hex, RSTREAM_AMQP_SUBJECT), "string s");
  EXPECT_EQ(property(full_hex, RSTREAM_AMQP_REPLY_TO), "absent") << "behind the end";
  EXPECT_EQ(property(full_hex, RSTREAM_AMQP_REPLY_TO_GROUP_ID), "absent");
  EXPECT_EQ(header_field(full_hex, RSTREAM_AMQP_DURABLE), "boolean 1");
  EXPECT_EQ(header_field(full_hex, RSTREAM_AMQP_TTL), "uint 1000");
  EXPECT_EQ(header_field(full_hex, RSTREAM_AMQP_DELIVERY_COUNT), "uint 0");
  EXPECT_EQ(application_property(full_hex, "a"), "int 1");
  EXPECT_EQ(application_property(full_hex, "b"), "string h");
  EXPECT_EQ(application_property(full_hex, "c"), "boolean 1");
  EXPECT_EQ(application_property(full_hex, "d"), "absent");
  EXPECT_EQ(application_property(full_hex, ""), "absent");
  EXPECT_EQ(annotation(full_hex, "x-key1"), "int 1");
  EXPECT_EQ(annotation(full_hex, "x-key2"), "absent");
  EXPECT_EQ(annotation(full_hex, "x-key"), "absent");
  EXPECT_EQ(section(full_hex, RSTREAM_AMQP_SECTION_FOOTER), "map{symbol f, boolean 0}");
  EXPECT_EQ(section(full_hex, RSTREAM_AMQP_SECTION_VALUE), "absent");
  EXPECT_EQ(body(full_hex), "data 6869");
}

TEST(scenario_36_amqp_decode, every_property_by_its_place) {
  std::string hex = "005373 c0 1b 0d";
  for (int i = 0; i < 13; i++)
    hex += " 53" + to_hex(std::vector{static_cast<uint8_t>(i)});
  for (int i = 0; i < 13; i++) {
    EXPECT_EQ(property(hex, static_cast<rstream_amqp_property>(i)),
              "ulong " + std::to_string(i));
  }
}

TEST(scenario_36_amqp_decode, what_is_absent_leaves_the_value_alone) {
  exact_buffer m(from_hex(full_hex));
  value v = rstream_amqp_int(7);
  EXPECT_EQ(rstream_amqp_find_property(m.data.get(), m.size, RSTREAM_AMQP_TO, &v), 0);
  EXPECT_EQ(rstream_amqp_find_application_property(m.data.get(), m.size, "zz", &v), 0);
  EXPECT_EQ(show(v), "int 7");
}

TEST(scenario_36_amqp_decode, every_message_cut_short_at_every_byte) {
  byte_vector bytes = from_hex(full_hex);
  std::string whole = walk(bytes);
  size_t sound = 0;
  for (size_t n = 0; n < bytes.size(); n++) {
    exact_buffer cut{wire::bytes(bytes).first(n)};
    std::string text = walk(cut.span());
    bool is_sound = text.find("broken") == text.npos;
    sound += is_sound;
    // The sections before the cut are as they were.
    std::string before = text.substr(0, text.find("broken"));
    EXPECT_EQ(before, whole.substr(0, before.size())) << n;
    // Whatever is asked for is there, or absent, or an error.
    EXPECT_EQ(body(cut.span()) == "RSTREAM_ECODEC", !is_sound) << n;
    value v;
    for (int i = 0; i < 13; i++) {
      int rc = rstream_amqp_find_property(cut.data.get(), n,
                                          static_cast<rstream_amqp_property>(i), &v);
      if (!is_sound) EXPECT_NE(rc, RSTREAM_EINVAL);
    }
    for (const char *key : {"a", "b", "c", "x-key1"}) {
      int rc = rstream_amqp_find_application_property(cut.data.get(), n, key, &v);
      EXPECT_TRUE(rc == 0 || rc == 1 || rc == RSTREAM_ECODEC);
      rc = rstream_amqp_find_message_annotation(cut.data.get(), n, key, &v);
      EXPECT_TRUE(rc == 0 || rc == 1 || rc == RSTREAM_ECODEC);
    }
  }
  EXPECT_EQ(sound, 7u) << "cut between sections, nothing is broken";
}

TEST(scenario_36_amqp_decode, what_stands_before_the_break_is_found) {
  byte_vector bytes = from_hex(full_hex);
  bytes.resize(bytes.size() - 20);
  std::string hex = to_hex(bytes);
  EXPECT_EQ(property(hex, RSTREAM_AMQP_SUBJECT), "string s");
  EXPECT_EQ(application_property(hex, "c"), "RSTREAM_ECODEC");
  EXPECT_EQ(section(hex, RSTREAM_AMQP_SECTION_DATA), "RSTREAM_ECODEC");
  EXPECT_EQ(body(hex), "RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_decode, the_short_way_to_the_body_agrees_with_the_long_one) {
  for (size_t size : {0u, 1u, 254u, 255u, 256u, 65535u, 65536u}) {
    byte_vector content(size, 'x');
    std::string text = "data " + to_hex(content);
    byte_vector message(amqp_data_header_bytes(size));
    amqp_write_data_header(message.data(), size);
    message.insert(message.end(), content.begin(), content.end());
    EXPECT_EQ(body(message), text);
    message.push_back(0x00);
    EXPECT_EQ(body(message), "RSTREAM_ECODEC") << "one byte too many";
    message.resize(message.size() - 2);
    EXPECT_EQ(body(message), "RSTREAM_ECODEC") << "one byte too few";
  }
  EXPECT_EQ(body("005375 b0 00000002 6869"), "data 6869");
  EXPECT_EQ(body("005375 a0 02 6869 005378 c1 01 00"), "data 6869");
  EXPECT_EQ(body("005370 45 005375 a0 02 6869"), "data 6869");
  EXPECT_EQ(body("005375 b0 fffffffa 6869"), "RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_decode, descriptors_in_all_their_forms) {
  EXPECT_EQ(body("00 80 0000000000000075 a0 02 6869"), "data 6869");
  EXPECT_EQ(body("00 a3 10 616d71703a646174613a62696e617279 a0 02 6869"), "data 6869");
  EXPECT_EQ(body("00 b3 00000010 616d71703a646174613a62696e617279 a0 02 6869"),
            "data 6869");
  struct {
    uint8_t code;
    const char *symbol, *content, *text;
  } forms[] = {
      {0x70, "amqp:header:list", "45", "header list[]\n"},
      {0x71, "amqp:delivery-annotations:map", "c10100", "delivery map{}\n"},
      {0x72, "amqp:message-annotations:map", "c10100", "message map{}\n"},
      {0x73, "amqp:properties:list", "45", "properties list[]\n"},
      {0x74, "amqp:application-properties:map", "c10100", "application map{}\n"},
      {0x75, "amqp:data:binary", "a000", "data binary \n"},
      {0x76, "amqp:amqp-sequence:list", "45", "sequence list[]\n"},
      {0x77, "amqp:amqp-value:*", "41", "value boolean 1\n"},
      {0x78, "amqp:footer:map", "c10100", "footer map{}\n"},
  };
  for (const auto &form : forms) {
    std::string code = to_hex(std::vector{form.code});
    std::string symbol = amqp_hex_of(rstream_amqp_symbol(form.symbol));
    EXPECT_EQ(walk("0053" + code + form.content), form.text);
    EXPECT_EQ(walk("0080 00000000000000" + code + form.content), form.text);
    EXPECT_EQ(walk("00" + symbol + form.content), form.text);
  }
}

TEST(scenario_36_amqp_decode, unknown_sections_are_passed_over_and_shown) {
  const char *data = "005375 a0 02 6869";
  struct {
    const char *hex, *text;
  } unknown[] = {
      {"005399 a10161", "described(ulong 153, string a)"},
      {"00536f 45", "described(ulong 111, list[])"},
      {"005379 40", "described(ulong 121, null)"},
      {"00 80 000000000000006f 40", "described(ulong 111, null)"},
      {"00 80 0000000000000079 40", "described(ulong 121, null)"},
      {"0044 40", "described(ulong 0, null)"},
      {"00 80 0000013700000070 45", "described(ulong 1335734829168, list[])"},
      {"00 a303613a62 5401", "described(symbol a:b, int 1)"},
      {"00 a110616d71703a646174613a62696e617279 a000",
       "described(string amqp:data:binary, binary )"},
      {"00 7000000075 a000", "described(uint 117, binary )"},
      {"00 00 5301 5302 40", "described(described(ulong 1, ulong 2), null)"},
      {"005399 00 5398 40", "described(ulong 153, described(ulong 152, null))"},
  };
  for (const auto &x : unknown) {
    std::string line = "unknown " + std::string(x.text) + '\n';
    EXPECT_EQ(walk(x.hex + std::string(data)), line + "data binary hi\n");
    EXPECT_EQ(walk(data + std::string(x.hex)), "data binary hi\n" + line);
    EXPECT_EQ(body(x.hex + std::string(data)), "data 6869");
    EXPECT_EQ(body(x.hex), "none ");
  }
}

TEST(scenario_36_amqp_decode, bytes_that_are_no_message) {
  for (const char *hex : {"68656c6c6f",
                          "40",
                          "00",
                          "0053",
                          "005375",
                          "00537540",
                          "a00161",
                          "005375 a10161",
                          "005375 45",
                          "005376 40",
                          "005376 c10100",
                          "005373 c10100",
                          "005374 45",
                          "005370 5401",
                          "005372 a10161",
                          "005375 3f",
                          "0030",
                          "003f75a000",
                          "005399 a10561",
                          "00 a10161 a10561"}) {
    EXPECT_EQ(body(hex), "RSTREAM_ECODEC") << hex;
    EXPECT_EQ(walk(hex), "broken\n") << hex;
    EXPECT_EQ(property(hex, RSTREAM_AMQP_SUBJECT), "RSTREAM_ECODEC") << hex;
    EXPECT_EQ(copied(hex), "RSTREAM_ECODEC") << hex;
  }
}

TEST(scenario_36_amqp_decode, no_body) {
  EXPECT_EQ(body(""), "none ");
  EXPECT_EQ(body("005373 c0 07 04 40 40 40 a10173"), "none ");
  EXPECT_EQ(body("005378 c1 01 00"), "none ");
  EXPECT_EQ(copied(""), "0 ");
  EXPECT_EQ(copied("005377 a0 01 61"), "0 ");
}

TEST(scenario_36_amqp_decode, several_data_sections) {
  const char *two = "005370 45  005375 a0 02 6869  005375 b0 00000001 21  005378 c10100";
  EXPECT_EQ(body(two), "data-list 005375a0026869005375b00000000121");
  EXPECT_EQ(walk(two), "header list[]\ndata binary hi\ndata binary !\nfooter map{}\n");
  EXPECT_EQ(copied(two), "3 hi!");
  EXPECT_EQ(copied(two, 2), "3 hi");
  EXPECT_EQ(copied(two, 1), "3 h");
  EXPECT_EQ(copied(two, 0), "3 ");
  EXPECT_EQ(copied("005375 a0 02 6869"), "2 hi");
  EXPECT_EQ(body("005375 a000 005375 a000 005375 a000"),
            "data-list 005375a000005375a000005375a000");
}

TEST(scenario_36_amqp_decode, bodies_of_values_and_sequences) {
  EXPECT_EQ(body("005377 a1 01 61"), "value 005377a10161 = string a");
  EXPECT_EQ(body("005370 45 005377 40"), "value 00537740 = null");
  EXPECT_EQ(body("005377 57 01"), "value 0053775701 = unknown 01");
  EXPECT_EQ(body("005376 45"), "sequence 00537645");
  EXPECT_EQ(body("005376 45 005376 c0 02 01 41 005378 c10100"),
            "sequence 00537645005376c0020141");
}

TEST(scenario_36_amqp_decode, bodies_that_do_not_go_together) {
  const char *data = "005375 a000";
  const char *list = "005376 45";
  const char *one = "005377 40";
  const char *all[] = {data, list, one};
  for (const char *first : all) {
    for (const char *second : all) {
      bool may = first == second && first != one;
      std::string text = body(std::string(first) + second);
      EXPECT_EQ(text == "RSTREAM_ECODEC", !may) << first << ' ' << second;
    }
  }
  EXPECT_EQ(body("005375 a000 005375 a000 005377 40"), "RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_decode, of_duplicate_keys_the_last_one_counts) {
  const char *hex =
      "005372 c1 10 06 a30161 5401 a30162 5402 a30161 5403"
      "005374 c1 10 06 a10161 5401 a10162 5402 a10161 5403";
  EXPECT_EQ(application_property(hex, "a"), "int 3");
  EXPECT_EQ(application_property(hex, "b"), "int 2");
  EXPECT_EQ(annotation(hex, "a"), "int 3");
  EXPECT_EQ(application_property("005374 c1 0a 04 a10161 5401 a10161 40", "a"), "absent");
  EXPECT_EQ(property("005373 c0 05 04 40 40 40 41 005373 c0 05 04 40 40 40 42",
                     RSTREAM_AMQP_SUBJECT),
            "boolean 1")
      << "of sections it is the first";
}

TEST(scenario_36_amqp_decode, a_map_that_breaks_behind_the_key_is_an_error) {
  const char *hex = "005374 c1 0a 06 a10161 5401 a10162 40";
  EXPECT_EQ(application_property(hex, "a"), "RSTREAM_ECODEC");
  EXPECT_EQ(application_property("005374 c1 08 03 a10161 5401 5402", "a"),
            "RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_decode, keys_of_both_kinds_of_text_and_of_numbers) {
  exact_buffer m(
      from_hex("005372 c1 1e 0a a10161 5401 a30162 5402 5305 5403 "
               "800000000000000006 5404 5407 5405"));
  value map;
  ASSERT_EQ(rstream_amqp_find_section(m.data.get(), m.size,
                                      RSTREAM_AMQP_SECTION_MESSAGE_ANNOTATIONS, &map),
            1);
  auto find = [&](const value &key) {
    value v{};
    int rc = rstream_amqp_map_find(&map, key, &v);
    return outcome(rc, v);
  };
  EXPECT_EQ(find(rstream_amqp_string("a")), "int 1");
  EXPECT_EQ(find(rstream_amqp_symbol("a")), "int 1");
  EXPECT_EQ(find(rstream_amqp_string("b")), "int 2");
  EXPECT_EQ(find(rstream_amqp_symbol("b")), "int 2");
  EXPECT_EQ(find(rstream_amqp_ulong(5)), "int 3");
  EXPECT_EQ(find(rstream_amqp_ubyte(5)), "int 3");
  EXPECT_EQ(find(rstream_amqp_uint(6)), "int 4");
  EXPECT_EQ(find(rstream_amqp_ulong(7)), "absent") << "an int is none";
  EXPECT_EQ(find(rstream_amqp_string("")), "absent") << "a number is no text";
  EXPECT_EQ(find(rstream_amqp_string_n("a", 0)), "absent") << "only a part of a key";
  EXPECT_EQ(find(rstream_amqp_int(7)), "RSTREAM_EINVAL");
  EXPECT_EQ(find(rstream_amqp_binary("a", 1)), "RSTREAM_EINVAL");
  EXPECT_EQ(find(value{}), "RSTREAM_EINVAL");
  rstream_amqp_pair pairs[] = {{rstream_amqp_string("k"), rstream_amqp_int(1)},
                               {rstream_amqp_string("k"), rstream_amqp_int(2)}};
  map = rstream_amqp_map(pairs, 2);
  EXPECT_EQ(find(rstream_amqp_string("k")), "int 2") << "made by a program";
  map = rstream_amqp_list(nullptr, 0);
  EXPECT_EQ(find(rstream_amqp_string("k")), "RSTREAM_EINVAL");
}

TEST(scenario_36_amqp_decode, null_stands_for_an_empty_section) {
  const char *hex = "00537040 00537140 00537240 00537340 00537440 00537840";
  EXPECT_EQ(walk(hex),
            "header null\ndelivery null\nmessage null\nproperties null\n"
            "application null\nfooter null\n");
  EXPECT_EQ(property(hex, RSTREAM_AMQP_SUBJECT), "absent");
  EXPECT_EQ(header_field(hex, RSTREAM_AMQP_TTL), "absent");
  EXPECT_EQ(application_property(hex, "a"), "absent");
  EXPECT_EQ(annotation(hex, "a"), "absent");
  EXPECT_EQ(body(hex), "none ");
}

TEST(scenario_36_amqp_decode, sections_in_the_wrong_order_are_found) {
  const char *hex = "005375 a0 02 6869  005374 c1 06 02 a10161 5401";
  EXPECT_EQ(application_property(hex, "a"), "int 1");
  EXPECT_EQ(body(hex), "data 6869");
}

TEST(scenario_36_amqp_decode, a_body_nested_1000_deep_does_no_harm) {
  for (size_t depth : {33u, 1000u}) {
    byte_vector message = nested_in_a_body(depth);
    std::string hex = to_hex(message);
    EXPECT_EQ(property(hex, RSTREAM_AMQP_SUBJECT), "string s");
    EXPECT_EQ(body(message).substr(0, 12), "value 005377");
    EXPECT_EQ(rstream_amqp_validate(message.data(), message.size()), RSTREAM_ECODEC);
  }
  byte_vector message = nested_in_a_body(RSTREAM_AMQP_MAX_DEPTH);
  EXPECT_EQ(rstream_amqp_validate(message.data(), message.size()), 0);
}

TEST(scenario_36_amqp_decode, text_is_compared_whole) {
  value v = rstream_amqp_string("abc");
  EXPECT_EQ(rstream_amqp_is_text(&v, "abc"), 1);
  EXPECT_EQ(rstream_amqp_is_text(&v, "ab"), 0);
  EXPECT_EQ(rstream_amqp_is_text(&v, "abcd"), 0);
  EXPECT_EQ(rstream_amqp_is_text(&v, "abd"), 0);
  EXPECT_EQ(rstream_amqp_is_text(&v, nullptr), 0);
  EXPECT_EQ(rstream_amqp_is_text(nullptr, "abc"), 0);
  v = rstream_amqp_symbol("");
  EXPECT_EQ(rstream_amqp_is_text(&v, ""), 1);
  v = rstream_amqp_ulong(0);
  EXPECT_EQ(rstream_amqp_is_text(&v, ""), 0);
}

TEST(scenario_36_amqp_decode, a_shorter_body_struct_of_an_older_caller) {
  exact_buffer m(from_hex("005375 a0 02 6869"));
  rstream_amqp_body out{};
  out.struct_size = offsetof(rstream_amqp_body, size);
  EXPECT_EQ(rstream_amqp_body_get(m.data.get(), m.size, &out), 0);
  EXPECT_EQ(out.bytes, m.data.get() + 5);
  EXPECT_EQ(out.size, 0u) << "not the caller's any more";
  out.struct_size = sizeof out;
  EXPECT_EQ(rstream_amqp_body_get(m.data.get(), m.size, &out), 0);
  EXPECT_EQ(show(out.value), "binary hi");
  out.struct_size = 0;
  EXPECT_EQ(rstream_amqp_body_get(m.data.get(), m.size, &out), RSTREAM_EINVAL);
}

TEST(scenario_36_amqp_decode, arguments_that_are_missing) {
  value v;
  rstream_amqp_iter it;
  rstream_amqp_section which;
  rstream_amqp_body b = {};
  b.struct_size = sizeof b;
  auto subject = RSTREAM_AMQP_SUBJECT;
  auto data = RSTREAM_AMQP_SECTION_DATA;
  EXPECT_EQ(rstream_amqp_find_property(nullptr, 1, subject, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_property("", 0, subject, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_property("", 0, static_cast<rstream_amqp_property>(13), &v),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_property(nullptr, 0, subject, &v), 0);
  EXPECT_EQ(rstream_amqp_find_header_field("", 0,
                                           static_cast<rstream_amqp_header_field>(5), &v),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_application_property("", 0, nullptr, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_message_annotation("", 0, "a", nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_section("", 0, RSTREAM_AMQP_SECTION_UNKNOWN, &v),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_section("", 0, static_cast<rstream_amqp_section>(0x79), &v),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_find_section(nullptr, 1, data, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_sections_of(nullptr, "", 0), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_sections_of(&it, nullptr, 1), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_sections_of(&it, nullptr, 0), 0);
  EXPECT_EQ(rstream_amqp_next_section(&it, nullptr, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_next_section(&it, &which, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_next_section(nullptr, &which, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_body_get(nullptr, 1, &b), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_body_get("", 0, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_copy_data(nullptr, 1, nullptr, 0), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_copy_data("", 0, nullptr, 1), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_map_find(nullptr, v, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_validate(nullptr, 1), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_validate(nullptr, 0), 0);
}
