#include "wire/handshake.h"

#include <gtest/gtest.h>

#include "wire_frames.h"

using namespace rstream;
using namespace rstream::wire;
using namespace rstream::test;

TEST(wire_handshake, peer_properties_example) {
  property props[] = {{"product", "demo"}};
  peer_properties x = {.correlation_id = 1, .properties = {props}};
  auto e =
      check_example(x, "0000001b001100010000000100000001000770726f64756374000464656d6f");
  EXPECT_EQ(e.x.correlation_id, 1u);
  auto got = all(e.x.properties);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].key, "product");
  EXPECT_EQ(got[0].value, "demo");
}

TEST(wire_handshake, sasl_handshake_example) {
  auto e = check_example(sasl_handshake{.correlation_id = 2}, "000000080012000100000002");
  EXPECT_EQ(e.x.correlation_id, 2u);
}

TEST(wire_handshake, sasl_authenticate_plain_example) {
  sasl_authenticate x = {.correlation_id = 3,
                         .mechanism = "PLAIN",
                         .data = bytes_of({"\0guest\0guest", 12})};
  auto e = check_example(x,
                         "0000001f00130001000000030005504c41494e0000000c00677565737400"
                         "6775657374");
  EXPECT_EQ(e.x.correlation_id, 3u);
  EXPECT_EQ(e.x.mechanism, "PLAIN");
  EXPECT_EQ(to_hex(e.x.data), "006775657374006775657374");
}

TEST(wire_handshake, sasl_authenticate_without_data_sends_null) {
  sasl_authenticate x = {.correlation_id = 3, .mechanism = "EXTERNAL"};
  auto e = check_example(x, "00000016001300010000000300 0845585445524e414cffffffff");
  EXPECT_EQ(e.x.data.data(), nullptr);
}

TEST(wire_handshake, tune_reply_example) {
  tune_response x = {.frame_max = 1048576, .heartbeat_s = 60};
  auto e = check_example(x, "0000000c80140001001000000000003c");
  EXPECT_EQ(e.x.frame_max, 1048576u);
  EXPECT_EQ(e.x.heartbeat_s, 60u);
}

TEST(wire_handshake, tune_offer_has_the_plain_key) {
  tune x = {.frame_max = 1048576, .heartbeat_s = 60};
  auto e = check_example(x, "0000000c00140001001000000000003c");
  EXPECT_EQ(e.x.frame_max, 1048576u);
}

TEST(wire_handshake, tune_takes_the_smaller_value_and_zero_for_no_limit) {
  EXPECT_EQ(tune_negotiate(10, 20), 10u);
  EXPECT_EQ(tune_negotiate(20, 10), 10u);
  EXPECT_EQ(tune_negotiate(0, 10), 10u);
  EXPECT_EQ(tune_negotiate(10, 0), 10u);
  EXPECT_EQ(tune_negotiate(0, 0), 0u);
}

TEST(wire_handshake, open_example) {
  auto e = check_example(wire::open{.correlation_id = 4, .vhost = "/"},
                         "0000000b001500010000000400012f");
  EXPECT_EQ(e.x.correlation_id, 4u);
  EXPECT_EQ(e.x.vhost, "/");
}

TEST(wire_handshake, command_versions_example) {
  version_range ranges[] = {{8, 1, 2}};
  command_versions x = {.correlation_id = 5, .commands = {ranges}};
  auto e = check_example(x, "00000012001b00010000000500000001000800010002");
  auto got = all(e.x.commands);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].key, 8);
  EXPECT_EQ(got[0].min, 1);
  EXPECT_EQ(got[0].max, 2);
}

TEST(wire_handshake, close_example) {
  close_request x = {.correlation_id = 9, .code = 1, .reason = "OK"};
  auto e = check_example(x, "0000000e0016000100000009000100024f4b");
  EXPECT_EQ(e.x.correlation_id, 9u);
  EXPECT_EQ(e.x.code, 1);
  EXPECT_EQ(e.x.reason, "OK");
}

TEST(wire_handshake, heartbeat_example) {
  check_example(heartbeat{}, "0000000400170001");
}

