// The in-memory broker by its frames alone: no sockets, a clock set by hand.
#include <gtest/gtest.h>

#include "codec/crc32.h"
#include "fake/broker.h"
#include "fake/script.h"
#include "fake_net.h"
#include "hex.h"

namespace rstream::fake {
namespace {

using wire::key;
using wire::raw;
using wire::response;

// What a client would see of one connection.
struct fake_link {
  peer *p = nullptr;
  byte_vector got;
  int sends = 0;
  bool closed = false;
  bool reset = false;
  bool paused = false;

  static fake_link *of(void *carrier) { return static_cast<fake_link *>(carrier); }
  static void add(fake_link *l, wire::bytes bytes) {
    ASSERT_FALSE(l->closed || l->reset);
    l->got.insert(l->got.end(), bytes.begin(), bytes.end());
    l->sends++;
  }
  static constexpr peer_io io = {
      [](void *carrier, wire::bytes bytes) { add(of(carrier), bytes); },
      [](void *carrier, blob *, wire::bytes bytes) { add(of(carrier), bytes); },
      [](void *carrier) { of(carrier)->closed = true; },
      [](void *carrier) { of(carrier)->reset = true; },
      [](void *carrier, bool paused) { of(carrier)->paused = paused; }};

  bool over() const { return closed || reset; }
  bool silent() const { return got.empty(); }
  uint16_t next_key() const {
    return got.size() < 8 ? uint16_t{0} : wire::load_u16be(&got[4]);
  }

  // The next frame, whole; empty when there is none.
  byte_vector take() {
    if (got.size() < 8) return {};
    size_t size = 4 + wire::load_u32be(got.data());
    byte_vector one(got.begin(), got.begin() + static_cast<ptrdiff_t>(size));
    got.erase(got.begin(), got.begin() + static_cast<ptrdiff_t>(size));
    return one;
  }
};

// A frame taken off a link, decoded; views point into `bytes`.
template <class X>
struct taken {
  byte_vector bytes;
  X x{};
  X *operator->() { return &x; }
};

struct fake_broker : testing::Test {
  test::fake_net world;
  fake::cluster c{world.base};
  std::vector<std::unique_ptr<fake_link>> links;

  void TearDown() override {
    for (auto &l : links) {
      if (l->p) peer_gone(l->p);
    }
  }

  fake_link &connect(int node_index = 0) {
    links.push_back(std::make_unique<fake_link>());
    fake_link &l = *links.back();
    l.p = peer_open(node(c, node_index), fake_link::io, &l);
    return l;
  }
  void gone(fake_link &l) {
    peer_gone(l.p);
    l.p = nullptr;
  }
  template <class X, class... Key>
  void send(fake_link &l, const X &x, Key... k) {
    peer_received(l.p, frame_of(x, k...));
  }
  void send_hex(fake_link &l, const char *hex) {
    peer_received(l.p, test::from_hex(hex));
  }

  template <class X>
  taken<X> get(fake_link &l, uint16_t frame_key) {
    taken<X> t;
    t.bytes = l.take();
    if (t.bytes.empty()) {
      ADD_FAILURE() << "nothing came, wanted " << wire::command_name(frame_key);
      return t;
    }
    EXPECT_EQ(wire::load_u16be(&t.bytes[4]), frame_key);
    wire::reader r = wire::reader_of(wire::bytes(t.bytes).subspan(8));
    if constexpr (requires { t.x.version; }) t.x.version = wire::load_u16be(&t.bytes[6]);
    EXPECT_TRUE(decode(r, t.x)) << test::to_hex(t.bytes);
    return t;
  }
  template <class X>
  taken<X> answer(fake_link &l, key k) {
    return get<X>(l, response_key(k));
  }
  response code(fake_link &l, key k) {
    return static_cast<response>(answer<wire::response_frame>(l, k)->code);
  }

  void shake_hands(fake_link &l, uint32_t heartbeat_s = 0) {
    send(l, wire::peer_properties{1, {}});
    answer<wire::peer_properties_response>(l, key::peer_properties);
    send(l, wire::sasl_handshake{2});
    answer<wire::sasl_handshake_response>(l, key::sasl_handshake);
    send(l, plain("guest", "guest"));
    EXPECT_EQ(code(l, key::sasl_authenticate), response::ok);
    get<wire::tune>(l, raw(key::tune));
    send(l, wire::tune_response{1048576, heartbeat_s});
    send(l, wire::open{4, "/"});
    answer<wire::open_response>(l, key::open);
  }
  fake_link &open(int node_index = 0) {
    fake_link &l = connect(node_index);
    shake_hands(l);
    return l;
  }
  wire::sasl_authenticate plain(const char *name, const char *password) {
    secret = std::string(1, '\0') + name + std::string(1, '\0') + password;
    return {3, "PLAIN", test::bytes_of(secret)};
  }
  std::string secret;

