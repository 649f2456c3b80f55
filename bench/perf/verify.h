#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "perf/body.h"
#include "perf/options.h"

namespace perf {

// A set of sequence numbers of one producer, a bit each.
struct sequence_set {
  uint64_t *words = nullptr;
  size_t word_count = 0;
  uint64_t count = 0;
  uint64_t lowest = UINT64_MAX;
  uint64_t end = 0;  // highest + 1
};

enum class add_result { added, present, no_memory };

[[nodiscard]] add_result sequence_add(sequence_set &set, uint64_t sequence);
void sequence_release(sequence_set &set);
// How many of `confirmed` consumers want, and are not in `found`.
uint64_t sequence_missing(const sequence_set &confirmed, const sequence_set &found,
                          const options &o);
// How many between `from` and the highest one in `found` they want, and are not in it.
uint64_t sequence_gaps(const sequence_set &found, uint64_t from, const options &o);

// What came last of a partition of a super stream.
struct partition_order {
  uint64_t next_offset = 0;
  uint64_t ends[verified_producers_most] = {};  // of each producer: sequence + 1
};

// What one consumer saw, or those of a group together.
struct verifier {
  const options *opt = nullptr;
  sequence_set seen[verified_producers_most];
  uint64_t distinct = 0;
  uint64_t duplicated = 0;
  uint64_t out_of_order = 0;  // arrived after a later one of the same producer
  uint64_t damaged = 0;       // bodies that are not what was, or may have been, published
  uint64_t unwanted = 0;      // have none of the filter values asked for
  uint64_t offset_errors = 0;  // not above the offset before, or where it had to begin
  std::vector<partition_order> partitions;  // of a super stream
  uint64_t next_offset = 0;   // the least that may come; set to where it has to begin
  bool begins_there = false;  // the first message has to be at next_offset
  char first_problem[160] = "";
};

// Takes a message of a partition into account, or of the stream, which is partition 0;
// true when its body was in order and new, `content` holding what it carries.
// `size_wanted` is SIZE_MAX when bodies of any size may come.
bool verifier_take(verifier &v, uint32_t partition, const uint8_t *body, size_t size,
                   uint64_t offset, size_t size_wanted, verified_body &content);
void verifier_release(verifier &v);

}  // namespace perf
