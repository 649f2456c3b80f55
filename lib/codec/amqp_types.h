#pragma once

// The numbers of AMQP 1.0: constructors of types, descriptors of sections.

#include <cstddef>
#include <cstdint>

namespace rstream {

// The upper half of a code tells how long the value is: 4 nothing, 5 to 9 1 to 16 bytes,
// A, C, E a size of one byte, B, D, F of four bytes.
namespace amqp_code {
constexpr uint8_t described = 0x00;
constexpr uint8_t null = 0x40;
constexpr uint8_t true_0 = 0x41;
constexpr uint8_t false_0 = 0x42;
constexpr uint8_t uint_0 = 0x43;
constexpr uint8_t ulong_0 = 0x44;
constexpr uint8_t list_0 = 0x45;
constexpr uint8_t ubyte = 0x50;
constexpr uint8_t byte = 0x51;
constexpr uint8_t uint_1 = 0x52;
constexpr uint8_t ulong_1 = 0x53;
constexpr uint8_t int_1 = 0x54;
constexpr uint8_t long_1 = 0x55;
constexpr uint8_t boolean = 0x56;
constexpr uint8_t ushort = 0x60;
constexpr uint8_t short_2 = 0x61;
constexpr uint8_t uint_4 = 0x70;
constexpr uint8_t int_4 = 0x71;
constexpr uint8_t float_4 = 0x72;
constexpr uint8_t char_4 = 0x73;
constexpr uint8_t decimal_4 = 0x74;
constexpr uint8_t ulong_8 = 0x80;
constexpr uint8_t long_8 = 0x81;
constexpr uint8_t double_8 = 0x82;
constexpr uint8_t timestamp = 0x83;
constexpr uint8_t decimal_8 = 0x84;
constexpr uint8_t decimal_16 = 0x94;
constexpr uint8_t uuid = 0x98;
constexpr uint8_t binary_1 = 0xa0;
constexpr uint8_t string_1 = 0xa1;
constexpr uint8_t symbol_1 = 0xa3;
constexpr uint8_t binary_4 = 0xb0;
constexpr uint8_t string_4 = 0xb1;
constexpr uint8_t symbol_4 = 0xb3;
constexpr uint8_t list_1 = 0xc0;
constexpr uint8_t map_1 = 0xc1;
constexpr uint8_t list_4 = 0xd0;
constexpr uint8_t map_4 = 0xd1;
constexpr uint8_t array_1 = 0xe0;
constexpr uint8_t array_4 = 0xf0;

// From a type with a short and a long size to the long one.
constexpr uint8_t long_form(uint8_t code) { return static_cast<uint8_t>(code | 0x10); }
}  // namespace amqp_code

namespace amqp_section {
constexpr uint8_t header = 0x70;
constexpr uint8_t delivery_annotations = 0x71;
constexpr uint8_t message_annotations = 0x72;
constexpr uint8_t properties = 0x73;
constexpr uint8_t application_properties = 0x74;
constexpr uint8_t data = 0x75;
constexpr uint8_t sequence = 0x76;
constexpr uint8_t value = 0x77;
constexpr uint8_t footer = 0x78;
}  // namespace amqp_section

constexpr size_t amqp_header_fields = 5;
constexpr size_t amqp_property_fields = 13;

}  // namespace rstream
