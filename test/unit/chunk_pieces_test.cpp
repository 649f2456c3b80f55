#include "codec/chunk_pieces.h"

#include <gtest/gtest.h>
#include <algorithm>

#include "chunk_walk.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint32_t no_limit = UINT32_MAX;

// The same as walk(), from pieces that end `ends` bytes behind the header. Each is seen
// together with what was left of the one before, in a buffer of exactly that size.
std::string walk_pieces(const byte_vector &bytes, const std::vector<size_t> &ends,
                        uint32_t most = no_limit) {
  chunk_header header;
  if (!chunk_parse_header(bytes, bytes.size(), header)) return "malformed";
  chunk_rest rest = chunk_rest_of(header);
  std::string text;
  uint64_t next = header.first_offset;
  size_t taken = 0;
  uint32_t wanted = 0;
  for (size_t end : ends) {
    if (end < taken + wanted) continue;
    wire::bytes all = bytes;
    exact_buffer piece(all.subspan(chunk_header_bytes + taken, end - taken));
    chunk_run run = chunk_cut_run(rest, piece.span(), most);
    walk_on(run.cursor, next, text);
    taken += run.bytes;
    wanted = run.wanted;
    switch (run.end) {
    case run_end::needs_more:
      EXPECT_GT(taken + wanted, end) << "it would come again at once";
      EXPECT_LE(taken + wanted, header.data_bytes) << "it would never come";
      break;
    case run_end::too_large:
      EXPECT_EQ(run.large.first_offset, next);
      next += run.large.record_count;
      text += " {" + std::to_string(run.large.record_count) + " of " +
              std::to_string(run.large_bytes) + " bytes}";
      taken += run.large_bytes;
      wanted = 0;
      break;
    case run_end::broken:
    case run_end::chunk_end:
      EXPECT_EQ(next, header.first_offset + header.record_count);
      return text.empty() ? text : text.substr(1);
    }
  }
  return text + " without end";
}

// In pieces of `step` bytes.
std::vector<size_t> steps_of(size_t step, size_t size) {
  std::vector<size_t> ends;
  for (size_t at = step; at < size; at += step) ends.push_back(at);
  for (int i = 0; i < 3; i++) ends.push_back(size);  // an entry too large ends a run
  return ends;
}

void expect_the_same(const chunk_builder &b, const std::string &expected) {
  byte_vector bytes = b.build();
  size_t size = bytes.size() - chunk_header_bytes;
  for (size_t step = 1; step <= size + 1; step++) {
    EXPECT_EQ(walk_pieces(bytes, steps_of(step, size)), expected) << "steps of " << step;
  }
  for (size_t at = 0; at <= size; at++) {
    EXPECT_EQ(walk_pieces(bytes, {at, size, size}), expected) << "split at " << at;
  }
}

chunk_builder mixed() {
  chunk_builder b;
  b.message("hi").message("").sub_entry({"a", "", "ccc"}).sub_entry({});
  b.message("x").sub_entry_raw(1, 2, "packed").message("end");
  return b;
}

}  // namespace

TEST(chunk_pieces, entries_come_the_same_however_they_arrive) {
  chunk_builder b = mixed();
  expect_the_same(b, walk(b));
}

TEST(chunk_pieces, an_empty_chunk_ends_at_once) {
  EXPECT_EQ(walk_pieces(chunk_builder().build(), {1}), "");
}

TEST(chunk_pieces, whole_entries_come_as_soon_as_they_are_there) {
  chunk_builder b;
  b.message("one").message("two").sub_entry({"three", "four"});
  byte_vector bytes = b.build();
  EXPECT_EQ(walk_pieces(bytes, {6}), " without end");
  EXPECT_EQ(walk_pieces(bytes, {7}), " 100=one without end");
  EXPECT_EQ(walk_pieces(bytes, {14}), " 100=one 101=two without end");
  size_t size = bytes.size() - chunk_header_bytes;
  EXPECT_EQ(walk_pieces(bytes, {size - 1}), " 100=one 101=two without end");
  EXPECT_EQ(walk_pieces(bytes, {size}), "100=one 101=two 102=three 103=four");
}

