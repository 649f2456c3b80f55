#pragma once

#include <cstdint>
#include <vector>

#include "perf/options.h"

namespace perf {

struct routing_key {
  const char *text;
  size_t size;
};

// Keys that are used one after the other, over and over.
struct super_keys {
  const routing_key *first = nullptr;
  const routing_key *next = nullptr;
  const routing_key *end = nullptr;
};

// Publishing to a super stream: the keys, and what ids mean.
struct super_publisher {
  rstream_super_producer *producer = nullptr;
  std::vector<char> texts;  // of the keys, each in a place of key_room
  std::vector<routing_key> key_list;
  super_keys keys;
  // With --verify and --rate: the message by the number of its partition, which is the
  // upper part of its id, and the lower part, which counts.
  std::vector<std::vector<uint32_t>> sequences;
};

constexpr uint32_t key_room = 16;
constexpr uint32_t hashed_keys = 1000;

// By hash there are a thousand keys, by key one for each partition.
void super_keys_init(super_publisher &s, const options &o);
inline const routing_key &super_next_key(super_keys &keys) {
  const routing_key &key = *keys.next++;
  if (keys.next == keys.end) keys.next = keys.first;
  return key;
}

void super_note_id(super_publisher &s, uint64_t id, uint64_t sequence);
// Turns ids into what a producer of one stream would have given: numbers from 1 on, 0 for
// one that was never given.
void super_translate_ids(const super_publisher &s, const uint64_t *ids, size_t count,
                         uint64_t *to);

}  // namespace perf
