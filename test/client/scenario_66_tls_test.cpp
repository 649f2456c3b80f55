// Scenario 66: which brokers are trusted, and with which words others are refused.
#include <unistd.h>

#include <cstdio>

#include "tls_fixture.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct scenario_66 : tls_client {
  // Refused with this code, and all these words.
  void expect_refused(int code, std::initializer_list<const char *> words) {
    uint64_t before = frames_of(wire::key::peer_properties);
    result r = attempt();
    EXPECT_EQ(r.status, code) << r.text;
    for (const char *word : words) EXPECT_NE(r.text.find(word), r.text.npos) << r.text;
    EXPECT_EQ(frames_of(wire::key::peer_properties), before)
        << "said something in spite of it";
  }
  void expect_accepted() {
    result r = attempt();
    EXPECT_EQ(r.status, 0) << r.text;
    EXPECT_GT(front.handshakes, 0u);
  }
};

// What the application's callback was shown, and what it answers.
struct verifier {
  std::string seen;
  uint32_t clear = 0;
  uint32_t add = 0;
  static uint32_t on_verify(const rstream_tls_certificate *c, void *user) {
    auto *v = static_cast<verifier *>(user);
    v->seen += std::to_string(c->depth) + ' ' + c->subject + " of " + c->issuer +
               " for " + c->server_name + ':' + std::to_string(c->problems) + '\n';
    EXPECT_GT(c->der_size, 100u);
    EXPECT_EQ(static_cast<const uint8_t *>(c->der)[0], 0x30);
    return (c->problems & ~v->clear) | v->add;
  }
};

}  // namespace

TEST_F(scenario_66, a_trusted_certificate_for_the_name_is_accepted) {
  serve();
  options.host = "localhost";
  expect_accepted();
  EXPECT_EQ(front.last_name, "localhost");
}

TEST_F(scenario_66, an_address_is_checked_against_the_addresses_of_the_certificate) {
  serve();
  options.host = "127.0.0.1";
  expect_accepted();
  EXPECT_EQ(front.last_name, "") << "addresses are not told";
  serve({.server = make_certificate({.name = "127.0.0.1", .dns = {"127.0.0.1"}},
                                    &certificates().ca)});
  expect_refused(RSTREAM_ECERT, {"can't connect to 127.0.0.1:", "refused for 127.0.0.1:",
                                 "Common Name (CN) does not match with the expected CN"});
  serve({.server = make_certificate({.name = "127.0.0.1", .ip = {"127.0.0.2"}},
                                    &certificates().ca)});
  expect_refused(RSTREAM_ECERT, {"CN) does not match"});
}

TEST_F(scenario_66, another_authority_is_not_trusted) {
  serve();
  trust(certificates().other_ca);
  expect_refused(RSTREAM_ECERT,
                 {"the broker's certificate is refused for 127.0.0.1: The "
                  "certificate is not correctly signed by the trusted CA"});
}

TEST_F(scenario_66, a_certificate_for_another_host_is_refused) {
  serve({.server = certificates().other_server});
  options.host = "localhost";
  expect_refused(RSTREAM_ECERT,
                 {"refused for localhost: The certificate Common Name (CN) "
                  "does not match with the expected CN"});
}

TEST_F(scenario_66, an_expired_certificate_and_one_of_the_future_are_refused) {
  serve({.server = certificates().expired_server});
  expect_refused(RSTREAM_ECERT, {"The certificate validity has expired"});
  serve({.server = certificates().future_server});
  expect_refused(RSTREAM_ECERT, {"The certificate validity starts in the future"});
}

TEST_F(scenario_66, all_problems_are_told_at_once) {
  serve({.server = certificates().expired_server});
  trust(certificates().other_ca);
  options.host = "localhost";
  tls.server_name = "broker.example";
  expect_refused(RSTREAM_ECERT, {"refused for broker.example:", "has expired; ",
                                 "not correctly signed", "does not match"});
}

