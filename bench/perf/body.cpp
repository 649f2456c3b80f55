#include "perf/body.h"

#include <cstring>

namespace perf {

namespace {

// A step of the generator splitmix64.
uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

uint64_t seed_of(const verified_body &b, size_t size) {
  uint64_t place = (static_cast<uint64_t>(size) << 8 | b.producer) << 32 | b.sequence;
  return mix(mix(place) ^ b.stamp_us);
}

size_t header_of(size_t size) {
  return size >= verified_stamp_least ? verified_stamp_least : verified_body_least;
}

// The fill, eight bytes at a time.
uint64_t word_at(uint64_t seed, size_t at) {
  return (seed + at) * UINT64_C(0x9e3779b97f4a7c15);
}

}  // namespace

void plain_body_fill(uint8_t *body, size_t size, uint32_t run) {
  memset(body, 'x', size);
  if (size >= plain_stamp_least) memcpy(body + 4, &run, sizeof run);
}

void plain_body_stamp(uint8_t *body, uint32_t stamp_us) {
  memcpy(body, &stamp_us, sizeof stamp_us);
}

bool plain_body_read(const uint8_t *body, size_t size, uint32_t run, uint32_t &stamp_us) {
  if (size < plain_stamp_least || memcmp(body + 4, &run, sizeof run) != 0) return false;
  memcpy(&stamp_us, body, sizeof stamp_us);
  return true;
}

void verified_body_write(uint8_t *body, size_t size, const verified_body &b) {
  verified_body content = b;
  if (size < verified_stamp_least) content.stamp_us = 0;
  uint64_t seed = seed_of(content, size);
  memcpy(body, &content.sequence, 4);
  body[4] = content.producer;
  body[5] = static_cast<uint8_t>(seed);
  if (size >= verified_stamp_least) memcpy(body + 6, &content.stamp_us, 4);
  size_t at = header_of(size);
  for (; at + 8 <= size; at += 8) {
    uint64_t word = word_at(seed, at);
    memcpy(body + at, &word, 8);
  }
  uint64_t last = word_at(seed, at);
  memcpy(body + at, &last, size - at);
}

bool verified_body_read(const uint8_t *body, size_t size, verified_body &content) {
  if (size < verified_body_least) return false;
  content = {};
  memcpy(&content.sequence, body, 4);
  content.producer = body[4];
  if (size >= verified_stamp_least) memcpy(&content.stamp_us, body + 6, 4);
  uint64_t seed = seed_of(content, size);
  if (body[5] != static_cast<uint8_t>(seed)) return false;
  size_t at = header_of(size);
  for (; at + 8 <= size; at += 8) {
    uint64_t word = word_at(seed, at);
    if (memcmp(body + at, &word, 8) != 0) return false;
  }
  uint64_t last = word_at(seed, at);
  return memcmp(body + at, &last, size - at) == 0;
}

}  // namespace perf
