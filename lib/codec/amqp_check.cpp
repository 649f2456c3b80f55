// What may be published: each value by itself, and each where it stands.
#include "codec/amqp_encode.h"
#include "codec/amqp_value.h"

namespace rstream {

namespace {

using value = rstream_amqp_value;

// ---- text

constexpr uint64_t high_bits = 0x8080808080808080u;

// How many bytes at the start are ASCII, to within a word.
size_t ascii_prefix(const uint8_t *p, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    if (wire::load_be<uint64_t>(p + i) & high_bits) return i;
  }
  while (i < size && p[i] < 0x80) i++;
  return i;
}

bool is_ascii(const value &v) {
  const uint8_t *p = static_cast<const uint8_t *>(v.as.bytes);
  size_t at = ascii_prefix(p, v.size);
  while (at < v.size && p[at] < 0x80) at++;
  return at == v.size;
}

bool is_character(uint64_t c) { return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff); }

// Length of the sequence at p, or 0 if it is none: also for surrogates, for what is too
// large, and for longer forms of what has a shorter one.
size_t utf8_sequence(const uint8_t *p, size_t left) {
  if (*p < 0x80) return 1;
  size_t n = *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  uint32_t c = *p & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3fu);
  }
  bool longer_form = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
  return longer_form || !is_character(c) ? 0 : n;
}

