// Scenarios 26, 27, 28 and 40: a peer that lies about sizes, or takes for ever.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct scenario_26 : fake_client {
  scenario_26() { recovery = RSTREAM_RECOVERY_NONE; }
};
struct scenario_27 : fake_client {};
struct scenario_40 : fake_client {};
struct scenario_28 : fake_client {
  scenario_28() { recovery = RSTREAM_RECOVERY_NONE; }
  // The correct answer to a frame of this key, changed by `damage`.
  void damage_answer(key k, std::function<void(std::span<uint8_t> frame)> damage) {
    node().hooks.clear();
    on_frame(node(), k, [damage](fake::peer &from, const fake::frame &fr) {
      size_t at = from.out.size();
      fake::peer_handle(from, fr);
      damage(std::span(from.out).subspan(at));
      return fake::verdict::handled;
    });
  }
  // The request that this is the answer to, or one that needs the connection.
  int ask_for(key k) {
    result r;
    static auto set = [](int status, void *user) {
      auto *to = static_cast<result *>(user);
      to->calls++;
      to->status = status;
    };
    auto on_result = [](rstream_env *, int status, const char *, void *user) {
      set(status, user);
    };
    auto on_value = [](rstream_env *, int status, uint64_t, void *user) {
      set(status, user);
    };
    auto on_metadata = [](rstream_env *, int status, const rstream_metadata *,
                          void *user) { set(status, user); };
    auto on_stats = [](rstream_env *, int status, const rstream_stream_statistics *,
                       void *user) { set(status, user); };
    const char *names[] = {"invoices"};
    int rc;
    switch (k) {
    case key::metadata:
      rc = rstream_stream_metadata(env, names, 1, on_metadata, &r);
      break;
    case key::stream_stats:
      rc = rstream_stream_stats(env, "invoices", on_stats, &r);
      break;
    case key::create:
      rc = rstream_stream_create(env, "new", nullptr, on_result, &r);
      break;
    case key::delete_stream: rc = rstream_stream_delete(env, "new", on_result, &r); break;
    case key::query_publisher_sequence:
      rc = rstream_query_publisher_sequence(env, "till", "invoices", on_value, &r);
      break;
    default: rc = rstream_query_offset(env, "reader", "invoices", on_value, &r);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_TRUE(run_until([&] { return r.calls > 0; }));
    EXPECT_EQ(r.calls, 1);
    return r.status;
  }
  // An OK, and then nothing of what has to follow; or not even all of the code, where
  // nothing has to follow.
  void cut_answer(key k) {
    node().hooks.clear();
    on_frame(node(), k, [k](fake::peer &from, const fake::frame &fr) {
      bool more_must_follow = k == key::sasl_handshake ||
                              k == key::exchange_command_versions || k == key::metadata ||
                              k == key::stream_stats || k == key::query_offset ||
                              k == key::query_publisher_sequence;
      byte_vector body(more_must_follow ? 6 : 5);
      wire::store_u32be(body.data(), fake::correlation_of(fr));
      if (body.size() == 6) wire::store_u16be(body.data() + 4, 1);
      fake::peer_send(from, fake::raw_frame(wire::response_key(k), 1, body));
      return fake::verdict::handled;
    });
  }
};

constexpr uint32_t impossible_sizes[] = {0x80000000u, 0xffffffffu, 0, 1, 3};

byte_vector size_alone(uint32_t size) {
  byte_vector bytes(4);
  wire::store_u32be(bytes.data(), size);
  return bytes;
}

}  // namespace

TEST_F(scenario_26, impossible_frame_sizes_in_the_handshake_end_the_connection) {
  for (uint32_t size : impossible_sizes) {
    fake::script_next(node()).greeting = size_alone(size);
    create();
    result r;
    EXPECT_EQ(ask_and_wait(r), RSTREAM_EPROTO) << size;
    EXPECT_LT(largest_block, 4u << 20) << size;
    EXPECT_TRUE(run_until([&] { return node().peers.empty(); })) << size;
    renew();
  }
  EXPECT_EQ(totals(cluster()).connections, std::size(impossible_sizes));
}

TEST_F(scenario_26, impossible_frame_sizes_on_an_open_connection_end_it) {
  for (uint32_t size : impossible_sizes) {
    create();
    producer_log &log = new_producer_log();
    open_producer(log, log.options());
    fake::peer_send(publishing_peer(), size_alone(size));
    EXPECT_TRUE(run_until([&] { return log.ended(); })) << size;
    EXPECT_EQ(log.reason, RSTREAM_EPROTO) << size;
    EXPECT_EQ(stats().connections_lost, 1u) << size;
    EXPECT_LT(largest_block, 4u << 20) << size;
    renew();
  }
}

