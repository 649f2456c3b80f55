#pragma once

// The real broker's TLS side: its own listener, and more of them with other settings.

#include "fixture.h"
#include "tls/certificates.h"

namespace rstream::test {

struct tls_broker_test : broker_test {
  rstream_tls_options tls;
  std::string tls_dir;  // as this process sees it
  std::string uri;

  void SetUp() override;

  // An environment that connects with `tls` to the broker's listener, or to `port`.
  rstream_env *open_tls_env(int port = 0, const env_settings &settings = nullptr);
  // One more listener of the broker for stream clients: its port. `settings` are socket
  // options in Erlang: "{versions,['tlsv1.2']}".
  int listen(const credentials &server, const std::string &settings = "");
  // What a first request comes to.
  result_reply attempt(int port = 0, const env_settings &settings = nullptr);

  std::string ca_file() const { return tls_dir + "/ca.pem"; }

 private:
  std::string ca_;
};

}  // namespace rstream::test
