// Scenario 36, the way out: what can't be published, and the words for it.
#include <gtest/gtest.h>

#include "amqp_text.h"

using namespace rstream;
using namespace rstream::test;

namespace {

using value = rstream_amqp_value;

std::string check(const rstream_amqp_sections &s) {
  const char *why = nullptr;
  int rc = rstream_amqp_check(&s, &why);
  EXPECT_EQ(rc, *why ? RSTREAM_EINVAL : 0);
  EXPECT_EQ(rstream_amqp_check(&s, nullptr), rc);
  if (rc < 0) EXPECT_EQ(rstream_amqp_encode(&s, nullptr, 0, nullptr, 0), rc);
  return why;
}

std::string check_body(const value &v) {
  rstream_amqp_sections s = no_sections();
  s.body_type = RSTREAM_AMQP_BODY_VALUE;
  s.body_values = &v;
  s.body_value_count = 1;
  return check(s);
}

std::string check_property(value rstream_amqp_properties::*member, const value &v) {
  rstream_amqp_properties p;
  rstream_amqp_properties_init(&p);
  p.*member = v;
  rstream_amqp_sections s = no_sections();
  s.properties = &p;
  return check(s);
}

std::string check_header(value rstream_amqp_header::*member, const value &v) {
  rstream_amqp_header h;
  rstream_amqp_header_init(&h);
  h.*member = v;
  rstream_amqp_sections s = no_sections();
  s.header = &h;
  return check(s);
}

std::string check_application_property(const value &key, const value &v) {
  rstream_amqp_pair pair = {key, v};
  rstream_amqp_sections s = no_sections();
  s.application_properties = &pair;
  s.application_property_count = 1;
  return check(s);
}

// Lists in each other, `depth` of them.
struct nested {
  std::vector<value> levels;
  explicit nested(size_t depth) : levels(depth + 1) {
    for (size_t i = 1; i <= depth; i++) {
      levels[i] = rstream_amqp_list(&levels[i - 1], 1);
    }
  }
  value top() const { return levels.back(); }
};

value typed(rstream_amqp_type type, uint64_t u) {
  value v{};
  v.type = type;
  v.as.u = u;
  return v;
}

}  // namespace

TEST(scenario_36_amqp_check, properties_have_their_types) {
  using p = rstream_amqp_properties;
  value text = rstream_amqp_string("x");
  value symbol = rstream_amqp_symbol("x");
  value bytes = rstream_amqp_binary("x", 1);
  value number = rstream_amqp_ulong(1);
  value time = rstream_amqp_timestamp(1);
  value uuid = rstream_amqp_uuid("0123456789abcdef");
  for (const value &id : {text, bytes, number, uuid}) {
    EXPECT_EQ(check_property(&p::message_id, id), "");
    EXPECT_EQ(check_property(&p::correlation_id, id), "");
  }
  EXPECT_EQ(check_property(&p::message_id, symbol),
            "message_id must be a ulong, uuid, binary or string");
  EXPECT_EQ(check_property(&p::correlation_id, rstream_amqp_uint(1)),
            "correlation_id must be a ulong, uuid, binary or string");
  struct {
    value p::*member;
    value good, bad;
    const char *why;
  } rules[] = {
      {&p::user_id, bytes, text, "user_id must be a binary"},
      {&p::to, text, symbol, "to must be a string"},
      {&p::subject, text, number, "subject must be a string"},
      {&p::reply_to, text, bytes, "reply_to must be a string"},
      {&p::content_type, symbol, text, "content_type must be a symbol"},
      {&p::content_encoding, symbol, text, "content_encoding must be a symbol"},
      {&p::absolute_expiry_time, time, number,
       "absolute_expiry_time must be a timestamp"},
      {&p::creation_time, time, number, "creation_time must be a timestamp"},
      {&p::group_id, text, symbol, "group_id must be a string"},
      {&p::group_sequence, rstream_amqp_uint(1), number, "group_sequence must be a uint"},
      {&p::reply_to_group_id, text, symbol, "reply_to_group_id must be a string"},
  };
  for (const auto &rule : rules) {
    EXPECT_EQ(check_property(rule.member, rule.good), "");
    EXPECT_EQ(check_property(rule.member, value{}), "");
    EXPECT_EQ(check_property(rule.member, rule.bad), rule.why);
  }
}

