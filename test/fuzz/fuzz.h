// What fuzz targets share. A target is fed bytes that could have come from anywhere; it
// must neither crash nor read past them, which the sanitizers watch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "wire/command.h"
#include "wire/cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace rstream::fuzz {

// What decoded must encode again, and that must decode to the same bytes: views that
// reach outside their frame, or counts that lie, show up here.
template <class X, class... Key>
void check_round_trip(const X &x, Key... key) {
  wire::writer counting = wire::counting_writer();
  encode(counting, x, key...);
  if (counting.failed) return;  // legal to receive, not to send
  std::vector<uint8_t> bytes(counting.written);
  wire::writer w = wire::writer_of(bytes);
  encode(w, x, key...);
  if (w.failed || w.written != bytes.size()) abort();
  wire::reader r = wire::reader_of(
      wire::bytes(bytes).subspan(wire::frame_size_bytes + wire::frame_header_bytes));
  X again{};
  if (!decode(r, again)) abort();
  std::vector<uint8_t> second(bytes.size());
  w = wire::writer_of(second);
  encode(w, again, key...);
  if (w.failed || second != bytes) abort();
}

// Decodes the whole input as the body of one command.
template <class X>
void decode_body(wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  X x{};
  if (decode(r, x)) check_round_trip(x);
}

// The first byte of the input picks one of `decoders`, the rest is its input, copied so
// that its end is the end of a block.
using decoder = void (*)(wire::bytes body);

inline void run_one(std::span<const decoder> decoders, const uint8_t *data, size_t size) {
  if (size == 0) return;
  std::unique_ptr<uint8_t[]> exact(new uint8_t[size]);
  for (size_t i = 1; i < size; i++) exact[i - 1] = data[i];
  decoders[data[0] % decoders.size()](wire::bytes(exact.get(), size - 1));
}

}  // namespace rstream::fuzz
