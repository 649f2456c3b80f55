#include "net/frame_reader.h"

#include <gtest/gtest.h>
#include <algorithm>

#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "counting_memory.h"
#include "hex.h"
#include "wire/cursor.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint32_t max_frame = 1u << 20;
constexpr size_t first_slab = 16384;  // what an idle connection holds

byte_vector framed(const std::string &body) {
  byte_vector out(4);
  wire::store_u32be(out.data(), static_cast<uint32_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

void append(byte_vector &to, const byte_vector &from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::string body_of(char letter, size_t size) { return std::string(size, letter); }

struct frame_reader_test : testing::Test {
  counting_memory blocks;
  slab_pool *pool = slab_pool_create(blocks.functions());
  frame_reader reader;
  std::vector<std::string> frames;
  int moves = 0;
  std::function<void(const frame &)> on_frame;

  void SetUp() override { frame_reader_init(reader, *pool, max_frame); }
  void TearDown() override {
    frame_reader_release(reader);
    slab_pool_leave(pool);
    EXPECT_EQ(blocks.bytes, 0u);
  }

  // Puts bytes where the reader wants them, at most `most` in one read, and takes the
  // frames after each as a connection does.
  frame_result read(std::span<const uint8_t> bytes, size_t most = SIZE_MAX) {
    frame_result result = frame_result::none;
    while (!bytes.empty() && result == frame_result::none) {
      slab *before = reader.current;
      std::span<uint8_t> space = frame_reader_space(reader);
      if (space.empty()) {
        ADD_FAILURE() << "no space";
        break;
      }
      if (reader.current != before) moves++;
      size_t n = std::min({bytes.size(), most, space.size()});
      memcpy(space.data(), bytes.data(), n);
      frame_reader_filled(reader, n);
      bytes = bytes.subspan(n);
      result = take_all();
    }
    return result;
  }

  frame_result take_all() {
    frame fr;
    frame_result result;
    while ((result = frame_reader_next(reader, fr)) == frame_result::ready) {
      frames.push_back(text_of(fr.bytes));
      if (on_frame) on_frame(fr);
    }
    return result;
  }
};

}  // namespace

TEST_F(frame_reader_test, has_nothing_before_the_first_byte) {
  frame fr;
  EXPECT_EQ(frame_reader_next(reader, fr), frame_result::none);
  EXPECT_EQ(blocks.blocks.size(), 1u);  // the pool
}

TEST_F(frame_reader_test, gives_a_whole_frame_without_its_size) {
  EXPECT_EQ(read(framed("abcdef")), frame_result::none);
  EXPECT_EQ(frames, std::vector<std::string>{"abcdef"});
}

TEST_F(frame_reader_test, gives_the_smallest_frame) {
  read(framed("1234"));
  EXPECT_EQ(frames, std::vector<std::string>{"1234"});
}

TEST_F(frame_reader_test, gives_the_same_split_at_every_byte) {
  byte_vector bytes = framed("first");
  append(bytes, framed("the second"));
  std::vector<std::string> expected = {"first", "the second"};
  for (size_t at = 0; at <= bytes.size(); at++) {
    frames.clear();
    read(std::span(bytes).subspan(0, at));
    read(std::span(bytes).subspan(at));
    EXPECT_EQ(frames, expected) << "split at " << at;
  }
}

TEST_F(frame_reader_test, gives_the_same_byte_by_byte) {
  byte_vector bytes = framed("first");
  append(bytes, framed("the second"));
  read(bytes, 1);
  EXPECT_EQ(frames, (std::vector<std::string>{"first", "the second"}));
}

TEST_F(frame_reader_test, gives_several_frames_of_one_read) {
  byte_vector bytes;
  for (char c = 'a'; c <= 'z'; c++) append(bytes, framed(body_of(c, 10)));
  read(bytes);
  ASSERT_EQ(frames.size(), 26u);
  EXPECT_EQ(frames[25], body_of('z', 10));
}

TEST_F(frame_reader_test, moves_a_frame_that_straddles_the_slabs_end_once) {
  byte_vector bytes = framed(body_of('a', first_slab - 1000));
  append(bytes, framed(body_of('b', 5000)));
  for (size_t step : {size_t{100}, size_t{997}, SIZE_MAX}) {
    frames.clear();
    moves = 0;
    frame_reader_release(reader);
    frame_reader_init(reader, *pool, max_frame);
    read(bytes, step);
    ASSERT_EQ(frames.size(), 2u) << "in steps of " << step;
    EXPECT_EQ(frames[1], body_of('b', 5000));
    EXPECT_LE(moves, 2) << "in steps of " << step;
  }
}

TEST_F(frame_reader_test, straddles_at_every_byte_of_the_size_field) {
  for (size_t missing = 0; missing <= 6; missing++) {
    frames.clear();
    frame_reader_release(reader);
    frame_reader_init(reader, *pool, max_frame);
    byte_vector bytes = framed(body_of('a', first_slab - 4 - missing));
    append(bytes, framed("next one"));
    read(bytes, first_slab);
    ASSERT_EQ(frames.size(), 2u) << missing << " bytes before the end";
    EXPECT_EQ(frames[1], "next one");
  }
}

TEST_F(frame_reader_test, reads_a_frame_larger_than_any_slab) {
  std::string body = body_of('x', 900000);
  body[0] = 'A';
  body[899999] = 'Z';
  byte_vector bytes = framed(body);
  append(bytes, framed("after"));
  for (size_t step : {size_t{1500}, size_t{65536}, SIZE_MAX}) {
    frames.clear();
    read(bytes, step);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_TRUE(frames[0] == body) << "in steps of " << step;
    EXPECT_EQ(frames[1], "after");
  }
}

// A peer that claims a lot and sends little must not make us hold a lot.
TEST_F(frame_reader_test,
       memory_grows_with_the_bytes_that_came_not_with_the_size_claimed) {
  pool->max_free_bytes = 0;
  frame_reader_init(reader, *pool, 128u << 20);
  byte_vector claim = from_hex("08000000");  // 128 MiB
  read(claim);
  EXPECT_LE(blocks.bytes, 64u << 10);
  byte_vector piece(10000, 'x');
  for (size_t sent = 0; sent < (3u << 20); sent += piece.size()) {
    ASSERT_EQ(read(piece), frame_result::none);
    ASSERT_LE(pool->mem.bytes_held, (600u << 10) + 8 * sent)
        << "after " << sent << " bytes";
  }
}

// Else a large frame in small reads would cost the square of its size.
TEST_F(frame_reader_test, a_large_frame_in_small_reads_is_moved_a_few_times_only) {
  frame_reader_init(reader, *pool, 128u << 20);
  read(from_hex("02000000"));  // 32 MiB
  byte_vector piece(1460, 'x');
  moves = 0;
  for (size_t sent = 0; sent < (3u << 20); sent += piece.size()) read(piece);
  EXPECT_LE(moves, 12);
}

TEST_F(frame_reader_test, goes_back_to_small_slabs_after_a_large_frame) {
  pool->max_free_bytes = 0;
  frame_reader_init(reader, *pool, 16u << 20);
  read(framed(body_of('x', 8u << 20)));
  // The rest of the large block is used up first.
  byte_vector small = framed(body_of('y', 10000));
  for (int i = 0; i < 1000; i++) read(small);
  EXPECT_EQ(frames.size(), 1001u);
  EXPECT_LE(pool->mem.bytes_held, 600u << 10);
}

TEST_F(frame_reader_test, refuses_sizes_below_a_header_or_above_the_limit) {
  for (const char *size : {"00000000", "00000001", "00000002", "00000003", "00100001",
                           "7fffffff", "80000000", "ffffffff"}) {
    frame_reader_release(reader);
    frame_reader_init(reader, *pool, max_frame);
    size_t held = blocks.bytes;
    EXPECT_EQ(read(from_hex(size)), frame_result::malformed) << size;
    EXPECT_EQ(take_all(), frame_result::malformed) << size;
    EXPECT_LE(blocks.bytes, held + 2 * first_slab) << size;
  }
}

TEST_F(frame_reader_test, takes_a_frame_of_exactly_the_limit) {
  read(framed(body_of('x', max_frame)));
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].size(), size_t{max_frame});
}