  void declare(fake_link &l, uint8_t id, const char *reference = "",
               const char *name = "s") {
    send(l, wire::declare_publisher{7, id, reference, name});
    EXPECT_EQ(code(l, key::declare_publisher), response::ok);
  }
  void publish(fake_link &l, uint8_t id, std::vector<uint64_t> ids,
               const char *body = "hi", const char *filter = nullptr) {
    std::vector<wire::publish_entry> entries;
    for (uint64_t i : ids) {
      wire::publish_entry e = {.id = i, .body = test::bytes_of(body)};
      if (filter) e.filter = filter;
      entries.push_back(e);
    }
    uint16_t version = filter ? 2 : 1;
    wire::publish_entries list = {.items = entries, .version = version};
    send(l, wire::publish{id, version, list});
  }
  std::vector<uint64_t> confirmed(fake_link &l) {
    std::vector<uint64_t> ids;
    auto t = get<wire::publish_confirm>(l, raw(key::publish_confirm));
    wire::seq_iter<uint64_t> it(t->ids);
    uint64_t id;
    while (it.next(id)) ids.push_back(id);
    return ids;
  }
  void subscribe(fake_link &l, uint8_t id, wire::offset_spec spec, uint16_t credit = 10,
                 std::vector<wire::property> properties = {}, const char *name = "s") {
    send(l, wire::subscribe{8, id, name, spec, credit, {properties}});
    EXPECT_EQ(code(l, key::subscribe), response::ok);
  }
  // The bodies of a chunk with their offsets; its CRC is looked at.
  std::string delivered(fake_link &l) {
    auto t = get<wire::deliver>(l, raw(key::deliver));
    chunk_header h;
    wire::bytes entries;
    if (!chunk_parse(t->chunk, h, entries)) return "malformed";
    if (!chunk_crc_matches(h, entries)) return "wrong CRC";
    EXPECT_EQ(t->chunk.size(), chunk_header_bytes + h.data_bytes);
    std::string text;
    chunk_cursor cursor = chunk_cursor_of(h, entries);
    chunk_record record;
    chunk_gap gap;
    while (chunk_next(cursor, record, gap) == chunk_step::record) {
      text += std::to_string(record.offset) + '=' +
              test::text_of({record.data, record.size}) + ' ';
    }
    return text;
  }
  void append(stream &s, const char *body, const char *filter = "") {
    stream_append(s, test::bytes_of(body), filter);
  }
};

// ---- the connection

TEST_F(fake_broker, shakes_hands_in_order) {
  c.options.version = "4.0.5";
  fake_link &l = connect();
  send(l, wire::peer_properties{1, {}});
  auto properties = answer<wire::peer_properties_response>(l, key::peer_properties);
  std::string version;
  wire::seq_iter<wire::property> it(properties->properties);
  for (wire::property item; it.next(item);) {
    if (item.key == "version") version = item.value;
  }
  EXPECT_EQ(version, "4.0.5");
  send(l, wire::sasl_handshake{2});
  answer<wire::sasl_handshake_response>(l, key::sasl_handshake);
  send(l, plain("guest", "guest"));
  EXPECT_EQ(code(l, key::sasl_authenticate), response::ok);
  auto tune = get<wire::tune>(l, raw(key::tune));
  EXPECT_EQ(tune->frame_max, 1048576u);
  send(l, wire::tune_response{4096, 7});
  send(l, wire::open{4, "/"});
  auto opened = answer<wire::open_response>(l, key::open);
  EXPECT_EQ(opened->properties.size(), 2u);
  EXPECT_EQ(l.p->frame_max, 4096u);
  EXPECT_EQ(l.p->heartbeat_s, 7u);
  EXPECT_TRUE(l.silent());
}

TEST_F(fake_broker, ends_a_connection_that_skips_a_step) {
  fake_link &l = connect();
  send(l, wire::sasl_handshake{2});
  EXPECT_TRUE(l.closed);
  EXPECT_TRUE(l.silent());
  fake_link &other = connect();
  send(other, wire::peer_properties{1, {}});
  send(other, wire::open{2, "/"});
  EXPECT_TRUE(other.closed);
}

TEST_F(fake_broker, takes_frames_cut_at_every_byte) {
  byte_vector all =
      join({frame_of(wire::peer_properties{1, {}}), frame_of(wire::sasl_handshake{2}),
            frame_of(plain("guest", "guest")), frame_of(wire::tune_response{0, 0}),
            frame_of(wire::open{4, "/"}), frame_of(wire::create_stream{5, "cut", {}})});
  for (size_t cut = 1; cut < all.size(); cut++) {
    fake_link &l = connect();
    peer_received(l.p, wire::bytes(all).first(cut));
    peer_received(l.p, wire::bytes(all).subspan(cut));
    EXPECT_EQ(l.p->state, peer_state::ready) << cut;
    EXPECT_NE(stream_find(c, "cut"), nullptr) << cut;
    stream_delete(c, "cut");
  }
}

TEST_F(fake_broker, holds_a_wrong_password_back_for_three_seconds) {
  fake_link &l = connect();
  send(l, wire::peer_properties{1, {}});
  send(l, wire::sasl_handshake{2});
  l.got.clear();
  send(l, plain("guest", "wrong"));
  world.advance(2999);
  EXPECT_TRUE(l.silent());
  world.advance(1);
  EXPECT_EQ(code(l, key::sasl_authenticate), response::authentication_failure);
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, refuses_an_unknown_vhost_and_an_unknown_mechanism) {
  fake_link &l = connect();
  send(l, wire::peer_properties{1, {}});
  send(l, wire::sasl_handshake{2});
  l.got.clear();
  send(l, wire::sasl_authenticate{3, "SCRAM", {}});
  EXPECT_EQ(code(l, key::sasl_authenticate), response::sasl_mechanism_not_supported);
  EXPECT_TRUE(l.closed);

  fake_link &other = connect();
  send(other, wire::peer_properties{1, {}});
  send(other, wire::sasl_handshake{2});
  send(other, plain("guest", "guest"));
  send(other, wire::tune_response{0, 0});
  other.got.clear();
  send(other, wire::open{4, "nowhere"});
  world.advance(3000);
  EXPECT_EQ(code(other, key::open), response::virtual_host_access_failure);
  EXPECT_TRUE(other.closed);
}

TEST_F(fake_broker, drops_a_handshake_that_stands_still) {
  fake_link &l = connect();
  send(l, wire::peer_properties{1, {}});
  world.advance(9999);
  EXPECT_FALSE(l.closed);
  world.advance(1);
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, answers_an_unknown_frame_with_close_13) {
  fake_link &l = open();
  send_hex(l, "00000004 0063 0001");
  auto close = get<wire::close_request>(l, raw(key::close));
  EXPECT_EQ(close->correlation_id, 1u);
  EXPECT_EQ(close->code, raw(response::unknown_frame));
  EXPECT_FALSE(l.closed);
  send(l, wire::close_response{1, 1});
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, a_null_name_is_an_unknown_frame) {
  stream_create(c, "s");
  fake_link &l = open();
  send_hex(l, "0000000e 0001 0001 00000007 00 ffff 0001 73");
  EXPECT_EQ(get<wire::close_request>(l, raw(key::close))->code,
            raw(response::unknown_frame));
  EXPECT_EQ(totals(c).refused, 1u);
}

TEST_F(fake_broker, a_frame_above_the_limit_gets_close_14_from_4_3_5_on) {
  fake_link &l = open();
  byte_vector large = raw_frame(raw(key::publish), 1, byte_vector(1048577));
  peer_received(l.p, wire::bytes(large).first(100));
  EXPECT_EQ(get<wire::close_request>(l, raw(key::close))->code,
            raw(response::frame_too_large));
  peer_received(l.p, wire::bytes(large).subspan(100));
  EXPECT_FALSE(l.closed);
  world.advance(10000);
  EXPECT_TRUE(l.closed);
  EXPECT_EQ(totals(c).refused, 1u);

  c.options.version = "4.0.5";
  fake_link &older = open();
  stream_create(c, "s");
  declare(older, 0);
  std::string body(1500000, 'x');
  publish(older, 0, {1}, body.c_str());
  EXPECT_EQ(confirmed(older), std::vector<uint64_t>{1});
}

TEST_F(fake_broker, a_large_frame_before_open_drops_the_connection) {
  fake_link &l = connect();
  send_hex(l, "00002400 0011 0001");
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, exchanges_command_versions) {
  fake_link &l = open();
  wire::version_range mine[] = {{8, 1, 2}};
  send(l, wire::command_versions{5, {mine}});
  auto t = answer<wire::command_versions_response>(l, key::exchange_command_versions);
  std::map<uint16_t, uint16_t> theirs;
  wire::seq_iter<wire::version_range> it(t->commands);
  for (wire::version_range v; it.next(v);) theirs[v.key] = v.max;
  EXPECT_EQ(theirs[2], 2);
  EXPECT_EQ(theirs[31], 1);
  EXPECT_EQ(theirs.count(8), 0u);
  EXPECT_EQ(l.p->deliver_version, 2);

  wire::version_range more[] = {{8, 1, 3}};
  send(l, wire::command_versions{6, {more}});
  EXPECT_EQ(l.p->deliver_version, 1);
  wire::version_range unknown[] = {{99, 1, 1}};
  send(l, wire::command_versions{7, {unknown}});
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, an_older_version_knows_less) {
  c.options.version = "4.0.5";
  fake_link &l = open();
  wire::version_range resolve[] = {{31, 1, 1}};
  send(l, wire::command_versions{5, {resolve}});
  EXPECT_TRUE(l.closed);

  c.options.version = "3.10";
  fake_link &oldest = open();
  send(oldest, wire::command_versions{5, {}});
  EXPECT_EQ(get<wire::close_request>(oldest, raw(key::close))->code, 13);
}

TEST_F(fake_broker, sends_heartbeats_and_ends_a_silent_client) {
  fake_link &l = connect();
  shake_hands(l, 2);
  world.advance(1000);  // wrote just before
  world.advance(1000);
  get<wire::heartbeat>(l, raw(key::heartbeat));
  send(l, wire::heartbeat{});
  for (int i = 0; i < 4; i++) world.advance(1000);
  EXPECT_FALSE(l.closed);
  world.advance(1000);
  EXPECT_TRUE(l.closed);
  EXPECT_EQ(totals(c).heartbeat_losses, 1u);
}

TEST_F(fake_broker, closes_after_answering_close) {
  fake_link &l = open();
  send(l, wire::close_request{9, 1, "OK"});
  EXPECT_EQ(code(l, key::close), response::ok);
  EXPECT_TRUE(l.closed);
}

// ---- streams

TEST_F(fake_broker, creates_and_deletes) {
  fake_link &l = open();
  wire::property age[] = {{"max-age", "6h"}};
  send(l, wire::create_stream{1, "s", {age}});
  EXPECT_EQ(code(l, key::create), response::ok);
  send(l, wire::create_stream{2, "s", {age}});
  EXPECT_EQ(code(l, key::create), response::stream_already_exists);
  send(l, wire::create_stream{3, "s", {}});
  EXPECT_EQ(code(l, key::create), response::precondition_failed);
  wire::property wrong[] = {{"max-age", "6x"}};
  send(l, wire::create_stream{4, "t", {wrong}});
  EXPECT_EQ(code(l, key::create), response::precondition_failed);
  wire::property ignored[] = {{"x-anything", "at all"}};
  send(l, wire::create_stream{5, "t", {ignored}});
  EXPECT_EQ(code(l, key::create), response::ok);

  declare(l, 3);
  fake_link &other = open();
  subscribe(other, 4, wire::offset_first());
  send(l, wire::delete_stream{6, "s"});
  EXPECT_EQ(code(l, key::delete_stream), response::ok);
  EXPECT_EQ(get<wire::metadata_update>(l, raw(key::metadata_update))->stream, "s");
  EXPECT_EQ(get<wire::metadata_update>(other, raw(key::metadata_update))->code, 6);
  send(l, wire::delete_stream{7, "s"});
  EXPECT_EQ(code(l, key::delete_stream), response::stream_does_not_exist);
  EXPECT_FALSE(l.p->publishers[3]);
  EXPECT_FALSE(other.p->subscriptions[4]);
}

TEST_F(fake_broker, tells_where_streams_are) {
  c.options.settle_ms = 200;
  fake_link &l = open();
  send(l, wire::create_stream{1, "s", {}});
  code(l, key::create);
  std::string_view names[] = {"s", "nope"};
  auto ask = [&] {
    send(l, wire::metadata{2, {names}});
    auto t = answer<wire::metadata_response>(l, key::metadata);
    std::string text = std::to_string(t->brokers.size()) + " brokers";
    wire::seq_iter<wire::stream_info> it(t->streams);
    for (wire::stream_info info; it.next(info);) {
      text += ' ' + std::string(info.stream) + ' ' + std::to_string(info.code) + ' ' +
              std::to_string(info.leader);
    }
    return text;
  };
  EXPECT_EQ(ask(), "1 brokers s 1 65535 nope 2 65535");
  world.advance(200);
  EXPECT_EQ(ask(), "1 brokers s 1 0 nope 2 65535");
}

TEST_F(fake_broker, tells_statistics) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  auto ask = [&] {
    send(l, wire::stream_stats{2, "s"});
    auto t = answer<wire::stream_stats_response>(l, key::stream_stats);
    std::string text;
    wire::seq_iter<wire::stat> it(t->stats);
    for (wire::stat item; it.next(item);) {
      text += std::string(item.name) + ' ' + std::to_string(item.value) + ' ';
    }
    return text;
  };
  EXPECT_EQ(ask(),
            "first_chunk_id -1 last_chunk_id -1 committed_chunk_id -1 "
            "committed_offset -1 ");
  append(s, "a");
  append(s, "b");
  EXPECT_EQ(ask(),
            "first_chunk_id 0 last_chunk_id 1 committed_chunk_id 1 committed_offset 1 ");
}

TEST_F(fake_broker, has_super_streams) {
  fake_link &l = open();
  std::string_view partitions[] = {"p-1", "p-0"};
  std::string_view keys[] = {"1", "0"};
  send(l, wire::create_super_stream{1, "p", {partitions}, {keys}, {}});
  EXPECT_EQ(code(l, key::create_super_stream), response::ok);
  send(l, wire::create_super_stream{2, "p", {partitions}, {keys}, {}});
  EXPECT_EQ(code(l, key::create_super_stream), response::stream_already_exists);
  send(l, wire::partitions{3, "p"});
  auto list = answer<wire::partitions_response>(l, key::partitions);
  wire::seq_iter<std::string_view> it(list->streams);
  std::string_view first;
  EXPECT_TRUE(it.next(first));
  EXPECT_EQ(first, "p-1");
  send(l, wire::route{4, "0", "p"});
  auto route = answer<wire::route_response>(l, key::route);
  wire::seq_iter<std::string_view> routed(route->streams);
  EXPECT_TRUE(routed.next(first));
  EXPECT_EQ(first, "p-0");
  send(l, wire::route{5, "9", "p"});
  EXPECT_TRUE(answer<wire::route_response>(l, key::route)->streams.empty());
  send(l, wire::delete_super_stream{6, "p"});
  EXPECT_EQ(code(l, key::delete_super_stream), response::ok);
  EXPECT_EQ(stream_find(c, "p-0"), nullptr);
  send(l, wire::partitions{7, "p"});
  EXPECT_EQ(answer<wire::partitions_response>(l, key::partitions)->code, 2);
}

// ---- publishing

TEST_F(fake_broker, refuses_publishers_as_the_protocol_says) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  auto declare_code = [&](uint8_t id, std::string_view reference, const char *name) {
    send(l, wire::declare_publisher{7, id, reference, name});
    return code(l, key::declare_publisher);
  };
  EXPECT_EQ(declare_code(0, "", "nope"), response::stream_does_not_exist);
  EXPECT_EQ(declare_code(0, "r", "s"), response::ok);
  EXPECT_EQ(declare_code(0, "", "s"), response::precondition_failed);
  EXPECT_EQ(declare_code(1, "r", "s"), response::precondition_failed);
  EXPECT_EQ(declare_code(1, std::string(256, 'r'), "s"), response::precondition_failed);
  cluster_set_alarm(c, true);
  fake_link &alarmed = open();
  send(alarmed, wire::declare_publisher{7, 0, "", "s"});
  EXPECT_EQ(code(alarmed, key::declare_publisher), response::precondition_failed);
  EXPECT_TRUE(l.paused);
  cluster_set_alarm(c, false);
  EXPECT_FALSE(l.paused);
  stream_lose_leader(s);
  l.got.clear();
  EXPECT_EQ(declare_code(5, "", "s"), response::stream_not_available);
  c.users["guest"].write = false;
  EXPECT_EQ(declare_code(5, "", "s"), response::access_refused);
  send(l, wire::delete_publisher{8, 9});
  EXPECT_EQ(code(l, key::delete_publisher), response::publisher_does_not_exist);
}

