// Frames that the frame reader is asked to give in pieces.
#include <gtest/gtest.h>
#include <algorithm>

#include <cstring>
#include <vector>

#include "counting_memory.h"
#include "hex.h"
#include "net/frame_reader.h"
#include "wire/cursor.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint32_t max_frame = 1u << 20;
constexpr uint32_t skipped = 5;  // of a frame that comes in pieces

byte_vector framed(const std::string &body) {
  byte_vector out(4);
  wire::store_u32be(out.data(), static_cast<uint32_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

void append(byte_vector &to, const byte_vector &from) {
  to.insert(to.end(), from.begin(), from.end());
}

struct frame_pieces : testing::Test {
  counting_memory blocks;
  slab_pool *pool = slab_pool_create(blocks.functions());
  frame_reader reader;
  std::string told;       // frames, and pieces in brackets
  std::string in_pieces;  // the bytes of the frame at hand
  uint32_t unit = 1;      // bytes that are taken at a time
  int asked = 0;
  size_t most_held = 0;

  void SetUp() override { restart(); }
  void TearDown() override {
    frame_reader_release(reader);
    slab_pool_leave(pool);
    EXPECT_EQ(blocks.bytes, 0u);
  }
  void restart() {
    frame_reader_release(reader);
    frame_reader_init(reader, *pool, max_frame);
    reader.ask_bytes = 20;
    told.clear();
    asked = 0;
  }

  frame_result read(std::span<const uint8_t> bytes, size_t most = SIZE_MAX) {
    frame_result result = frame_result::none;
    while (!bytes.empty() && result == frame_result::none) {
      std::span<uint8_t> space = frame_reader_space(reader);
      size_t n = std::min({bytes.size(), most, space.size()});
      EXPECT_GT(n, 0u);
      if (n == 0) break;
      memcpy(space.data(), bytes.data(), n);
      frame_reader_filled(reader, n);
      bytes = bytes.subspan(n);
      result = take_all();
      most_held = std::max<size_t>(most_held, pool->mem.bytes_held);
    }
    return result;
  }

  frame_result take_all() {
    for (;;) {
      frame fr;
      frame_result result = frame_reader_next(reader, fr);
      if (result == frame_result::ready) {
        told += text_of(fr.bytes) + '.';
      } else if (result == frame_result::asked) {
        answer(fr);
      } else if (result == frame_result::piece) {
        take(fr);
      } else {
        return result;
      }
    }
  }

  // Frames that begin with 'P' come in pieces.
  void answer(const frame &fr) {
    asked++;
    EXPECT_EQ(fr.bytes.size(), size_t{frame_head_bytes});
    if (fr.bytes[0] != 'P') return frame_reader_whole(reader);
    in_pieces = text_of(fr.bytes.first(skipped));
    frame_reader_pieces(reader, skipped);
    EXPECT_EQ(reader.piece_left, fr.left - skipped);
  }

  void take(const frame &fr) {
    auto arrived = static_cast<uint32_t>(fr.bytes.size());
    bool is_last = arrived == fr.left;
    uint32_t n = is_last ? arrived : arrived / unit * unit;
    in_pieces += text_of(fr.bytes.first(n));
    frame_reader_take(reader, n, unit);
    if (is_last) told += '[' + in_pieces + ']';
  }
};

std::string letters(char first, size_t size) {
  std::string s(size, first);
  for (size_t i = 1; i < size; i++) s[i] = static_cast<char>('a' + i % 26);
  return s;
}

}  // namespace

TEST_F(frame_pieces, frames_below_the_size_are_not_asked_about) {
  read(framed("Pieces are larger!!"));
  EXPECT_EQ(told, "Pieces are larger!!.");
  EXPECT_EQ(asked, 0);
}

TEST_F(frame_pieces, a_frame_asked_about_may_come_whole) {
  std::string body = letters('W', 100);
  for (size_t step = 1; step < 110; step++) {
    restart();
    read(framed(body), step);
    EXPECT_EQ(told, body + '.');
    EXPECT_EQ(asked, 1);
  }
}

TEST_F(frame_pieces, the_bytes_are_the_same_split_at_every_byte) {
  std::string in_pieces_body = letters('P', 70), whole = letters('W', 40);
  byte_vector bytes = framed("small");
  append(bytes, framed(in_pieces_body));
  append(bytes, framed("next"));
  append(bytes, framed(whole));
  append(bytes, framed(letters('P', 20)));
  std::string expected =
      "small.[" + in_pieces_body + "]next." + whole + ".[" + letters('P', 20) + ']';
  for (uint32_t n : {1u, 2u, 7u, 64u, 1000u}) {
    unit = n;
    for (size_t at = 0; at <= bytes.size(); at++) {
      restart();
      read(std::span(bytes).subspan(0, at));
      read(std::span(bytes).subspan(at));
      EXPECT_EQ(told, expected) << "split at " << at << ", taken by " << n;
    }
    for (size_t step = 1; step < 30; step++) {
      restart();
      read(bytes, step);
      EXPECT_EQ(told, expected) << "in steps of " << step << ", taken by " << n;
      EXPECT_EQ(asked, 3);
    }
  }
}

TEST_F(frame_pieces, pieces_come_as_their_bytes_arrive) {
  byte_vector bytes = framed(letters('P', 60));
  std::span<const uint8_t> all = bytes;
  unit = 10;
  read(all.first(4 + 15));
  EXPECT_EQ(asked, 0) << "its head is not there yet";
  read(all.subspan(4 + 15, 1));
  EXPECT_EQ(in_pieces, letters('P', 15));
  read(all.subspan(4 + 16, 8));
  EXPECT_EQ(in_pieces, letters('P', 15));
  read(all.subspan(4 + 24, 1));
  EXPECT_EQ(in_pieces, letters('P', 25));
}

TEST_F(frame_pieces, memory_is_that_of_a_piece_not_of_the_frame) {
  pool->max_free_bytes = 0;
  std::string body = letters('P', 16u << 20);
  for (uint32_t n : {1u, 1000u, 100000u}) {
    restart();
    unit = n;
    most_held = 0;
    read(framed(body), 60000);
    EXPECT_TRUE(told == '[' + body + ']');
    EXPECT_LE(most_held, (2u * 256 << 10) + 8 * n) << "in pieces of " << n;
  }
}

TEST_F(frame_pieces, a_piece_larger_than_any_slab_grows_with_what_arrives) {
  pool->max_free_bytes = 0;
  std::string body = letters('P', 3u << 20);
  unit = 1u << 20;
  read(framed(body), 10000);
  EXPECT_TRUE(told == '[' + body + ']');
  EXPECT_LE(most_held, 4u << 20);
  read(framed("small"));
  read(framed("small"));
  EXPECT_LE(pool->mem.bytes_held, 300u << 10) << "the large block goes back";
}

TEST_F(frame_pieces, the_limit_holds_for_frames_that_come_whole_only) {
  reader.max_frame_bytes = 1000;
  read(framed(letters('P', 5000)));
  EXPECT_EQ(told, '[' + letters('P', 5000) + ']');
  EXPECT_EQ(read(framed(letters('W', 1001))), frame_result::malformed);
}

TEST_F(frame_pieces, the_largest_size_takes_no_memory_before_its_bytes_came) {
  size_t before = blocks.bytes;
  read(from_hex("ffffffff 50000000 000000"));
  EXPECT_EQ(asked, 0);
  EXPECT_LE(blocks.bytes, before + (64u << 10));
  read(byte_vector(10000, 'x'));
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(reader.piece_left, 0xffffffffu - 7 - 10000);
  EXPECT_LE(blocks.bytes, before + (64u << 10));
}

TEST_F(frame_pieces, asking_for_what_was_seen_waits_for_one_byte_more) {
  byte_vector bytes = framed(letters('P', 40));
  read(std::span(bytes).first(4 + 20));
  frame fr;
  unit = 100;
  read(std::span(bytes).subspan(4 + 20, 1));
  ASSERT_EQ(frame_reader_next(reader, fr), frame_result::none);
  reader.piece_wanted = 1;
  ASSERT_EQ(frame_reader_next(reader, fr), frame_result::piece);
  frame_reader_take(reader, 0, 1);
  EXPECT_EQ(frame_reader_next(reader, fr), frame_result::none);
  EXPECT_EQ(reader.piece_wanted, fr.bytes.size() + 1);
}

TEST_F(frame_pieces, out_of_memory_gives_no_space_and_loses_nothing) {
  byte_vector bytes = framed(letters('P', 100000));
  unit = 90000;
  read(std::span(bytes).first(16384));
  blocks.calls_left = 0;
  EXPECT_TRUE(frame_reader_space(reader).empty());
  blocks.calls_left = SIZE_MAX;
  read(std::span(bytes).subspan(16384));
  EXPECT_TRUE(told == '[' + letters('P', 100000) + ']');
}
