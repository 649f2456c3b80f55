// Scenario 36, the way in: each type in each of its forms, and what is none.
#include "codec/amqp_value.h"

#include <gtest/gtest.h>

#include "amqp_text.h"

using namespace rstream;
using namespace rstream::test;

namespace {

using value = rstream_amqp_value;

struct vector {
  const char *hex;
  const char *text;
};

// The first byte is the code, in an array given once for all elements.
const vector scalars[] = {
    {"40", "null"},
    {"41", "boolean 1"},
    {"42", "boolean 0"},
    {"56 01", "boolean 1"},
    {"56 00", "boolean 0"},
    {"50 ff", "ubyte 255"},
    {"51 ff", "byte -1"},
    {"60 ffff", "ushort 65535"},
    {"61 fffe", "short -2"},
    {"43", "uint 0"},
    {"52 ff", "uint 255"},
    {"70 ffffffff", "uint 4294967295"},
    {"44", "ulong 0"},
    {"53 ff", "ulong 255"},
    {"80 ffffffffffffffff", "ulong 18446744073709551615"},
    {"54 80", "int -128"},
    {"71 80000000", "int -2147483648"},
    {"55 80", "long -128"},
    {"81 8000000000000000", "long -9223372036854775808"},
    {"72 3fc00000", "float 1.500000"},
    {"82 c000000000000000", "double -2.000000"},
    {"74 00010203", "decimal32 00010203"},
    {"84 0001020304050607", "decimal64 0001020304050607"},
    {"94 000102030405060708090a0b0c0d0e0f",
     "decimal128 000102030405060708090a0b0c0d0e0f"},
    {"73 0001f600", "char 128512"},
    {"83 0000018bcfe56800", "timestamp 1700000000000"},
    {"83 ffffffffffffffff", "timestamp -1"},
    {"98 000102030405060708090a0b0c0d0e0f", "uuid 000102030405060708090a0b0c0d0e0f"},
    {"a0 02 6869", "binary hi"},
    {"b0 00000002 6869", "binary hi"},
    {"a1 00", "string "},
    {"a1 02 6869", "string hi"},
    {"b1 00000002 6869", "string hi"},
    {"a3 02 6869", "symbol hi"},
    {"b3 00000002 6869", "symbol hi"},
};

const vector compounds[] = {
    {"45", "list[]"},
    {"c0 01 00", "list[]"},
    {"c0 06 02 5401 a10161", "list[int 1, string a]"},
    {"d0 00000004 00000000", "list[]"},
    {"d0 00000009 00000002 5401 a10161", "list[int 1, string a]"},
    {"c1 01 00", "map{}"},
    {"c1 05 02 a3016b 40", "map{symbol k, null}"},
    {"d1 00000008 00000002 a3016b 41", "map{symbol k, boolean 1}"},
    {"e0 02 00 40", "array<>"},
    {"e0 01 00", "array<>"},
    {"e0 04 02 54 01ff", "array<int 1, int -1>"},
    {"f0 00000007 00000002 54 01ff", "array<int 1, int -1>"},
    {"c0 05 01 c0 02 01 45", "list[list[list[]]]"},
};

const vector described[] = {
    {"00 5301 a10161", "described(ulong 1, string a)"},
    {"00 80 0000000000000001 40", "described(ulong 1, null)"},
    {"00 a30161 45", "described(symbol a, list[])"},
    {"00 5301 00 5302 5403", "described(ulong 1, described(ulong 2, int 3))"},
    {"00 00 5301 5302 5403", "described(described(ulong 1, ulong 2), int 3)"},
    {"00 c0 02 01 41 c0 03 01 5401", "described(list[boolean 1], list[int 1])"},
    {"c0 06 01 00 5301 5402", "list[described(ulong 1, int 2)]"},
};

// What reads as one value, to the end of the bytes.
std::string read(std::span<const uint8_t> bytes) {
  exact_buffer exact(bytes);
  wire::reader r = wire::reader_of(exact.span());
  value v = amqp_read(r, 0);
  if (r.failed) return "failed";
  EXPECT_EQ(r.left(), 0u);
  wire::reader skipping = wire::reader_of(exact.span());
  amqp_skip(skipping);
  EXPECT_FALSE(skipping.failed);
  EXPECT_EQ(skipping.left(), 0u) << "skipping ends where reading does";
  std::string text = show(v);
  EXPECT_EQ(amqp_is_sound(v, 0), text.find("RSTREAM_ECODEC") == std::string::npos);
  return text;
}

std::string read(std::string_view hex) { return read(from_hex(hex)); }

template <size_t N>
void expect_all(const vector (&vectors)[N]) {
  for (const vector &x : vectors) {
    byte_vector bytes = from_hex(x.hex);
    EXPECT_EQ(read(bytes), x.text) << x.hex;
    for (size_t n = 0; n < bytes.size(); n++) {
      EXPECT_EQ(read(std::span(bytes).first(n)), "failed") << x.hex << " cut at " << n;
    }
  }
}

// An array of both forms, of two elements of one code each.
std::string array_hex(const byte_vector &element, bool wide) {
  byte_vector out = from_hex(wide ? "f0 00000000 00000002" : "e0 00 02");
  out.push_back(element[0]);
  for (int i = 0; i < 2; i++) out.insert(out.end(), element.begin() + 1, element.end());
  if (wide) {
    wire::store_u32be(&out[1], static_cast<uint32_t>(out.size() - 5));
  } else {
    out[1] = static_cast<uint8_t>(out.size() - 2);
  }
  return to_hex(out);
}

template <size_t N>
void expect_in_arrays(const vector (&vectors)[N]) {
  for (const vector &x : vectors) {
    std::string text = "array<" + std::string(x.text) + ", " + x.text + ">";
    EXPECT_EQ(read(array_hex(from_hex(x.hex), false)), text);
    EXPECT_EQ(read(array_hex(from_hex(x.hex), true)), text);
  }
}

// "open" so often around a null, each inside a list of one item in the long form.
byte_vector nested_lists(size_t depth) {
  byte_vector out = {0x40};
  for (size_t i = 0; i < depth; i++) {
    byte_vector head = from_hex("d0 00000000 00000001");
    wire::store_u32be(&head[1], static_cast<uint32_t>(out.size() + 4));
    out.insert(out.begin(), head.begin(), head.end());
  }
  return out;
}

byte_vector nested_arrays(size_t depth) {
  byte_vector out = from_hex("f0 00000005 00000000 40");
  for (size_t i = 1; i < depth; i++) {
    byte_vector head = from_hex("f0 00000000 00000001");
    wire::store_u32be(&head[1], static_cast<uint32_t>(out.size() + 4));
    out.insert(out.begin(), head.begin(), head.end());
  }
  return out;
}

byte_vector nested_described(size_t depth) {
  byte_vector out = {0x40};
  byte_vector head = from_hex("00 5301");
  for (size_t i = 0; i < depth; i++) out.insert(out.begin(), head.begin(), head.end());
  return out;
}

size_t count_of(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at++) n++;
  return n;
}

}  // namespace

