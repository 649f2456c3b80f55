// What holds for every compression that is built in.
#include "compression_fixture.h"
#include "integration/memory.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct format {
  const char *name;
  uint8_t compression;
  uint64_t mallocs_per_block;  // taken by the library itself, for each 64 KiB packed
};

void PrintTo(const format &f, std::ostream *out) { *out << f.name; }

struct compression_format_test : compression_test, testing::WithParamInterface<format> {
  uint8_t compression = GetParam().compression;

  void SetUp() override {
    if (!compression_available(*set, compression))
      GTEST_SKIP() << "this build does not have " << GetParam().name;
  }
  byte_vector pack(std::string_view raw) {
    return compression_test::pack(compression, raw);
  }
  std::string unpack(std::span<const uint8_t> packed, size_t size) {
    return compression_test::unpack(compression, packed, size);
  }
};

using compression_formats = compression_format_test;

}  // namespace

INSTANTIATE_TEST_SUITE_P(all, compression_formats,
                         testing::Values(format{"gzip", RSTREAM_COMPRESSION_GZIP, 0},
                                         format{"snappy", RSTREAM_COMPRESSION_SNAPPY, 1},
                                         format{"lz4", RSTREAM_COMPRESSION_LZ4, 0},
                                         format{"zstd", RSTREAM_COMPRESSION_ZSTD, 0}),
                         [](const auto &one) { return one.param.name; });

TEST_P(compression_formats, what_was_packed_is_unpacked) {
  for (size_t size : {1u, 2u, 21u, 100u, 65535u, 65536u, 65537u, 262145u, 5000000u}) {
    for (const std::string &raw : {prose(size), noise(size), std::string(size, 'a')}) {
      byte_vector packed = pack(raw);
      EXPECT_LE(packed.size(), compression_bound(*set, compression, size));
      ASSERT_TRUE(unpack(packed, size) == raw) << size;
    }
  }
}

TEST_P(compression_formats, what_repeats_gets_small) {
  EXPECT_LT(pack(std::string(100000, 'a')).size(), 6000u);
  EXPECT_LT(pack(prose(100000)).size(), 70000u);
}

TEST_P(compression_formats, noise_grows_by_little) {
  EXPECT_LT(pack(noise(100000)).size(), 100200u);
}

TEST_P(compression_formats, nothing_packs_to_something) {
  EXPECT_GT(pack("").size(), 0u);
}

TEST_P(compression_formats, cut_short_at_every_byte_it_never_comes_out_whole) {
  std::string raw = prose(3000);
  byte_vector packed = pack(raw);
  for (size_t n = 0; n < packed.size(); n++) {
    std::string text = unpack(std::span(packed).first(n), raw.size());
    ASSERT_TRUE(text == "damaged" || text == "wrong size") << n << ' ' << text;
  }
}

TEST_P(compression_formats, what_follows_is_damage) {
  byte_vector more = pack("some text");
  for (uint8_t byte : {0, 1, 0x1f, 0x28, 0xff}) {
    more.push_back(byte);
    EXPECT_EQ(unpack(more, 9), "damaged");
    more.pop_back();
  }
}

TEST_P(compression_formats, two_back_to_back_are_read_as_one) {
  byte_vector two = pack("some text");
  byte_vector other = pack(" and more");
  two.insert(two.end(), other.begin(), other.end());
  EXPECT_EQ(unpack(two, 18), "some text and more");
  EXPECT_EQ(unpack(two, 9), "wrong size");
  EXPECT_EQ(unpack(two, 17), "wrong size");
  EXPECT_EQ(unpack(two, 19), "wrong size");
}

TEST_P(compression_formats, no_more_and_no_less_than_asked_for) {
  std::string raw = prose(3000);
  byte_vector packed = pack(raw);
  for (size_t size : {1u, 2999u, 3001u, 100000u})
    EXPECT_EQ(unpack(packed, size), "wrong size") << size;
}