TEST_F(fake_broker, stores_and_confirms) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 4);
  publish(l, 4, {7, 8, 1});
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{7, 8, 1}));
  EXPECT_EQ(s.next_offset, 3u);
  std::string text;
  stream_each(s, [&](uint64_t offset, wire::bytes body) {
    text += std::to_string(offset) + test::text_of(body) + ' ';
  });
  EXPECT_EQ(text, "0hi 1hi 2hi ");
}

TEST_F(fake_broker, frames_that_arrive_together_share_a_chunk_and_a_confirm) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 4);
  byte_vector one =
      test::from_hex("0000001a 0002 0001 04 00000001 0000000000000005 00000003 616263");
  one[3] = static_cast<uint8_t>(one.size() - 4);
  peer_received(l.p, join({one, one}));
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{5, 5}));
  EXPECT_EQ(s.log.size(), 1u);
  EXPECT_TRUE(l.silent());
}

TEST_F(fake_broker, bodies_of_all_sizes_come_out_as_they_went_in) {
  c.options.max_chunk_bytes = 4000;
  c.options.segment_bytes = 10000;
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  std::vector<std::string> bodies;
  std::vector<wire::publish_entry> entries;
  for (size_t i = 0; i < 300; i++)
    bodies.emplace_back(i * 7 % 290, static_cast<char>('a' + i % 26));
  for (size_t i = 0; i < 300; i++)
    entries.push_back({.id = i, .body = test::bytes_of(bodies[i])});
  for (int round = 0; round < 3; round++) {
    send(l, wire::publish{0, 1, {.items = entries}});
  }
  size_t at = 0;
  stream_each(s, [&](uint64_t offset, wire::bytes body) {
    EXPECT_EQ(offset, at);
    EXPECT_EQ(test::text_of(body), bodies[at++ % 300]);
  });
  EXPECT_EQ(at, 900u);
  EXPECT_GT(s.log.size(), 20u);
  EXPECT_EQ(totals(c).confirms, 900u);
  for (const chunk &ch : s.log) {
    EXPECT_EQ(wire::load_u32be(ch.header + 32), crc32_of({ch.data, ch.data_bytes}));
  }
}

