#include "tls_broker.h"

#include <unistd.h>

namespace rstream::test {

namespace {

void write_file(const std::string &name, const std::string &text) {
  FILE *f = fopen(name.c_str(), "w");
  ASSERT_NE(f, nullptr) << name;
  fwrite(text.data(), 1, text.size(), f);
  fclose(f);
}

}  // namespace

void tls_broker_test::SetUp() {
  broker_test::SetUp();
  if (IsSkipped()) return;
  NEEDS_DISTURBANCE();
  tls_dir = broker_tls_dir();
  if (tls_dir.empty()) GTEST_SKIP() << "the broker has no TLS: with-broker --tls";
  uri = broker_tls_uri();
  ca_ = ca_file();
  rstream_tls_options_init(&tls);
  tls.ca_file = ca_.c_str();
}

rstream_env *tls_broker_test::open_tls_env(int port, const env_settings &settings) {
  return open_env([&](rstream_env_options &o) {
    o.uri = uri.c_str();
    o.tls = &tls;
    if (port) o.port = static_cast<uint16_t>(port);
    if (settings) settings(o);
  });
}

int tls_broker_test::listen(const credentials &server, const std::string &settings) {
  static int count = 0;
  std::string number = std::to_string(getpid()) + "-" + std::to_string(count++);
  std::string pem = "/extra-" + number + ".pem", key = "/extra-" + number + ".key";
  write_file(tls_dir + pem, server.certificate);
  write_file(tls_dir + key, server.key);
  std::string port = broker_eval(
      "[R|_] = [Ref || {Ref, I} <- maps:to_list(ranch:info()), "
      "maps:get(protocol, I) =:= rabbit_stream_connection_sup, "
      "maps:get(transport, I) =:= ranch_ssl], "
      "{ok, _} = ranch:start_listener({extra, \"" +
      number +
      "\"}, ranch_ssl, #{num_acceptors => 1, connection_type => supervisor, socket_opts "
      "=> [{ip, {127,0,0,1}}, {port, "
      "0}, "
      "{certfile, \"/mnt/tls" +
      pem + "\"}, {keyfile, \"/mnt/tls" + key + "\"}" +
      (settings.empty() ? "" : ", " + settings) +
      "]}, rabbit_stream_connection_sup, ranch:get_protocol_options(R)), "
      "ranch:get_port({extra, \"" +
      number + "\"}).");
  // {ok, 12345}
  size_t comma = port.find(", ");
  return comma == std::string::npos ? 0 : atoi(port.c_str() + comma + 2);
}

result_reply tls_broker_test::attempt(int port, const env_settings &settings) {
  rstream_env *e = open_tls_env(port, settings);
  if (!e) return {};
  result_reply reply = ask<result_reply>([&](auto *r) {
    return rstream_stream_create(e, stream.c_str(), nullptr, result_reply::on, r);
  });
  close_env(e);
  if (reply.status == RSTREAM_BROKER_STREAM_EXISTS) reply.status = 0;
  return reply;
}

}  // namespace rstream::test