TEST(scenario_36_amqp_check, header_fields_have_their_types) {
  using h = rstream_amqp_header;
  value yes = rstream_amqp_boolean(1);
  value number = rstream_amqp_uint(1);
  EXPECT_EQ(check_header(&h::durable, yes), "");
  EXPECT_EQ(check_header(&h::durable, number), "durable must be a boolean");
  EXPECT_EQ(check_header(&h::priority, rstream_amqp_ubyte(1)), "");
  EXPECT_EQ(check_header(&h::priority, number), "priority must be a ubyte");
  EXPECT_EQ(check_header(&h::ttl, number), "");
  EXPECT_EQ(check_header(&h::ttl, rstream_amqp_ulong(1)), "ttl must be a uint");
  EXPECT_EQ(check_header(&h::first_acquirer, yes), "");
  EXPECT_EQ(check_header(&h::first_acquirer, number), "first_acquirer must be a boolean");
  EXPECT_EQ(check_header(&h::delivery_count, number), "");
  EXPECT_EQ(check_header(&h::delivery_count, yes), "delivery_count must be a uint");
}

TEST(scenario_36_amqp_check, annotations_have_symbols_for_keys) {
  const char *words = "the key of an annotation must be a symbol";
  rstream_amqp_pair pair = {rstream_amqp_string("x"), value{}};
  for (int which = 0; which < 3; which++) {
    rstream_amqp_sections s = no_sections();
    (which == 0   ? s.delivery_annotations
     : which == 1 ? s.message_annotations
                  : s.footer) = &pair;
    (which == 0   ? s.delivery_annotation_count
     : which == 1 ? s.message_annotation_count
                  : s.footer_count) = 1;
    pair.key = rstream_amqp_string("x");
    EXPECT_EQ(check(s), words);
    pair.key = rstream_amqp_symbol("x");
    EXPECT_EQ(check(s), "");
    pair.key = rstream_amqp_ulong(1);
    EXPECT_EQ(check(s), "");
    pair.value = rstream_amqp_list(&pair.key, 1);
    EXPECT_EQ(check(s), "");
    pair.value = typed(RSTREAM_AMQP_UNKNOWN, 0);
    EXPECT_EQ(check(s), "a value has an unknown type");
    pair.value = {};
  }
}

TEST(scenario_36_amqp_check, application_properties_are_text_and_simple_values) {
  value key = rstream_amqp_string("k");
  value one = rstream_amqp_int(1);
  value two[2] = {};
  EXPECT_EQ(check_application_property(key, one), "");
  EXPECT_EQ(check_application_property(key, value{}), "");
  EXPECT_EQ(check_application_property(key, rstream_amqp_symbol("s")), "");
  EXPECT_EQ(check_application_property(key, rstream_amqp_binary("b", 1)), "");
  EXPECT_EQ(check_application_property(rstream_amqp_symbol("k"), one),
            "the key of an application property must be a string");
  const char *words = "an application property can't be a list, map, array or described";
  EXPECT_EQ(check_application_property(key, rstream_amqp_list(&one, 1)), words);
  EXPECT_EQ(check_application_property(key, rstream_amqp_map(nullptr, 0)), words);
  EXPECT_EQ(check_application_property(key, rstream_amqp_array(&one, 1)), words);
  EXPECT_EQ(check_application_property(key, rstream_amqp_described(two)), words);
}

TEST(scenario_36_amqp_check, numbers_fit_their_types) {
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_BOOLEAN, 2)), "a boolean is 0 or 1");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_UBYTE, 256)), "a ubyte has 8 bits");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_USHORT, 65536)), "a ushort has 16 bits");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_UINT, uint64_t{1} << 32)),
            "a uint has 32 bits");
  auto negative = [](int64_t i) { return static_cast<uint64_t>(i); };
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_BYTE, negative(-128))), "");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_BYTE, negative(-129))), "a byte has 8 bits");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_BYTE, 128)), "a byte has 8 bits");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_SHORT, 32768)), "a short has 16 bits");
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_INT, uint64_t{1} << 31)), "an int has 32 bits");
  EXPECT_EQ(check_body(rstream_amqp_char(0x10ffff)), "");
  const char *words = "a char must be a Unicode character";
  EXPECT_EQ(check_body(rstream_amqp_char(0x110000)), words);
  EXPECT_EQ(check_body(rstream_amqp_char(0xd800)), words);
}