TEST_F(fake_broker, cuts_chunks_at_their_largest_number_of_entries) {
  c.options.max_chunk_entries = 10;
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  std::vector<uint64_t> ids(25);
  for (size_t i = 0; i < 25; i++) ids[i] = i;
  publish(l, 0, ids);
  ASSERT_EQ(s.log.size(), 3u);
  EXPECT_EQ(s.log[2].records, 5u);
  EXPECT_EQ(totals(c).confirms, 25u);
}

TEST_F(fake_broker, confirms_a_repeated_id_of_a_name_without_storing_it) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0, "ref");
  publish(l, 0, {0, 5});
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{0, 5}));
  publish(l, 0, {3, 5, 6});
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{3, 5, 6}));
  publish(l, 0, {6});
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{6}));
  EXPECT_EQ(s.next_offset, 3u);
  EXPECT_EQ(totals(c).duplicates, 3u);

  send(l, wire::query_sequence{1, "ref", "s"});
  EXPECT_EQ(
      answer<wire::query_sequence_response>(l, key::query_publisher_sequence)->sequence,
      6u);
  send(l, wire::query_sequence{1, "fresh", "s"});
  EXPECT_EQ(
      answer<wire::query_sequence_response>(l, key::query_publisher_sequence)->sequence,
      0u);
}