TEST(wire_handshake, requests_round_trip) {
  property props[] = {{"product", "demo"}, {"", ""}};
  version_range ranges[] = {{1, 1, 1}, {2, 1, 2}};
  // A map that ends its frame may be left out, in whichever direction.
  check_frame(peer_properties{7, {props}}, 0x0011, {.short_bodies = {4}});
  check_frame(sasl_handshake{7}, 0x0012);
  check_frame(sasl_authenticate{7, "PLAIN", bytes_of("secret")}, 0x0013);
  check_frame(tune{1, 2}, 0x0014);
  check_frame(tune_response{1, 2}, 0x8014);
  check_frame(wire::open{7, "/vhost"}, 0x0015);
  check_frame(command_versions{7, {ranges}}, 0x001b);
  check_frame(close_request{7, 13, "unknown frame"}, 0x0016);
  check_frame(heartbeat{}, 0x0017);
}

TEST(wire_handshake, responses_round_trip) {
  property props[] = {{"version", "4.3.6"}};
  std::string_view mechanisms[] = {"PLAIN", "EXTERNAL"};
  version_range ranges[] = {{1, 1, 1}, {2, 1, 2}};
  check_frame(peer_properties_response{7, 1, {props}}, 0x8011, code_only);
  check_frame(sasl_handshake_response{7, 1, {mechanisms}}, 0x8012);
  check_frame(sasl_handshake_response{7, 7, {mechanisms}}, 0x8012, code_only);
  check_frame(sasl_authenticate_response{.correlation_id = 7, .code = 1}, 0x8013);
  check_frame(open_response{7, 1, {props}}, 0x8015, code_only);
  check_frame(open_response{.correlation_id = 7, .code = 1}, 0x8015,
              {.open_ended = true});
  check_frame(command_versions_response{7, 1, {ranges}}, 0x801b);
  check_frame(command_versions_response{7, 17, {ranges}}, 0x801b, code_only);
  check_frame(close_response{7, 1}, 0x8016);
}

TEST(wire_handshake, open_response_leaves_an_empty_map_out) {
  open_response x = {.correlation_id = 4, .code = 1};
  auto e = check_example(x, "0000000a 80150001 00000004 0001");
  EXPECT_TRUE(e.x.properties.empty());
}

TEST(wire_handshake, a_challenge_is_understood_in_both_forms) {
  for (challenge_form form : {challenge_form::string, challenge_form::blob}) {
    sasl_authenticate_response x = {
        .correlation_id = 3, .code = 10, .challenge = bytes_of("nonce"), .form = form};
    // The first half of the int32 length alone is the empty string.
    std::vector<size_t> ends = {6};
    if (form == challenge_form::blob) {
      ends.push_back(8);
    }
    check_frame(x, 0x8013, {.short_bodies = ends, .open_ended = true});
    byte_vector body = body_of(encoded(x));
    reader r = reader_of(body);
    sasl_authenticate_response got;
    ASSERT_TRUE(decode(r, got));
    EXPECT_EQ(text_of(got.challenge), "nonce");
    EXPECT_EQ(got.form, form);
  }
}

TEST(wire_handshake, an_empty_challenge_is_understood_in_both_forms) {
  for (const char *rest : {"", "0000", "ffff", "00000000", "ffffffff"}) {
    byte_vector body = from_hex(std::string("00000003 000a") + rest);
    reader r = reader_of(body);
    sasl_authenticate_response got;
    EXPECT_TRUE(decode(r, got)) << rest;
    EXPECT_EQ(r.left(), 0u);
    EXPECT_TRUE(got.challenge.empty());
  }
}

TEST(wire_handshake, a_challenge_that_fits_neither_form_is_malformed) {
  for (const char *rest : {"00", "0001", "000261", "00000001", "000000016162"}) {
    byte_vector body = from_hex(std::string("00000003 000a") + rest);
    reader r = reader_of(body);
    sasl_authenticate_response got;
    EXPECT_FALSE(decode(r, got)) << rest;
  }
}

TEST(wire_handshake, a_refused_login_has_no_challenge) {
  byte_vector body = from_hex("00000003 0008");
  reader r = reader_of(body);
  sasl_authenticate_response got = {.challenge = bytes_of("stale")};
  EXPECT_TRUE(decode(r, got));
  EXPECT_EQ(got.code, 8);
  EXPECT_TRUE(got.challenge.empty());
}

TEST(wire_handshake, what_a_refusal_leaves_out_is_empty) {
  std::string_view stale[] = {"stale"};
  sasl_handshake_response x = {.mechanisms = {stale}};
  byte_vector body = from_hex("00000003 0007");
  reader r = reader_of(body);
  EXPECT_TRUE(decode(r, x));
  EXPECT_TRUE(x.mechanisms.empty());
}
