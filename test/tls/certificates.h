#pragma once

// Certificates made when they are needed, by mbedTLS itself: nothing secret is committed,
// nothing expires.

#include <string>
#include <vector>

namespace rstream::test {

struct credentials {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

struct certificate_wishes {
  std::string name = "localhost";  // CN
  std::vector<std::string> dns{};  // subjectAltName
  std::vector<std::string> ip{};   // likewise
  bool authority = false;
  const char *not_before = "20200101000000";
  const char *not_after = "20450101000000";
};

// Signed by `issuer`, or by itself.
credentials make_certificate(const certificate_wishes &wishes,
                             const credentials *issuer = nullptr);

// A key as OpenSSL's traditional encryption has it (AES-128-CBC).
std::string encrypt_key(const std::string &key_pem, const std::string &password);

// DER of the first PEM block.
std::string der_of(const std::string &pem);

// An authority and what it signed, shared by all tests of a process.
struct test_certificates {
  credentials ca, other_ca;
  credentials server;        // localhost, 127.0.0.1
  credentials other_server;  // broker.example alone
  credentials expired_server;
  credentials future_server;
  credentials client;        // guest
  credentials other_client;  // of the other authority
};
const test_certificates &certificates();

}  // namespace rstream::test
