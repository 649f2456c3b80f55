// Sub-entries as producers make them: how messages are gathered, what the broker gets,
// and whose outcome is whose.
#include "client/env.h"
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using fake::byte_vector;
using wire::key;

namespace {

struct sub_entry : fake_client {
  producer_log *log = nullptr;
  rstream_producer *p = nullptr;
  std::string entries;  // of all Publish frames: "gzip 3@3:a,b,c 1@4:d | " ...

  void open(rstream_producer_options o) {
    fake::on_frame(node(), key::publish, [this](fake::peer &, const fake::frame &fr) {
      note(fr);
      return fake::verdict::pass;
    });
    p = open_producer(*log, o);
  }
  rstream_producer_options batches_of(uint32_t n, rstream_compression compression) {
    if (!env) create();
    log = &new_producer_log();
    rstream_producer_options o = log->options();
    o.sub_entry_messages = n;
    o.compression = compression;
    return o;
  }

  void note(const fake::frame &fr) {
    wire::publish frame;
    ASSERT_TRUE(fake::decoded(fr, frame));
    wire::publish_entry entry;
    while (frame.entries.next(entry)) note(entry);
    entries += "| ";
  }
  void note(const wire::publish_entry &entry) {
    std::vector<uint8_t> records(entry.uncompressed_bytes);
    if (!entry.is_sub_batch) {
      entries += "plain@" + std::to_string(entry.id) + ':' + text_of(entry.body) + ' ';
      return;
    }
    if (entry.compression == 0) {
      records.assign(entry.body.begin(), entry.body.end());
    } else {
      ASSERT_EQ(compression_unpack(*set(), entry.compression, entry.body, records),
                unpack_result::done);
    }
    entries += std::to_string(entry.compression) + ':' +
               std::to_string(entry.record_count) + '@' + std::to_string(entry.id);
    wire::reader r = wire::reader_of(records);
    for (char before = ':'; r.left() > 0; before = ',') {
      uint32_t size = r.u32();
      wire::bytes body = r.take(size);
      entries += before;
      entries += size > 20 ? std::to_string(size) + "B" : text_of(body);
    }
    EXPECT_FALSE(r.failed);
    entries += ' ';
  }
  compression_set *set() const { return env->compression; }

  void send_all(std::initializer_list<const char *> bodies) {
    for (const char *body : bodies) send(p, body);
  }
  bool wait_for(size_t outcomes) {
    return run_until([&] { return log->outcomes.size() >= outcomes; });
  }
  rstream_producer_stats producer_stats() const {
    rstream_producer_stats s;
    s.struct_size = sizeof s;
    rstream_producer_stats_get(p, &s);
    return s;
  }
  void expect_idle() {
    EXPECT_EQ(producer_stats().messages_in_flight, 0u);
    EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
    EXPECT_EQ(producer_stats().unknown_confirms, 0u);
  }
};

}  // namespace

TEST_F(sub_entry, messages_are_gathered_up_to_the_number_asked_for) {
  open(batches_of(3, RSTREAM_COMPRESSION_NONE));
  send_all({"a", "b", "c", "d", "e", "f", "g"});
  ASSERT_TRUE(wait_for(7));
  EXPECT_EQ(entries, "0:3@3:a,b,c 0:3@6:d,e,f 0:1@7:g | ");
  EXPECT_EQ(log->summary(), "1:0 2:0 3:0 4:0 5:0 6:0 7:0");
  EXPECT_EQ(stored(), "0=a 1=b 2=c 3=d 4=e 5=f 6=g");
  expect_idle();
}

TEST_F(sub_entry, gzip_packs_them) {
  open(batches_of(3, RSTREAM_COMPRESSION_GZIP));
  send_all({"a", "", "c", "d"});
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(entries, "1:3@3:a,,c 1:1@4:d | ");
  expect_idle();
}

// Snappy's library asks for more than twice the bytes.
TEST_F(sub_entry, a_compression_that_may_need_much_room_still_packs_many) {
  rstream_producer_options o = batches_of(50, static_cast<rstream_compression>(5));
  rstream_compressor c;
  rstream_compressor_init(&c);
  c.compression = 5;
  c.bound = [](size_t size, void *) { return 3 * size + 100; };
  c.compress = [](const uint8_t *raw, size_t size, uint8_t *to, size_t, void *) {
    memcpy(to, raw, size);
    return static_cast<ptrdiff_t>(size);
  };
  c.decompress = c.compress;
  ASSERT_EQ(rstream_env_register_compressor(env, &c), 0);
  cluster().options.verify_entries = false;
  open(o);
  for (int i = 0; i < 100; i++) send(p, "x");
  ASSERT_TRUE(wait_for(100));
  EXPECT_EQ(entries.substr(0, 7), "5:50@50");
  EXPECT_EQ(std::count(entries.begin(), entries.end(), '@'), 2);
  expect_idle();
}