bool is_utf8(const value &v) {
  const uint8_t *p = static_cast<const uint8_t *>(v.as.bytes);
  for (size_t i = ascii_prefix(p, v.size); i < v.size;) {
    size_t n = utf8_sequence(p + i, v.size - i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

// ---- values

bool has_bytes(const value &v) { return v.as.bytes || v.size == 0; }

const char *check_signed(int64_t i, int bits, const char *why) {
  int64_t high = (int64_t{1} << (bits - 1)) - 1;
  return i > high || i < -high - 1 ? why : nullptr;
}

const char *check_unsigned(uint64_t u, uint64_t high, const char *why) {
  return u > high ? why : nullptr;
}

const char *check_scalar(const value &v) {
  switch (v.type) {
  case RSTREAM_AMQP_BOOLEAN: return check_unsigned(v.as.u, 1, "a boolean is 0 or 1");
  case RSTREAM_AMQP_UBYTE: return check_unsigned(v.as.u, UINT8_MAX, "a ubyte has 8 bits");
  case RSTREAM_AMQP_USHORT:
    return check_unsigned(v.as.u, UINT16_MAX, "a ushort has 16 bits");
  case RSTREAM_AMQP_UINT: return check_unsigned(v.as.u, UINT32_MAX, "a uint has 32 bits");
  case RSTREAM_AMQP_BYTE: return check_signed(v.as.i, 8, "a byte has 8 bits");
  case RSTREAM_AMQP_SHORT: return check_signed(v.as.i, 16, "a short has 16 bits");
  case RSTREAM_AMQP_INT: return check_signed(v.as.i, 32, "an int has 32 bits");
  case RSTREAM_AMQP_CHAR:
    return is_character(v.as.u) ? nullptr : "a char must be a Unicode character";
  case RSTREAM_AMQP_BINARY: return has_bytes(v) ? nullptr : "a binary's bytes are NULL";
  case RSTREAM_AMQP_STRING:
    if (!has_bytes(v)) return "a string's bytes are NULL";
    return is_utf8(v) ? nullptr : "a string must be UTF-8";
  case RSTREAM_AMQP_SYMBOL:
    if (!has_bytes(v)) return "a symbol's bytes are NULL";
    return is_ascii(v) ? nullptr : "a symbol must be ASCII";
  default: return v.type <= RSTREAM_AMQP_UUID ? nullptr : "a value has an unknown type";
  }
}

constexpr const char *too_deep = "values are nested too deeply";

const char *check_items(const value *items, size_t count, uint32_t depth) {
  if (!items && count > 0) return "the items of a list, map or array are NULL";
  for (size_t i = 0; i < count; i++) {
    if (const char *why = amqp_check_value(items[i], depth)) return why;
  }
  return nullptr;
}

const char *check_elements(const value &array) {
  const value *items = array.as.items;
  for (size_t i = 0; i < array.size; i++) {
    if (items[i].type != items[0].type) return "the elements of an array have one type";
    if (items[i].type >= RSTREAM_AMQP_DESCRIBED) {
      return "the elements of an array can't be described";
    }
  }
  bool empty_elements = array.size > 0 && items[0].type == RSTREAM_AMQP_NULL;
  if (empty_elements && array.size > RSTREAM_AMQP_MAX_EMPTY_ELEMENTS) {
    return "an array has too many null elements";
  }
  return nullptr;
}

bool is_compound(const value &v) {
  return v.type >= RSTREAM_AMQP_LIST && v.type <= RSTREAM_AMQP_DESCRIBED;
}

// What stands before the bytes of a value whose items were checked.
size_t constructor_bytes(const value &v) {
  if (v.encoded) return v.constructor_size;
  if (v.type != RSTREAM_AMQP_DESCRIBED) return 1;
  wire::writer w = wire::counting_writer();
  amqp_put_value(w, v.as.items[0]);
  return 1 + w.written + constructor_bytes(v.as.items[1]);
}

const char *check_compound(const value &v, uint32_t depth) {
  if (depth >= RSTREAM_AMQP_MAX_DEPTH) return too_deep;
  if (v.type == RSTREAM_AMQP_MAP && v.size % 2 != 0) return "a map's items are pairs";
  if (v.type == RSTREAM_AMQP_DESCRIBED && v.size != 2) {
    return "a described value has two items";
  }
  if (const char *why = check_items(v.as.items, v.size, depth + 1)) return why;
  if (v.type == RSTREAM_AMQP_ARRAY) return check_elements(v);
  // The largest that can be read again.
  return constructor_bytes(v) > UINT16_MAX ? "a descriptor is too large" : nullptr;
}

// ---- where they stand

constexpr uint32_t one_of(rstream_amqp_type type) { return 1u << type; }

constexpr uint32_t any_id = one_of(RSTREAM_AMQP_ULONG) | one_of(RSTREAM_AMQP_UUID) |
                            one_of(RSTREAM_AMQP_BINARY) | one_of(RSTREAM_AMQP_STRING);
constexpr uint32_t annotation_keys =
    one_of(RSTREAM_AMQP_SYMBOL) | one_of(RSTREAM_AMQP_ULONG);
constexpr uint32_t any_type = UINT32_MAX;
constexpr uint32_t simple_types = one_of(RSTREAM_AMQP_LIST) - 1;  // all before it

struct field_rule {
  uint32_t types;
  const char *why;
};

constexpr field_rule header_rules[] = {
    {one_of(RSTREAM_AMQP_BOOLEAN), "durable must be a boolean"},
    {one_of(RSTREAM_AMQP_UBYTE), "priority must be a ubyte"},
    {one_of(RSTREAM_AMQP_UINT), "ttl must be a uint"},
    {one_of(RSTREAM_AMQP_BOOLEAN), "first_acquirer must be a boolean"},
    {one_of(RSTREAM_AMQP_UINT), "delivery_count must be a uint"},
};
static_assert(std::size(header_rules) == amqp_header_fields);

constexpr field_rule property_rules[] = {
    {any_id, "message_id must be a ulong, uuid, binary or string"},
    {one_of(RSTREAM_AMQP_BINARY), "user_id must be a binary"},
    {one_of(RSTREAM_AMQP_STRING), "to must be a string"},
    {one_of(RSTREAM_AMQP_STRING), "subject must be a string"},
    {one_of(RSTREAM_AMQP_STRING), "reply_to must be a string"},
    {any_id, "correlation_id must be a ulong, uuid, binary or string"},
    {one_of(RSTREAM_AMQP_SYMBOL), "content_type must be a symbol"},
    {one_of(RSTREAM_AMQP_SYMBOL), "content_encoding must be a symbol"},
    {one_of(RSTREAM_AMQP_TIMESTAMP), "absolute_expiry_time must be a timestamp"},
    {one_of(RSTREAM_AMQP_TIMESTAMP), "creation_time must be a timestamp"},
    {one_of(RSTREAM_AMQP_STRING), "group_id must be a string"},
    {one_of(RSTREAM_AMQP_UINT), "group_sequence must be a uint"},
    {one_of(RSTREAM_AMQP_STRING), "reply_to_group_id must be a string"},
};
static_assert(std::size(property_rules) == amqp_property_fields);

bool is_of(const value &v, uint32_t types) {
  return v.type <= RSTREAM_AMQP_UNKNOWN && (types >> v.type & 1);
}

const char *check_fields(std::span<const value> fields, const field_rule *rules) {
  for (size_t i = 0; i < fields.size(); i++) {
    const value &v = fields[i];
    if (v.type == RSTREAM_AMQP_NULL) continue;
    if (!is_of(v, rules[i].types)) return rules[i].why;
    if (const char *why = check_scalar(v)) return why;
  }
  return nullptr;
}

struct map_rule {
  uint32_t key_types;
  uint32_t value_types;
  const char *key_why;
  const char *value_why;
};

constexpr map_rule annotation_rule = {annotation_keys, any_type,
                                      "the key of an annotation must be a symbol", ""};
constexpr map_rule application_property_rule = {
    one_of(RSTREAM_AMQP_STRING), simple_types,
    "the key of an application property must be a string",
    "an application property can't be a list, map, array or described"};

const char *check_pairs(const rstream_amqp_pair *pairs, size_t count,
                        const map_rule &rule) {
  if (!pairs && count > 0) return "the pairs of a section are NULL";
  if (count > UINT32_MAX / 2) return "a section has too many pairs";
  for (size_t i = 0; i < count; i++) {
    if (!is_of(pairs[i].key, rule.key_types)) return rule.key_why;
    if (const char *why = check_scalar(pairs[i].key)) return why;
    if (!is_of(pairs[i].value, rule.value_types)) return rule.value_why;
    if (const char *why = amqp_check_value(pairs[i].value, 1)) return why;
  }
  return nullptr;
}

const char *check_body_values(const rstream_amqp_sections &s, uint32_t types,
                              const char *why) {
  if (!s.body_values || s.body_value_count == 0) return "body_values are missing";
  for (size_t i = 0; i < s.body_value_count; i++) {
    if (!is_of(s.body_values[i], types)) return why;
    if (const char *inner = amqp_check_value(s.body_values[i], 0)) return inner;
  }
  return nullptr;
}

const char *check_body(const rstream_amqp_sections &s) {
  switch (s.body_type) {
  case RSTREAM_AMQP_BODY_DATA:
  case RSTREAM_AMQP_BODY_NONE:
    return s.body_value_count ? "this body_type has no body_values" : nullptr;
  case RSTREAM_AMQP_BODY_VALUE:
    if (s.body_value_count > 1) return "an amqp-value body has one value";
    return check_body_values(s, any_type, "the body's value has an unknown type");
  case RSTREAM_AMQP_BODY_SEQUENCE:
    return check_body_values(s, one_of(RSTREAM_AMQP_LIST),
                             "the values of an amqp-sequence body must be lists");
  case RSTREAM_AMQP_BODY_DATA_LIST:
    return check_body_values(s, one_of(RSTREAM_AMQP_BINARY),
                             "the values of a data body must be binaries");
  default: return "body_type is unknown";
  }
}

const char *find_fault(const rstream_amqp_sections &s) {
  const char *why = nullptr;
  if (s.header) why = check_fields(amqp_fields_of(*s.header), header_rules);
  if (!why) {
    why =
        check_pairs(s.delivery_annotations, s.delivery_annotation_count, annotation_rule);
  }
  if (!why) {
    why = check_pairs(s.message_annotations, s.message_annotation_count, annotation_rule);
  }
  if (!why && s.properties) {
    why = check_fields(amqp_fields_of(*s.properties), property_rules);
  }
  if (!why) {
    why = check_pairs(s.application_properties, s.application_property_count,
                      application_property_rule);
  }
  if (!why) why = check_pairs(s.footer, s.footer_count, annotation_rule);
  return why ? why : check_body(s);
}

}  // namespace

const char *amqp_check_value(const value &v, uint32_t depth) {
  if (v.encoded) {
    return amqp_is_sound(v, depth) ? nullptr : "a received value is broken or too deep";
  }
  return is_compound(v) ? check_compound(v, depth) : check_scalar(v);
}

int amqp_check(const rstream_amqp_sections &s, const char **why) {
  const char *fault = find_fault(s);
  if (why) *why = fault ? fault : "";
  return fault ? RSTREAM_EINVAL : 0;
}

}  // namespace rstream
