#include "rstream/amqp.h"

#include "api/options.h"
#include "codec/amqp_decode.h"
#include "codec/amqp_encode.h"
#include "codec/amqp_value.h"

using namespace rstream;

namespace {

using value = rstream_amqp_value;

// Of no type: refused wherever it is published.
constexpr uint8_t impossible = 0xff;

value unsigned_value(rstream_amqp_type type, uint64_t u) {
  value v{};
  v.type = type;
  v.as.u = u;
  return v;
}

value signed_value(rstream_amqp_type type, int64_t i) {
  value v{};
  v.type = type;
  v.as.i = i;
  return v;
}

value raw_value(rstream_amqp_type type, const void *raw, size_t size) {
  value v{};
  if (!raw) return v;
  v.type = type;
  memcpy(v.as.raw, raw, size);
  return v;
}

value bytes_value(rstream_amqp_type type, const void *bytes, size_t size) {
  value v{};
  if (!bytes && size == 0) return v;
  v.type = bytes && size <= UINT32_MAX ? static_cast<uint8_t>(type) : impossible;
  v.size = static_cast<uint32_t>(size);
  v.as.bytes = bytes;
  return v;
}

value items_value(rstream_amqp_type type, const value *items, size_t count) {
  value v{};
  bool possible = (items || count == 0) && count <= UINT32_MAX;
  v.type = possible ? static_cast<uint8_t>(type) : impossible;
  v.size = static_cast<uint32_t>(count);
  v.as.items = items;
  return v;
}

value text_value(rstream_amqp_type type, const char *text) {
  return bytes_value(type, text, text ? strlen(text) : 0);
}

bool valid(const void *bytes, size_t size) { return bytes || size == 0; }

wire::bytes bytes_of(const void *bytes, size_t size) {
  return {static_cast<const uint8_t *>(bytes), size};
}

int find_field(const void *message, size_t size, uint8_t section, int n, int most,
               value *v) {
  if (!valid(message, size) || !v || n < 0 || n >= most) return RSTREAM_EINVAL;
  return amqp_find_field(bytes_of(message, size), section, static_cast<size_t>(n), *v);
}

int find_entry(const void *message, size_t size, uint8_t section, const char *key,
               value *v) {
  if (!valid(message, size) || !key || !v) return RSTREAM_EINVAL;
  return amqp_find_entry(bytes_of(message, size), section, rstream_amqp_string(key), *v);
}

}  // namespace

// ---- making values

value rstream_amqp_null(void) { return {}; }
value rstream_amqp_boolean(int is_true) {
  return unsigned_value(RSTREAM_AMQP_BOOLEAN, is_true != 0);
}
value rstream_amqp_ubyte(uint8_t u) { return unsigned_value(RSTREAM_AMQP_UBYTE, u); }
value rstream_amqp_ushort(uint16_t u) { return unsigned_value(RSTREAM_AMQP_USHORT, u); }
value rstream_amqp_uint(uint32_t u) { return unsigned_value(RSTREAM_AMQP_UINT, u); }
value rstream_amqp_ulong(uint64_t u) { return unsigned_value(RSTREAM_AMQP_ULONG, u); }
value rstream_amqp_byte(int8_t i) { return signed_value(RSTREAM_AMQP_BYTE, i); }
value rstream_amqp_short(int16_t i) { return signed_value(RSTREAM_AMQP_SHORT, i); }
value rstream_amqp_int(int32_t i) { return signed_value(RSTREAM_AMQP_INT, i); }
value rstream_amqp_long(int64_t i) { return signed_value(RSTREAM_AMQP_LONG, i); }

value rstream_amqp_float(float f) {
  value v{};
  v.type = RSTREAM_AMQP_FLOAT;
  v.as.f = f;
  return v;
}

value rstream_amqp_double(double d) {
  value v{};
  v.type = RSTREAM_AMQP_DOUBLE;
  v.as.d = d;
  return v;
}

