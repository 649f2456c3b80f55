// Sub-entries of one chunk, unpacked within limits and kept.
#include "codec/unpack.h"

#include "chunk_builder.h"
#include "compression_fixture.h"
#include "integration/memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;
constexpr int64_t truth = -1;

struct unpack_test : compression_test {
  unpack_limits limits{1 << 20, 4 << 20};
  chunk_builder builder;
  byte_vector bytes;
  chunk_header header;
  wire::bytes entries;
  unpacker u;
  chunk_cursor cursor;

  // As the producer makes them; `uncompressed` is what it says.
  void add(const std::vector<std::string> &bodies, int64_t uncompressed = truth,
           uint8_t compression = gzip) {
    chunk_builder inner;
    for (const std::string &body : bodies) inner.message(body);
    byte_vector packed = pack(gzip, text_of(inner.entries));
    if (uncompressed == truth) uncompressed = static_cast<int64_t>(inner.entries.size());
    builder.sub_entry_raw(compression, static_cast<uint32_t>(bodies.size()),
                          text_of(packed), uncompressed);
  }

  void start(unpack_keep keep) {
    bytes = builder.build();
    ASSERT_TRUE(chunk_parse(bytes, header, entries));
    unpacker_start(u, *set, limits, keep);
    cursor = chunk_cursor_of(header, entries);
  }
  void rewind() {
    cursor = chunk_cursor_of(header, entries);
    unpacker_rewind(u);
  }

  // The chunk from here on, as text.
  std::string walk() {
    std::string text;
    chunk_record record;
    chunk_gap gap;
    for (chunk_step s; (s = chunk_next(cursor, record, gap)) != chunk_step::end;) {
      if (s == chunk_step::record) {
        std::string body = text_of({record.data, record.size});
        if (body.size() > 20) body = std::to_string(body.size()) + " bytes";
        text += ' ' + std::to_string(record.offset) + '=' + body;
        continue;
      }
      int rc = s == chunk_step::packed ? unpacker_open(u, *pool, cursor, gap) : -1;
      if (rc == 0) continue;
      text += " [" + std::to_string(gap.first_offset) + '+' +
              std::to_string(gap.record_count) + ' ' + gap.reason + ']';
    }
    return text.empty() ? text : text.substr(1);
  }
  std::string walk_once(unpack_keep keep = unpack_keep::latest) {
    start(keep);
    std::string text = walk();
    unpacker_release(u);
    return text;
  }

  void TearDown() override {
    unpacker_release(u);
    compression_test::TearDown();
  }
};

struct keeping : unpack_test, testing::WithParamInterface<unpack_keep> {};

}  // namespace

INSTANTIATE_TEST_SUITE_P(unpack, keeping,
                         testing::Values(unpack_keep::latest, unpack_keep::all));

TEST_P(keeping, sub_entries_become_their_messages) {
  builder.message("a");
  add({"b", "", "cc"});
  add({"d"});
  builder.message("e").sub_entry({"f", "g"});
  add({"h"});
  EXPECT_EQ(walk_once(GetParam()),
            "100=a 101=b 102= 103=cc 104=d 105=e 106=f 107=g 108=h");
}

TEST_P(keeping, what_is_not_there_is_named_and_the_rest_goes_on) {
  const char *names[] = {"compression 5", "compression 6", "compression 7"};
  for (uint8_t compression = 5; compression <= 7; compression++) {
    builder = {};
    add({"a"});
    add({"b", "c"}, truth, compression);
    add({"d"});
    EXPECT_EQ(walk_once(GetParam()),
              std::string("100=a [101+2 no codec is registered for ") +
                  names[compression - 5] + "] 103=d");
  }
  const char *libraries[] = {"Snappy", "LZ4", "Zstandard"};
  for (uint8_t compression = 2; compression <= 4; compression++) {
    if (compression_available(*set, compression)) continue;
    builder = {};
    add({"b", "c"}, truth, compression);
    EXPECT_EQ(walk_once(GetParam()),
              std::string("[100+2 ") + libraries[compression - 2] + " is not built in]");
  }
}

TEST_P(keeping, damage_is_a_gap_and_the_rest_goes_on) {
  builder.message("a").sub_entry_raw(gzip, 3, "no gzip at all", 100);
  add({"b"});
  EXPECT_EQ(walk_once(GetParam()),
            "100=a [101+3 a compressed sub-entry is damaged] 104=b");
}

TEST_P(keeping, a_size_that_is_not_true_is_a_gap) {
  const std::string gap = "[100+2 a sub-entry does not have the size it declares] 102=z";
  for (int64_t declared : {8, 15, 17, 1000}) {
    builder = {};
    add({"1234", "1234"}, declared);
    add({"z"});
    EXPECT_EQ(walk_once(GetParam()), gap) << declared;
  }
}

