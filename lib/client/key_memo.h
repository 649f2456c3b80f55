#pragma once

// Remembers which producer a short routing key led to. A key that was seen before costs
// neither its hash nor a question then, which is most of what routing costs.
//
// A table of slots without buckets: a key is in one of the few slots from its own on, or
// it is not remembered. Keys are compared as one or two numbers made of their bytes.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "util/memory.h"

struct rstream_producer;

namespace rstream {

struct key_slot {
  uint64_t front = 0;  // the key's bytes, see key_number
  uint64_t back = 0;
  uint64_t bytes = 0;  // of the key; 0: the slot is free
  rstream_producer *link = nullptr;
};

// A key may be in so many slots. The last one's others stand behind the table.
constexpr uint32_t key_reach = 4;
extern const key_slot no_key_slots[key_reach];

struct key_memo {
  // Where memo_find() looks: the table, or while what is remembered does not hold, where
  // nothing is.
  const key_slot *slots = no_key_slots;
  uint64_t mask = 0;          // of a slot's place in bytes
  key_slot *table = nullptr;  // nullptr: nothing was remembered yet
  uint32_t room = 0;          // slots of the table
  uint32_t count = 0;         // of those taken
  uint32_t displaced = 0;     // keys that others had to go for
  bool at_rest = false;       // there are too many keys
};

// The bytes of a key as numbers: of up to 7 all in `front`, of up to 16 the first eight
// there and the last eight in `back`. Together with the length that is the key.
struct key_number {
  uint64_t front = 0, back = 0;
};

// Up to 7 bytes, and at least one.
inline bool key_is_short(size_t bytes) { return bytes - 1 < 7; }
inline bool key_is_medium(size_t bytes) { return bytes - 8 <= 8; }

// Whichever way round the machine has them: it is only compared with others of its kind.
template <class T>
[[gnu::always_inline]] inline uint64_t key_part(const uint8_t *p) {
  T part;
  memcpy(&part, p, sizeof part);
  return part;
}

// The usual lengths first.
[[gnu::always_inline]] inline key_number short_key_number(std::string_view key) {
  const auto *p = reinterpret_cast<const uint8_t *>(key.data());
  size_t n = key.size();
  if (n >= 4) return {key_part<uint32_t>(p + n - 4) | key_part<uint32_t>(p) << 32, 0};
  if (n >= 2) return {key_part<uint16_t>(p + n - 2) | key_part<uint16_t>(p) << 16, 0};
  return {p[0], 0};
}

[[gnu::always_inline]] inline key_number medium_key_number(std::string_view key) {
  const auto *p = reinterpret_cast<const uint8_t *>(key.data());
  return {key_part<uint64_t>(p), key_part<uint64_t>(p + key.size() - 8)};
}

// Where its slots begin, in bytes of a table. What tells keys apart is in their last
// bytes mostly; those are to move the bits that the mask leaves, the middle ones of the
// product.
[[gnu::always_inline]] inline uint64_t place_of_key(key_number k, uint64_t mask) {
  constexpr uint64_t golden = 0x9e3779b97f4a7c15u;
  constexpr int shift = 45;
  uint64_t folded = k.back + (k.back >> 32) + k.front;
  return (folded * golden >> shift) & mask;
}

// Looks in the key's own slot alone, where it is unless another one was there before.
[[nodiscard, gnu::always_inline]] inline const key_slot *memo_find(const key_memo &memo,
                                                                   key_number k,
                                                                   size_t bytes) {
  uint64_t place = place_of_key(k, memo.mask);
  const auto *slot = reinterpret_cast<const key_slot *>(
      reinterpret_cast<const char *>(memo.slots) + place);
  bool same = slot->front == k.front && slot->bytes == bytes &&
              (bytes < 8 || slot->back == k.back);
  return same ? slot : nullptr;
}

// Longer keys are not remembered.
inline bool memo_takes(const key_memo &memo, std::string_view key) {
  return !memo.at_rest && (key_is_short(key.size()) || key_is_medium(key.size()));
}

// Looks in all slots, also in what was hidden.
[[nodiscard]] rstream_producer *memo_search(const key_memo &memo, std::string_view key);
// Remembers a key that is not yet, and that it takes. Without memory it does not. With
// some thousand keys, looking for one costs more than a hash: where `may_rest`, what is
// remembered goes then, and nothing more is until memo_clear().
void memo_add(key_memo &memo, memory &mem, std::string_view key, rstream_producer *link,
              bool may_rest);
// The keys lead elsewhere.
void memo_clear(key_memo &memo);
// From memo_find(), until it is shown again.
void memo_hide(key_memo &memo);
void memo_show(key_memo &memo);
void memo_release(key_memo &memo, memory &mem);

}  // namespace rstream