TEST(chunk_pieces, what_is_wanted_is_the_next_entry_and_no_more) {
  chunk_builder b;
  b.message("one").sub_entry({"a"}).message("two");
  byte_vector bytes = b.build();
  wire::bytes data = std::span(bytes).subspan(chunk_header_bytes);
  chunk_header header;
  ASSERT_TRUE(chunk_parse_header(bytes, bytes.size(), header));
  chunk_rest rest = chunk_rest_of(header);
  EXPECT_EQ(chunk_cut_run(rest, data.first(1), no_limit).wanted, 4u);
  EXPECT_EQ(chunk_cut_run(rest, data.first(4), no_limit).wanted, 7u);
  EXPECT_EQ(chunk_cut_run(rest, data.first(7), no_limit).bytes, 7u);
  EXPECT_EQ(chunk_cut_run(rest, data.subspan(7, 4), no_limit).wanted, 11u);
  EXPECT_EQ(chunk_cut_run(rest, data.subspan(7, 11), no_limit).wanted, 16u);
}

TEST(chunk_pieces, bytes_behind_the_data_are_not_looked_at) {
  chunk_builder b;
  b.message("one");
  b.entries.insert(b.entries.end(), 20, 0xff);
  b.data_bytes_change = -20;
  expect_the_same(b, "100=one");
}

TEST(chunk_pieces, an_entry_above_the_limit_is_passed_over_with_its_records) {
  chunk_builder b;
  b.message("one").message("larger").sub_entry({"a", "b"}).message("ok").message("tail!");
  std::string expected = "100=one {1 of 10 bytes} {2 of 21 bytes} 104=ok {1 of 9 bytes}";
  byte_vector bytes = b.build();
  size_t size = bytes.size() - chunk_header_bytes;
  std::vector<size_t> ends = steps_of(1, size);
  EXPECT_EQ(walk_pieces(bytes, ends, 7), expected);
}

TEST(chunk_pieces, an_entry_above_the_limit_is_not_waited_for) {
  chunk_builder b;
  b.message(std::string(1000, 'x'));
  byte_vector bytes = b.build();
  chunk_header header;
  ASSERT_TRUE(chunk_parse_header(bytes, bytes.size(), header));
  chunk_rest rest = chunk_rest_of(header);
  auto four = std::span(bytes).subspan(chunk_header_bytes, 4);
  chunk_run run = chunk_cut_run(rest, four, 1003);
  EXPECT_EQ(run.end, run_end::too_large);
  EXPECT_EQ(run.bytes, 0u);
  EXPECT_EQ(run.large_bytes, 1004u);
  EXPECT_EQ(chunk_cut_run(rest, {}, 1003).end, run_end::chunk_end);
}

// ---- what a broken peer sends: what comes of it is the same as of the whole chunk

TEST(chunk_pieces_damaged, counts_that_do_not_match) {
  for (int change : {-1, 1, 1000}) {
    chunk_builder records = mixed(), entries = mixed();
    records.record_count += static_cast<uint32_t>(change);
    expect_the_same(records, walk(records));
    entries.entry_count += static_cast<uint32_t>(change);
    expect_the_same(entries, walk(entries));
  }
  for (auto count : {&chunk_builder::record_count, &chunk_builder::entry_count}) {
    chunk_builder b = mixed();
    b.*count = 0;
    expect_the_same(b, walk(b));
  }
}

TEST(chunk_pieces_damaged, data_that_ends_at_every_byte) {
  byte_vector all = mixed().entries;
  for (size_t size = 0; size < all.size(); size++) {
    chunk_builder b = mixed();
    b.entries.resize(size);
    expect_the_same(b, walk(b));
  }
}

TEST(chunk_pieces_damaged, every_byte_changed_in_every_way_that_matters) {
  byte_vector all = mixed().entries;
  for (size_t at = 0; at < all.size(); at++) {
    for (uint8_t value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      chunk_builder b = mixed();
      b.entries[at] = value;
      byte_vector bytes = b.build();
      size_t size = bytes.size() - chunk_header_bytes;
      std::string expected = walk(bytes);
      for (size_t step : {size_t{1}, size_t{5}, size}) {
        EXPECT_EQ(walk_pieces(bytes, steps_of(step, size)), expected)
            << "byte " << at << " is " << int{value} << ", steps of " << step;
      }
    }
  }
}