TEST_F(scenario_66, the_name_can_be_another_than_the_one_connected_to) {
  serve({.server = certificates().other_server});
  tls.server_name = "broker.example";
  expect_accepted();
  EXPECT_EQ(front.last_name, "broker.example");
  tls.server_name = "another.example";
  size_t before = front.handshakes;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ECERT) << r.text;
  EXPECT_EQ(front.last_name, "another.example");
  EXPECT_EQ(front.handshakes, before);
}

TEST_F(scenario_66, the_systems_authorities_are_the_default) {
  if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0)
    GTEST_SKIP() << "this system has no bundle where Debian keeps it";
  serve();
  options.tls = nullptr;
  std::string uri = "rabbitmq-stream+tls://127.0.0.1:" + std::to_string(front.port);
  options.uri = uri.c_str();
  expect_refused(RSTREAM_ECERT, {"not correctly signed by the trusted CA"});
}

TEST_F(scenario_66, authorities_and_certificates_come_from_files_as_well) {
  std::string folder = testing::TempDir() + "rstream-tls." + std::to_string(getpid());
  auto written = [&](const char *suffix, const std::string &bytes) {
    std::string name = folder + suffix;
    FILE *f = fopen(name.c_str(), "w");
    fwrite(bytes.data(), 1, bytes.size(), f);
    fclose(f);
    return name;
  };
  const credentials &own = certificates().client;
  std::string ca = written("ca.pem", certificates().ca.certificate);
  std::string certificate = written("client.der", der_of(own.certificate));
  std::string key = written("client.key", encrypt_key(own.key, "geheim"));
  serve(
      {.client_ca = certificates().ca.certificate, .client_certificate_required = true});
  rstream_tls_options_init(&tls);
  tls.ca_file = ca.c_str();
  tls.certificate_file = certificate.c_str();
  tls.key_file = key.c_str();
  tls.key_password = "geheim";
  expect_accepted();
  for (const std::string &file : {ca, certificate, key}) unlink(file.c_str());
}

TEST_F(scenario_66, der_bytes_are_as_good_as_pem) {
  serve(
      {.client_ca = certificates().ca.certificate, .client_certificate_required = true});
  std::string ca = der_of(certificates().ca.certificate);
  std::string own = der_of(certificates().client.certificate);
  std::string key = der_of(certificates().client.key);
  rstream_tls_options_init(&tls);
  tls.ca = ca.data();
  tls.ca_size = ca.size();
  tls.certificate = own.data();
  tls.certificate_size = own.size();
  tls.key = key.data();
  tls.key_size = key.size();
  expect_accepted();
}

TEST_F(scenario_66, a_broker_that_wants_a_certificate_and_gets_none_says_so) {
  // In TLS 1.3 mbedTLS's server encrypts the alert with a key that does not count yet.
  serve({.client_ca = certificates().ca.certificate,
         .client_certificate_required = true,
         .max_version = 12});
  expect_refused(RSTREAM_ECLIENTCERT,
                 {"the broker ended TLS with", "SSL - A fatal alert message was received",
                  "no client certificate was given"});
}

TEST_F(scenario_66, a_broker_that_does_not_trust_the_clients_certificate_says_so) {
  // In TLS 1.3 mbedTLS's server encrypts the alert with a key that does not count yet.
  serve({.client_ca = certificates().ca.certificate,
         .client_certificate_required = true,
         .max_version = 12});
  show(certificates().other_client);
  expect_refused(RSTREAM_ECLIENTCERT,
                 {"unknown_ca (48)", "the client's certificate is refused"});
  show(certificates().client);
  expect_accepted();
}

TEST_F(scenario_66, checking_ends_only_when_it_is_told_to) {
  serve({.server = certificates().expired_server});
  trust(certificates().other_ca);
  tls.insecure = 1;
  expect_accepted();
  rstream_tls_options_init(&tls);
  tls.insecure = 1;
  expect_accepted();
}

