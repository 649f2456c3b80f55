// Scenario 66 on a real broker: TLS as RabbitMQ speaks it.
#include "tls_broker.h"

using namespace rstream::test;

namespace {

struct scenario_66 : tls_broker_test {
  void expect(int port, int status, std::initializer_list<const char *> words,
              const env_settings &settings = nullptr) {
    result_reply r = attempt(port, settings);
    EXPECT_EQ(r.status, status) << rstream_error_name(r.status) << ": " << r.text;
    for (const char *word : words) EXPECT_NE(r.text.find(word), r.text.npos) << r.text;
  }
  const test_certificates &made = certificates();

  void trust_made() {
    tls.ca_file = nullptr;
    tls.ca = made.ca.certificate.data();
    tls.ca_size = made.ca.certificate.size();
  }
  void show(const credentials &own) {
    tls.certificate = own.certificate.data();
    tls.certificate_size = own.certificate.size();
    tls.key = own.key.data();
    tls.key_size = own.key.size();
  }
  // For a listener that wants clients to show a certificate of the made authority.
  std::string wants_certificate() {
    std::string file = tls_dir + "/extra-ca.pem";
    FILE *f = fopen(file.c_str(), "w");
    fwrite(made.ca.certificate.data(), 1, made.ca.certificate.size(), f);
    fclose(f);
    return "{cacertfile, \"/mnt/tls/extra-ca.pem\"}, {verify, verify_peer}, "
           "{fail_if_no_peer_cert, true}";
  }
};

constexpr const char only_1_2[] = "{versions, [list_to_atom(\"tlsv1.2\")]}";
constexpr const char only_1_3[] = "{versions, [list_to_atom(\"tlsv1.3\")]}";

// Whether the library's mbedTLS has TLS 1.3.
bool has_1_3() {
  rstream_tls_options tls;
  rstream_tls_options_init(&tls);
  tls.insecure = 1;
  tls.min_version = RSTREAM_TLS_1_3;
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.tls = &tls;
  rstream_env *e = nullptr;
  if (rstream_env_create(&e, nullptr, &o) < 0) return false;
  rstream_env_close(e, nullptr, nullptr);
  while (rstream_env_run(e, -1) != RSTREAM_ECLOSED) {
  }
  return true;
}

}  // namespace

TEST_F(scenario_66, publishes_and_consumes_over_tls) {
  rstream_env *e = open_tls_env();
  constexpr uint64_t count = 20000;
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  auto fill = [&] {
    while (p.sent < count && p.send_number(p.sent) == 0) continue;
  };
  p.on_writable = fill;
  fill();
  ASSERT_TRUE(run_until([&] { return p.told == count || p.ended; })) << p.end_text;
  EXPECT_EQ(p.confirmed(), count);
  for (auto mode : {consumer_probe::by_message, consumer_probe::by_chunk}) {
    consumer_probe c;
    c.numbered = true;
    ASSERT_EQ(c.open_first(e, stream, mode), 0);
    ASSERT_TRUE(run_until([&] { return c.messages == count || c.ended; })) << c.end_text;
    EXPECT_EQ(c.wrong_bodies, 0u);
  }
  std::string secured = broker_eval(
      "[proplists:get_value(ssl, rabbit_stream_reader:info(P, [ssl])) || P <- " +
      connections_named(name) + "].");
  EXPECT_NE(secured.find("true, true, true"), std::string::npos) << secured;
}

TEST_F(scenario_66, an_authority_that_did_not_sign) {
  std::string wrong = tls_dir + "/wrong-ca.pem";
  tls.ca_file = wrong.c_str();
  expect(0, RSTREAM_ECERT,
         {"refused for localhost", "not correctly signed by the trusted CA"});
}

TEST_F(scenario_66, the_systems_authorities_are_the_default) {
  rstream_tls_options_init(&tls);
  expect(0, RSTREAM_ECERT, {"not correctly signed by the trusted CA"},
         [](rstream_env_options &o) { o.tls = nullptr; });
}

TEST_F(scenario_66, a_certificate_for_another_host) {
  trust_made();
  int port = listen(made.other_server);
  expect(port, RSTREAM_ECERT,
         {"refused for localhost", "does not match with the expected CN"});
  tls.server_name = "broker.example";
  expect(port, 0, {});
}