TEST_P(keeping, messages_that_reach_past_their_sub_entry_are_a_gap) {
  chunk_builder inner;
  inner.message("one").put(1000, 4);
  byte_vector packed = pack(gzip, text_of(inner.entries));
  builder.sub_entry_raw(gzip, 2, text_of(packed), 11).message("z");
  EXPECT_EQ(walk_once(GetParam()),
            "100=one [101+1 the sub-entry is shorter than it says] 102=z");
}

TEST_P(keeping, an_empty_one_is_passed_over_unseen) {
  builder.message("a").sub_entry_raw(gzip, 0, "rubbish", 0);
  builder.sub_entry_raw(7, 0, "rubbish", 1000000000).message("b");
  EXPECT_EQ(walk_once(GetParam()), "100=a 101=b");
}

// All of these before any memory is set aside.
TEST_P(keeping, what_can_not_be_true_takes_no_memory) {
  add({"a"});
  EXPECT_EQ(walk_once(GetParam()), "100=a");
  struct lie {
    uint32_t records;
    int64_t declared;
    const char *reason;
  };
  limits = {0x40000000, 0x100000000};
  for (const lie &l :
       {lie{2, 1, "a sub-entry declares more messages than its size can hold"},
        lie{65535, 262139, "a sub-entry declares more messages than its size can hold"},
        lie{2, 0x7fffffff, "a sub-entry declares a size above max_sub_entry_bytes"},
        lie{2, 0xffffffff, "a sub-entry declares a size above max_sub_entry_bytes"},
        lie{2, 0x40000000, "a sub-entry declares a size that its data can't have"},
        lie{2, 20000, "a sub-entry declares a size that its data can't have"}}) {
    builder = {};
    builder.sub_entry_raw(gzip, l.records, "ten bytes.", l.declared);
    size_t calls = blocks.calls;
    EXPECT_EQ(walk_once(GetParam()),
              "[100+" + std::to_string(l.records) + ' ' + l.reason + ']');
    EXPECT_EQ(blocks.calls, calls) << l.declared;
  }
}

TEST_P(keeping, the_limits_are_kept_to_the_byte) {
  limits = {100, 200};
  add({std::string(96, 'a')});
  add({std::string(97, 'b')});
  add({std::string(96, 'c')});
  add({""});
  EXPECT_EQ(walk_once(GetParam()),
            "100=96 bytes [101+1 a sub-entry declares a size above max_sub_entry_bytes] "
            "102=96 bytes [103+1 the sub-entries of a chunk declare sizes above "
            "max_chunk_decompressed_bytes]");
}

TEST_P(keeping, what_failed_counts_as_well) {
  limits = {100, 200};
  for (int i = 0; i < 3; i++) builder.sub_entry_raw(gzip, 1, "rubbish", 100);
  EXPECT_EQ(walk_once(GetParam()),
            "[100+1 a compressed sub-entry is damaged] "
            "[101+1 a compressed sub-entry is damaged] "
            "[102+1 the sub-entries of a chunk declare sizes above "
            "max_chunk_decompressed_bytes]");
}

TEST_P(keeping, running_out_of_memory_is_said_and_passes) {
  add({"a"});
  walk_once(GetParam());
  // A small slab is free in the pool now; what is larger must be allocated.
  builder = {};
  add({"a"});
  add({std::string(200000, 'a')});
  add({"b"});
  start(GetParam());
  blocks.calls_left = 0;
  EXPECT_EQ(walk(), "100=a [101+1 out of memory for a sub-entry] 102=b");
  blocks.calls_left = SIZE_MAX;
  rewind();
  EXPECT_EQ(walk(), "100=a 101=200000 bytes 102=b");
  rewind();
  EXPECT_EQ(walk(), "100=a 101=200000 bytes 102=b");
}

TEST_P(keeping, from_the_second_chunk_on_nothing_is_allocated) {
  for (int i = 0; i < 50; i++) {
    add({prose(i * 40u), "b", "c"});
    if (i % 10 == 0) builder.message("plain").sub_entry_raw(gzip, 1, "rubbish", 50000);
  }
  start(GetParam());
  std::string expected = walk_once(GetParam());
  size_t calls = blocks.calls;
  uint64_t process = 0;
  for (int i = 0; i < 20; i++) {
    start(GetParam());
    chunk_record record;
    chunk_gap gap;
    process -= process_allocations();
    for (chunk_step s; (s = chunk_next(cursor, record, gap)) != chunk_step::end;) {
      if (s == chunk_step::packed) (void)!unpacker_open(u, *pool, cursor, gap);
    }
    unpacker_release(u);
    process += process_allocations();
  }
  EXPECT_EQ(blocks.calls, calls);
  EXPECT_EQ(process, 0u);
}

