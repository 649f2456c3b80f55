// The client over TLS against the in-memory broker, on one loop.
#pragma once

#include "scenario.h"
#include "tls/front.h"

namespace rstream::test {

struct tls_client : fake_client {
  tls_front front;
  rstream_tls_options tls;

  void SetUp() override {
    fake_client::SetUp();
    rstream_tls_options_init(&tls);
    trust(certificates().ca);
    options.tls = &tls;
  }
  void TearDown() override {
    close_env();
    front.close();
    fake_client::TearDown();
  }

  void trust(const credentials &ca) {
    tls.ca = ca.certificate.data();
    tls.ca_size = ca.certificate.size();
  }
  void show(const credentials &own) {
    tls.certificate = own.certificate.data();
    tls.certificate_size = own.certificate.size();
    tls.key = own.key.data();
    tls.key_size = own.key.size();
  }

  // The broker can only be reached through it.
  void serve(const tls_front_options &o = {}) {
    front.close();
    front.target = fake::uv_cluster_port(brokers);
    front.open(&loop, o);
    node().port = front.port;
    options.port = front.port;
  }

  // What a request comes to, with an environment of its own.
  result attempt() {
    create();
    result r;
    if (HasFatalFailure()) return r;
    r.status = 1;
    ask_and_wait(r);
    renew();
    if (r.status == RSTREAM_BROKER_STREAM_EXISTS) r.status = 0;
    return r;
  }
};

}  // namespace rstream::test
