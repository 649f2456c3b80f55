#pragma once

#include <cstddef>
#include <cstdint>

namespace perf {

// What the bodies carry. Times are in microseconds and cut to 32 bits: differences come
// out right below 71 minutes.
//
// Plain, so that it costs next to nothing, from 8 bytes on:
//   0  stamp, 4 bytes      when it was sent, or was due
//   4  run, 4 bytes        tells messages of this run from others
//   8  'x' to the end; with --filter-values first which of them, 1 byte, from 9 bytes on
// With --verify, from 6 bytes on:
//   0  sequence, 4 bytes   of its producer, from 0
//   4  producer, 1 byte
//   5  check, 1 byte       a hash of all else the body is made from, and of its size
//   6  stamp, 4 bytes      from 10 bytes on
//  10  fill                follows from all the above
constexpr size_t plain_stamp_least = 8;
constexpr size_t plain_choice_least = 9;
constexpr size_t verified_body_least = 6;
constexpr size_t verified_stamp_least = 10;
constexpr uint32_t verified_producers_most = 256;
constexpr uint64_t verified_sequences_most = UINT64_C(0xffffffff);

void plain_body_fill(uint8_t *body, size_t size, uint32_t run);
void plain_body_stamp(uint8_t *body, uint32_t stamp_us);
inline void plain_body_choose(uint8_t *body, uint8_t choice) { body[8] = choice; }
inline uint8_t plain_body_choice(const uint8_t *body) { return body[8]; }
// False when the body is too short or of another run.
[[nodiscard]] bool plain_body_read(const uint8_t *body, size_t size, uint32_t run,
                                   uint32_t &stamp_us);

struct verified_body {
  uint32_t sequence = 0;
  uint8_t producer = 0;
  uint32_t stamp_us = 0;
};

void verified_body_write(uint8_t *body, size_t size, const verified_body &content);
// Checks every byte. False when one is not what it must be.
[[nodiscard]] bool verified_body_read(const uint8_t *body, size_t size,
                                      verified_body &content);

}  // namespace perf