TEST_P(compression_formats, a_bomb_stops_at_the_size_asked_for) {
  byte_vector bomb = pack(std::string(64u << 20, 0));
  size_t held = blocks.bytes;
  EXPECT_EQ(unpack(bomb, 1 << 20), "wrong size");
  EXPECT_EQ(unpack(bomb, 1), "wrong size");
  EXPECT_LT(blocks.bytes, held + 100000) << "no more than contexts and windows";
}

TEST_P(compression_formats, can_hold_what_really_comes_out_and_no_dreams) {
  for (size_t size : {1000u, 100000u, 10000000u}) {
    byte_vector densest = pack(std::string(size, 0));
    EXPECT_TRUE(compression_can_hold(*set, compression, densest.size(), size)) << size;
  }
  EXPECT_FALSE(compression_can_hold(*set, compression, 10, 64 << 20));
  EXPECT_FALSE(compression_can_hold(*set, compression, 10, 0x7fffffff));
  EXPECT_FALSE(compression_can_hold(*set, compression, 0, 1 << 20));
}

TEST_P(compression_formats, packing_into_too_little_room_fails_and_harms_nothing) {
  std::string raw = noise(1000);
  byte_vector whole = pack(raw);
  for (size_t n = 0; n < whole.size(); n++) {
    exact_buffer out(n);
    ASSERT_EQ(compression_pack(*set, compression, bytes_of(raw), out.span()),
              RSTREAM_EMSGSIZE)
        << n;
  }
  EXPECT_EQ(pack(raw), whole);
}

TEST_P(compression_formats, failures_leave_nothing_behind_for_the_next_one) {
  std::string raw = prose(3000);
  byte_vector packed = pack(raw);
  std::span<const uint8_t> half = std::span(packed).first(packed.size() / 2);
  for (int i = 0; i < 3; i++) {
    EXPECT_NE(unpack(half, raw.size()), raw);
    EXPECT_EQ(unpack(packed, raw.size()), raw);
    EXPECT_EQ(unpack(packed, 100), "wrong size");
    EXPECT_EQ(unpack(packed, raw.size()), raw);
    EXPECT_EQ(unpack(byte_vector(50, 0x55), 100), "damaged");
    EXPECT_EQ(unpack(packed, raw.size()), raw);
  }
}

TEST_P(compression_formats, allocates_at_the_first_use_only) {
  constexpr int rounds = 1000;
  std::string raws[] = {prose(10000), prose(30000), noise(500)};
  byte_vector packed[3];
  exact_buffer out(compression_bound(*set, compression, 30000));
  auto round = [&] {
    for (int i = 0; i < 3; i++) {
      ptrdiff_t n = compression_pack(*set, compression, bytes_of(raws[i]), out.span());
      bool same = std::equal(packed[i].begin(), packed[i].end(), out.span().begin(),
                             out.span().begin() + n);
      unpack_result r = compression_unpack(*set, compression, packed[i],
                                           out.span().first(raws[i].size()));
      if (!same || r != unpack_result::done) return false;
    }
    return true;
  };
  for (int i = 0; i < 3; i++) packed[i] = pack(raws[i]);
  ASSERT_TRUE(round());
  size_t library = blocks.calls;
  uint64_t process = process_allocations();
  for (int i = 0; i < rounds; i++) ASSERT_TRUE(round());
  EXPECT_EQ(blocks.calls - library, 0u);
  EXPECT_LE(process_allocations() - process, GetParam().mallocs_per_block * rounds * 3);
}

TEST_P(compression_formats, without_memory_there_is_a_clear_answer) {
  // The contexts' home is the first thing allocated; Snappy needs none.
  if (compression == RSTREAM_COMPRESSION_SNAPPY) return;
  compression_set *fresh = compression_set_create(pool);
  exact_buffer out(compression_bound(*fresh, compression, 100));
  blocks.calls_left = 0;
  EXPECT_EQ(compression_pack(*fresh, compression, bytes_of("text"), out.span()),
            RSTREAM_ENOMEM);
  EXPECT_EQ(compression_unpack(*fresh, compression, bytes_of("text"), out.span()),
            unpack_result::no_memory);
  blocks.calls_left = SIZE_MAX;
  EXPECT_GT(compression_pack(*fresh, compression, bytes_of("text"), out.span()), 0);
  compression_set_unref(fresh);
}
