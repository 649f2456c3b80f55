#include "client/key_memo.h"

#include <algorithm>

#include "util/array.h"

namespace rstream {

const key_slot no_key_slots[key_reach] = {};

namespace {

constexpr uint32_t first_slots = 64;
constexpr uint32_t most_slots = 4096;  // 128 KiB, about what a core has close at hand
constexpr uint32_t growth = 4;

key_number number_of(std::string_view key) {
  return key_is_short(key.size()) ? short_key_number(key) : medium_key_number(key);
}

uint64_t mask_of(const key_memo &memo) {
  return (uint64_t{memo.room} - 1) * sizeof(key_slot);
}

key_slot *home_of(const key_memo &memo, key_number k) {
  return memo.table + place_of_key(k, mask_of(memo)) / sizeof(key_slot);
}

const key_slot *find(const key_memo &memo, std::string_view key) {
  if (!memo.table || !memo_takes(memo, key)) return nullptr;
  key_number k = number_of(key);
  const key_slot *home = home_of(memo, k);
  for (const key_slot *slot = home; slot < home + key_reach; slot++) {
    if (slot->front == k.front && slot->back == k.back && slot->bytes == key.size())
      return slot;
  }
  return nullptr;
}

// A larger table, empty: what is in use is there again soon. Stays as it is without
// memory.
void grow(key_memo &memo, memory &mem) {
  uint32_t room = memo.table ? memo.room * growth : first_slots;
  auto *table = array_allocate<key_slot>(mem, room + key_reach - 1);
  if (!table) return;
  memory_release(mem, memo.table);
  memo = {.table = table, .room = room};
  std::fill_n(table, room + key_reach - 1, key_slot{});
}

void rest(key_memo &memo, memory &mem) {
  memo_release(memo, mem);
  memo.at_rest = true;
}

// Most keys are to be found in their own slot.
bool is_crowded(const key_memo &memo) {
  return memo.count >= memo.room / 4 || memo.displaced >= memo.room / 8;
}

void make_room(key_memo &memo, memory &mem, bool may_rest) {
  if (memo.table && !is_crowded(memo)) return;
  if (memo.room < most_slots) {
    grow(memo, mem);
  } else if (may_rest && memo.count >= memo.room / 2) {
    rest(memo, mem);
  }
}

}  // namespace

rstream_producer *memo_search(const key_memo &memo, std::string_view key) {
  const key_slot *slot = find(memo, key);
  return slot ? slot->link : nullptr;
}

void memo_add(key_memo &memo, memory &mem, std::string_view key, rstream_producer *link,
              bool may_rest) {
  make_room(memo, mem, may_rest);
  if (!memo.table) return;
  key_number k = number_of(key);
  key_slot *home = home_of(memo, k);
  key_slot *slot = std::find_if(home, home + key_reach,
                                [](const key_slot &other) { return other.bytes == 0; });
  if (slot == home + key_reach) {
    slot = home;
    memo.displaced++;
  } else {
    memo.count++;
  }
  *slot = {k.front, k.back, key.size(), link};
  memo_show(memo);
}

void memo_clear(key_memo &memo) {
  bool empty = memo.count == 0;
  memo.count = memo.displaced = 0;
  memo.at_rest = false;
  if (memo.table && !empty)
    std::fill_n(memo.table, memo.room + key_reach - 1, key_slot{});
}

void memo_hide(key_memo &memo) {
  memo.slots = no_key_slots;
  memo.mask = 0;
}

void memo_show(key_memo &memo) {
  if (!memo.table) return;
  memo.slots = memo.table;
  memo.mask = mask_of(memo);
}

void memo_release(key_memo &memo, memory &mem) {
  memory_release(mem, memo.table);
  memo = {};
}

}  // namespace rstream
