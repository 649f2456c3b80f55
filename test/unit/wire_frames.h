// What every command of lib/wire has to stand, whatever its fields: check_frame().
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "hex.h"
#include "wire/command.h"
#include "wire/cursor.h"

namespace rstream::test {

// Where a command's body may end early, and whether more bytes may follow it.
struct frame_shape {
  std::vector<size_t> short_bodies = {};  // lengths of the body, without the header
  bool open_ended = false;                // what follows would be part of the body
};

// Responses other than OK may end after correlation id and code.
inline const frame_shape code_only = {.short_bodies = {6}};

constexpr size_t envelope_bytes = wire::frame_size_bytes + wire::frame_header_bytes;

template <class X, class... Key>
byte_vector encoded(const X &x, Key... frame_key) {
  exact_buffer buffer(wire::encoded_size(x, frame_key...));
  wire::writer w = wire::writer_of(buffer.span());
  encode(w, x, frame_key...);
  EXPECT_FALSE(w.failed);
  EXPECT_EQ(w.written, buffer.size);
  EXPECT_EQ(w.p, w.end);
  return {buffer.data.get(), buffer.data.get() + buffer.size};
}

inline byte_vector body_of(const byte_vector &frame) {
  if (frame.size() < envelope_bytes) {
    return {};
  }
  return {frame.begin() + envelope_bytes, frame.end()};
}

// Reads all elements, so that AddressSanitizer sees what they touch.
template <class T>
size_t walk(const wire::seq<T> &s) {
  size_t n = 0;
  T v{};
  for (wire::seq_iter<T> it(s); it.next(v);) {
    n++;
  }
  EXPECT_EQ(n, s.size());
  return n;
}

template <class X>
void walk_all(const X &x) {
  if constexpr (requires { x.properties; }) walk(x.properties);
  if constexpr (requires { x.arguments; }) walk(x.arguments);
  if constexpr (requires { x.streams; }) walk(x.streams);
  if constexpr (requires { x.brokers; }) walk(x.brokers);
  if constexpr (requires { x.mechanisms; }) walk(x.mechanisms);
  if constexpr (requires { x.commands; }) walk(x.commands);
  if constexpr (requires { x.ids; }) walk(x.ids);
  if constexpr (requires { x.stats; }) walk(x.stats);
  if constexpr (requires { x.partitions; }) walk(x.partitions);
  if constexpr (requires { x.binding_keys; }) walk(x.binding_keys);
}

// An empty X of the same version as `like`, as it is before decode().
template <class X>
X blank(const X &like) {
  X x{};
  if constexpr (requires { x.version; }) {
    x.version = like.version;
  }
  return x;
}

// Decodes a copy of `body` that ends where the heap block does.
template <class X>
bool decodes(const X &like, std::span<const uint8_t> body) {
  exact_buffer buffer(body);
  X x = blank(like);
  wire::reader r = wire::reader_of(buffer.span());
  bool ok = decode(r, x);
  EXPECT_EQ(ok, !r.failed);
  EXPECT_LE(r.p, buffer.data.get() + buffer.size);
  if (ok) {
    walk_all(x);
  }
  return ok;
}

inline void check_envelope(const byte_vector &frame, uint16_t key, uint16_t version) {
  ASSERT_GE(frame.size(), envelope_bytes);
  EXPECT_EQ(wire::load_u32be(frame.data()), frame.size() - wire::frame_size_bytes);
  wire::reader r = wire::reader_of(frame);
  r.u32();
  wire::frame_header h;
  EXPECT_TRUE(decode(r, h));
  EXPECT_EQ(h.key, key);
  EXPECT_EQ(h.version, version);
}

template <class X, class... Key>
void check_overflow(const X &x, size_t size, Key... frame_key) {
  for (size_t room = 0; room < size; room++) {
    exact_buffer buffer(room);
    wire::writer w = wire::writer_of(buffer.span());
    encode(w, x, frame_key...);
    EXPECT_TRUE(w.failed) << room << " of " << size << " bytes";
    EXPECT_LE(w.p, w.end);
  }
}

template <class X>
void check_cuts(const X &x, const byte_vector &body, const frame_shape &shape) {
  for (size_t n = 0; n < body.size(); n++) {
    const std::vector<size_t> &ends = shape.short_bodies;
    bool may_end = std::find(ends.begin(), ends.end(), n) != ends.end();
    EXPECT_EQ(decodes(x, {body.data(), n}), may_end)
        << n << " of " << body.size() << " bytes: " << to_hex({body.data(), n});
  }
}

// Decoding damaged bytes may succeed or fail, but never reads outside them.
template <class X>
void check_damage(const X &x, const byte_vector &body) {
  for (size_t at = 0; at < body.size(); at++) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      byte_vector damaged = body;
      damaged[at] = static_cast<uint8_t>(value);
      decodes(x, damaged);
    }
  }
}

template <class X, class... Key>
void check_decoded_encodes_again(const X &x, const byte_vector &frame, byte_vector body,
                                 const frame_shape &shape, Key... frame_key) {
  if (!shape.open_ended) {
    body.insert(body.end(), {0xff, 0x00, 0x17});
  }
  exact_buffer buffer(body);
  X decoded = blank(x);
  wire::reader r = wire::reader_of(buffer.span());
  ASSERT_TRUE(decode(r, decoded)) << to_hex(frame);
  walk_all(decoded);
  EXPECT_EQ(to_hex(encoded(decoded, frame_key...)), to_hex(frame));
}

// `frame_key` is for response_frame, which cannot know it.
template <class X, class... Key>
void check_frame(const X &x, uint16_t key, const frame_shape &shape = {},
                 Key... frame_key) {
  uint16_t version = 1;
  if constexpr (requires { x.version; }) {
    version = x.version;
  }
  byte_vector frame = encoded(x, frame_key...);
  check_envelope(frame, key, version);
  byte_vector body = body_of(frame);
  check_overflow(x, frame.size(), frame_key...);
  check_decoded_encodes_again(x, frame, body, shape, frame_key...);
  check_cuts(x, body, shape);
  check_damage(x, body);
}

// A frame given as hex, and what it decodes to. `x` borrows from `frame`.
template <class X>
struct example {
  byte_vector frame;
  X x;
};

// Expects `from` to encode to `hex`, and returns what `hex` decodes to.
template <class X>
example<X> check_example(const X &from, std::string_view hex) {
  example<X> e{from_hex(hex), blank(from)};
  EXPECT_EQ(to_hex(encoded(from)), to_hex(e.frame));
  if (e.frame.size() < envelope_bytes) {
    ADD_FAILURE() << "no frame: " << hex;
    return e;
  }
  EXPECT_EQ(wire::load_u32be(e.frame.data()), e.frame.size() - wire::frame_size_bytes);
  wire::bytes body(e.frame.data() + envelope_bytes, e.frame.size() - envelope_bytes);
  wire::reader r = wire::reader_of(body);
  EXPECT_TRUE(decode(r, e.x));
  EXPECT_EQ(r.left(), 0u);
  return e;
}

// All elements of a sequence.
template <class T>
std::vector<T> all(const wire::seq<T> &s) {
  std::vector<T> out;
  T v{};
  for (wire::seq_iter<T> it(s); it.next(v);) {
    out.push_back(v);
  }
  return out;
}

}  // namespace rstream::test
