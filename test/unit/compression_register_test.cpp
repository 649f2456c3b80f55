// The application's own compression, well-behaved and not.
#include "api_fixture.h"
#include "compression_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

// Packs "text" as ">text", and does as it is told instead.
struct codec {
  int packed = 0;
  int unpacked = 0;
  ptrdiff_t answer = 0;  // not 0: returned in place of the truth
  std::string seen;

  static codec *of(void *user) { return static_cast<codec *>(user); }

  static size_t bound(size_t size, void *) { return size + 1; }
  static ptrdiff_t compress(const uint8_t *raw, size_t size, uint8_t *to, size_t capacity,
                            void *user) {
    of(user)->packed++;
    of(user)->seen = text_of({raw, size});
    if (of(user)->answer) return of(user)->answer;
    if (capacity < size + 1) return -1;
    to[0] = '>';
    memcpy(to + 1, raw, size);
    return static_cast<ptrdiff_t>(size + 1);
  }
  static ptrdiff_t decompress(const uint8_t *packed, size_t size, uint8_t *to,
                              size_t capacity, void *user) {
    of(user)->unpacked++;
    of(user)->seen = text_of({packed, size});
    if (of(user)->answer) return of(user)->answer;
    if (size == 0 || packed[0] != '>' || size - 1 > capacity) return -1;
    memcpy(to, packed + 1, size - 1);
    return static_cast<ptrdiff_t>(size - 1);
  }

  rstream_compressor functions(int compression) {
    rstream_compressor c;
    rstream_compressor_init(&c);
    c.compression = static_cast<uint8_t>(compression);
    c.bound = bound;
    c.compress = compress;
    c.decompress = decompress;
    c.user = this;
    return c;
  }
};

struct compression_registered : compression_test {
  codec own;

  void registered(int compression) {
    ASSERT_EQ(compression_register(*set, own.functions(compression)), 0);
  }
};

struct api_register_compressor : api_fixture {
  codec own;
  void SetUp() override { create(); }
  int add(const rstream_compressor &c) {
    return rstream_env_register_compressor(env, &c);
  }
};

}  // namespace

TEST_F(compression_registered, is_used_for_its_number_alone) {
  EXPECT_FALSE(compression_available(*set, 5));
  registered(5);
  EXPECT_TRUE(compression_available(*set, 5));
  EXPECT_FALSE(compression_available(*set, 6));
  EXPECT_EQ(compression_bound(*set, 5, 4), 5u);
  EXPECT_EQ(pack(5, "text"), from_hex("3e74657874"));
  EXPECT_EQ(unpack(5, bytes_of(">text"), 4), "text");
  EXPECT_EQ(own.packed, 1);
  EXPECT_EQ(own.unpacked, 1);
  EXPECT_EQ(unpack(RSTREAM_COMPRESSION_GZIP, bytes_of(">text"), 4), "damaged");
}

TEST_F(compression_registered, takes_the_place_of_one_that_is_built_in) {
  registered(RSTREAM_COMPRESSION_GZIP);
  EXPECT_EQ(pack(RSTREAM_COMPRESSION_GZIP, "text"), from_hex("3e74657874"));
  EXPECT_EQ(unpack(RSTREAM_COMPRESSION_GZIP, bytes_of(">text"), 4), "text");
  EXPECT_EQ(own.unpacked, 1);
}

TEST_F(compression_registered, may_be_replaced_until_it_is_used) {
  codec other;
  registered(5);
  EXPECT_EQ(compression_register(*set, other.functions(5)), 0);
  EXPECT_EQ(unpack(5, bytes_of(">text"), 4), "text");
  EXPECT_EQ(other.unpacked, 1);
  EXPECT_EQ(compression_register(*set, own.functions(5)), RSTREAM_EBUSY);
  EXPECT_EQ(compression_register(*set, own.functions(6)), 0);
}

TEST_F(compression_registered, every_use_of_what_is_built_in_counts) {
  constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;
  compression_set *others[3];
  for (compression_set *&one : others) one = compression_set_create(pool);
  uint8_t out[100];
  compression_bound(*others[0], gzip, 1);
  EXPECT_GT(compression_pack(*others[1], gzip, bytes_of("text"), out), 0);
  EXPECT_EQ(compression_unpack(*others[2], gzip, bytes_of("text"), out),
            unpack_result::damaged);
  for (compression_set *one : others) {
    EXPECT_EQ(compression_register(*one, own.functions(gzip)), RSTREAM_EBUSY);
    compression_set_unref(one);
  }
}

