#include "tls/certificates.h"

#include <arpa/inet.h>
#include <mbedtls/aes.h>
#include <mbedtls/base64.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rstream::test {

namespace {

void require(int rc, const char *what) {
  if (rc >= 0) return;
  fprintf(stderr, "certificates: %s: -0x%04x\n", what, static_cast<unsigned>(-rc));
  abort();
}

struct chance {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  chance() {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    psa_crypto_init();
#endif
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    require(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, nullptr, 0),
            "seed");
  }
  ~chance() {
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
  }
};

chance &luck() {
  static chance c;
  return c;
}

struct key {
  mbedtls_pk_context pk;
  key() { mbedtls_pk_init(&pk); }
  ~key() { mbedtls_pk_free(&pk); }
  key(const key &) = delete;
  key &operator=(const key &) = delete;

  void generate() {
    require(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "setup");
    require(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pk),
                                mbedtls_ctr_drbg_random, &luck().random),
            "key");
  }
  void parse(const std::string &pem) {
    auto *bytes = reinterpret_cast<const unsigned char *>(pem.c_str());
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    require(mbedtls_pk_parse_key(&pk, bytes, pem.size() + 1, nullptr, 0,
                                 mbedtls_ctr_drbg_random, &luck().random),
            "parse key");
#else
    require(mbedtls_pk_parse_key(&pk, bytes, pem.size() + 1, nullptr, 0), "parse key");
#endif
  }
  std::string pem() {
    unsigned char text[4096];
    require(mbedtls_pk_write_key_pem(&pk, text, sizeof text), "write key");
    return reinterpret_cast<char *>(text);
  }
};

// GeneralNames: dNSName is [2], iPAddress [7]. All of it is shorter than 128 bytes.
std::string alternative_names(const certificate_wishes &w) {
  std::string names;
  auto add = [&](char tag, const std::string &value) {
    names += tag;
    names += static_cast<char>(value.size());
    names += value;
  };
  for (const std::string &name : w.dns) add('\x82', name);
  for (const std::string &ip : w.ip) {
    char bytes[16];
    bool v4 = inet_pton(AF_INET, ip.c_str(), bytes) == 1;
    if (!v4) require(inet_pton(AF_INET6, ip.c_str(), bytes) == 1 ? 0 : -1, "address");
    add('\x87', std::string(bytes, v4 ? 4 : 16));
  }
  require(names.size() < 126 ? 0 : -1, "names");
  return std::string("\x30") + static_cast<char>(names.size()) + names;
}

std::string subject_of(const std::string &certificate_pem) {
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  auto *bytes = reinterpret_cast<const unsigned char *>(certificate_pem.c_str());
  require(mbedtls_x509_crt_parse(&crt, bytes, certificate_pem.size() + 1), "parse");
  char name[256];
  require(mbedtls_x509_dn_gets(name, sizeof name, &crt.subject), "name");
  mbedtls_x509_crt_free(&crt);
  return name;
}

void set_serial(mbedtls_x509write_cert &crt) {
  static unsigned char number = 0;
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
  unsigned char serial[1] = {++number};
  require(mbedtls_x509write_crt_set_serial_raw(&crt, serial, 1), "serial");
#else
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  require(mbedtls_mpi_lset(&serial, ++number), "serial");
  require(mbedtls_x509write_crt_set_serial(&crt, &serial), "serial");
  mbedtls_mpi_free(&serial);
#endif
}

}  // namespace

credentials make_certificate(const certificate_wishes &w, const credentials *issuer) {
  key subject, authority;
  subject.generate();
  if (issuer) authority.parse(issuer->key);
  std::string name = "CN=" + w.name;
  std::string issuer_name = issuer ? subject_of(issuer->certificate) : name;
  mbedtls_x509write_cert crt;
  mbedtls_x509write_crt_init(&crt);
  mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&crt, &subject.pk);
  mbedtls_x509write_crt_set_issuer_key(&crt, issuer ? &authority.pk : &subject.pk);
  require(mbedtls_x509write_crt_set_subject_name(&crt, name.c_str()), "subject");
  require(mbedtls_x509write_crt_set_issuer_name(&crt, issuer_name.c_str()), "issuer");
  require(mbedtls_x509write_crt_set_validity(&crt, w.not_before, w.not_after),
          "validity");
  require(mbedtls_x509write_crt_set_basic_constraints(&crt, w.authority, -1), "basic");
  set_serial(crt);
  if (!w.dns.empty() || !w.ip.empty()) {
    std::string names = alternative_names(w);
    require(mbedtls_x509write_crt_set_extension(
                &crt, "\x55\x1d\x11", 3, 0,
                reinterpret_cast<const unsigned char *>(names.data()), names.size()),
            "names");
  }
  unsigned char text[4096];
  require(mbedtls_x509write_crt_pem(&crt, text, sizeof text, mbedtls_ctr_drbg_random,
                                    &luck().random),
          "write");
  mbedtls_x509write_crt_free(&crt);
  return {reinterpret_cast<char *>(text), subject.pem()};
}