value rstream_amqp_decimal32(const void *raw) {
  return raw_value(RSTREAM_AMQP_DECIMAL32, raw, 4);
}
value rstream_amqp_decimal64(const void *raw) {
  return raw_value(RSTREAM_AMQP_DECIMAL64, raw, 8);
}
value rstream_amqp_decimal128(const void *raw) {
  return raw_value(RSTREAM_AMQP_DECIMAL128, raw, 16);
}
value rstream_amqp_char(uint32_t character) {
  return unsigned_value(RSTREAM_AMQP_CHAR, character);
}
value rstream_amqp_timestamp(int64_t ms) {
  return signed_value(RSTREAM_AMQP_TIMESTAMP, ms);
}
value rstream_amqp_uuid(const void *raw) { return raw_value(RSTREAM_AMQP_UUID, raw, 16); }
value rstream_amqp_binary(const void *bytes, size_t size) {
  return bytes_value(RSTREAM_AMQP_BINARY, bytes, size);
}
value rstream_amqp_string(const char *text) {
  return text_value(RSTREAM_AMQP_STRING, text);
}
value rstream_amqp_string_n(const char *text, size_t size) {
  return bytes_value(RSTREAM_AMQP_STRING, text, size);
}
value rstream_amqp_symbol(const char *text) {
  return text_value(RSTREAM_AMQP_SYMBOL, text);
}
value rstream_amqp_symbol_n(const char *text, size_t size) {
  return bytes_value(RSTREAM_AMQP_SYMBOL, text, size);
}
value rstream_amqp_list(const value *items, size_t count) {
  return items_value(RSTREAM_AMQP_LIST, items, count);
}
value rstream_amqp_map(const rstream_amqp_pair *pairs, size_t count) {
  static_assert(sizeof *pairs == 2 * sizeof(value));
  size_t items = count <= UINT32_MAX / 2 ? count * 2 : SIZE_MAX;
  return items_value(RSTREAM_AMQP_MAP, reinterpret_cast<const value *>(pairs), items);
}
value rstream_amqp_array(const value *items, size_t count) {
  return items_value(RSTREAM_AMQP_ARRAY, items, count);
}
value rstream_amqp_described(const value *descriptor_and_value) {
  return items_value(RSTREAM_AMQP_DESCRIBED, descriptor_and_value, 2);
}

const char *rstream_amqp_type_name(int type) {
  static constexpr const char *names[] = {
      "null",   "boolean",   "ubyte",     "ushort",    "uint",
      "ulong",  "byte",      "short",     "int",       "long",
      "float",  "double",    "decimal32", "decimal64", "decimal128",
      "char",   "timestamp", "uuid",      "binary",    "string",
      "symbol", "list",      "map",       "array",     "described"};
  static_assert(std::size(names) == RSTREAM_AMQP_UNKNOWN);
  return type >= 0 && type < RSTREAM_AMQP_UNKNOWN ? names[type] : "unknown";
}

// ---- sections

void rstream_amqp_header_init_sized(rstream_amqp_header *header, size_t size) {
  sized_init(header, size);
}

void rstream_amqp_properties_init_sized(rstream_amqp_properties *properties,
                                        size_t size) {
  sized_init(properties, size);
}

void rstream_amqp_sections_init_sized(rstream_amqp_sections *sections, size_t size) {
  sized_init(sections, size);
}

int rstream_amqp_check(const rstream_amqp_sections *sections, const char **why) {
  rstream_amqp_sections whole{};
  if (sized_read(whole, sections)) return amqp_check(whole, why);
  if (why) *why = "the sections are missing or were not initialised";
  return RSTREAM_EINVAL;
}

int64_t rstream_amqp_encode(const rstream_amqp_sections *sections, const void *body,
                            size_t body_size, void *out, size_t out_size) {
  if (!valid(body, body_size) || !valid(out, out_size)) return RSTREAM_EINVAL;
  rstream_amqp_sections whole{};
  if (sections && !sized_read(whole, sections)) return RSTREAM_EINVAL;
  if (body_size && whole.body_type != RSTREAM_AMQP_BODY_DATA) return RSTREAM_EINVAL;
  int rc = amqp_check(whole, nullptr);
  if (rc < 0) return rc;
  if (body_size > UINT32_MAX) return RSTREAM_EMSGSIZE;
  wire::writer w = wire::writer_of({static_cast<uint8_t *>(out), out_size});
  amqp_encode(w, whole, bytes_of(body, body_size));
  // What failed though there was room for it has a part that is too large.
  if (w.failed && w.written <= out_size) return RSTREAM_EMSGSIZE;
  return static_cast<int64_t>(w.written);
}