TEST(scenario_36_amqp_value, every_simple_type_in_every_form) { expect_all(scalars); }
TEST(scenario_36_amqp_value, compounds_in_every_form) { expect_all(compounds); }
TEST(scenario_36_amqp_value, described_values) { expect_all(described); }

TEST(scenario_36_amqp_value, arrays_of_every_simple_type) { expect_in_arrays(scalars); }
TEST(scenario_36_amqp_value, arrays_of_compounds) { expect_in_arrays(compounds); }

TEST(scenario_36_amqp_value, arrays_of_described_values) {
  EXPECT_EQ(read("e0 07 02 00 5309 54 01 02"),
            "array<described(ulong 9, int 1), described(ulong 9, int 2)>");
  EXPECT_EQ(read("e0 0a 01 00 5309 00 a30161 56 01"),
            "array<described(ulong 9, described(symbol a, boolean 1))>");
  EXPECT_EQ(read("e0 0a 02 00 5309 c0 01 00 02 01 41"),
            "array<described(ulong 9, list[]), described(ulong 9, list[boolean 1])>");
}

TEST(scenario_36_amqp_value, whatever_is_received_is_sent_on_byte_by_byte) {
  auto check = [](std::string_view hex) {
    byte_vector bytes = from_hex(hex);
    wire::reader r = wire::reader_of(bytes);
    EXPECT_EQ(amqp_hex_of(amqp_read(r, 0)), to_hex(bytes));
  };
  for (const vector &x : compounds) check(x.hex);
  for (const vector &x : described) check(x.hex);
  check("e0 07 02 00 5309 54 01 02");
  check("57 07");
}