TEST(scenario_36_amqp_check, strings_are_utf8_and_symbols_ascii) {
  // All of them also behind a stretch that is looked at eight bytes at a time.
  for (const char *before : {"", "12345678", "123456789012345678901"}) {
    auto string = [&](const char *text) {
      std::string whole = std::string(before) + text;
      return check_body(rstream_amqp_string(whole.c_str()));
    };
    for (const char *good : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                             "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
      EXPECT_EQ(string(good), "") << before << good;
    }
    for (const char *bad :
         {"\x80", "\xc3", "\xc3z", "\xc0\x80", "\xc1\xbf", "\xe2\x82", "\xe0\x9f\xbf",
          "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
          "\xff", "\xe2z\xac", "\xc3\xc3", "\xe2\x82\xff"}) {
      EXPECT_EQ(string(bad), "a string must be UTF-8") << before << bad;
    }
    // What follows the string is no part of it.
    std::string cut = std::string(before) + "\xe2\x82\xac";
    EXPECT_EQ(check_body(rstream_amqp_string_n(cut.data(), cut.size() - 1)),
              "a string must be UTF-8");
    std::string symbol = std::string(before) + "\xc3\xa9";
    EXPECT_EQ(check_body(rstream_amqp_symbol(symbol.c_str())), "a symbol must be ASCII");
    EXPECT_EQ(check_body(rstream_amqp_symbol(before)), "");
  }
}

TEST(scenario_36_amqp_check, the_words_reach_keys_and_properties) {
  EXPECT_EQ(
      check_property(&rstream_amqp_properties::subject, rstream_amqp_string("\xff")),
      "a string must be UTF-8");
  EXPECT_EQ(check_application_property(rstream_amqp_string("\xff"), value{}),
            "a string must be UTF-8");
  EXPECT_EQ(check_header(&rstream_amqp_header::priority, typed(RSTREAM_AMQP_UBYTE, 300)),
            "a ubyte has 8 bits");
}

TEST(scenario_36_amqp_check, pointers_that_are_missing) {
  EXPECT_EQ(check_body(typed(RSTREAM_AMQP_STRING, 0)), "");
  value v = rstream_amqp_string("x");
  v.as.bytes = nullptr;
  EXPECT_EQ(check_body(v), "a string's bytes are NULL");
  v.type = RSTREAM_AMQP_SYMBOL;
  EXPECT_EQ(check_body(v), "a symbol's bytes are NULL");
  v.type = RSTREAM_AMQP_BINARY;
  EXPECT_EQ(check_body(v), "a binary's bytes are NULL");
  v.type = RSTREAM_AMQP_LIST;
  EXPECT_EQ(check_body(v), "the items of a list, map or array are NULL");
  const char *unknown = "the body's value has an unknown type";
  EXPECT_EQ(check_body(rstream_amqp_list(nullptr, 1)), unknown);
  EXPECT_EQ(check_body(rstream_amqp_binary(nullptr, 1)), unknown);
  EXPECT_EQ(check_body(rstream_amqp_string_n("x", size_t{1} << 32)), unknown);
  EXPECT_EQ(check_body(rstream_amqp_map(nullptr, size_t{1} << 63)), unknown);
  EXPECT_EQ(check_body(rstream_amqp_string(nullptr)), "");
  EXPECT_EQ(rstream_amqp_uuid(nullptr).type, RSTREAM_AMQP_NULL);
  rstream_amqp_sections s = no_sections();
  s.footer_count = 1;
  EXPECT_EQ(check(s), "the pairs of a section are NULL");
  EXPECT_EQ(rstream_amqp_encode(nullptr, nullptr, 1, nullptr, 0), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_amqp_encode(nullptr, "x", 1, nullptr, 1), RSTREAM_EINVAL);
  const char *why = nullptr;
  EXPECT_EQ(rstream_amqp_check(nullptr, &why), RSTREAM_EINVAL);
  EXPECT_STREQ(why, "the sections are missing or were not initialised");
}