TEST_F(fake_broker, refuses_ids_of_an_unknown_publisher_with_18) {
  fake_link &l = open();
  publish(l, 9, {4, 5});
  auto t = get<wire::publish_error>(l, raw(key::publish_error));
  wire::seq_iter<wire::failed_id> it(t->ids);
  wire::failed_id id;
  ASSERT_TRUE(it.next(id));
  EXPECT_EQ(id.id, 4u);
  EXPECT_EQ(id.code, 18);
}

TEST_F(fake_broker, takes_sub_batches_and_refuses_wrong_ones_with_all_behind) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  byte_vector two = test::from_hex("0000000161 000000026262");
  wire::publish_entry batch = {.id = 2,
                               .body = two,
                               .is_sub_batch = true,
                               .record_count = 2,
                               .uncompressed_bytes = 11};
  wire::publish_entry simple = {.id = 1, .body = test::bytes_of("x")};
  wire::publish_entry mixed[] = {simple, batch};
  send(l, wire::publish{0, 1, {.items = mixed}});
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(s.next_offset, 3u);
  EXPECT_EQ(s.log[0].entries, 2);

  wire::publish_entry wrong = batch;
  wrong.record_count = 0;
  wire::publish_entry after[] = {simple, wrong, simple};
  send(l, wire::publish{0, 1, {.items = after}});
  auto error = get<wire::publish_error>(l, raw(key::publish_error));
  EXPECT_EQ(error->ids.size(), 2u);
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{1}));
}

TEST_F(fake_broker, a_sub_batch_in_version_2_crashes_the_connection) {
  stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  send_hex(
      l,
      "00000023 0002 0002 00 00000001 0000000000000007 ffff 80 0002 0000000b 00000000"
      "0000000000");
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, filters_by_chunk) {
  stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  publish(l, 0, {1}, "emea", "emea");
  publish(l, 0, {2}, "none");
  publish(l, 0, {3}, "apac", "apac");
  fake_link &one = open();
  subscribe(one, 0, wire::offset_first(), 10, {{"filter.0", "apac"}});
  EXPECT_EQ(delivered(one), "2=apac ");
  EXPECT_TRUE(one.silent());
  fake_link &two = open();
  subscribe(two, 0, wire::offset_first(), 10,
            {{"filter.0", "emea"}, {"match-unfiltered", "true"}});
  EXPECT_EQ(delivered(two), "0=emea ");
  EXPECT_EQ(delivered(two), "1=none ");
  EXPECT_TRUE(two.silent());
}

TEST_F(fake_broker, commits_apart_from_appending) {
  stream &s = stream_create(c, "s");
  s.hold_commits = true;
  fake_link &l = open();
  declare(l, 0, "ref");
  subscribe(l, 1, wire::offset_first());
  publish(l, 0, {1});
  publish(l, 0, {2});
  EXPECT_TRUE(l.silent());
  stream_commit(s, 1);
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{1}));
  EXPECT_EQ(delivered(l), "0=hi ");
  EXPECT_TRUE(l.silent());
  stream_lose_leader(s);
  EXPECT_EQ(get<wire::metadata_update>(l, raw(key::metadata_update))->stream, "s");
  stream_elect(s, 0);
  declare(l, 0, "ref");
  send(l, wire::query_sequence{1, "ref", "s"});
  EXPECT_EQ(
      answer<wire::query_sequence_response>(l, key::query_publisher_sequence)->sequence,
      1u);
  publish(l, 0, {2});
  stream_commit(s);
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{2}));
  EXPECT_EQ(s.committed_offset, 2u);
  EXPECT_EQ(wire::load_u64be(s.log.back().header + 16), 2u);  // the new epoch
}

TEST_F(fake_broker, commits_after_a_random_time_if_asked) {
  c.options.commit_min_ms = 5;
  c.options.commit_max_ms = 9;
  stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  publish(l, 0, {1});
  world.advance(4);
  EXPECT_TRUE(l.silent());
  world.advance(5);
  EXPECT_EQ(confirmed(l), (std::vector<uint64_t>{1}));
}

TEST_F(fake_broker, stops_reading_with_too_much_unconfirmed) {
  c.options.max_unconfirmed = 10;
  stream &s = stream_create(c, "s");
  s.hold_commits = true;
  fake_link &l = open();
  declare(l, 0);
  publish(l, 0, std::vector<uint64_t>(11));
  EXPECT_TRUE(l.paused);
  send(l, wire::close_request{9, 1, "OK"});
  EXPECT_TRUE(l.silent());
  stream_commit(s);
  EXPECT_EQ(confirmed(l).size(), 11u);
  EXPECT_EQ(code(l, key::close), response::ok);
  EXPECT_TRUE(l.closed);
}

TEST_F(fake_broker, counts_without_keeping) {
  c.options.count_only = true;
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  declare(l, 0);
  for (uint64_t i = 0; i < 100; i++) publish(l, 0, {i});
  EXPECT_EQ(s.next_offset, 100u);
  EXPECT_EQ(s.committed_offset, 100u);
  EXPECT_TRUE(s.log.empty());
  EXPECT_EQ(totals(c).confirms, 100u);
  EXPECT_LT(s.used, 100u);
}

TEST_F(fake_broker, keeps_the_last_bytes_only) {
  c.options.retention_bytes = 60;
  stream &s = stream_create(c, "s");
  for (int i = 0; i < 50; i++) append(s, "0123456789");
  EXPECT_LE(s.log_bytes, 60u);
  fake_link &l = open();
  subscribe(l, 0, wire::offset_at(3));
  EXPECT_EQ(delivered(l), "46=0123456789 ");
}

TEST_F(fake_broker, keeps_what_a_subscription_has_yet_to_get_if_asked) {
  c.options.retention_bytes = 60;
  c.options.keep_unread = true;
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  subscribe(l, 0, wire::offset_next(), 2);
  for (int i = 0; i < 50; i++) append(s, "0123456789");
  EXPECT_EQ(delivered(l), "0=0123456789 ");
  EXPECT_TRUE(l.silent());
  EXPECT_EQ(s.first_chunk, 1u);
  send(l, wire::credit{0, 40});
  for (int i = 1; i < 42; i++) {
    EXPECT_EQ(delivered(l), std::to_string(i) + "=0123456789 ");
  }
  append(s, "0123456789");
  EXPECT_EQ(s.first_chunk, 42u);
}