// The elements of an array lie apart from their constructor.
TEST(scenario_36_amqp_value, an_element_can_be_sent_on_alone) {
  byte_vector bytes = from_hex("e0 0a 02 00 5309 c0 01 00 02 01 41");
  wire::reader r = wire::reader_of(bytes);
  rstream_amqp_iter it;
  ASSERT_EQ(amqp_items(it, amqp_read(r, 0)), 0);
  value element;
  ASSERT_EQ(amqp_next(it, element), 1);
  EXPECT_EQ(amqp_hex_of(element), "005309c00100");
  ASSERT_EQ(amqp_next(it, element), 1);
  EXPECT_EQ(amqp_hex_of(element), "005309c0020141");
  EXPECT_EQ(amqp_next(it, element), 0);
}

TEST(scenario_36_amqp_value, unknown_types_of_known_length_are_passed_on) {
  EXPECT_EQ(read("4f"), "unknown ");
  EXPECT_EQ(read("57 07"), "unknown 07");
  EXPECT_EQ(read("a7 02 0102"), "unknown 020102");
  EXPECT_EQ(read("d7 00000001 07"), "unknown 0000000107");
  EXPECT_EQ(read("c0 07 03 5401 57 07 5402"), "list[int 1, unknown 07, int 2]");
  EXPECT_EQ(read("e0 04 02 57 0708"), "array<unknown 07, unknown 08>");
  value v{};
  rstream_amqp_iter it;
  v.type = RSTREAM_AMQP_UNKNOWN;
  EXPECT_EQ(amqp_items(it, v), RSTREAM_EINVAL);
}

