#include "perf/verify.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace perf {

namespace {

bool reserve(sequence_set &set, size_t words) {
  if (words <= set.word_count) return true;
  size_t grown = std::max<size_t>({words, set.word_count * 2, 1024});
  void *memory = realloc(set.words, grown * sizeof *set.words);
  if (memory == nullptr) return false;
  set.words = static_cast<uint64_t *>(memory);
  memset(set.words + set.word_count, 0, (grown - set.word_count) * sizeof *set.words);
  set.word_count = grown;
  return true;
}

void note_problem(verifier &v, uint64_t offset, const char *what,
                  const verified_body *b) {
  if (v.first_problem[0] != 0) return;
  int used = snprintf(v.first_problem, sizeof v.first_problem, "offset %" PRIu64 ": %s",
                      offset, what);
  if (b == nullptr || used < 0) return;
  snprintf(v.first_problem + used, sizeof v.first_problem - static_cast<size_t>(used),
           " (message %" PRIu32 " of producer %u)", b->sequence, b->producer);
}

}  // namespace

add_result sequence_add(sequence_set &set, uint64_t sequence) {
  size_t word = static_cast<size_t>(sequence / 64);
  if (!reserve(set, word + 1)) return add_result::no_memory;
  uint64_t bit = UINT64_C(1) << sequence % 64;
  if ((set.words[word] & bit) != 0) return add_result::present;
  set.words[word] |= bit;
  set.count++;
  set.lowest = std::min(set.lowest, sequence);
  set.end = std::max(set.end, sequence + 1);
  return add_result::added;
}

void sequence_release(sequence_set &set) {
  free(set.words);
  set = sequence_set();
}

uint64_t sequence_missing(const sequence_set &confirmed, const sequence_set &found,
                          const options &o) {
  uint64_t missing = 0;
  for (size_t i = 0; i < confirmed.word_count; i++) {
    uint64_t present = i < found.word_count ? found.words[i] : 0;
    uint64_t absent = confirmed.words[i] & ~present;
    for (; o.filter_exact && absent != 0; absent &= absent - 1) {
      uint64_t bit = static_cast<uint64_t>(std::countr_zero(absent));
      if (wants_sequence(o, i * 64 + bit)) missing++;
    }
    missing += static_cast<uint64_t>(std::popcount(absent));
  }
  return missing;
}

uint64_t sequence_gaps(const sequence_set &found, uint64_t from, const options &o) {
  if (found.count == 0) return 0;
  uint64_t wanted = found.end - from;
  for (uint64_t i = from; o.filter_exact && i < found.end; i++) {
    if (!wants_sequence(o, i)) wanted--;
  }
  return wanted - found.count;
}

namespace {

void check_offset(verifier &v, uint64_t &next_offset, uint64_t offset) {
  bool wrong = offset < next_offset;
  if (wrong) note_problem(v, offset, "not above the offset before", nullptr);
  if (v.begins_there && offset > next_offset) {
    wrong = true;
    note_problem(v, offset, "not the one behind the offset that was stored", nullptr);
  }
  if (wrong) v.offset_errors++;
  v.begins_there = false;
  next_offset = offset + 1;
}

// The stream holds at least `sequence` messages of this producer before this one: a body
// that claims more is damaged, and the set can't grow beyond what the stream holds. Of a
// super stream the others have some as well.
bool may_be(const verifier &v, uint64_t sequence, uint64_t offset) {
  if (v.partitions.empty()) return sequence <= offset;
  return v.opt->messages == 0 || sequence < v.opt->messages;
}

}  // namespace

bool verifier_take(verifier &v, uint32_t partition, const uint8_t *body, size_t size,
                   uint64_t offset, size_t size_wanted, verified_body &b) {
  if (partition >= v.partitions.size() && !v.partitions.empty())
    v.partitions.resize(partition + 1);
  partition_order *part = v.partitions.empty() ? nullptr : &v.partitions[partition];
  check_offset(v, part != nullptr ? part->next_offset : v.next_offset, offset);
  bool size_right = size_wanted == SIZE_MAX || size == size_wanted;
  if (!size_right || !verified_body_read(body, size, b) ||
      !may_be(v, b.sequence, offset)) {
    v.damaged++;
    note_problem(v, offset, "not the body that was published", nullptr);
    return false;
  }
  if (!wants_sequence(*v.opt, b.sequence)) {
    v.unwanted++;
    note_problem(v, offset, "has no filter value that was asked for", &b);
    return false;
  }
  sequence_set &seen = v.seen[b.producer];
  uint64_t &end = part != nullptr ? part->ends[b.producer] : seen.end;
  bool late = b.sequence + UINT64_C(1) < end;
  switch (sequence_add(seen, b.sequence)) {
  case add_result::added: break;
  case add_result::present:
    v.duplicated++;
    note_problem(v, offset, "seen before", &b);
    return false;
  case add_result::no_memory:
    v.damaged++;
    note_problem(v, offset, "out of memory for verifying", &b);
    return false;
  }
  v.distinct++;
  if (part != nullptr && !late) end = b.sequence + UINT64_C(1);
  if (late) {
    v.out_of_order++;
    note_problem(v, offset, "out of order", &b);
  }
  return true;
}

void verifier_release(verifier &v) {
  for (sequence_set &set : v.seen) sequence_release(set);
}

}  // namespace perf
