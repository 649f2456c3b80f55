// gzip: vectors made by gzip(1) and by Python.
#include <zlib.h>

#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;

// The records "hello", "world" and "".
const std::string records(
    "\0\0\0\5hello"
    "\0\0\0\5world"
    "\0\0\0\0",
    22);

const byte_vector of_gzip = from_hex(
    "1f8b0800000000000003 63606060cd48cdc9c9670032caf38b7252800c06 00f260c0b1 16000000");
const byte_vector of_python = from_hex(
    "1f8b08000000000002ff 63606060cd48cdc9c9670032caf38b7252800c06 00f260c0b1 16000000");
// With the name of the file, "letters", and its time: 60 times "a".
const byte_vector of_a_file =
    from_hex("1f8b080800f153650003 6c65747465727300 4b4c241f0000 29bd981f 3c000000");
const byte_vector of_zlib =
    from_hex("789c 63606060cd48cdc9c9670032caf38b7252800c0600 31130447");

struct compression_gzip : compression_test {
  // zlib itself, without any of ours.
  static std::string inflate_all(const byte_vector &packed, size_t size) {
    std::string out(size, 0);
    z_stream z{};
    EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);  // gzip alone
    z.next_in = const_cast<uint8_t *>(packed.data());
    z.avail_in = static_cast<unsigned>(packed.size());
    z.next_out = reinterpret_cast<uint8_t *>(out.data());
    z.avail_out = static_cast<unsigned>(size);
    EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
    EXPECT_EQ(z.avail_in, 0u);
    EXPECT_EQ(z.avail_out, 0u);
    inflateEnd(&z);
    return out;
  }
};

}  // namespace

TEST_F(compression_gzip, is_always_there) {
  EXPECT_TRUE(compression_available(*set, gzip));
  EXPECT_TRUE(compression_available(*set, RSTREAM_COMPRESSION_NONE));
  EXPECT_FALSE(compression_available(*set, 5));
  EXPECT_FALSE(compression_available(*set, 8));
  EXPECT_FALSE(compression_available(*set, 255));
}

TEST_F(compression_gzip, reads_what_others_wrote) {
  EXPECT_EQ(unpack(gzip, of_gzip, 22), records);
  EXPECT_EQ(unpack(gzip, of_python, 22), records);
  EXPECT_EQ(unpack(gzip, of_a_file, 60), std::string(60, 'a'));
  EXPECT_EQ(unpack(gzip, of_zlib, 22), records);
}

TEST_F(compression_gzip, reads_members_back_to_back) {
  byte_vector two = of_gzip;
  two.insert(two.end(), of_a_file.begin(), of_a_file.end());
  EXPECT_EQ(unpack(gzip, two, 82), records + std::string(60, 'a'));
  EXPECT_EQ(unpack(gzip, two, 22), "wrong size");
  EXPECT_EQ(unpack(gzip, two, 83), "wrong size");
}

TEST_F(compression_gzip, zlib_reads_what_it_writes) {
  for (size_t size : {1u, 2u, 100u, 65535u, 65536u, 1000000u}) {
    for (const std::string &raw : {prose(size), noise(size), std::string(size, 'a')}) {
      byte_vector packed = pack(gzip, raw);
      EXPECT_EQ(inflate_all(packed, size), raw) << size;
      EXPECT_EQ(unpack(gzip, packed, size), raw) << size;
    }
  }
}

TEST_F(compression_gzip, nothing_to_pack_is_an_empty_member) {
  EXPECT_EQ(inflate_all(pack(gzip, ""), 0), "");
}

TEST_F(compression_gzip, cut_short_at_every_byte_it_is_damaged) {
  for (size_t n = 0; n < of_gzip.size(); n++)
    EXPECT_EQ(unpack(gzip, std::span(of_gzip).first(n), 22), "damaged") << n;
}

TEST_F(compression_gzip, what_follows_is_damage) {
  byte_vector more = of_gzip;
  more.push_back(0);
  EXPECT_EQ(unpack(gzip, more, 22), "damaged");
}

TEST_F(compression_gzip, every_wrong_bit_of_data_and_trailer_is_noticed) {
  for (size_t bit = 10 * 8; bit < of_gzip.size() * 8; bit++) {
    if (bit / 2 == 123) continue;  // two bits of padding behind the data
    byte_vector wrong = of_gzip;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(unpack(gzip, wrong, 22), records) << bit;
  }
}