TEST(scenario_36_amqp_value, codes_without_a_known_length_are_refused) {
  for (int code = 1; code < 0x40; code++) {
    byte_vector bytes(32);
    bytes[0] = static_cast<uint8_t>(code);
    wire::reader r = wire::reader_of(bytes);
    amqp_read(r, 0);
    EXPECT_TRUE(r.failed) << code;
    r = wire::reader_of(bytes);
    amqp_skip(r);
    EXPECT_TRUE(r.failed) << code;
  }
  EXPECT_EQ(read("c0 04 02 5401 3f"), "list[int 1 RSTREAM_ECODEC");
  EXPECT_EQ(read("56 02"), "failed");
  EXPECT_EQ(read("00 5602 40"), "described( RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_value, counts_that_do_not_match_the_bytes) {
  EXPECT_EQ(read("c0 06 03 5401 a10161"), "list[int 1, string a RSTREAM_ECODEC");
  EXPECT_EQ(read("c0 06 01 5401 a10161"), "list[int 1 RSTREAM_ECODEC");
  EXPECT_EQ(read("c0 06 00 5401 a10161"), "list[ RSTREAM_ECODEC");
  EXPECT_EQ(read("d0 00000005 ffffffff 40"), "list[null RSTREAM_ECODEC");
  EXPECT_EQ(read("c1 07 03 a3016b 5401 40"), "map RSTREAM_ECODEC")
      << "a key without a value";
  EXPECT_EQ(read("e0 05 04 54 0102 03"), "array<int 1, int 2, int 3 RSTREAM_ECODEC");
  EXPECT_EQ(read("e0 05 02 54 0102 03"), "array<int 1, int 2 RSTREAM_ECODEC");
  EXPECT_EQ(read("f0 00000006 ffffffff a1 00"), "array<string  RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_value, compounds_too_short_for_their_own_header) {
  EXPECT_EQ(read("c0 00"), "list RSTREAM_ECODEC");
  EXPECT_EQ(read("c1 00"), "map RSTREAM_ECODEC");
  EXPECT_EQ(read("e0 00"), "array RSTREAM_ECODEC");
  EXPECT_EQ(read("d0 00000003 000000"), "list RSTREAM_ECODEC");
  EXPECT_EQ(read("f0 00000000"), "array RSTREAM_ECODEC");
  EXPECT_EQ(read("e0 01 01"), "array RSTREAM_ECODEC") << "elements without a constructor";
  EXPECT_EQ(read("e0 02 01 00"), "array RSTREAM_ECODEC") << "a constructor that is cut";
  EXPECT_EQ(read("e0 03 01 00 53"), "array RSTREAM_ECODEC");
  EXPECT_EQ(read("e0 03 01 3f 00"), "array< RSTREAM_ECODEC");
}

TEST(scenario_36_amqp_value, lengths_beyond_the_end) {
  for (const char *hex :
       {"a1 03 6869", "b1 ffffffff 68", "c0 ff 00", "d0 ffffffff 00000000",
        "f0 7fffffff 00000000 40", "b0 80000000"}) {
    EXPECT_EQ(read(hex), "failed") << hex;
  }
  EXPECT_EQ(read("c0 04 01 a1 03 68"), "list[ RSTREAM_ECODEC")
      << "within its list, whatever is behind that";
}

TEST(scenario_36_amqp_value, elements_without_bytes_are_limited) {
  EXPECT_EQ(count_of(read("f0 00000005 00000100 40"), "null"), 256u);
  for (const char *code : {"40", "41", "42", "43", "44", "45", "4f"}) {
    EXPECT_EQ(read("f0 00000005 00000101" + std::string(code)), "array RSTREAM_ECODEC");
    EXPECT_EQ(read("f0 00000005 ffffffff" + std::string(code)), "array RSTREAM_ECODEC");
  }
  EXPECT_EQ(read("f0 00000008 ffffffff 00 5301 40"), "array RSTREAM_ECODEC")
      << "described";
}

TEST(scenario_36_amqp_value, nesting_up_to_the_limit_is_read) {
  constexpr size_t most = RSTREAM_AMQP_MAX_DEPTH;
  EXPECT_EQ(count_of(read(nested_lists(most)), "list["), most);
  EXPECT_EQ(count_of(read(nested_lists(most)), "null"), 1u);
  EXPECT_EQ(count_of(read(nested_arrays(most)), "array<"), most);
  EXPECT_EQ(count_of(read(nested_described(most)), "described("), most);
  EXPECT_EQ(count_of(read(nested_described(most)), "null"), 1u);
}

TEST(scenario_36_amqp_value, nested_1000_deep_it_stops_at_the_limit) {
  const byte_vector tests[] = {nested_lists(RSTREAM_AMQP_MAX_DEPTH + 1),
                               nested_arrays(RSTREAM_AMQP_MAX_DEPTH + 1),
                               nested_described(RSTREAM_AMQP_MAX_DEPTH + 1),
                               nested_lists(1000),
                               nested_arrays(1000),
                               nested_described(1000)};
  for (const byte_vector &bytes : tests) {
    std::string text = read(bytes);
    EXPECT_EQ(count_of(text, "RSTREAM_ECODEC"), 1u) << text;
    EXPECT_EQ(count_of(text, "null"), 0u);
    // Passing over it is no matter of depth.
    byte_vector list = bytes;
    list.push_back(0x41);
    wire::reader r = wire::reader_of(list);
    amqp_skip(r);
    EXPECT_EQ(r.u8(), 0x41);
  }
}

TEST(scenario_36_amqp_value, a_million_descriptors_of_descriptors) {
  byte_vector bytes(1000000);
  wire::reader r = wire::reader_of(bytes);
  amqp_read(r, 0);
  EXPECT_TRUE(r.failed);
  bytes.assign(1000001, 0x40);
  for (size_t i = 0; i < 500000; i++) bytes[i] = 0;
  r = wire::reader_of(bytes);
  amqp_skip(r);
  EXPECT_FALSE(r.failed);
  EXPECT_EQ(r.left(), 0u);
  EXPECT_EQ(read(bytes), "failed") << "a constructor of more than 64 KiB";
}

TEST(scenario_36_amqp_value, a_value_made_by_a_program_is_iterated_alike) {
  value items[] = {rstream_amqp_int(1), rstream_amqp_string("a")};
  EXPECT_EQ(show(rstream_amqp_list(items, 2)), "list[int 1, string a]");
  EXPECT_EQ(show(rstream_amqp_described(items)), "described(int 1, string a)");
  EXPECT_EQ(show(rstream_amqp_array(items, 1)), "array<int 1>");
  rstream_amqp_pair pair = {items[1], items[0]};
  value map = rstream_amqp_map(&pair, 1);
  EXPECT_EQ(show(map), "map{string a, int 1}");
  value list[] = {map, rstream_amqp_list(nullptr, 0)};
  EXPECT_EQ(show(rstream_amqp_list(list, 2)), "list[map{string a, int 1}, list[]]");
}

TEST(scenario_36_amqp_value, an_error_stays) {
  byte_vector bytes = from_hex("c0 04 03 5401 a1");
  wire::reader r = wire::reader_of(bytes);
  rstream_amqp_iter it;
  value v = amqp_read(r, 0);
  ASSERT_EQ(rstream_amqp_items(&it, &v), 0);
  EXPECT_EQ(rstream_amqp_next(&it, &v), 1);
  for (int i = 0; i < 3; i++) EXPECT_EQ(rstream_amqp_next(&it, &v), RSTREAM_ECODEC);
  bytes = from_hex("c1 00");
  r = wire::reader_of(bytes);
  v = amqp_read(r, 0);
  EXPECT_EQ(rstream_amqp_items(&it, &v), RSTREAM_ECODEC);
  for (int i = 0; i < 3; i++) EXPECT_EQ(rstream_amqp_next(&it, &v), RSTREAM_ECODEC);
  EXPECT_EQ(rstream_amqp_items(&it, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_items(nullptr, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_next(nullptr, &v), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_next(&it, nullptr), RSTREAM_EINVAL);
  v = rstream_amqp_int(1);
  EXPECT_EQ(rstream_amqp_items(&it, &v), RSTREAM_EINVAL) << "an int has no items";
}

TEST(scenario_36_amqp_value, an_iterator_can_be_copied) {
  byte_vector bytes = from_hex("e0 05 03 54 010203");
  wire::reader r = wire::reader_of(bytes);
  rstream_amqp_iter it;
  value v = amqp_read(r, 0);
  ASSERT_EQ(amqp_items(it, v), 0);
  ASSERT_EQ(amqp_next(it, v), 1);
  rstream_amqp_iter copy = it;
  ASSERT_EQ(amqp_next(it, v), 1);
  ASSERT_EQ(amqp_next(it, v), 1);
  EXPECT_EQ(v.as.i, 3);
  ASSERT_EQ(amqp_next(copy, v), 1);
  EXPECT_EQ(v.as.i, 2);
}

TEST(scenario_36_amqp_value, types_have_their_names) {
  EXPECT_STREQ(rstream_amqp_type_name(RSTREAM_AMQP_NULL), "null");
  EXPECT_STREQ(rstream_amqp_type_name(RSTREAM_AMQP_ULONG), "ulong");
  EXPECT_STREQ(rstream_amqp_type_name(RSTREAM_AMQP_CHAR), "char");
  EXPECT_STREQ(rstream_amqp_type_name(RSTREAM_AMQP_DESCRIBED), "described");
  EXPECT_STREQ(rstream_amqp_type_name(RSTREAM_AMQP_UNKNOWN), "unknown");
  EXPECT_STREQ(rstream_amqp_type_name(-1), "unknown");
  EXPECT_STREQ(rstream_amqp_type_name(255), "unknown");
}