TEST_F(unpack_test, kept_bodies_stay_through_walks_and_are_not_unpacked_again) {
  std::vector<std::string> bodies;
  for (int i = 0; i < 300; i++) {
    bodies.push_back(prose(i * 7u));
    add({bodies.back()});
    if (i % 50 == 0) builder.sub_entry_raw(gzip, 1, "rubbish", 400000);
  }
  start(unpack_keep::all);
  std::vector<const uint8_t *> seen;
  size_t held = 0;
  for (int round = 0; round < 3; round++) {
    size_t at = 0;
    chunk_record record;
    chunk_gap gap;
    for (chunk_step s; (s = chunk_next(cursor, record, gap)) != chunk_step::end;) {
      if (s == chunk_step::packed) (void)!unpacker_open(u, *pool, cursor, gap);
      if (s != chunk_step::record) continue;
      if (round == 0) seen.push_back(record.data);
      ASSERT_EQ(record.data, seen.at(at)) << "round " << round;
      ASSERT_EQ(text_of({record.data, record.size}), bodies.at(at));
      at++;
    }
    EXPECT_EQ(at, bodies.size());
    if (round == 0) held = blocks.bytes;
    EXPECT_EQ(blocks.bytes, held);
    rewind();
  }
}

TEST_F(unpack_test, a_walk_given_up_in_the_middle_is_taken_up_by_the_next) {
  for (const char *body : {"a", "b", "c", "d"}) add({body, body});
  start(unpack_keep::all);
  chunk_record record;
  chunk_gap gap;
  ASSERT_EQ(chunk_next(cursor, record, gap), chunk_step::packed);
  ASSERT_EQ(unpacker_open(u, *pool, cursor, gap), 0);
  ASSERT_EQ(chunk_next(cursor, record, gap), chunk_step::record);
  const uint8_t *first = record.data;
  rewind();
  EXPECT_EQ(walk(), "100=a 101=a 102=b 103=b 104=c 105=c 106=d 107=d");
  EXPECT_EQ(first[0], 'a');
}

// One that could not be had at first comes between those that were.
TEST_F(unpack_test, later_walks_add_no_second_copy) {
  add({"a"});
  add({std::string(300000, 'b')});
  add({"c"});
  start(unpack_keep::all);
  EXPECT_EQ(walk(), "100=a 101=300000 bytes 102=c");
  unpacker_release(u);
  unpacker_rewind(u);
  rewind();
  // The pool's small slab remains; the large one is taken away.
  slab *large = slab_acquire(*pool, 300000);
  blocks.calls_left = 0;
  EXPECT_EQ(walk(), "100=a [101+1 out of memory for a sub-entry] 102=c");
  blocks.calls_left = SIZE_MAX;
  slab_unref(large);
  rewind();
  EXPECT_EQ(walk(), "100=a 101=300000 bytes 102=c");
  size_t used = u.used;
  slab *slabs = u.slabs;
  for (int i = 0; i < 3; i++) {
    rewind();
    EXPECT_EQ(walk(), "100=a 101=300000 bytes 102=c");
  }
  EXPECT_EQ(u.used, used);
  EXPECT_EQ(u.slabs, slabs);
}

// Many small ones share their memory, also when there are failures between them.
TEST_F(unpack_test, small_sub_entries_take_little_more_than_their_bytes) {
  limits = {64 << 20, 1u << 30};
  size_t sum = 0;
  for (int i = 0; i < 2000; i++) {
    add({std::string(60, 'x')});
    sum += 64;
    builder.sub_entry_raw(gzip, 1, std::string(300, 'x'), 300000);
  }
  start(unpack_keep::all);
  std::string text = walk();
  EXPECT_EQ(std::count(text.begin(), text.end(), '='), 2000);
  size_t slabs = 0;
  for (slab *s = u.slabs; s; s = s->next_free) slabs += s->capacity;
  EXPECT_LT(slabs, 4 * sum + 300000);
}

TEST_F(unpack_test, what_a_failure_took_goes_back_at_once) {
  limits = {64 << 20, 1u << 30};
  byte_vector bomb = pack(gzip, std::string(40 << 20, 0));
  add({"a"});
  builder.sub_entry_raw(gzip, 1, text_of(bomb), 39 << 20);
  for (unpack_keep keep : {unpack_keep::latest, unpack_keep::all}) {
    start(keep);
    EXPECT_EQ(walk(), "100=a [101+1 a sub-entry does not have the size it declares]");
    EXPECT_LT(blocks.bytes, 1u << 20);
    unpacker_release(u);
  }
}

TEST_F(unpack_test, the_applications_own_is_used) {
  rstream_compressor own;
  own.struct_size = sizeof own;
  own.compression = 6;
  own.bound = [](size_t n, void *) { return n; };
  own.compress = [](const uint8_t *, size_t, uint8_t *, size_t, void *) {
    return ptrdiff_t{-1};
  };
  own.decompress = [](const uint8_t *from, size_t n, uint8_t *to, size_t, void *) {
    for (size_t i = 0; i < n; i++) to[i] = from[n - 1 - i];
    return static_cast<ptrdiff_t>(n);
  };
  ASSERT_EQ(compression_register(*set, own), 0);
  chunk_builder inner;
  inner.message("one").message("two");
  std::string reversed = text_of(inner.entries);
  std::reverse(reversed.begin(), reversed.end());
  builder.sub_entry_raw(6, 2, reversed).message("z");
  EXPECT_EQ(walk_once(), "100=one 101=two 102=z");
}
