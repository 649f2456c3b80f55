// Certificates and keys that can't be used are refused when the environment is created,
// with words.
#include <unistd.h>

#include "api_fixture.h"
#include "tls/certificates.h"

using namespace rstream::test;

namespace {

struct tls_config : api_fixture {
  rstream_tls_options tls;
  std::string ca, certificate, key;

  void SetUp() override {
    rstream_tls_options_init(&tls);
    give_ca(certificates().ca.certificate);
  }
  void give_ca(const std::string &bytes) {
    ca = bytes;
    tls.ca = ca.data();
    tls.ca_size = ca.size();
  }
  void give_certificate(const std::string &bytes) {
    certificate = bytes;
    tls.certificate = certificate.data();
    tls.certificate_size = certificate.size();
  }
  void give_key(const std::string &bytes) {
    key = bytes;
    tls.key = key.data();
    tls.key_size = key.size();
  }
  // What rstream_env_create() comes to: "" when it succeeds, else its words.
  std::string outcome(int expected = RSTREAM_EINVAL) {
    text[0] = 0;
    rstream_env_options o = options();
    o.tls = &tls;
    int rc = rstream_env_create(&env, nullptr, &o);
    EXPECT_EQ(rc, expected) << text;
    if (rc == 0) close();
    return text;
  }
};

const std::string &text_of_ca() { return certificates().ca.certificate; }

}  // namespace

TEST_F(tls_config, everything_in_order) {
  give_certificate(certificates().client.certificate);
  give_key(certificates().client.key);
  EXPECT_EQ(outcome(0), "");
}

TEST_F(tls_config, several_authorities) {
  std::string both = text_of_ca() + certificates().other_ca.certificate;
  give_ca(both);
  EXPECT_EQ(outcome(0), "");
}

TEST_F(tls_config, bytes_that_are_no_certificate) {
  give_ca("nonsense");
  EXPECT_EQ(outcome(),
            "certificate authorities: X509 - The CRT/CRL/CSR format is invalid, "
            "e.g. different type expected");
  std::string cut = text_of_ca().substr(0, 200);
  give_ca(cut);
  EXPECT_NE(outcome().find("certificate authorities: "), std::string::npos);
  std::string damaged = text_of_ca();
  damaged[100] = '!';
  give_ca(damaged);
  EXPECT_NE(outcome().find("certificate authorities: "), std::string::npos);
}

TEST_F(tls_config, one_bad_certificate_among_good_ones_is_not_passed_over) {
  std::string damaged = certificates().other_ca.certificate;
  damaged.replace(100, 4, "AAAA");
  std::string both = text_of_ca() + damaged;
  give_ca(both);
  EXPECT_EQ(outcome(), "certificate authorities: 1 of the certificates can't be read");
}

TEST_F(tls_config, files_that_are_not_there) {
  tls.ca = nullptr;
  tls.ca_size = 0;
  tls.ca_file = "/nowhere/ca.pem";
  EXPECT_NE(outcome().find("certificate authorities /nowhere/ca.pem: "),
            std::string::npos);
  EXPECT_NE(outcome().find("Read/write of file failed"), std::string::npos);
  give_ca(text_of_ca());
  tls.ca_file = nullptr;
  give_certificate(certificates().client.certificate);
  tls.key_file = "/nowhere/client.key";
  EXPECT_EQ(outcome(), "private key /nowhere/client.key: PK - Read/write of file failed");
}

TEST_F(tls_config, a_file_and_bytes_at_once) {
  tls.ca_file = "/nowhere/ca.pem";
  EXPECT_EQ(outcome(),
            "certificate authorities: a file and bytes are given, one is enough");
}

TEST_F(tls_config, bytes_without_a_size) {
  tls.ca_size = 0;
  EXPECT_EQ(outcome(),
            "certificate authorities: bytes and their size do not go together");
  tls.ca = nullptr;
  tls.ca_size = 5;
  EXPECT_EQ(outcome(),
            "certificate authorities: bytes and their size do not go together");
}

TEST_F(tls_config, a_certificate_and_its_key_go_together) {
  give_certificate(certificates().client.certificate);
  EXPECT_EQ(outcome(), "a client certificate and its key go together");
  tls.certificate = nullptr;
  tls.certificate_size = 0;
  give_key(certificates().client.key);
  EXPECT_EQ(outcome(), "a client certificate and its key go together");
  give_certificate(certificates().server.certificate);
  EXPECT_EQ(outcome(), "the private key is not that of the client certificate");
}

TEST_F(tls_config, encrypted_keys) {
  std::string sealed = encrypt_key(certificates().client.key, "geheim");
  give_certificate(certificates().client.certificate);
  give_key(sealed);
  EXPECT_EQ(outcome(), "private key: PK - Private key password can't be empty");
  tls.key_password = "falsch";
  EXPECT_EQ(outcome(),
            "private key: PK - Given private key password does not allow for correct "
            "decryption");
  tls.key_password = "geheim";
  EXPECT_EQ(outcome(0), "");
}

TEST_F(tls_config, numbers_out_of_range) {
  tls.min_version = static_cast<rstream_tls_version>(11);
  EXPECT_EQ(outcome(), "there is no version 11 of TLS");
  tls.min_version = RSTREAM_TLS_DEFAULT;
  std::string name(256, 'x');
  tls.server_name = name.c_str();
  EXPECT_EQ(outcome(), "the server name of TLS is longer than 255 bytes");
  tls.server_name = nullptr;
  tls.struct_size = 0;
  EXPECT_EQ(outcome(), "the TLS options were not initialized");
}

TEST_F(tls_config, a_shorter_struct_of_an_older_header) {
  tls.struct_size = offsetof(rstream_tls_options, min_version);
  tls.min_version = static_cast<rstream_tls_version>(11);  // beyond what is read
  EXPECT_EQ(outcome(0), "");
}