TEST_F(compression_registered, its_failures_are_contained) {
  registered(7);
  uint8_t out[10];
  for (ptrdiff_t answer : {ptrdiff_t{-1}, PTRDIFF_MIN, ptrdiff_t{11}, PTRDIFF_MAX}) {
    own.answer = answer;
    EXPECT_EQ(compression_pack(*set, 7, bytes_of("text"), out), RSTREAM_ECODEC) << answer;
    EXPECT_EQ(unpack(7, bytes_of(">text"), 4), answer < 0 ? "damaged" : "wrong size");
  }
  own.answer = 3;
  EXPECT_EQ(unpack(7, bytes_of(">text"), 4), "wrong size");
  own.answer = 0;
  EXPECT_EQ(unpack(7, bytes_of(">text"), 4), "text");
  EXPECT_EQ(unpack(7, bytes_of(">tex"), 4), "wrong size");
  EXPECT_EQ(unpack(7, bytes_of("text"), 4), "damaged");
}

TEST_F(compression_registered, packing_to_nothing_is_a_failure) {
  rstream_compressor c = own.functions(7);
  c.compress = [](const uint8_t *, size_t, uint8_t *, size_t, void *) {
    return ptrdiff_t{0};
  };
  ASSERT_EQ(compression_register(*set, c), 0);
  uint8_t out[10];
  EXPECT_EQ(compression_pack(*set, 7, bytes_of("text"), out), RSTREAM_ECODEC);
}

TEST_F(compression_registered, nobody_knows_what_it_can_hold) {
  registered(RSTREAM_COMPRESSION_GZIP);
  EXPECT_TRUE(compression_can_hold(*set, RSTREAM_COMPRESSION_GZIP, 1, 1 << 30));
}

TEST_F(api_register_compressor, numbers_one_to_seven) {
  for (int i = 1; i <= 7; i++) EXPECT_EQ(add(own.functions(i)), 0) << i;
  for (int i = 0; i <= 7; i++) EXPECT_EQ(rstream_env_has_compression(env, i), 1) << i;
  for (int i : {0, 8, 255}) {
    EXPECT_EQ(add(own.functions(i)), RSTREAM_EINVAL);
    EXPECT_NE(error_text().find("compression is"), std::string::npos) << error_text();
  }
  for (int i : {-1, 8, 255, 256, 257})
    EXPECT_EQ(rstream_env_has_compression(env, i), 0) << i;
}

TEST_F(api_register_compressor, before_it_there_is_what_was_built_in) {
  EXPECT_EQ(rstream_env_has_compression(env, RSTREAM_COMPRESSION_NONE), 1);
  EXPECT_EQ(rstream_env_has_compression(env, RSTREAM_COMPRESSION_GZIP), 1);
  for (int i = 5; i <= 7; i++) EXPECT_EQ(rstream_env_has_compression(env, i), 0);
  EXPECT_EQ(add(own.functions(6)), 0);
  EXPECT_EQ(rstream_env_has_compression(env, 6), 1);
  EXPECT_EQ(rstream_env_has_compression(env, 5), 0);
}

TEST_F(api_register_compressor, all_functions_are_needed) {
  for (int missing = 0; missing < 3; missing++) {
    rstream_compressor c = own.functions(5);
    if (missing == 0) c.bound = nullptr;
    if (missing == 1) c.compress = nullptr;
    if (missing == 2) c.decompress = nullptr;
    EXPECT_EQ(add(c), RSTREAM_EINVAL);
    EXPECT_EQ(error_text(), "a compressor needs all three of its functions");
  }
  rstream_compressor c = own.functions(5);
  c.struct_size = 0;
  EXPECT_EQ(add(c), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_register_compressor(env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_register_compressor(nullptr, &c), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_has_compression(nullptr, 1), 0);
  EXPECT_EQ(rstream_env_has_compression(env, 5), 0);
}

TEST_F(api_register_compressor, a_longer_struct_of_a_newer_header_is_cut) {
  struct {
    rstream_compressor c;
    char more[16];
  } newer{own.functions(5), "newer members"};
  newer.c.struct_size = sizeof newer;
  EXPECT_EQ(rstream_env_register_compressor(env, &newer.c), 0);
}

TEST_F(api_register_compressor, not_while_the_environment_closes) {
  ASSERT_EQ(rstream_env_close(env, nullptr, nullptr), 0);
  EXPECT_EQ(add(own.functions(5)), RSTREAM_ECLOSED);
  while (rstream_env_run(env, -1) == 0) {
  }
  env = nullptr;
}