TEST(scenario_36_amqp_check, compounds_are_well_formed) {
  value items[] = {rstream_amqp_int(1), rstream_amqp_uint(1), rstream_amqp_int(2)};
  EXPECT_EQ(check_body(rstream_amqp_list(items, 3)), "");
  EXPECT_EQ(check_body(rstream_amqp_array(items, 1)), "");
  EXPECT_EQ(check_body(rstream_amqp_array(items, 2)),
            "the elements of an array have one type");
  value described = rstream_amqp_described(items);
  EXPECT_EQ(check_body(described), "");
  EXPECT_EQ(check_body(rstream_amqp_array(&described, 1)),
            "the elements of an array can't be described");
  described.size = 3;
  EXPECT_EQ(check_body(described), "a described value has two items");
  value map = rstream_amqp_map(reinterpret_cast<rstream_amqp_pair *>(items), 1);
  EXPECT_EQ(check_body(map), "");
  map.size = 3;
  EXPECT_EQ(check_body(map), "a map's items are pairs");
  std::vector<value> nulls(257);
  EXPECT_EQ(check_body(rstream_amqp_array(nulls.data(), 256)), "");
  EXPECT_EQ(check_body(rstream_amqp_array(nulls.data(), 257)),
            "an array has too many null elements");
  EXPECT_EQ(check_body(rstream_amqp_list(nulls.data(), 257)), "");
}

TEST(scenario_36_amqp_check, nesting_is_limited) {
  EXPECT_EQ(check_body(nested(RSTREAM_AMQP_MAX_DEPTH).top()), "");
  EXPECT_EQ(check_body(nested(RSTREAM_AMQP_MAX_DEPTH + 1).top()),
            "values are nested too deeply");
  EXPECT_EQ(check_body(nested(1000).top()), "values are nested too deeply");
  // An annotation's value is an item of a map.
  rstream_amqp_sections s = no_sections();
  nested fits(RSTREAM_AMQP_MAX_DEPTH - 1);
  nested too_deep(RSTREAM_AMQP_MAX_DEPTH);
  rstream_amqp_pair pair = {rstream_amqp_symbol("x"), fits.top()};
  s.message_annotations = &pair;
  s.message_annotation_count = 1;
  EXPECT_EQ(check(s), "");
  pair.value = too_deep.top();
  EXPECT_EQ(check(s), "values are nested too deeply");
}

TEST(scenario_36_amqp_check, received_values_are_looked_through) {
  auto received = [](byte_vector &bytes) {
    wire::reader r = wire::reader_of(bytes);
    value v = amqp_read(r, 0);
    EXPECT_FALSE(r.failed);
    return v;
  };
  byte_vector good = from_hex("c0 05 02 5401 5402");
  byte_vector bad = from_hex("c0 05 03 5401 5402");
  EXPECT_EQ(check_body(received(good)), "");
  EXPECT_EQ(check_body(received(bad)), "a received value is broken or too deep");
  // How deep it is counts from where it stands now.
  byte_vector deep = amqp_bytes_of(nested(RSTREAM_AMQP_MAX_DEPTH).top());
  value v = received(deep);
  EXPECT_EQ(check_body(v), "");
  EXPECT_EQ(check_body(rstream_amqp_list(&v, 1)),
            "a received value is broken or too deep");
}

TEST(scenario_36_amqp_check, bodies_have_their_values) {
  value one = rstream_amqp_int(1);
  rstream_amqp_sections s = no_sections();
  s.body_values = &one;
  s.body_value_count = 1;
  EXPECT_EQ(check(s), "this body_type has no body_values");
  s.body_type = RSTREAM_AMQP_BODY_NONE;
  EXPECT_EQ(check(s), "this body_type has no body_values");
  s.body_type = RSTREAM_AMQP_BODY_SEQUENCE;
  EXPECT_EQ(check(s), "the values of an amqp-sequence body must be lists");
  s.body_type = RSTREAM_AMQP_BODY_DATA_LIST;
  EXPECT_EQ(check(s), "the values of a data body must be binaries");
  s.body_type = RSTREAM_AMQP_BODY_VALUE;
  EXPECT_EQ(check(s), "");
  s.body_value_count = 0;
  EXPECT_EQ(check(s), "body_values are missing");
  s.body_value_count = 2;
  EXPECT_EQ(check(s), "an amqp-value body has one value");
  s.body_type = static_cast<rstream_amqp_body_type>(5);
  EXPECT_EQ(check(s), "body_type is unknown");
}
