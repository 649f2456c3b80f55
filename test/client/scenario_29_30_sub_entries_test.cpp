// Scenarios 29 and 30: sub-entries that become more than they say, and that say more than
// they can become.
#include <sys/resource.h>
#include <zlib.h>

#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;
constexpr uint32_t mib = 1u << 20;
constexpr size_t cap = 64u << 20;  // default of max_sub_entry_bytes

size_t peak_resident_bytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

// One gzip member that becomes so many MiB of zeroes. Each MiB is a block of its own that
// refers to nothing before it, so that one can be repeated. The trailer is not right, but
// nobody gets there.
byte_vector bomb_of(size_t mibs) {
  byte_vector zeroes(mib);
  byte_vector piece(mib);
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = zeroes.data();
  z.avail_in = mib;
  z.next_out = piece.data();
  z.avail_out = mib;
  EXPECT_EQ(deflate(&z, Z_FULL_FLUSH), Z_OK);
  piece.resize(z.total_out);
  deflateEnd(&z);
  byte_vector bomb = from_hex("1f8b0800000000000003");
  for (size_t i = 0; i < mibs; i++) bomb.insert(bomb.end(), piece.begin(), piece.end());
  return bomb;
}

struct scenario_29 : fake_client, testing::WithParamInterface<consume_way> {
  consumer_log &opened() {
    create();
    consumer_log &log = new_consumer_log();
    open_consumer(log, log.options_for(GetParam()));
    return log;
  }
  void deliver(const fake::chunk_parts &parts) {
    fake::subscription *s = fake::subscription_of(cluster(), "invoices");
    ASSERT_NE(s, nullptr);
    fake::peer_send(*s->peer,
                    fake::deliver_frame(s->id, s->peer->deliver_version, parts));
  }
  // The chunk's credit is back: all of it has been gone through.
  bool finished(uint64_t chunks) {
    return run_until([&] { return totals(cluster()).credits >= 10 + chunks; });
  }
};
using scenario_30 = scenario_29;

}  // namespace

INSTANTIATE_TEST_SUITE_P(client, scenario_29, every_consume_way, name_of_param);

// A chunk with a message, the bomb, and another message.
TEST_P(scenario_29, a_gzip_bomb_stops_at_the_size_it_declares) {
  consumer_log &log = opened();
  byte_vector bomb = bomb_of(4096);
  ASSERT_LT(bomb.size(), 5u << 20);
  uint64_t offset = 10;
  for (uint32_t declared : {mib, 64 * mib}) {
    fake::chunk_parts parts = {.first_offset = offset};
    fake::chunk_add(parts, "before");
    fake::chunk_add_packed(parts, gzip, 1000, declared, bomb);
    fake::chunk_add(parts, "behind");
    log.messages.clear();
    log.entry_errors.clear();
    largest_block = 0;
    size_t resident = peak_resident_bytes();
    deliver(parts);
    ASSERT_TRUE(finished(declared == mib ? 1 : 2));
    EXPECT_LT(peak_resident_bytes() - resident, 2 * cap);
    // The frame itself is some MiB large and took what it needed.
    EXPECT_LT(largest_block, std::max<size_t>(declared + 4096, 16u << 20));
    std::string o = std::to_string(offset), n = std::to_string(offset + 1001);
    EXPECT_EQ(log.messages, o + "=before " + n + "=behind");
    EXPECT_EQ(log.entry_errors, std::to_string(offset + 1) + "+1000 ");
    EXPECT_EQ(log.entry_status, RSTREAM_ECODEC);
    EXPECT_EQ(log.entry_text, "a sub-entry does not have the size it declares");
    offset += 1002;
  }
  EXPECT_FALSE(log.ended());
}

// As many as fit into the limit of a chunk are tried, the others are not.
TEST_P(scenario_29, many_bombs_in_one_chunk_are_limited_together) {
  create();
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.options_for(GetParam());
  o.max_sub_entry_bytes = 2 * mib;
  o.max_chunk_decompressed_bytes = 20 * mib;
  open_consumer(log, o);
  byte_vector bomb = bomb_of(3);
  fake::chunk_parts parts = {.first_offset = 0};
  for (int i = 0; i < 300; i++) fake::chunk_add_packed(parts, gzip, 1, 2 * mib, bomb);
  fake::chunk_add(parts, "behind");
  deliver(parts);
  ASSERT_TRUE(finished(1));
  EXPECT_EQ(log.messages, "300=behind");
  EXPECT_EQ(std::count(log.entry_errors.begin(), log.entry_errors.end(), '+'), 300);
  EXPECT_EQ(log.entry_text,
            "the sub-entries of a chunk declare sizes above "
            "max_chunk_decompressed_bytes");
  EXPECT_LT(largest_block, 5 * mib);
}

INSTANTIATE_TEST_SUITE_P(client, scenario_30, every_consume_way, name_of_param);

TEST_P(scenario_30, a_size_that_can_not_be_true_sets_nothing_aside) {
  struct lie {
    uint32_t declared;
    const char *text;
  };
  consumer_log &log = opened();
  uint64_t offset = 10;
  uint64_t chunks = 0;
  largest_block = 0;
  for (uint8_t compression = 1; compression <= 4; compression++) {
    if (!rstream_env_has_compression(env, compression)) continue;
    for (const lie &l : {lie{0x80000000,
                             "a sub-entry declares a size above "
                             "max_sub_entry_bytes"},
                         lie{0xffffffff,
                             "a sub-entry declares a size above "
                             "max_sub_entry_bytes"},
                         lie{cap,
                             "a sub-entry declares a size that its data can't "
                             "have"}}) {
      fake::chunk_parts parts = {.first_offset = offset};
      fake::chunk_add(parts, "before");
      fake::chunk_add_packed(parts, compression, 5, l.declared, bytes_of("ten bytes."));
      fake::chunk_add(parts, "behind");
      log.messages.clear();
      log.entry_errors.clear();
      deliver(parts);
      ASSERT_TRUE(finished(++chunks));
      std::string o = std::to_string(offset), n = std::to_string(offset + 6);
      EXPECT_EQ(log.messages, o + "=before " + n + "=behind");
      EXPECT_EQ(log.entry_errors, std::to_string(offset + 1) + "+5 ");
      EXPECT_EQ(log.entry_text, l.text) << int{compression};
      offset += 7;
    }
  }
  EXPECT_LT(largest_block, mib);
}

TEST_P(scenario_30, more_messages_than_the_declared_size_can_hold_sets_nothing_aside) {
  consumer_log &log = opened();
  largest_block = 0;
  fake::chunk_parts parts = {.first_offset = 10};
  fake::chunk_add_packed(parts, gzip, 65535, 65535 * 4 - 1, bomb_of(1));
  fake::chunk_add(parts, "behind");
  deliver(parts);
  ASSERT_TRUE(finished(1));
  EXPECT_EQ(log.messages, "65545=behind");
  EXPECT_EQ(log.entry_errors, "10+65535 ");
  EXPECT_EQ(log.entry_text, "a sub-entry declares more messages than its size can hold");
  EXPECT_LT(largest_block, mib);
}