std::string der_of(const std::string &pem) {
  size_t begin = pem.find('\n', pem.find("-----BEGIN")) + 1;
  std::string base64 = pem.substr(begin, pem.find("-----END") - begin);
  std::string clean;
  for (char c : base64) {
    if (c != '\n') clean += c;
  }
  unsigned char der[4096];
  size_t size = 0;
  require(mbedtls_base64_decode(der, sizeof der, &size,
                                reinterpret_cast<const unsigned char *>(clean.data()),
                                clean.size()),
          "base64");
  return std::string(reinterpret_cast<char *>(der), size);
}

std::string encrypt_key(const std::string &key_pem, const std::string &password) {
  std::string der = der_of(key_pem);
  unsigned char iv[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  // The key is one round of MD5 over the password and the first half of the vector.
  std::string salted = password + std::string(reinterpret_cast<char *>(iv), 8);
  unsigned char aes_key[16];
  require(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_MD5),
                     reinterpret_cast<const unsigned char *>(salted.data()),
                     salted.size(), aes_key),
          "md5");
  size_t pad = 16 - der.size() % 16;
  der.append(pad, static_cast<char>(pad));
  std::string head = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,";
  for (unsigned char byte : iv) {
    char digits[3];
    snprintf(digits, sizeof digits, "%02X", unsigned{byte});
    head += digits;
  }
  mbedtls_aes_context aes;
  mbedtls_aes_init(&aes);
  require(mbedtls_aes_setkey_enc(&aes, aes_key, 128), "aes");
  std::string sealed(der.size(), 0);
  require(mbedtls_aes_crypt_cbc(&aes, MBEDTLS_AES_ENCRYPT, der.size(), iv,
                                reinterpret_cast<const unsigned char *>(der.data()),
                                reinterpret_cast<unsigned char *>(sealed.data())),
          "aes");
  mbedtls_aes_free(&aes);
  unsigned char text[4096];
  size_t size = 0;
  std::string begin = "-----BEGIN EC PRIVATE KEY-----\n" + head + "\n\n";
  require(mbedtls_pem_write_buffer(begin.c_str(), "-----END EC PRIVATE KEY-----\n",
                                   reinterpret_cast<const unsigned char *>(sealed.data()),
                                   sealed.size(), text, sizeof text, &size),
          "pem");
  return reinterpret_cast<char *>(text);
}

const test_certificates &certificates() {
  static const test_certificates all = [] {
    test_certificates c;
    c.ca = make_certificate({.name = "test CA", .authority = true});
    c.other_ca = make_certificate({.name = "other CA", .authority = true});
    c.server =
        make_certificate({.dns = {"localhost"}, .ip = {"127.0.0.1", "::1"}}, &c.ca);
    c.other_server =
        make_certificate({.name = "broker.example", .dns = {"broker.example"}}, &c.ca);
    c.expired_server = make_certificate({.dns = {"localhost"},
                                         .ip = {"127.0.0.1"},
                                         .not_before = "20200101000000",
                                         .not_after = "20210101000000"},
                                        &c.ca);
    c.future_server = make_certificate({.dns = {"localhost"},
                                        .ip = {"127.0.0.1"},
                                        .not_before = "20440101000000",
                                        .not_after = "20450101000000"},
                                       &c.ca);
    c.client = make_certificate({.name = "guest"}, &c.ca);
    c.other_client = make_certificate({.name = "guest"}, &c.other_ca);
    return c;
  }();
  return all;
}

}  // namespace rstream::test
