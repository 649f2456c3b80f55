// gzip: vectors made by gzip(1) and by Python, and zlib itself as the reader.
#include <zlib.h>

#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;

const byte_vector of_gzip = from_hex(
    "1f8b0800000000000003 63606060cd48cdc9c9670032caf38b7252800c06 00f260c0b1 16000000");
const byte_vector of_python = from_hex(
    "1f8b08000000000002ff 63606060cd48cdc9c9670032caf38b7252800c06 00f260c0b1 16000000");
// With the name of the file, "letters", and its time: 60 times "a".
const byte_vector of_a_file =
    from_hex("1f8b080800f153650003 6c65747465727300 4b4c241f0000 29bd981f 3c000000");
const byte_vector of_zlib =
    from_hex("789c 63606060cd48cdc9c9670032caf38b7252800c0600 31130447");

using compression_gzip = vectors_test<gzip>;

// zlib itself, without any of ours.
std::string inflate_all(const byte_vector &packed, size_t size) {
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

}  // namespace

TEST_F(compression_gzip, reads_what_others_wrote) {
  EXPECT_EQ(unpack(of_gzip, 22), three_records);
  EXPECT_EQ(unpack(of_python, 22), three_records);
  EXPECT_EQ(unpack(of_a_file, 60), std::string(60, 'a'));
  EXPECT_EQ(unpack(of_zlib, 22), three_records);
}

TEST_F(compression_gzip, zlib_reads_what_it_writes) {
  for (size_t size : {0u, 1u, 2u, 100u, 65536u, 1000000u}) {
    for (const std::string &raw : {prose(size), noise(size), std::string(size, 'a')})
      EXPECT_EQ(inflate_all(pack(gzip, raw), size), raw) << size;
  }
}

TEST_F(compression_gzip, cut_short_at_every_byte_it_is_damaged) {
  for (const byte_vector *one : {&of_gzip, &of_zlib}) {
    for (size_t n = 0; n < one->size(); n++)
      EXPECT_EQ(unpack(std::span(*one).first(n), 22), "damaged") << n;
  }
}

TEST_F(compression_gzip, every_wrong_bit_of_data_and_trailer_is_noticed) {
  for (size_t bit = 10 * 8; bit < of_gzip.size() * 8; bit++) {
    if (bit / 2 == 123) continue;  // two bits of padding behind the data
    byte_vector wrong = of_gzip;
    wrong[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_NE(unpack(wrong, 22), three_records) << bit;
  }
}

// Ours could not be compared with zlib's if it were not the same.
TEST_F(compression_gzip, packs_as_zlib_does_by_default) {
  std::string raw = prose(100000);
  byte_vector expected(compressBound(raw.size()) + 18);
  z_stream z{};
  ASSERT_EQ(
      deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
      Z_OK);
  z.next_in = reinterpret_cast<uint8_t *>(raw.data());
  z.avail_in = static_cast<unsigned>(raw.size());
  z.next_out = expected.data();
  z.avail_out = static_cast<unsigned>(expected.size());
  ASSERT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  expected.resize(z.total_out);
  deflateEnd(&z);
  EXPECT_EQ(pack(gzip, raw), expected);
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
  int refusals = -1;
  for (size_t allowed = 0; text == "no memory"; allowed++) {
    ASSERT_LT(allowed, 20u);
    blocks.calls_left = allowed;
    text = unpack(bytes, raw.size());
    refusals++;
  }
  EXPECT_EQ(text, raw);
  EXPECT_GT(refusals, 0);
  blocks.calls_left = SIZE_MAX;
}

TEST_F(compression_gzip, takes_all_its_memory_from_the_environment) {
  byte_vector packed = pack(gzip, prose(1000));
  size_t with_deflate = blocks.bytes;
  EXPECT_GT(with_deflate, 200000u);
  EXPECT_NE(unpack(packed, 1000), "damaged");
  EXPECT_GT(blocks.bytes, with_deflate + 5000);
}

TEST_F(compression_gzip, the_set_outlives_its_environment_by_its_references) {
  slab_pool_join(pool);
  EXPECT_EQ(unpack(of_gzip, 22), three_records);
  compression_set_ref(set);
  compression_set_unref(set);
  slab_pool_leave(pool);
  EXPECT_EQ(unpack(of_gzip, 22), three_records);
}