// ---- reading values

int rstream_amqp_items(rstream_amqp_iter *it, const value *v) {
  return it && v ? amqp_items(*it, *v) : RSTREAM_EINVAL;
}

int rstream_amqp_next(rstream_amqp_iter *it, value *item) {
  return it && item ? amqp_next(*it, *item) : RSTREAM_EINVAL;
}

int rstream_amqp_is_text(const value *v, const char *text) {
  if (!v || !text || v->type < RSTREAM_AMQP_BINARY || v->type > RSTREAM_AMQP_SYMBOL) {
    return 0;
  }
  size_t size = strlen(text);
  return v->size == size && (size == 0 || memcmp(v->as.bytes, text, size) == 0);
}

int rstream_amqp_map_find(const value *map, value key, value *v) {
  return map && v ? amqp_find_key(*map, key, *v) : RSTREAM_EINVAL;
}

// ---- reading messages

int rstream_amqp_find_property(const void *message, size_t size,
                               rstream_amqp_property which, value *v) {
  return find_field(message, size, amqp_section::properties, which, amqp_property_fields,
                    v);
}

int rstream_amqp_find_header_field(const void *message, size_t size,
                                   rstream_amqp_header_field which, value *v) {
  return find_field(message, size, amqp_section::header, which, amqp_header_fields, v);
}

int rstream_amqp_find_application_property(const void *message, size_t size,
                                           const char *key, value *v) {
  return find_entry(message, size, amqp_section::application_properties, key, v);
}

int rstream_amqp_find_message_annotation(const void *message, size_t size,
                                         const char *key, value *v) {
  return find_entry(message, size, amqp_section::message_annotations, key, v);
}

int rstream_amqp_find_section(const void *message, size_t size,
                              rstream_amqp_section which, value *content) {
  bool known =
      which >= RSTREAM_AMQP_SECTION_HEADER && which <= RSTREAM_AMQP_SECTION_FOOTER;
  if (!valid(message, size) || !content || !known) return RSTREAM_EINVAL;
  return amqp_find_section(bytes_of(message, size), static_cast<uint8_t>(which),
                           *content);
}

int rstream_amqp_sections_of(rstream_amqp_iter *it, const void *message, size_t size) {
  if (!it || !valid(message, size)) return RSTREAM_EINVAL;
  amqp_sections(*it, bytes_of(message, size));
  return 0;
}

int rstream_amqp_next_section(rstream_amqp_iter *it, rstream_amqp_section *which,
                              value *content) {
  if (!it || !which || !content) return RSTREAM_EINVAL;
  amqp_section_view section;
  int rc = amqp_next_section(*it, section);
  if (rc != 1) return rc;
  *which = static_cast<rstream_amqp_section>(section.code);
  *content = section.value;
  return 1;
}

int rstream_amqp_body_get(const void *message, size_t size, rstream_amqp_body *body) {
  if (!valid(message, size)) return RSTREAM_EINVAL;
  amqp_body found = amqp_body_of(bytes_of(message, size));
  if (found.status < 0) return found.status;
  rstream_amqp_body filled{};
  filled.type = found.type;
  filled.bytes = found.content.data();
  filled.size = found.content.size();
  if (found.type == RSTREAM_AMQP_BODY_DATA) {
    filled.value = bytes_value(RSTREAM_AMQP_BINARY, filled.bytes, filled.size);
  } else if (found.type == RSTREAM_AMQP_BODY_VALUE) {
    // It has been read once, so it is there.
    (void)amqp_find_section(found.content, amqp_section::value, filled.value);
  }
  return sized_write(body, filled) ? 0 : RSTREAM_EINVAL;
}

int64_t rstream_amqp_copy_data(const void *message, size_t size, void *out,
                               size_t out_size) {
  if (!valid(message, size) || !valid(out, out_size)) return RSTREAM_EINVAL;
  return amqp_copy_data(bytes_of(message, size), {static_cast<uint8_t *>(out), out_size});
}

int rstream_amqp_validate(const void *message, size_t size) {
  if (!valid(message, size)) return RSTREAM_EINVAL;
  return amqp_message_is_sound(bytes_of(message, size)) ? 0 : RSTREAM_ECODEC;
}
