// AMQP values as text, and as bytes, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cinttypes>
#include <string>
#include <vector>

#include "codec/amqp_encode.h"
#include "codec/amqp_value.h"
#include "hex.h"

namespace rstream::test {

inline std::string amqp_bytes_text(const rstream_amqp_value &v) {
  return text_of({static_cast<const uint8_t *>(v.as.bytes), v.size});
}

inline std::string show(const rstream_amqp_value &v);

// "[ulong 1, string a]", or what went wrong after the items before it.
inline std::string show_items(const rstream_amqp_value &v, char open, char close) {
  std::string text(1, open);
  rstream_amqp_iter it;
  rstream_amqp_value item;
  int rc = amqp_items(it, v);
  if (rc < 0) return std::string(" ") + rstream_error_name(rc);
  for (bool first = true; (rc = amqp_next(it, item)) == 1; first = false) {
    if (!first) text += ", ";
    text += show(item);
  }
  return rc == 0 ? text + close : text + ' ' + rstream_error_name(rc);
}

inline std::string show_scalar(const rstream_amqp_value &v) {
  switch (v.type) {
  case RSTREAM_AMQP_NULL: return "";
  case RSTREAM_AMQP_BYTE:
  case RSTREAM_AMQP_SHORT:
  case RSTREAM_AMQP_INT:
  case RSTREAM_AMQP_LONG:
  case RSTREAM_AMQP_TIMESTAMP: return std::to_string(v.as.i);
  case RSTREAM_AMQP_FLOAT: return std::to_string(v.as.f);
  case RSTREAM_AMQP_DOUBLE: return std::to_string(v.as.d);
  case RSTREAM_AMQP_DECIMAL32: return to_hex({v.as.raw, 4});
  case RSTREAM_AMQP_DECIMAL64: return to_hex({v.as.raw, 8});
  case RSTREAM_AMQP_DECIMAL128:
  case RSTREAM_AMQP_UUID: return to_hex({v.as.raw, 16});
  case RSTREAM_AMQP_BINARY:
  case RSTREAM_AMQP_STRING:
  case RSTREAM_AMQP_SYMBOL: return amqp_bytes_text(v);
  case RSTREAM_AMQP_UNKNOWN: return to_hex({v.as.encoded.payload, v.size});
  default: return std::to_string(v.as.u);
  }
}

// "string abc", "list[int 1, null]", "map{symbol a, uint 5}"; never deeper than the
// library lets itself be led.
inline std::string show(const rstream_amqp_value &v) {
  std::string name = rstream_amqp_type_name(v.type);
  switch (v.type) {
  case RSTREAM_AMQP_LIST: return name + show_items(v, '[', ']');
  case RSTREAM_AMQP_MAP: return name + show_items(v, '{', '}');
  case RSTREAM_AMQP_ARRAY: return name + show_items(v, '<', '>');
  case RSTREAM_AMQP_DESCRIBED: return name + show_items(v, '(', ')');
  case RSTREAM_AMQP_NULL: return name;
  default: return name + ' ' + show_scalar(v);
  }
}

inline byte_vector amqp_bytes_of(const rstream_amqp_value &v) {
  wire::writer counting = wire::counting_writer();
  amqp_put_value(counting, v);
  exact_buffer buffer(counting.written);
  wire::writer w = wire::writer_of(buffer.span());
  amqp_put_value(w, v);
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(w.written, buffer.size);
  return {buffer.data.get(), buffer.data.get() + buffer.size};
}

inline std::string amqp_hex_of(const rstream_amqp_value &v) {
  return to_hex(amqp_bytes_of(v));
}

// The same hex, without what makes it readable.
inline std::string plain_hex(std::string_view hex) { return to_hex(from_hex(hex)); }

inline std::string fill(size_t n, char c = 'x') { return std::string(n, c); }

// The text as hex, for vectors with long strings.
inline std::string hex_of(std::string_view text) { return to_hex(bytes_of(text)); }

// What a message of these sections is as hex, or the name of the error. Where there is
// too little room its size is told all the same, and nothing is written behind the room.
inline std::string amqp_message_hex(const rstream_amqp_sections &s,
                                    std::string_view body = {}) {
  auto encode = [&](exact_buffer &out) {
    return rstream_amqp_encode(&s, body.data(), body.size(), out.data.get(), out.size);
  };
  exact_buffer none(0);
  int64_t size = encode(none);
  if (size < 0) return rstream_error_name(static_cast<int>(size));
  size_t step = size > 2000 ? 997 : 1;
  for (size_t room = 1; room < static_cast<size_t>(size); room += step) {
    exact_buffer tight(room);
    EXPECT_EQ(encode(tight), size) << room;
  }
  exact_buffer out(static_cast<size_t>(size));
  EXPECT_EQ(encode(out), size);
  return to_hex(out.span());
}

inline rstream_amqp_sections no_sections() {
  rstream_amqp_sections s;
  rstream_amqp_sections_init(&s);
  return s;
}

}  // namespace rstream::test