TEST_F(scenario_66, an_address) {
  trust_made();
  auto by_address = [](rstream_env_options &o) { o.host = "127.0.0.1"; };
  expect(listen(made.server), 0, {}, by_address);
  expect(listen(made.other_server), RSTREAM_ECERT,
         {"refused for 127.0.0.1", "does not match with the expected CN"}, by_address);
}

TEST_F(scenario_66, an_expired_certificate) {
  trust_made();
  expect(listen(made.expired_server), RSTREAM_ECERT, {"validity has expired"});
}

TEST_F(scenario_66, no_client_certificate) {
  trust_made();
  int port = listen(made.server, wants_certificate() + ", " + only_1_2);
  expect(port, RSTREAM_ECLIENTCERT,
         {"no client certificate was given",
          "SSL - A fatal alert message was received from our peer"});
  show(made.other_client);
  expect(port, RSTREAM_ECLIENTCERT, {"the client's certificate is refused"});
  show(made.client);
  expect(port, 0, {});
}

TEST_F(scenario_66, only_version_1_2) {
  trust_made();
  expect(listen(made.server, only_1_2), 0, {});
}

TEST_F(scenario_66, only_version_1_3) {
  trust_made();
  int port = listen(made.server, only_1_3);
  if (!has_1_3()) {
    expect(port, RSTREAM_ETLS, {"protocol_version (70)"});
    return;
  }
  expect(port, 0, {});
  tls.max_version = RSTREAM_TLS_1_2;
  expect(port, RSTREAM_ETLS, {"protocol_version (70)"});
  tls.max_version = RSTREAM_TLS_DEFAULT;
  port = listen(made.server, wants_certificate() + ", " + only_1_3);
  expect(port, RSTREAM_ECLIENTCERT,
         {"certificate_required (116)", "no client certificate was given"});
  show(made.client);
  expect(port, 0, {});
}

// Every connection to the listener, and tickets on each.
TEST_F(scenario_66, scenario_67_session_tickets_in_mid_stream) {
  if (!has_1_3()) GTEST_SKIP() << "this mbedTLS has no TLS 1.3, and so no tickets";
  trust_made();
  static int port;
  port = listen(made.server, std::string(only_1_3) + ", {session_tickets, stateless}");
  rstream_env *e = open_tls_env(0, [](rstream_env_options &o) {
    o.on_address = [](rstream_env *, rstream_address *a, void *) {
      a->port = static_cast<uint16_t>(port);
    };
  });
  constexpr uint64_t count = 20000;
  producer_probe p;
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  auto fill = [&] {
    while (p.sent < count && p.send_number(p.sent) == 0) continue;
  };
  p.on_writable = fill;
  fill();
  ASSERT_TRUE(run_until([&] { return c.messages == count || c.ended || p.ended; }));
  EXPECT_EQ(p.confirmed(), count);
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_EQ(stats(e).connections_lost, 0u);
}

TEST_F(scenario_66, the_port_for_plain_text) {
  expect(broker_port(), RSTREAM_ETLS, {"maybe its port is one for plain text"});
}

TEST_F(scenario_66, plain_text_to_the_port_for_tls) {
  std::string authority = uri.substr(uri.rfind(':') + 1);
  auto plain = [&](rstream_env_options &o) {
    o.tls = nullptr;
    o.uri = nullptr;
    o.host = "localhost";
    o.port = static_cast<uint16_t>(atoi(authority.c_str()));
  };
  result_reply r = attempt(0, plain);
  EXPECT_TRUE(r.status == RSTREAM_EPROTO || r.status == RSTREAM_ECONNLOST) << r.text;
  EXPECT_NE(r.text.find("TLS"), r.text.npos) << r.text;
}

TEST_F(scenario_66, scenario_70_connections_that_are_cut_while_written_to) {
  rstream_env *e = open_tls_env();
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  std::string body(50000, 'x');
  bool cut = false;
  p.on_writable = [&] {
    while (p.handle && p.sent < 4000 && p.send(body) == 0) continue;
  };
  p.on_writable();
  ASSERT_TRUE(run_until([&] { return p.told > 100; }));
  broker_eval("[exit(P, kill) || P <- " + connections_named(name) + "].");
  cut = true;
  ASSERT_TRUE(run_until([&] { return p.ended || p.told == 4000; }));
  EXPECT_TRUE(cut);
  p.on_writable = nullptr;
  p.close_within(0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_TRUE(p.all_told());
}