TEST_F(scenario_66, the_application_has_the_last_word) {
  serve({.server = certificates().expired_server});
  options.host = "localhost";
  tls.server_name = "broker.example";
  verifier v;
  tls.on_verify = verifier::on_verify;
  tls.user = &v;
  v.clear = RSTREAM_TLS_EXPIRED | RSTREAM_TLS_WRONG_NAME;
  expect_accepted();
  EXPECT_EQ(v.seen,
            "1 CN=test CA of CN=test CA for broker.example:0\n"
            "0 CN=localhost of CN=test CA for broker.example:5\n");
  size_t frames = frames_of(wire::key::peer_properties);
  v.clear = RSTREAM_TLS_WRONG_NAME;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ECERT);
  EXPECT_NE(r.text.find("for broker.example: The certificate validity has expired"),
            r.text.npos)
      << r.text;
  EXPECT_EQ(r.text.find("CN"), r.text.npos) << r.text;
  v.clear = ~0u;
  v.add = RSTREAM_TLS_OTHER;
  r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ECERT) << r.text;
  EXPECT_EQ(frames_of(wire::key::peer_properties), frames);
}

TEST_F(scenario_66, a_port_for_plain_text_is_told_as_such) {
  serve();
  options.port = fake::uv_cluster_port(brokers);
  expect_refused(RSTREAM_ETLS, {"instead of answering the TLS handshake",
                                "maybe its port is one for plain text"});
}

TEST_F(scenario_66, a_port_that_answers_in_plain_text_is_told_as_such) {
  serve();
  options.port = broker.port;
  broker.on_accept = [](peer_link &l) {
    auto text = bytes_of("HTTP/1.1 400\r\n");
    l.send({text.begin(), text.end()});
  };
  expect_refused(RSTREAM_ETLS, {"the peer does not speak TLS"});
}

TEST_F(scenario_66, plain_text_to_a_port_with_tls_ends_with_words) {
  serve();
  options.tls = nullptr;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ECONNLOST);
  EXPECT_NE(r.text.find("end of file in state properties: maybe its port is one for TLS"),
            r.text.npos)
      << r.text;
  // Others say why.
  options.port = broker.port;
  broker.on_frame = [](peer_link &l, const peer_frame &) {
    l.send({0x15, 3, 3, 0, 2, 2, 70});
    return true;
  };
  r = attempt();
  EXPECT_EQ(r.status, RSTREAM_EPROTO);
  EXPECT_EQ(r.text, "the peer speaks TLS: its port is not for plain text");
}

TEST_F(scenario_66, options_without_the_scheme_do_not_fall_back_to_plain_text) {
  serve();
  options.uri = "rabbitmq-stream://127.0.0.1";
  EXPECT_EQ(rstream_env_create(&env, &loop, &options), RSTREAM_EINVAL);
  EXPECT_STREQ(error_text,
               "TLS options are given, but the URI begins with rabbitmq-stream://");
  options.uri = nullptr;
  expect_accepted();
}

TEST_F(scenario_66, versions) {
  if (!tls_front_has_1_3()) {
    tls.min_version = RSTREAM_TLS_1_3;
    EXPECT_EQ(rstream_env_create(&env, &loop, &options), RSTREAM_ENOTSUP);
    EXPECT_NE(strstr(error_text, "has no TLS 1.3"), nullptr) << error_text;
    GTEST_SKIP() << "this mbedTLS has no TLS 1.3";
  }
  serve();
  expect_accepted();
  EXPECT_EQ(front.last_version, "TLSv1.3");
  tls.max_version = RSTREAM_TLS_1_2;
  expect_accepted();
  EXPECT_EQ(front.last_version, "TLSv1.2");
  serve({.max_version = 12});
  tls.min_version = tls.max_version = RSTREAM_TLS_1_3;
  result r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ETLS);
  EXPECT_NE(r.text.find("the broker ended TLS with"), r.text.npos) << r.text;
  serve({.min_version = 13});
  tls.min_version = tls.max_version = RSTREAM_TLS_1_2;
  r = attempt();
  EXPECT_EQ(r.status, RSTREAM_ETLS);
  EXPECT_NE(r.text.find("the broker ended TLS with"), r.text.npos) << r.text;
}