TEST_F(frame_reader_test, the_limit_may_change_between_frames) {
  frame_reader_init(reader, *pool, 10);
  byte_vector bytes = framed("small");
  append(bytes, framed("not so small any more"));
  on_frame = [&](const frame &) { reader.max_frame_bytes = 100; };
  EXPECT_EQ(read(bytes), frame_result::none);
  EXPECT_EQ(frames, (std::vector<std::string>{"small", "not so small any more"}));
}

TEST_F(frame_reader_test, retained_frames_keep_their_bytes_while_reading_goes_on) {
  struct kept {
    frame fr;
    std::string text;
  };
  std::vector<kept> retained;
  std::mt19937 random(7);
  byte_vector bytes;
  for (int i = 0; i < 3000; i++) {
    size_t size = 4 + random() % (i % 100 == 0 ? 60000 : 300);
    append(bytes, framed(body_of(static_cast<char>('a' + i % 26), size)));
  }
  on_frame = [&](const frame &fr) {
    if (random() % 4) return;
    slab_ref(fr.owner);
    retained.push_back({fr, text_of(fr.bytes)});
    if (retained.size() < 300) return;
    size_t victim = random() % retained.size();
    slab_unref(retained[victim].fr.owner);
    retained.erase(retained.begin() + static_cast<ptrdiff_t>(victim));
  };
  std::span<const uint8_t> left(bytes);
  while (!left.empty()) {
    size_t n = std::min<size_t>(left.size(), 1 + random() % 20000);
    read(left.subspan(0, n));
    left = left.subspan(n);
  }
  EXPECT_EQ(frames.size(), 3000u);
  EXPECT_EQ(retained.size(), 299u);
  frame_reader_release(reader);
  for (kept &k : retained) {
    ASSERT_EQ(text_of(k.fr.bytes), k.text);
    slab_unref(k.fr.owner);
  }
}

TEST_F(frame_reader_test, allocates_nothing_in_steady_state) {
  byte_vector bytes;
  for (int i = 0; i < 400; i++) append(bytes, framed(body_of('x', 500)));
  for (int i = 0; i < 3; i++) read(bytes, 20000);
  size_t calls = blocks.calls;
  for (int i = 0; i < 3; i++) read(bytes, 20000);
  EXPECT_EQ(blocks.calls, calls);
  EXPECT_EQ(frames.size(), 2400u);
}

TEST_F(frame_reader_test, out_of_memory_gives_no_space_and_loses_nothing) {
  blocks.calls_left = 0;
  EXPECT_TRUE(frame_reader_space(reader).empty());
  blocks.calls_left = SIZE_MAX;
  byte_vector bytes = framed(body_of('x', 50000));
  read(std::span(bytes).subspan(0, first_slab));
  blocks.calls_left = 0;
  EXPECT_TRUE(frame_reader_space(reader).empty());
  blocks.calls_left = SIZE_MAX;
  read(std::span(bytes).subspan(first_slab));
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0], body_of('x', 50000));
}