namespace {

// What can't be made smaller: everything takes twice its bytes, or is given up.
struct doubling {
  static size_t bound(size_t size, void *) { return 2 * size; }
  static ptrdiff_t compress(const uint8_t *raw, size_t size, uint8_t *to, size_t room,
                            void *) {
    if (room < 2 * size) return -1;
    memcpy(to, raw, size);
    memset(to + size, 0, size);
    return static_cast<ptrdiff_t>(2 * size);
  }
  static ptrdiff_t decompress(const uint8_t *packed, size_t size, uint8_t *to, size_t,
                              void *) {
    memcpy(to, packed, size / 2);
    return static_cast<ptrdiff_t>(size / 2);
  }
};

struct incompressible : sub_entry {
  static constexpr auto doubled = static_cast<rstream_compression>(5);

  void open_doubling() {
    options.max_frame_bytes = 2000;
    cluster().options.verify_entries = false;
    rstream_producer_options o = batches_of(1000, doubled);
    rstream_compressor c;
    rstream_compressor_init(&c);
    c.compression = doubled;
    c.bound = doubling::bound;
    c.compress = doubling::compress;
    c.decompress = doubling::decompress;
    ASSERT_EQ(rstream_env_register_compressor(env, &c), 0);
    open(o);
  }
};

}  // namespace

// A sub-entry ends where the next message might not fit the frame any more.
TEST_F(incompressible, messages_are_gathered_as_far_as_the_worst_case_fits) {
  open_doubling();
  for (int i = 0; i < 60; i++) send(p, std::string(96, 'x'));
  ASSERT_TRUE(wait_for(60));
  EXPECT_EQ(entries.find(" 0:"), std::string::npos) << "one was not packed: " << entries;
  EXPECT_NE(entries.find("5:9@9:"), std::string::npos) << entries;
  EXPECT_EQ(log->summary().find('-'), std::string::npos);
  expect_idle();
}

// An array that would only fit as it is, is sent as it is.
TEST_F(incompressible, an_array_that_fits_as_it_is_is_sent_so) {
  open_doubling();
  std::string body(96, 'x');
  rstream_message messages[20];
  for (rstream_message &m : messages) {
    rstream_message_init(&m);
    m.body = body.data();
    m.body_size = body.size();
  }
  uint64_t first = 0;
  ASSERT_EQ(rstream_producer_send_sub_entry(p, messages, 15, doubled, &first), 0)
      << rstream_env_error_text(env);
  ASSERT_TRUE(wait_for(15));
  EXPECT_EQ(entries.substr(0, 8), "0:15@15:") << entries;
  EXPECT_EQ(invoices().next_offset, 15u);
  ASSERT_EQ(rstream_producer_send_sub_entry(p, messages, 5, doubled, &first), 0);
  ASSERT_TRUE(wait_for(20));
  EXPECT_NE(entries.find("5:5@20:"), std::string::npos) << "where both fit, it is packed";
  EXPECT_EQ(rstream_producer_send_sub_entry(p, messages, 20, doubled, &first),
            RSTREAM_EMSGSIZE);
  expect_idle();
}

TEST_F(sub_entry, a_message_larger_than_a_slab_gets_room) {
  open(batches_of(3, RSTREAM_COMPRESSION_GZIP));
  std::string large(300000, 'x');
  send(p, "a");
  send(p, large);
  send(p, "b");
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(entries, "1:1@1:a | 1:2@3:300000B,b | ");
  expect_idle();
}

// Outcomes are told in pieces that are no multiple of it.
TEST_F(sub_entry, each_message_of_large_ones_has_its_outcome) {
  constexpr size_t count = 5 * 700 + 1;
  open(batches_of(700, RSTREAM_COMPRESSION_NONE));
  for (size_t i = 0; i < count; i++) send(p, "x");
  ASSERT_TRUE(wait_for(count));
  ASSERT_EQ(log->outcomes.size(), count);
  for (size_t i = 0; i < count; i++) {
    ASSERT_EQ(log->outcomes[i].id, i + 1);
    ASSERT_EQ(log->outcomes[i].status, 0);
  }
  expect_idle();
}

TEST_F(sub_entry, one_refusal_is_the_outcome_of_all_its_messages) {
  open(batches_of(2, RSTREAM_COMPRESSION_NONE));
  fake::script_next(node());
  fake::peer &peer = publishing_peer();
  fake::on_frame(peer, key::publish, [](fake::peer &from, const fake::frame &) {
    static constexpr wire::failed_id failed[] = {{4, 17}};
    static constexpr uint64_t confirmed[] = {2, 1, 5};
    byte_vector answer =
        fake::join({fake::frame_of(wire::publish_error{0, {failed}}),
                    fake::frame_of(wire::publish_confirm{0, {confirmed}})});
    fake::peer_send(from, answer);
    return fake::verdict::handled;
  });
  send_all({"a", "b", "c", "d", "e"});
  ASSERT_TRUE(wait_for(5));
  EXPECT_EQ(log->summary(), "3:-21017 4:-21017 1:0 2:0 5:0");
  EXPECT_EQ(producer_stats().unknown_confirms, 1u) << "id 1 is no entry's";
}