TEST_F(fake_broker, appends_many_that_differ) {
  c.options.max_chunk_entries = 2;
  stream &s = stream_create(c, "s");
  stream_append_many(s, 5, 1, [](uint64_t index, uint8_t *body) {
    *body = static_cast<uint8_t>('a' + index);
  });
  fake_link &l = open();
  subscribe(l, 0, wire::offset_first());
  EXPECT_EQ(delivered(l), "0=a 1=b ");
  EXPECT_EQ(delivered(l), "2=c 3=d ");
  EXPECT_EQ(delivered(l), "4=e ");
}

// ---- consuming

TEST_F(fake_broker, subscribes_at_every_kind_of_offset) {
  stream &s = stream_create(c, "s");
  for (const char *body : {"a", "b", "c"}) {
    append(s, body);
    world.advance(1000);
  }
  int64_t began = c.options.epoch_ms + 1000;
  struct {
    wire::offset_spec spec;
    const char *first;
  } cases[] = {{wire::offset_first(), "0=a "},
               {wire::offset_last(), "2=c "},
               {wire::offset_next(), "3=d "},
               {wire::offset_at(1), "1=b "},
               {wire::offset_at(99), "3=d "},
               {wire::offset_timestamp(began + 1), "1=b "},
               {wire::offset_timestamp(0), "0=a "},
               {wire::offset_timestamp(began + 9999), "3=d "}};
  std::vector<fake_link *> opened;
  for (auto &one : cases) {
    fake_link &l = open();
    subscribe(l, 0, one.spec);
    opened.push_back(&l);
  }
  append(s, "d");
  for (size_t i = 0; i < opened.size(); i++) {
    EXPECT_EQ(delivered(*opened[i]), cases[i].first) << "case " << i;
  }
}

TEST_F(fake_broker, an_offset_inside_a_chunk_starts_with_the_whole_chunk) {
  stream &s = stream_create(c, "s");
  stream_fill(s, 20000, test::bytes_of("0123456789"));
  EXPECT_EQ(s.log.size(), 3u);
  fake_link &l = open();
  subscribe(l, 0, wire::offset_at(9000), 2);
  auto t = get<wire::deliver>(l, raw(key::deliver));
  chunk_header h;
  wire::bytes entries;
  ASSERT_TRUE(chunk_parse(t->chunk, h, entries));
  EXPECT_EQ(h.first_offset, 8192u);
  EXPECT_EQ(h.record_count, 8192u);
  EXPECT_TRUE(chunk_crc_matches(h, entries));
  t = get<wire::deliver>(l, raw(key::deliver));
  ASSERT_TRUE(chunk_parse(t->chunk, h, entries));
  EXPECT_EQ(h.first_offset, 16384u);
  EXPECT_EQ(h.record_count, 3616u);
  EXPECT_TRUE(chunk_crc_matches(h, entries));
}

TEST_F(fake_broker, a_stream_of_equal_sub_entries_has_whole_ones) {
  stream &s = stream_create(c, "s");
  const uint8_t sub_entry_of_two[] = {0x80, 0, 2, 0, 0,   0, 10, 0, 0, 0,  10,
                                      0,    0, 0, 1, 'a', 0, 0,  0, 1, 'b'};
  stream_fill_entries(s, 2 * 8192 + 1, sub_entry_of_two, 2);
  EXPECT_EQ(s.log.size(), 2u);
  EXPECT_EQ(s.next_offset, 2u * 8193);
  uint64_t seen = 0;
  stream_each(s, [&](uint64_t offset, wire::bytes body) {
    EXPECT_EQ(offset, seen++);
    ASSERT_EQ(body.size(), 1u);
    EXPECT_EQ(body[0], offset % 2 == 0 ? 'a' : 'b');
  });
  EXPECT_EQ(seen, 2u * 8193);
}

TEST_F(fake_broker, credit_follows_the_half_window_rule) {
  stream &s = stream_create(c, "s");
  for (int i = 0; i < 30; i++) append(s, "x");
  fake_link &l = open();
  subscribe(l, 1, wire::offset_first(), 10);
  auto chunks = [&] {
    int n = 0;
    while (!l.silent()) {
      delivered(l);
      n++;
    }
    return n;
  };
  EXPECT_EQ(chunks(), 10);
  for (int i = 0; i < 5; i++) {
    send(l, wire::credit{1, 1});
    EXPECT_EQ(chunks(), 0);
  }
  send(l, wire::credit{1, 1});
  EXPECT_EQ(chunks(), 6);
  send(l, wire::credit{7, 1});
  EXPECT_EQ(get<wire::credit_error>(l, response_key(key::credit))->code, 4);
}

TEST_F(fake_broker, delivers_in_the_version_asked_for) {
  stream &s = stream_create(c, "s");
  append(s, "a");
  append(s, "b");
  fake_link &l = open();
  wire::version_range mine[] = {{8, 1, 2}};
  send(l, wire::command_versions{5, {mine}});
  l.got.clear();
  subscribe(l, 1, wire::offset_first(), 1);
  auto t = get<wire::deliver>(l, raw(key::deliver));
  EXPECT_EQ(t->version, 2);
  EXPECT_EQ(t->committed_chunk_id, 1u);
}

TEST_F(fake_broker, the_header_tells_of_bytes_that_are_on_disk_only) {
  stream &s = stream_create(c, "s");
  append(s, "x", "filtered");
  fake_link &l = open();
  subscribe(l, 1, wire::offset_first());
  auto t = get<wire::deliver>(l, raw(key::deliver));
  EXPECT_EQ(t->chunk[44], 16);
  EXPECT_EQ(t->chunk.size(), chunk_header_bytes + 5);
}

TEST_F(fake_broker, refuses_subscriptions_as_the_protocol_says) {
  stream &s = stream_create(c, "s");
  fake_link &l = open();
  auto subscribe_code = [&](uint8_t id, const char *name,
                            std::vector<wire::property> properties = {}) {
    send(l, wire::subscribe{8, id, name, wire::offset_next(), 1, {properties}});
    return code(l, key::subscribe);
  };
  std::string long_name(256, 'n');
  EXPECT_EQ(subscribe_code(1, "nope"), response::stream_does_not_exist);
  EXPECT_EQ(subscribe_code(1, "s"), response::ok);
  EXPECT_EQ(subscribe_code(1, "s"), response::subscription_id_already_exists);
  EXPECT_EQ(subscribe_code(2, "s", {{"name", long_name}}), response::precondition_failed);
  EXPECT_EQ(subscribe_code(2, "s", {{"single-active-consumer", "true"}}),
            response::precondition_failed);
  s.leader = -1;
  EXPECT_EQ(subscribe_code(2, "s"), response::stream_not_available);
  s.leader = 0;
  c.users["guest"].read = false;
  EXPECT_EQ(subscribe_code(2, "s"), response::access_refused);
}

