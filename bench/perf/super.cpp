#include "perf/super.h"

#include <cinttypes>
#include <cstdio>

namespace perf {

namespace {

constexpr int number_shift = 48;
constexpr uint64_t count_mask = (UINT64_C(1) << number_shift) - 1;

}  // namespace

void super_keys_init(super_publisher &s, const options &o) {
  bool by_key = o.routing == RSTREAM_ROUTING_KEY;
  uint32_t count = by_key ? o.partitions : hashed_keys;
  s.texts.resize(size_t{count} * key_room);
  s.key_list.resize(count);
  for (uint32_t i = 0; i < count; i++) {
    char *text = s.texts.data() + size_t{i} * key_room;
    int size = snprintf(text, key_room, by_key ? "%" PRIu32 : "key-%" PRIu32, i);
    s.key_list[i] = {text, static_cast<size_t>(size)};
  }
  s.keys = {s.key_list.data(), s.key_list.data(), s.key_list.data() + count};
}

void super_note_id(super_publisher &s, uint64_t id, uint64_t sequence) {
  uint64_t number = id >> number_shift;
  if (number >= s.sequences.size()) s.sequences.resize(number + 1);
  std::vector<uint32_t> &of_partition = s.sequences[number];
  uint64_t place = (id & count_mask) - 1;
  if (place >= of_partition.size()) of_partition.resize(place + 1, UINT32_MAX);
  of_partition[place] = static_cast<uint32_t>(sequence);
}

void super_translate_ids(const super_publisher &s, const uint64_t *ids, size_t count,
                         uint64_t *to) {
  for (size_t i = 0; i < count; i++) {
    uint64_t number = ids[i] >> number_shift;
    uint64_t place = (ids[i] & count_mask) - 1;
    bool known = number < s.sequences.size() && place < s.sequences[number].size();
    uint32_t sequence = known ? s.sequences[number][place] : UINT32_MAX;
    to[i] = sequence == UINT32_MAX ? 0 : uint64_t{sequence} + 1;
  }
}

}  // namespace perf
