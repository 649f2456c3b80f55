#include "codec/amqp_encode.h"

#include "codec/amqp_value.h"

namespace rstream {

namespace {

using value = rstream_amqp_value;
using wire::writer;

// ---- compounds: a code, a size, a count, items; the first two in one byte each or in
// four

// One byte each is what most need. Where that turns out too small, the items move.
struct open_compound {
  size_t items_at;  // w.written
  size_t count;
  uint8_t code;  // of the short form
  bool wide;
};

open_compound compound_begin(writer &w, uint8_t code, size_t count) {
  bool wide = count > UINT8_MAX;
  w.grab(wide ? 9 : 3);
  return {w.written, count, code, wide};
}

// Room for the wider size and count in front of the items.
void widen(writer &w, size_t items_bytes) {
  if (w.grab(6)) memmove(w.p - items_bytes, w.p - items_bytes - 6, items_bytes);
}

void put_wide_sizes(writer &w, uint8_t *end_of_sizes, size_t items_bytes, size_t count) {
  if (items_bytes > UINT32_MAX - 4) {
    w.failed = true;
    return;
  }
  wire::store_u32be(end_of_sizes - 8, static_cast<uint32_t>(items_bytes + 4));
  wire::store_u32be(end_of_sizes - 4, static_cast<uint32_t>(count));
}

void compound_end(writer &w, const open_compound &open) {
  size_t items_bytes = w.written - open.items_at;
  bool wide = open.wide;
  if (!wide && items_bytes > UINT8_MAX - 1) {
    widen(w, items_bytes);
    wide = true;
  }
  if (w.failed || w.counting) return;
  uint8_t *items = w.p - items_bytes;
  if (wide) {
    put_wide_sizes(w, items, items_bytes, open.count);
    items[-9] = amqp_code::long_form(open.code);
  } else {
    items[-3] = open.code;
    items[-2] = static_cast<uint8_t>(items_bytes + 1);
    items[-1] = static_cast<uint8_t>(open.count);
  }
}

void put_items(writer &w, uint8_t code, const value *items, size_t count) {
  open_compound open = compound_begin(w, code, count);
  for (size_t i = 0; i < count; i++) amqp_put_value(w, items[i]);
  compound_end(w, open);
}

// ---- scalars

uint8_t code_by_size(const value &v, uint8_t code) {
  return v.size <= UINT8_MAX ? code : amqp_code::long_form(code);
}

bool fits_i8(int64_t i) { return i >= INT8_MIN && i <= INT8_MAX; }

// The shortest form of what is neither compound nor received.
uint8_t code_of(const value &v) {
  switch (v.type) {
  case RSTREAM_AMQP_BOOLEAN: return v.as.u ? amqp_code::true_0 : amqp_code::false_0;
  case RSTREAM_AMQP_UBYTE: return amqp_code::ubyte;
  case RSTREAM_AMQP_USHORT: return amqp_code::ushort;
  case RSTREAM_AMQP_UINT:
    if (v.as.u == 0) return amqp_code::uint_0;
    return v.as.u <= UINT8_MAX ? amqp_code::uint_1 : amqp_code::uint_4;
  case RSTREAM_AMQP_ULONG:
    if (v.as.u == 0) return amqp_code::ulong_0;
    return v.as.u <= UINT8_MAX ? amqp_code::ulong_1 : amqp_code::ulong_8;
  case RSTREAM_AMQP_BYTE: return amqp_code::byte;
  case RSTREAM_AMQP_SHORT: return amqp_code::short_2;
  case RSTREAM_AMQP_INT: return fits_i8(v.as.i) ? amqp_code::int_1 : amqp_code::int_4;
  case RSTREAM_AMQP_LONG: return fits_i8(v.as.i) ? amqp_code::long_1 : amqp_code::long_8;
  case RSTREAM_AMQP_FLOAT: return amqp_code::float_4;
  case RSTREAM_AMQP_DOUBLE: return amqp_code::double_8;
  case RSTREAM_AMQP_DECIMAL32: return amqp_code::decimal_4;
  case RSTREAM_AMQP_DECIMAL64: return amqp_code::decimal_8;
  case RSTREAM_AMQP_DECIMAL128: return amqp_code::decimal_16;
  case RSTREAM_AMQP_CHAR: return amqp_code::char_4;
  case RSTREAM_AMQP_TIMESTAMP: return amqp_code::timestamp;
  case RSTREAM_AMQP_UUID: return amqp_code::uuid;
  case RSTREAM_AMQP_BINARY: return code_by_size(v, amqp_code::binary_1);
  case RSTREAM_AMQP_STRING: return code_by_size(v, amqp_code::string_1);
  case RSTREAM_AMQP_SYMBOL: return code_by_size(v, amqp_code::symbol_1);
  default: return amqp_code::null;
  }
}

wire::bytes bytes_of(const value &v) {
  return {static_cast<const uint8_t *>(v.as.bytes), v.size};
}

// What follows the code.
void put_payload(writer &w, uint8_t code, const value &v) {
  switch (code >> 4) {
  case 0x5: w.u8(static_cast<uint8_t>(v.as.u)); break;
  case 0x6: w.u16(static_cast<uint16_t>(v.as.u)); break;
  case 0x7:
    if (code == amqp_code::decimal_4) {
      w.raw({v.as.raw, 4});
    } else if (code == amqp_code::float_4) {
      w.u32(std::bit_cast<uint32_t>(v.as.f));
    } else {
      w.u32(static_cast<uint32_t>(v.as.u));
    }
    break;
  case 0x8:
    if (code == amqp_code::decimal_8) {
      w.raw({v.as.raw, 8});
    } else if (code == amqp_code::double_8) {
      w.u64(std::bit_cast<uint64_t>(v.as.d));
    } else {
      w.u64(v.as.u);
    }
    break;
  case 0x9: w.raw({v.as.raw, 16}); break;
  case 0xa:
    w.u8(static_cast<uint8_t>(v.size));
    w.raw(bytes_of(v));
    break;
  case 0xb:
    w.u32(v.size);
    w.raw(bytes_of(v));
    break;
  default: break;
  }
}

// ---- arrays: one code for all elements

bool any_differs(const value *items, size_t count, uint8_t short_code) {
  for (size_t i = 0; i < count; i++) {
    uint8_t code = code_of(items[i]);
    // 0 has a code of its own.
    if (code != short_code && code >> 4 != 0x4) return true;
  }
  return false;
}

uint8_t array_code(const value *items, size_t count) {
  using namespace amqp_code;
  if (count == 0) return null;
  auto choose = [&](uint8_t short_code, uint8_t long_code) {
    return any_differs(items, count, short_code) ? long_code : short_code;
  };
  switch (items[0].type) {
  case RSTREAM_AMQP_BOOLEAN: return boolean;
  case RSTREAM_AMQP_UINT: return choose(uint_1, uint_4);
  case RSTREAM_AMQP_ULONG: return choose(ulong_1, ulong_8);
  case RSTREAM_AMQP_INT: return choose(int_1, int_4);
  case RSTREAM_AMQP_LONG: return choose(long_1, long_8);
  case RSTREAM_AMQP_BINARY: return choose(binary_1, binary_4);
  case RSTREAM_AMQP_STRING: return choose(string_1, string_4);
  case RSTREAM_AMQP_SYMBOL: return choose(symbol_1, symbol_4);
  // Which form suits all compounds is not known before they are written.
  case RSTREAM_AMQP_LIST: return list_4;
  case RSTREAM_AMQP_MAP: return map_4;
  case RSTREAM_AMQP_ARRAY: return array_4;
  default: return code_of(items[0]);
  }
}

void put_elements(writer &w, const value &array);

// The content of a compound with sizes of four bytes, whatever it came with.
void put_wide_payload(writer &w, const value &v) {
  w.grab(8);
  size_t items_at = w.written;
  size_t count = v.size;
  if (v.encoded) {
    amqp_compound parts = amqp_compound_of(v);
    count = parts.count;
    w.raw(parts.items);
  } else if (v.type == RSTREAM_AMQP_ARRAY) {
    put_elements(w, v);
  } else {
    for (size_t i = 0; i < count; i++) amqp_put_value(w, v.as.items[i]);
  }
  if (w.failed || w.counting) return;
  size_t items_bytes = w.written - items_at;
  put_wide_sizes(w, w.p - items_bytes, items_bytes, count);
}

bool is_compound_code(uint8_t code) { return code >= amqp_code::list_1; }

// The elements' constructor and the elements.
void put_elements(writer &w, const value &array) {
  const value *items = array.as.items;
  uint8_t code = array_code(items, array.size);
  w.u8(code);
  for (size_t i = 0; i < array.size; i++) {
    if (is_compound_code(code)) {
      put_wide_payload(w, items[i]);
    } else {
      put_payload(w, code, items[i]);
    }
  }
}

void put_array(writer &w, const value &v) {
  open_compound open = compound_begin(w, amqp_code::array_1, v.size);
  put_elements(w, v);
  compound_end(w, open);
}

// ---- sections

constexpr size_t section_header_bytes = 3;

void put_section_header(writer &w, uint8_t code) {
  if (uint8_t *p = w.grab(section_header_bytes)) {
    p[0] = amqp_code::described;
    p[1] = amqp_code::ulong_1;
    p[2] = code;
  }
}

void put_pairs(writer &w, uint8_t section, const rstream_amqp_pair *pairs, size_t count) {
  if (count == 0) return;
  put_section_header(w, section);
  put_items(w, amqp_code::map_1, reinterpret_cast<const value *>(pairs), count * 2);
}

// Trailing nulls are cut; a section of nothing but nulls is left out.
void put_fields(writer &w, uint8_t section, std::span<const value> fields) {
  size_t count = fields.size();
  while (count > 0 && fields[count - 1].type == RSTREAM_AMQP_NULL) count--;
  if (count == 0) return;
  put_section_header(w, section);
  put_items(w, amqp_code::list_1, fields.data(), count);
}

void put_data(writer &w, wire::bytes data) {
  if (data.size() > UINT32_MAX) {
    w.failed = true;
    return;
  }
  if (uint8_t *p = w.grab(amqp_data_header_bytes(data.size()))) {
    amqp_write_data_header(p, data.size());
  }
  w.raw(data);
}

uint8_t body_section(rstream_amqp_body_type type) {
  if (type == RSTREAM_AMQP_BODY_VALUE) return amqp_section::value;
  if (type == RSTREAM_AMQP_BODY_SEQUENCE) return amqp_section::sequence;
  return amqp_section::data;
}

void put_body(writer &w, const rstream_amqp_sections &s, wire::bytes data) {
  if (s.body_type == RSTREAM_AMQP_BODY_DATA) {
    put_data(w, data);
    return;
  }
  for (size_t i = 0; i < s.body_value_count; i++) {
    put_section_header(w, body_section(s.body_type));
    amqp_put_value(w, s.body_values[i]);
  }
}

}  // namespace

void amqp_put_value(writer &w, const value &v) {
  if (v.encoded) {
    w.raw({v.as.encoded.constructor, v.constructor_size});
    w.raw({v.as.encoded.payload, v.size});
    return;
  }
  switch (v.type) {
  case RSTREAM_AMQP_LIST:
    if (v.size == 0) {
      w.u8(amqp_code::list_0);
    } else {
      put_items(w, amqp_code::list_1, v.as.items, v.size);
    }
    break;
  case RSTREAM_AMQP_MAP: put_items(w, amqp_code::map_1, v.as.items, v.size); break;
  case RSTREAM_AMQP_ARRAY: put_array(w, v); break;
  case RSTREAM_AMQP_DESCRIBED:
    w.u8(amqp_code::described);
    amqp_put_value(w, v.as.items[0]);
    amqp_put_value(w, v.as.items[1]);
    break;
  default: {
    uint8_t code = code_of(v);
    w.u8(code);
    put_payload(w, code, v);
  }
  }
}

void amqp_encode(writer &w, const rstream_amqp_sections &s, wire::bytes data) {
  if (s.header) put_fields(w, amqp_section::header, amqp_fields_of(*s.header));
  put_pairs(w, amqp_section::delivery_annotations, s.delivery_annotations,
            s.delivery_annotation_count);
  put_pairs(w, amqp_section::message_annotations, s.message_annotations,
            s.message_annotation_count);
  if (s.properties) {
    put_fields(w, amqp_section::properties, amqp_fields_of(*s.properties));
  }
  put_pairs(w, amqp_section::application_properties, s.application_properties,
            s.application_property_count);
  put_body(w, s, data);
  put_pairs(w, amqp_section::footer, s.footer, s.footer_count);
}

}  // namespace rstream