TEST_F(fake_broker, nothing_is_delivered_behind_the_answer_to_unsubscribe) {
  stream &s = stream_create(c, "s");
  append(s, "a");
  fake_link &l = open();
  subscribe(l, 1, wire::offset_first());
  send(l, wire::unsubscribe{3, 1});
  EXPECT_EQ(delivered(l), "0=a ");
  EXPECT_EQ(code(l, key::unsubscribe), response::ok);
  append(s, "b");
  EXPECT_TRUE(l.silent());
  send(l, wire::unsubscribe{4, 1});
  EXPECT_EQ(code(l, key::unsubscribe), response::subscription_id_does_not_exist);
}

TEST_F(fake_broker, stores_offsets_backwards_too) {
  stream_create(c, "s");
  fake_link &l = open();
  auto stored = [&] {
    send(l, wire::query_offset{1, "app", "s"});
    auto t = answer<wire::query_offset_response>(l, key::query_offset);
    return t->code == 1 ? static_cast<int64_t>(t->offset)
                        : -static_cast<int64_t>(t->code);
  };
  EXPECT_EQ(stored(), -19);
  send(l, wire::store_offset{"app", "s", 100});
  EXPECT_EQ(stored(), 100);
  send(l, wire::store_offset{"app", "s", 7});
  EXPECT_EQ(stored(), 7);
  EXPECT_TRUE(l.silent());
}

TEST_F(fake_broker, refuses_to_tell_offsets_and_sequences_as_the_protocol_says) {
  stream &s = stream_create(c, "s");
  s.offsets["app"] = 7;
  s.sequences["app"] = 8;
  fake_link &l = open();
  auto expect_code = [&](const char *name, response expected) {
    send(l, wire::query_offset{1, "app", name});
    auto offset = answer<wire::query_offset_response>(l, key::query_offset);
    EXPECT_EQ(offset->code, wire::raw(expected));
    send(l, wire::query_sequence{2, "app", name});
    auto sequence =
        answer<wire::query_sequence_response>(l, key::query_publisher_sequence);
    EXPECT_EQ(sequence->code, wire::raw(expected));
    bool told = expected == response::ok;
    EXPECT_EQ(offset->offset, told ? 7u : 0u);
    EXPECT_EQ(sequence->sequence, told ? 8u : 0u);
  };
  expect_code("s", response::ok);
  expect_code("nope", response::stream_does_not_exist);
  stream_lose_leader(s);
  expect_code("s", response::stream_not_available);
  c.users["guest"].read = false;
  expect_code("s", response::access_refused);
}

TEST_F(fake_broker, resolves_offsets) {
  stream &s = stream_create(c, "s");
  append(s, "a");
  append(s, "b");
  fake_link &l = open();
  auto resolved = [&](wire::offset_spec spec) {
    send(l, wire::resolve_offset{1, "s", spec, {}});
    auto t = answer<wire::resolve_offset_response>(l, key::resolve_offset_spec);
    EXPECT_EQ(t->spec.type, 4);
    return t->spec.value;
  };
  EXPECT_EQ(resolved(wire::offset_first()), 0u);
  EXPECT_EQ(resolved(wire::offset_last()), 1u);
  EXPECT_EQ(resolved(wire::offset_next()), 2u);
}

TEST_F(fake_broker, one_of_a_group_is_active) {
  stream &s = stream_create(c, "s");
  append(s, "a");
  append(s, "b");
  std::vector<wire::property> single = {{"single-active-consumer", "true"},
                                        {"name", "app"}};
  fake_link &one = open();
  fake_link &two = open();
  subscribe(one, 1, wire::offset_first(), 10, single);
  auto update = get<wire::consumer_update>(one, raw(key::consumer_update));
  EXPECT_TRUE(update->active);
  EXPECT_TRUE(one.silent());
  send(one,
       wire::consumer_update_response{update->correlation_id, 1, wire::offset_at(1)});
  EXPECT_EQ(delivered(one), "1=b ");

  subscribe(two, 2, wire::offset_first(), 10, single);
  EXPECT_TRUE(two.silent());
  send(two, wire::credit{2, 1});
  EXPECT_EQ(get<wire::credit_error>(two, response_key(key::credit))->code, 17);

  sac_rotate(s, "app");
  update = get<wire::consumer_update>(one, raw(key::consumer_update));
  EXPECT_FALSE(update->active);
  EXPECT_TRUE(two.silent());
  send(one,
       wire::consumer_update_response{update->correlation_id, 1, wire::offset_none()});
  update = get<wire::consumer_update>(two, raw(key::consumer_update));
  EXPECT_TRUE(update->active);
  send(two,
       wire::consumer_update_response{update->correlation_id, 1, wire::offset_none()});
  EXPECT_EQ(delivered(two), "0=a ");

  gone(two);
  EXPECT_TRUE(get<wire::consumer_update>(one, raw(key::consumer_update))->active);
  world.advance(60000);
  EXPECT_TRUE(one.closed) << "no answer to ConsumerUpdate";
}

// The turn goes from one to the other, and no further.
TEST_F(fake_broker, members_that_go_together_leave_nothing_behind) {
  stream_create(c, "s");
  fake_link &l = open();
  for (uint8_t id : {1, 2}) {
    subscribe(l, id, wire::offset_first(), 10,
              {{"single-active-consumer", "true"}, {"name", "app"}});
    l.got.clear();
  }
  gone(l);
  EXPECT_EQ(world.base.timers, nullptr);
}

