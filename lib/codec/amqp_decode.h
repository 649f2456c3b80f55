#pragma once

// Reading AMQP 1.0 messages: their sections, and single things in them, without a look at
// the rest. Nothing is copied.

#include "codec/amqp_types.h"
#include "rstream/amqp.h"
#include "wire/cursor.h"

namespace rstream {

// ---- the body

struct amqp_body {
  // DATA: the section's content. VALUE, SEQUENCE, DATA_LIST: the body's sections, from
  // the first to the last, as they are encoded. NONE: nothing.
  wire::bytes content{};
  rstream_amqp_body_type type = RSTREAM_AMQP_BODY_DATA;
  int status = 0;  // or RSTREAM_ECODEC: `content` is the message as it came, as DATA
};

// The general case; amqp_body_of() is the short way to it.
amqp_body amqp_body_slow(wire::bytes message);

// Of most messages the body is one data section and there is nothing behind it, and often
// nothing before it.
inline amqp_body amqp_body_of(wire::bytes message) {
  const uint8_t *p = message.data();
  size_t size = message.size();
  if (size >= 5 && wire::load_u32be(p) == (0x00537500u | amqp_code::binary_1) &&
      size == 5u + p[4]) {
    return {{p + 5, size - 5}};
  }
  if (size >= 8 && wire::load_u32be(p) == (0x00537500u | amqp_code::binary_4) &&
      size == 8u + uint64_t{wire::load_u32be(p + 4)}) {
    return {{p + 8, size - 8}};
  }
  return amqp_body_slow(message);
}

// Copies the content of all data sections, as much as there is room for. How many bytes
// they have, or RSTREAM_ECODEC.
int64_t amqp_copy_data(wire::bytes message, std::span<uint8_t> out);

// ---- sections

// Starts over the sections of a message. It can't fail; amqp_next_section() may.
void amqp_sections(rstream_amqp_iter &it, wire::bytes message);

struct amqp_section_view {
  uint8_t code = 0;            // amqp_section; 0: one that is not known
  rstream_amqp_value value{};  // its content; of an unknown one the whole, DESCRIBED
  wire::bytes whole{};
};

// 1 with a section, 0 at the end, RSTREAM_ECODEC for good where the bytes are no section.
// The content of a known section has the type that it must have.
[[nodiscard]] int amqp_next_section(rstream_amqp_iter &it, amqp_section_view &section);

// The first section of this code: 1, or 0 when there is none, or RSTREAM_ECODEC.
[[nodiscard]] int amqp_find_section(wire::bytes message, uint8_t code,
                                    rstream_amqp_value &content);

// ---- single values: 1, or 0 when it is absent or null, or RSTREAM_ECODEC

// The n-th item of a section that is a list.
[[nodiscard]] int amqp_find_field(wire::bytes message, uint8_t section, size_t n,
                                  rstream_amqp_value &v);

// The value of a key in a map, the last one if there are several. Text finds both strings
// and symbols, a number finds numbers without sign of any width. RSTREAM_EINVAL when it
// is no map, or no such key can be looked for.
[[nodiscard]] int amqp_find_key(const rstream_amqp_value &map,
                                const rstream_amqp_value &key, rstream_amqp_value &v);

[[nodiscard]] int amqp_find_entry(wire::bytes message, uint8_t section,
                                  const rstream_amqp_value &key, rstream_amqp_value &v);

// Whether every section and all that is in them can be read.
bool amqp_message_is_sound(wire::bytes message);

}  // namespace rstream
