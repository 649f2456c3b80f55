// What mbedTLS alone encrypts and decrypts: full records with the cipher suite that the
// library and a broker agree on, from memory to memory, without a network. Prints one
// JSON object.
//
//   rstream-ceiling-tls [MEGABYTES]     (default 2000)
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

namespace {

constexpr size_t record_bytes = 16384;
constexpr size_t records_at_a_time = 32;
constexpr size_t pipe_bytes = records_at_a_time * (record_bytes + 512);

void must(bool done, const char *what) {
  if (done) return;
  fprintf(stderr, "rstream-ceiling-tls: %s failed\n", what);
  exit(1);
}

struct pipe {
  uint8_t bytes[pipe_bytes];
  size_t begin = 0, end = 0;
};

// From the server to the client, and back.
pipe there, back;

struct side {
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  pipe *out;
  pipe *in;
};

int put(void *arg, const unsigned char *from, size_t size) {
  pipe &p = *static_cast<side *>(arg)->out;
  if (p.begin == p.end) p.begin = p.end = 0;
  if (size > pipe_bytes - p.end) return MBEDTLS_ERR_SSL_WANT_WRITE;
  memcpy(p.bytes + p.end, from, size);
  p.end += size;
  return static_cast<int>(size);
}

int take(void *arg, unsigned char *to, size_t size) {
  pipe &p = *static_cast<side *>(arg)->in;
  if (p.begin == p.end) return MBEDTLS_ERR_SSL_WANT_READ;
  size_t n = size < p.end - p.begin ? size : p.end - p.begin;
  memcpy(to, p.bytes + p.begin, n);
  p.begin += n;
  return static_cast<int>(n);
}

// A key both know makes certificates needless; records are the same.
const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_256_GCM_SHA384, 0};
const unsigned char secret[16] = {1};
const unsigned char identity[] = "bench";

void begin(side &s, int endpoint, mbedtls_ctr_drbg_context &random) {
  mbedtls_ssl_init(&s.ssl);
  mbedtls_ssl_config_init(&s.config);
  must(mbedtls_ssl_config_defaults(&s.config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT) == 0,
       "configuration");
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
  mbedtls_ssl_conf_max_tls_version(&s.config, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
  mbedtls_ssl_conf_rng(&s.config, mbedtls_ctr_drbg_random, &random);
  mbedtls_ssl_conf_ciphersuites(&s.config, suites);
  must(mbedtls_ssl_conf_psk(&s.config, secret, sizeof secret, identity,
                            sizeof identity - 1) == 0,
       "key");
  must(mbedtls_ssl_setup(&s.ssl, &s.config) == 0, "setup");
  mbedtls_ssl_set_bio(&s.ssl, &s, put, take, nullptr);
}

uint64_t cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u +
         static_cast<uint64_t>(now.tv_nsec);
}

double megabytes_per_s(uint64_t bytes, uint64_t ns) {
  return static_cast<double>(bytes) * 1000.0 / static_cast<double>(ns);
}

}  // namespace

int main(int argc, char **argv) {
  uint64_t wanted = (argc > 1 ? strtoull(argv[1], nullptr, 10) : 2000) * 1000000u;
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  must(psa_crypto_init() == PSA_SUCCESS, "psa_crypto_init");
#endif
  static mbedtls_entropy_context entropy;
  static mbedtls_ctr_drbg_context random;
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random);
  must(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, nullptr, 0) == 0,
       "seed");
  static side server, client;
  server.out = client.in = &there;
  server.in = client.out = &back;
  begin(server, MBEDTLS_SSL_IS_SERVER, random);
  begin(client, MBEDTLS_SSL_IS_CLIENT, random);
  int a = 1, b = 1;
  for (int i = 0; i < 20 && (a || b); i++) {
    a = mbedtls_ssl_handshake(&client.ssl);
    b = mbedtls_ssl_handshake(&server.ssl);
  }
  must(a == 0 && b == 0, "handshake");

  static uint8_t text[record_bytes], plain[record_bytes];
  memset(text, 'x', sizeof text);
  uint64_t done = 0, encrypting = 0, decrypting = 0;
  while (done < wanted) {
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < records_at_a_time; i++)
      must(mbedtls_ssl_write(&server.ssl, text, sizeof text) == sizeof text, "write");
    uint64_t half = cpu_ns();
    for (size_t left = records_at_a_time * record_bytes; left > 0;) {
      int n = mbedtls_ssl_read(&client.ssl, plain, sizeof plain);
      must(n > 0, "read");
      left -= static_cast<size_t>(n);
    }
    decrypting += cpu_ns() - half;
    encrypting += half - start;
    done += records_at_a_time * record_bytes;
  }
  printf(
      "{\"mbedtls\":\"%s\",\"suite\":\"AES-256-GCM\",\"encrypt_mb_per_s\":%.0f,"
      "\"decrypt_mb_per_s\":%.0f}\n",
      MBEDTLS_VERSION_STRING, megabytes_per_s(done, encrypting),
      megabytes_per_s(done, decrypting));
  return 0;
}