// The answer may have been on its way when the subscription went.
TEST_F(fake_broker, an_answer_about_a_subscription_that_is_gone_is_an_answer) {
  stream_create(c, "s");
  fake_link &l = open();
  std::vector<wire::property> single = {{"single-active-consumer", "true"},
                                        {"name", "app"}};
  subscribe(l, 1, wire::offset_first(), 10, single);
  auto first = get<wire::consumer_update>(l, raw(key::consumer_update));
  send(l, wire::unsubscribe{7, 1});
  answer<wire::response_frame>(l, key::unsubscribe);
  world.advance(30000);
  // Another one under the same number has a question of its own.
  subscribe(l, 1, wire::offset_first(), 10, single);
  auto second = get<wire::consumer_update>(l, raw(key::consumer_update));
  send(l, wire::consumer_update_response{first->correlation_id, 1, wire::offset_none()});
  EXPECT_EQ(subscription_of(c, "s")->activity, activity::activating);
  world.advance(31000);
  EXPECT_FALSE(l.closed) << "its time is not over yet";
  send(l, wire::consumer_update_response{second->correlation_id, 1, wire::offset_none()});
  EXPECT_EQ(subscription_of(c, "s")->activity, activity::active);
  world.advance(61000);
  EXPECT_FALSE(l.closed) << "nothing is asked any more";
}

TEST_F(fake_broker, an_answer_to_consumer_update_without_an_offset_type_is_unknown) {
  stream_create(c, "s");
  fake_link &l = open();
  subscribe(l, 1, wire::offset_first(), 10,
            {{"single-active-consumer", "true"}, {"name", "app"}});
  l.got.clear();
  send_hex(l, "0000000a 801a 0001 00000000 0001");
  EXPECT_EQ(get<wire::close_request>(l, raw(key::close))->code, 13);
}

// ---- several nodes

TEST(fake_cluster, streams_live_on_their_nodes_and_survive_a_crash) {
  test::fake_net world;
  fake::cluster c(world.base, 3);
  stream &s = stream_create(c, "s", 1);
  s.replicas = {2};
  fake_link links[3];
  for (int i = 0; i < 3; i++) {
    links[i].p = peer_open(node(c, i), fake_link::io, &links[i]);
    links[i].p->state = peer_state::ready;
    peer_received(links[i].p,
                  frame_of(wire::subscribe{1, 0, "s", wire::offset_first(), 10, {}}));
  }
  auto code_of = [](fake_link &l) { return wire::load_u16be(&l.take()[12]); };
  EXPECT_EQ(code_of(links[0]), 6);  // no member
  EXPECT_EQ(code_of(links[1]), 1);
  EXPECT_EQ(code_of(links[2]), 1);
  stream_append(s, test::bytes_of("a"));
  broker_crash(node(c, 1));
  EXPECT_TRUE(links[1].reset);
  EXPECT_EQ(s.leader, -1);
  stream_elect(s, 2);
  EXPECT_EQ(s.epoch, 2u);
  fake_link refused;
  EXPECT_EQ(peer_open(node(c, 1), fake_link::io, &refused), nullptr);
  links[2].take();
  stream_append(s, test::bytes_of("b"));
  EXPECT_EQ(links[2].next_key(), raw(key::deliver));
  for (fake_link &l : links) peer_gone(l.p);
}

// ---- scripts

TEST_F(fake_broker, a_script_answers_instead_and_then_resets) {
  script &s = script_next(node(c));
  s.expect(key::create).answer_code(response::internal_error);
  s.expect(key::create).drop();
  s.expect(key::delete_stream).then_reset();
  fake_link &l = open();
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_EQ(code(l, key::create), response::internal_error);
  send(l, wire::create_stream{2, "s", {}});
  EXPECT_TRUE(l.silent());
  EXPECT_EQ(stream_find(c, "s"), nullptr);
  send(l, wire::create_stream{3, "s", {}});
  EXPECT_EQ(code(l, key::create), response::ok);
  EXPECT_FALSE(s.done());
  send(l, wire::delete_stream{4, "s"});
  EXPECT_TRUE(l.reset);
  EXPECT_TRUE(s.done());
}

TEST_F(fake_broker, a_script_delays_and_adds_bytes) {
  script &s = script_next(node(c));
  s.expect(key::create).delay(500);
  s.expect(key::metadata).before(frame_of(wire::heartbeat{})).after({1, 2, 3});
  fake_link &l = open();
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_TRUE(l.silent());
  send(l, wire::metadata{2, {}});
  get<wire::heartbeat>(l, raw(key::heartbeat));
  answer<wire::metadata_response>(l, key::metadata);
  EXPECT_EQ(l.got, (byte_vector{1, 2, 3}));
  l.got.clear();
  world.advance(500);
  EXPECT_EQ(code(l, key::create), response::ok);
}

TEST_F(fake_broker, output_goes_out_in_pieces) {
  fake_link &l = open();
  l.sends = 0;
  peer_pace(*l.p, 1, 1000);
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_TRUE(l.silent());
  for (size_t i = 1; i <= 14; i++) {
    world.advance(1000);
    EXPECT_EQ(l.got.size(), i);
  }
  EXPECT_EQ(code(l, key::create), response::ok);
  peer_pace(*l.p, 0);

  script one;
  l.p->script = std::make_shared<script>();
  l.p->script->expect(key::create).split_at(5);
  l.sends = 0;
  send(l, wire::create_stream{2, "t", {}});
  world.advance(0);
  EXPECT_EQ(l.got.size(), 5u);
  world.advance(0);
  EXPECT_EQ(code(l, key::create), response::ok);
  EXPECT_EQ(l.sends, 2);
  send(l, wire::create_stream{3, "u", {}});
  EXPECT_EQ(code(l, key::create), response::ok) << "whole again";
}

TEST_F(fake_broker, hooks_come_before_the_broker) {
  int seen = 0;
  fake_link &l = open();
  uint64_t id = on_frame(node(c), key::create, [&](peer &p, const frame &fr) {
    seen++;
    peer_send(p, response_to(fr, response::access_refused));
    return verdict::handled;
  });
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_EQ(code(l, key::create), response::access_refused);
  hook_remove(node(c), id);
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_EQ(code(l, key::create), response::ok);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(count_of(totals(c), key::create), 2u);
}

TEST_F(fake_broker, does_not_read_when_told_so) {
  fake_link &l = open();
  peer_stop_reading(*l.p);
  EXPECT_TRUE(l.paused);
  send(l, wire::create_stream{1, "s", {}});
  EXPECT_TRUE(l.silent());
  peer_resume_reading(*l.p);
  EXPECT_EQ(code(l, key::create), response::ok);
}

}  // namespace
}  // namespace rstream::fake
