#pragma once

// AMQP 1.0 messages, written straight to where they shall be: no message object, and each
// value in its shortest form.

#include "codec/amqp_types.h"
#include "rstream/amqp.h"
#include "wire/cursor.h"

namespace rstream {

// These take the sections themselves whole: api has read the caller's struct by its size.
// Header and properties, which they point to, are taken as far as their size says.

// 0, or RSTREAM_EINVAL and why: static text.
[[nodiscard]] int amqp_check(const rstream_amqp_sections &sections, const char **why);

// One value as it may stand `depth` compounds deep; null or why it may not.
const char *amqp_check_value(const rstream_amqp_value &value, uint32_t depth);

// Writes a message that amqp_check() let pass; `data` is the body if that is one data
// section. When it does not fit, w.written tells what it needs.
void amqp_encode(wire::writer &w, const rstream_amqp_sections &sections,
                 wire::bytes data);

void amqp_put_value(wire::writer &w, const rstream_amqp_value &value);

// The members of a header or of properties, as many as this caller's struct has.
template <class T>
std::span<const rstream_amqp_value> amqp_fields_of(const T &x) {
  constexpr size_t first_at = sizeof(T) % sizeof(rstream_amqp_value);
  constexpr size_t most = sizeof(T) / sizeof(rstream_amqp_value);
  static_assert(first_at == offsetof(rstream_amqp_properties, message_id));
  size_t count = 0;
  if (x.struct_size > first_at) {
    count = (x.struct_size - first_at) / sizeof(rstream_amqp_value);
  }
  const void *first = reinterpret_cast<const uint8_t *>(&x) + first_at;
  return {static_cast<const rstream_amqp_value *>(first), count < most ? count : most};
}

// ---- a data section, for messages that are nothing else

// What precedes its bytes: the section's descriptor, the binary's code and size.
constexpr size_t amqp_data_header_bytes(size_t body_bytes) {
  return body_bytes <= UINT8_MAX ? 5 : 8;
}

// The caller has checked that there is room. `to` may be the frame being filled: bytes
// behind what it returns are not touched.
inline uint8_t *amqp_write_data_header(uint8_t *to, size_t body_bytes) {
  if (body_bytes <= UINT8_MAX) {
    wire::store_u32be(to, 0x00537500u | amqp_code::binary_1);
    to[4] = static_cast<uint8_t>(body_bytes);
    return to + 5;
  }
  wire::store_u64be(to, 0x005375b000000000u | body_bytes);
  return to + 8;
}

}  // namespace rstream