TEST_F(compression_gzip, no_more_and_no_less_than_asked_for) {
  EXPECT_EQ(unpack(gzip, of_gzip, 1), "wrong size");
  EXPECT_EQ(unpack(gzip, of_gzip, 21), "wrong size");
  EXPECT_EQ(unpack(gzip, of_gzip, 23), "wrong size");
  EXPECT_EQ(unpack(gzip, of_gzip, 100000), "wrong size");
}

// 256 MiB of zeroes in 260 KiB.
TEST_F(compression_gzip, a_bomb_stops_at_the_size_asked_for) {
  constexpr size_t piece = 1 << 20;
  byte_vector bomb(1 << 19);
  byte_vector zeroes(piece);
  z_stream z{};
  ASSERT_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_out = bomb.data();
  z.avail_out = static_cast<unsigned>(bomb.size());
  for (int i = 0; i < 256; i++) {
    z.next_in = zeroes.data();
    z.avail_in = piece;
    deflate(&z, i < 255 ? Z_NO_FLUSH : Z_FINISH);
  }
  ASSERT_EQ(z.total_in, 256 * piece);
  bomb.resize(z.total_out);
  deflateEnd(&z);
  EXPECT_EQ(unpack(gzip, bomb, piece), "wrong size");
  EXPECT_LT(blocks.bytes, 100000u) << "the window and the state of zlib";
}

TEST_F(compression_gzip, can_hold_what_really_comes_out_and_no_dreams) {
  byte_vector densest = pack(gzip, std::string(10000000, 0));
  EXPECT_TRUE(compression_can_hold(*set, gzip, densest.size(), 10000000));
  EXPECT_FALSE(compression_can_hold(*set, gzip, 10, 64 << 20));
  EXPECT_FALSE(compression_can_hold(*set, gzip, 10, 0x7fffffff));
  EXPECT_FALSE(compression_can_hold(*set, gzip, 0, 1 << 20));
}

TEST_F(compression_gzip, packing_into_too_little_room_fails_and_harms_nothing) {
  std::string raw = noise(1000);
  byte_vector whole = pack(gzip, raw);
  for (size_t n = 0; n < whole.size(); n++) {
    exact_buffer out(n);
    EXPECT_EQ(compression_pack(*set, gzip, bytes_of(raw), out.span()), RSTREAM_EMSGSIZE);
  }
  EXPECT_EQ(pack(gzip, raw), whole);
}

TEST_F(compression_gzip, failures_leave_nothing_behind_for_the_next_one) {
  for (const char *expected : {"damaged", "wrong size"}) {
    bool cut = expected[0] == 'd';
    EXPECT_EQ(unpack(gzip, std::span(of_gzip).first(cut ? 20 : 31), cut ? 22 : 3),
              expected);
    EXPECT_EQ(unpack(gzip, of_gzip, 22), records);
    EXPECT_EQ(unpack(gzip, of_zlib, 22), records);
  }
}

TEST_F(compression_gzip, allocates_at_the_first_use_only) {
  std::string raw = prose(20000);
  byte_vector packed = pack(gzip, raw);
  EXPECT_EQ(unpack(gzip, packed, raw.size()), raw);
  size_t calls = blocks.calls;
  for (int i = 0; i < 100; i++) {
    EXPECT_EQ(pack(gzip, raw), packed);
    EXPECT_EQ(unpack(gzip, packed, raw.size()), raw);
  }
  EXPECT_EQ(blocks.calls, calls);
}

TEST_F(compression_gzip, running_out_of_memory_is_a_result_and_passes) {
  std::string raw = prose(1000);
  exact_buffer out(compression_bound(*set, gzip, raw.size()));
  ptrdiff_t packed = RSTREAM_ENOMEM;
  for (size_t allowed = 0; packed == RSTREAM_ENOMEM; allowed++) {
    ASSERT_LT(allowed, 20u);
    blocks.calls_left = allowed;
    packed = compression_pack(*set, gzip, bytes_of(raw), out.span());
  }
  ASSERT_GT(packed, 0);
  std::span<const uint8_t> bytes = out.span().first(static_cast<size_t>(packed));
  std::string text = "no memory";
  for (size_t allowed = 0; text == "no memory"; allowed++) {
    ASSERT_LT(allowed, 20u);
    blocks.calls_left = allowed;
    text = unpack(gzip, bytes, raw.size());
  }
  EXPECT_EQ(text, raw);
  blocks.calls_left = SIZE_MAX;
}

TEST_F(compression_gzip, the_set_outlives_its_environment_by_its_references) {
  slab_pool_join(pool);
  EXPECT_EQ(unpack(gzip, of_gzip, 22), records);
  compression_set_ref(set);
  compression_set_unref(set);
  slab_pool_leave(pool);
  EXPECT_EQ(unpack(gzip, of_gzip, 22), records);
}