// Deliver frames may be large: a size that is allowed is still only a claim.
TEST_F(scenario_26, a_frame_that_claims_much_takes_little) {
  create();
  consumer_log &log = new_consumer_log();
  open_consumer(log, log.message_options());
  fake::peer_send(
      subscribed_peer(),
      fake::join({size_alone(127u << 20), from_hex("00080002 00"), byte_vector(100000)}));
  uint64_t received = totals(cluster()).bytes_sent;
  EXPECT_TRUE(run_until([&] { return stats().bytes_received == received; }));
  EXPECT_FALSE(log.ended());
  EXPECT_LT(largest_block, 1u << 20);
}

TEST_F(scenario_27, a_frame_of_9_kib_before_open_is_refused) {
  const key steps[] = {key::peer_properties, key::sasl_handshake, key::sasl_authenticate,
                       key::open};
  for (key k : steps) {
    fake::script &s = fake::script_next(node());
    // Its size alone is enough: nobody has to wait for the rest.
    s.expect(k).answer(size_alone(9 << 10));
    create();
    result r;
    EXPECT_EQ(ask_and_wait(r), RSTREAM_EPROTO) << wire::command_name(raw(k));
    EXPECT_TRUE(s.done());
    renew();
  }
}

TEST_F(scenario_28, lengths_past_the_end_in_every_answer_are_protocol_errors) {
  struct length_field {
    key answer;
    size_t at;  // in the frame
    size_t bytes;
  };
  // Size, key, version, correlation id and mostly the code precede.
  const length_field fields[] = {
      {key::peer_properties, 14, 4},
      {key::peer_properties, 18, 2},
      {key::sasl_handshake, 14, 4},
      {key::sasl_handshake, 18, 2},
      {key::open, 14, 4},
      {key::open, 18, 2},
      {key::exchange_command_versions, 14, 4},
      {key::metadata, 12, 4},
      {key::metadata, 18, 2},
      {key::metadata, 33, 4},
      {key::metadata, 37, 2},
      {key::stream_stats, 14, 4},
      {key::stream_stats, 18, 2},
  };
  for (const length_field &field : fields) {
    for (uint32_t value : {0x7fffffffu, 0xfffffffeu, 0x00010000u}) {
      bool damaged = false;
      damage_answer(field.answer, [&](std::span<uint8_t> frame) {
        ASSERT_LE(field.at + field.bytes, frame.size());
        if (field.bytes == 4) {
          wire::store_u32be(&frame[field.at], value);
        } else {
          wire::store_u16be(&frame[field.at],
                            static_cast<uint16_t>(value >> 16 | 0x7000));
        }
        damaged = true;
      });
      create();
      EXPECT_EQ(ask_for(field.answer), RSTREAM_EPROTO)
          << wire::command_name(raw(field.answer)) << " at " << field.at << ' ' << value;
      EXPECT_TRUE(damaged);
      EXPECT_LT(largest_block, 4u << 20);
      renew();
    }
  }
}

TEST_F(scenario_28, answers_cut_short_are_protocol_errors) {
  const key answers[] = {key::peer_properties,
                         key::sasl_handshake,
                         key::sasl_authenticate,
                         key::open,
                         key::exchange_command_versions,
                         key::metadata,
                         key::stream_stats,
                         key::query_offset,
                         key::query_publisher_sequence,
                         key::create,
                         key::delete_stream};
  for (key k : answers) {
    cut_answer(k);
    create();
    EXPECT_EQ(ask_for(k), RSTREAM_EPROTO) << wire::command_name(raw(k));
    renew();
  }
}

TEST_F(scenario_28, a_tune_cut_short_is_a_protocol_error) {
  on_frame(node(), key::sasl_authenticate, [](fake::peer &from, const fake::frame &fr) {
    fake::peer_send(from, fake::response_to(fr, wire::response::ok));
    fake::peer_send(from, fake::raw_frame(raw(key::tune), 1, byte_vector(7)));
    return fake::verdict::handled;
  });
  create();
  EXPECT_EQ(ask_for(key::query_offset), RSTREAM_EPROTO);
  EXPECT_EQ(frames_of(key::open), 0u);
}

