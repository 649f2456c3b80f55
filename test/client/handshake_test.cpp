#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct handshake : client_test {
  // The request's outcome, with a peer that deals with frames of `at` itself.
  int outcome_when(key at, std::function<void(peer_link &, const peer_frame &)> then,
                   result &r) {
    broker.on_frame = [at, then](peer_link &link, const peer_frame &f) {
      if (f.key != raw(at)) return false;
      then(link, f);
      return true;
    };
    create();
    return ask_and_wait(r);
  }
};

constexpr key steps[] = {key::peer_properties, key::sasl_handshake,
                         key::sasl_authenticate, key::open,
                         key::exchange_command_versions};

byte_vector joined(byte_vector a, const byte_vector &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_F(handshake, sends_its_frames_in_order_and_to_the_letter) {
  options.connection_name = "billing-7";
  options.username = "us";
  options.password = "p:w";
  options.vhost = "v/h";
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  const peer_link &link = *broker.links.at(0);
  ASSERT_GE(link.frames.size(), 7u);

  auto properties = decoded<wire::peer_properties>(link.frames[0]);
  std::map<std::string, std::string> map;
  wire::seq_iter<wire::property> it(properties.properties);
  for (wire::property p; it.next(p);) map[std::string(p.key)] = p.value;
  EXPECT_EQ(link.frames[0].key, raw(key::peer_properties));
  EXPECT_EQ(map["product"], "rstream");
  EXPECT_EQ(map["version"], RSTREAM_VERSION_TEXT);
  EXPECT_EQ(map["connection_name"].substr(0, 9), "billing-7");

  EXPECT_EQ(to_hex(link.frames[1].bytes), "000000080012000100000002");
  EXPECT_EQ(to_hex(link.frames[2].bytes),
            "0000001a00130001000000030005504c41494e000000070075730070"
            "3a77");
  EXPECT_EQ(to_hex(link.frames[3].bytes), "0000000c80140001001000000000003c");
  EXPECT_EQ(to_hex(link.frames[4].bytes), "0000000d00150001000000040003762f68");
  EXPECT_EQ(link.frames[5].key, raw(key::exchange_command_versions));
  EXPECT_EQ(link.frames[6].key, raw(key::create));
}

TEST_F(handshake, announces_deliver_version_2_and_only_what_brokers_send) {
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  auto frames = broker.last().of(key::exchange_command_versions);
  ASSERT_EQ(frames.size(), 1u);
  auto versions = decoded<wire::command_versions>(frames[0]);
  std::string text;
  wire::seq_iter<wire::version_range> it(versions.commands);
  for (wire::version_range v; it.next(v);) {
    text += std::to_string(v.key) + ':' + std::to_string(v.min) + '-' +
            std::to_string(v.max) + ' ';
    EXPECT_TRUE(wire::command_find(v.key)->from_broker) << v.key;
  }
  EXPECT_NE(text.find("8:1-2 "), text.npos) << text;
}

TEST_F(handshake, a_broker_before_3_11_is_not_asked_for_versions) {
  broker.version = "3.10.25";
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  EXPECT_EQ(broker.count(key::exchange_command_versions), 0u);
}

TEST_F(handshake, an_odd_version_text_does_no_harm) {
  for (const char *version :
       {"", "x", "4", "4.", "9999999999999999999.1", "-4.0", "3.11-rc.1"}) {
    broker.version = version;
    create();
    result r;
    EXPECT_EQ(ask_and_wait(r), 0) << version;
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, tune_takes_the_lower_value_unless_one_is_without_limit) {
  const struct {
    uint32_t our_frame, their_frame, frame, our_heartbeat, their_heartbeat, heartbeat;
  } cases[] = {
      {1000, 2000, 1000, 30, 60, 30},
      {2000, 1000, 1000, 60, 30, 30},
      {2000, 0, 2000, 60, 0, 60},
  };
  for (const auto &c : cases) {
    options.max_frame_bytes = c.our_frame;
    options.heartbeat_s = c.our_heartbeat;
    broker.frame_max = c.their_frame;
    broker.heartbeat_s = c.their_heartbeat;
    create();
    result r;
    EXPECT_EQ(ask_and_wait(r), 0);
    auto answers = broker.last().of_raw(0x8014);
    ASSERT_EQ(answers.size(), 1u);
    auto tune = decoded<wire::tune_response>(answers[0]);
    EXPECT_EQ(tune.frame_max, c.frame);
    EXPECT_EQ(tune.heartbeat_s, c.heartbeat);
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, heartbeats_that_are_off_are_answered_with_0) {
  options.heartbeat_off = 1;
  broker.heartbeat_s = 60;
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  EXPECT_EQ(decoded<wire::tune_response>(broker.last().of_raw(0x8014).at(0)).heartbeat_s,
            0u);
}

TEST_F(handshake, a_broker_without_plain_is_told_as_such) {
  result r;
  int status = outcome_when(
      key::sasl_handshake,
      [](peer_link &link, const peer_frame &f) {
        const std::string_view mechanisms[] = {"EXTERNAL", "PLAINER", "PLAI"};
        link.send_frame(
            wire::sasl_handshake_response{f.correlation_id(), 1, {mechanisms}});
      },
      r);
  EXPECT_EQ(status, RSTREAM_BROKER_SASL_MECHANISM);
  EXPECT_EQ(r.text, "the broker does not offer the mechanism PLAIN");
  EXPECT_EQ(broker.count(key::sasl_authenticate), 0u);
}

// The broker holds this answer back for 3 s; here it comes from a later turn of the loop.
TEST_F(handshake, a_refused_login_that_is_answered_late_is_not_a_time_out) {
  static uv_timer_t later;
  static peer_link *to;
  static peer_frame request;
  result r;
  uv_timer_init(&loop, &later);
  int status = outcome_when(
      key::sasl_authenticate,
      [](peer_link &link, const peer_frame &f) {
        to = &link;
        request = f;
        uv_timer_start(
            &later,
            [](uv_timer_t *) {
              to->answer(request, wire::response::authentication_failure);
              to->close();
            },
            50, 0);
      },
      r);
  EXPECT_EQ(status, RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  EXPECT_EQ(r.text, "login: authentication failure (8)");
  uv_close(reinterpret_cast<uv_handle_t *>(&later), nullptr);
}

TEST_F(handshake, a_refusal_at_any_step_has_the_brokers_code) {
  for (key at : steps) {
    result r;
    int status = outcome_when(
        at,
        [](peer_link &link, const peer_frame &f) {
          link.answer(f, wire::response::virtual_host_access_failure);
        },
        r);
    EXPECT_EQ(status, RSTREAM_BROKER_VHOST_ACCESS) << wire::command_name(raw(at));
    EXPECT_NE(r.text.find("(12)"), r.text.npos) << r.text;
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, a_peer_that_never_answers_is_given_up_at_the_deadline) {
  options.connect_timeout_ms = 30;
  for (key at : steps) {
    result r;
    int status = outcome_when(
        at, [](peer_link &, const peer_frame &) {}, r);
    EXPECT_EQ(status, RSTREAM_ETIMEDOUT) << wire::command_name(raw(at));
    EXPECT_NE(r.text.find("30 ms"), r.text.npos) << r.text;
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, a_peer_that_sends_byte_after_byte_is_given_up_at_the_deadline) {
  options.connect_timeout_ms = 60;
  static uv_timer_t drip;
  uv_timer_init(&loop, &drip);
  broker.on_accept = [](peer_link &link) {
    drip.data = &link;
    uv_timer_start(
        &drip, [](uv_timer_t *t) { static_cast<peer_link *>(t->data)->send({0}); }, 5, 5);
  };
  result r;
  EXPECT_EQ(outcome_when(
                key::peer_properties, [](peer_link &, const peer_frame &) {}, r),
            RSTREAM_EPROTO);  // four zeros are a frame without size
  broker.on_accept = [](peer_link &link) {
    drip.data = &link;
    link.send(from_hex("00001000"));
    uv_timer_start(
        &drip, [](uv_timer_t *t) { static_cast<peer_link *>(t->data)->send({0}); }, 5, 5);
  };
  close_env();
  env_closed = 0;
  result again;
  EXPECT_EQ(outcome_when(
                key::peer_properties, [](peer_link &, const peer_frame &) {}, again),
            RSTREAM_ETIMEDOUT);
  uv_close(reinterpret_cast<uv_handle_t *>(&drip), nullptr);
}

TEST_F(handshake, a_peer_that_closes_at_any_step_is_a_lost_connection) {
  for (key at : steps) {
    result r;
    int status = outcome_when(
        at, [](peer_link &link, const peer_frame &) { link.close(); }, r);
    EXPECT_EQ(status, RSTREAM_ECONNLOST) << wire::command_name(raw(at));
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, a_refused_connection_has_libuvs_code) {
  options.port = 1;
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), UV_ECONNREFUSED);
  EXPECT_EQ(r.text, "can't connect to 127.0.0.1:1: connection refused");
}

TEST_F(handshake, a_frame_before_its_state_breaks_the_protocol) {
  const byte_vector early[] = {
      encoded(wire::tune{1000, 60}),
      encoded(wire::response_frame{1, 1}, key::open),
      encoded(wire::response_frame{99, 1}, key::peer_properties),
      encoded(wire::publish_confirm{}),
      encoded(wire::metadata_update{6, "s"}),
      encoded(wire::deliver{1, 1, 0, {}}),
      encoded(wire::consumer_update{0, 0, true}),
      encoded(wire::sasl_handshake{1}),
      from_hex("00000004 0063 0001"),
      from_hex("00000004 8011 0001"),
      from_hex("00000006 8011 0001 0000"),
  };
  for (const byte_vector &frame : early) {
    result r;
    int status = outcome_when(
        key::peer_properties,
        [&](peer_link &link, const peer_frame &) { link.send(frame); }, r);
    EXPECT_EQ(status, RSTREAM_EPROTO) << to_hex(frame);
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, a_malformed_answer_breaks_the_protocol) {
  for (key at : steps) {
    if (at == key::sasl_authenticate) continue;  // has nothing behind its code
    result r;
    int status = outcome_when(
        at,
        [](peer_link &link, const peer_frame &f) {
          // A count of elements that are not there.
          byte_vector bytes = encoded(wire::response_frame{f.correlation_id(), 1}, f.key);
          bytes[3] = static_cast<uint8_t>(bytes[3] + 4);
          link.send(joined(bytes, from_hex("7fffffff")));
        },
        r);
    EXPECT_EQ(status, RSTREAM_EPROTO) << wire::command_name(raw(at));
    EXPECT_NE(r.text.find("malformed"), r.text.npos) << r.text;
    close_env();
    env_closed = 0;
  }
}

TEST_F(handshake, a_heartbeat_is_harmless_at_any_step) {
  broker.on_frame = [](peer_link &link, const peer_frame &) {
    link.send_frame(wire::heartbeat{});
    return false;
  };
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
}

// Scenario 26.
TEST_F(handshake, impossible_frame_sizes_break_the_protocol) {
  for (const char *size : {"00000000", "00000001", "00000003", "80000000", "ffffffff"}) {
    broker.on_accept = [size](peer_link &link) { link.send(from_hex(size)); };
    create();
    result r;
    EXPECT_EQ(ask_and_wait(r), RSTREAM_EPROTO) << size;
    EXPECT_EQ(r.text, "a frame's size is below 4 or above 8192 bytes");
    EXPECT_LT(blocks.bytes, 200000u);
    close_env();
    env_closed = 0;
  }
}

// Scenario 27.
TEST_F(handshake, a_frame_of_9_kib_before_open_is_refused) {
  result r;
  int status = outcome_when(
      key::peer_properties,
      [](peer_link &link, const peer_frame &f) {
        std::string padding(9000, 'x');
        const wire::property properties[] = {{"padding", padding}};
        link.send_frame(
            wire::peer_properties_response{f.correlation_id(), 1, {properties}});
      },
      r);
  EXPECT_EQ(status, RSTREAM_EPROTO);
}

TEST_F(handshake, a_close_of_the_broker_is_answered_and_its_words_reach_the_request) {
  for (key at : steps) {
    result r;
    int status = outcome_when(
        at,
        [](peer_link &link, const peer_frame &) {
          link.send_frame(wire::close_request{1, 13, "no such thing"});
        },
        r);
    EXPECT_EQ(status, RSTREAM_ECLOSEDBYPEER);
    EXPECT_EQ(r.text,
              "the broker closed the connection: unknown frame (13): no such thing");
    peer_link &link = broker.last();
    EXPECT_TRUE(run_until([&] { return link.ended; }));
    ASSERT_EQ(link.frames.back().key, 0x8016);
    EXPECT_EQ(decoded<wire::close_response>(link.frames.back()).correlation_id, 1u);
    close_env();
    env_closed = 0;
  }
}

// Scenario 15, for the handshake.
TEST_F(handshake, works_with_answers_that_arrive_byte_by_byte) {
  broker.on_frame = [&](peer_link &link, const peer_frame &f) {
    if (f.key != raw(key::peer_properties)) return false;
    const wire::property properties[] = {{"version", "4.0.5"}};
    for (uint8_t byte :
         encoded(wire::peer_properties_response{f.correlation_id(), 1, {properties}})) {
      link.send({byte});
    }
    return true;
  };
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
}

TEST_F(handshake, asking_in_the_log_line_of_the_connection_that_asking_makes) {
  create();
  result first, second;
  awaited_line = "idle -> resolving";
  on_awaited_line = [&] { ask(second); };
  ask(first);
  ASSERT_TRUE(run_until([&] { return first.calls > 0 && second.calls > 0; }));
  EXPECT_EQ(first.status, 0);
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(broker.links.size(), 1u);
}

TEST_F(handshake, asking_in_the_log_line_of_a_connection_that_memory_is_short_for) {
  create();
  result second;
  awaited_line = "idle -> resolving";
  on_awaited_line = [&] {
    ask(second);
    blocks.calls_left = 0;
  };
  auto unexpected = [](rstream_env *, int, int, void *) { ADD_FAILURE() << "answered"; };
  int rc = rstream_stream_exists(env, "invoices", unexpected, nullptr);
  blocks.calls_left = SIZE_MAX;
  EXPECT_EQ(rc, RSTREAM_ENOMEM);
  ASSERT_TRUE(run_until([&] { return second.calls > 0; }));
  EXPECT_EQ(second.status, RSTREAM_ENOMEM);
}