// The connection ends; who was opening looks for the stream again, who was closing is
// closed.
TEST_F(scenario_28, answers_cut_short_cost_a_handle_its_connection) {
  const key answers[] = {key::declare_publisher, key::subscribe, key::delete_publisher,
                         key::unsubscribe};
  for (key k : answers) {
    SCOPED_TRACE(wire::command_name(raw(k)));
    cut_answer(k);
    create();
    producer_log &plog = new_producer_log();
    consumer_log &clog = new_consumer_log();
    rstream_producer_options po = plog.options();
    rstream_consumer_options co = clog.message_options();
    rstream_producer *p;
    rstream_consumer *c;
    ASSERT_EQ(rstream_producer_open(&p, env, &po), 0);
    ASSERT_EQ(rstream_consumer_open(&c, env, &co), 0);
    bool opening = k == key::declare_publisher || k == key::subscribe;
    if (opening) {
      ASSERT_TRUE(run_until([&] { return logged("malformed answer"); }));
      node().hooks.clear();
    }
    EXPECT_TRUE(run_until([&] { return plog.is_open() && clog.is_open(); }));
    ASSERT_EQ(rstream_producer_close(p, producer_log::on_closed), 0);
    ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    EXPECT_TRUE(run_until([&] { return plog.closed > 0 && clog.closed > 0; }));
    EXPECT_TRUE(logged("malformed answer"));
    EXPECT_EQ(stats().connections_lost, 1u);
    renew();
    EXPECT_EQ(plog.closed, 1);
    EXPECT_EQ(clog.closed, 1);
  }
}

TEST_F(scenario_28, a_stored_sequence_cut_short_ends_the_producer) {
  cut_answer(key::query_publisher_sequence);
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.name = "till";
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  send(p, "never sent");
  EXPECT_TRUE(run_until([&] { return log.is_open() || log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_EPROTO);
  EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_EPROTO));
  EXPECT_EQ(invoices().next_offset, 0u);
}

TEST_F(scenario_28, an_answer_to_close_cut_short_ends_the_connection_all_the_same) {
  create();
  EXPECT_LT(ask_for(key::query_offset), 0);
  cut_answer(key::close);
  close_env();
  EXPECT_TRUE(logged("malformed answer to Close"));
  EXPECT_TRUE(run_until([&] { return node().peers.empty(); }));
}

TEST_F(scenario_28, a_deliver_cut_short_anywhere_ends_the_consumer) {
  fake::chunk_parts parts;
  fake::chunk_add(parts, "message");
  byte_vector whole = fake::deliver_frame(0, 2, parts);
  constexpr size_t after_header = 8;
  for (size_t size = after_header; size < whole.size(); size++) {
    SCOPED_TRACE("at " + std::to_string(size) + " of " + std::to_string(whole.size()));
    create();
    consumer_log &log = new_consumer_log();
    rstream_consumer_options o = log.message_options();
    o.bad_chunk = RSTREAM_BAD_CHUNK_END;
    open_consumer(log, o);
    byte_vector cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    wire::store_u32be(cut.data(), static_cast<uint32_t>(size - 4));
    fake::peer_send(subscribed_peer(), cut);
    ASSERT_TRUE(run_until([&] { return log.ended(); }));
    EXPECT_EQ(log.reason, RSTREAM_EPROTO);
    EXPECT_EQ(log.messages, "");
    renew();
  }
}

TEST_F(scenario_28,
       frames_that_nobody_asked_for_with_lengths_past_their_end_end_the_connection) {
  const char *const frames[] = {
      "0000000d 0003 0001 00 7fffffff 00000000",               // PublishConfirm
      "00000013 0004 0001 00 00000002 0000000000000001 0011",  // PublishError
      "00000008 0010 0001 0006 7fff",                          // MetadataUpdate
      "0000000c 0016 0001 00000001 000d 7fff",                 // Close
      "00000008 001a 0001 00000000",                           // ConsumerUpdate
  };
  for (const char *hex : frames) {
    create();
    producer_log &log = new_producer_log();
    open_producer(log, log.options());
    fake::peer_send(publishing_peer(), from_hex(hex));
    EXPECT_TRUE(run_until([&] { return log.ended(); })) << hex;
    EXPECT_EQ(log.reason, RSTREAM_EPROTO) << hex;
    renew();
  }
}

TEST_F(scenario_40, a_handshake_of_single_bytes_runs_into_the_connect_deadline) {
  options.connect_timeout_ms = 100;
  // A second each, shortened like the deadline.
  node().on_open = [](fake::peer &p) { fake::peer_pace(p, 1, 10); };
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_ETIMEDOUT);
  EXPECT_TRUE(run_until([&] { return node().peers.empty(); }));
  EXPECT_EQ(frames_of(key::open), 0u);
  EXPECT_EQ(stats().connections_opened, 0u);
}
