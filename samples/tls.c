/* Publishes one message over TLS, to a broker that is known to be the right one.
 *
 *   tls uri ca_file stream
 *
 * The one idea: rabbitmq-stream+tls:// in the URI is all that a broker needs whose
 * certificate an authority of the system has signed. A company's own authority is named
 * with ca_file. The host name of the URI must be one that the certificate is for. */
#include <rstream/rstream.h>
#include <stdio.h>

struct hello {
  rstream_env *env;
  const char *stream;
  int confirmed;
};

static void on_closed(rstream_producer *producer, int status, void *user) {
  struct hello *self = user;
  (void)producer;
  (void)status;
  rstream_env_close(self->env, NULL, NULL);
}

static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct hello *self = user;
  if (confirms->status == 0) self->confirmed = 1;
  rstream_producer_close(producer, on_closed);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct hello *self = user;
  rstream_producer_options options;
  rstream_producer *producer;

  /* This is where a certificate that is not trusted, or is for another host, is told:
   * RSTREAM_ECERT, with the details in `text`. */
  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fprintf(stderr, "tls: %s\n", text);
    rstream_env_close(env, NULL, NULL);
    return;
  }
  rstream_producer_options_init(&options);
  options.stream = self->stream;
  options.on_confirm = on_confirm;
  options.user = self;
  if (rstream_producer_open(&producer, env, &options) != 0 ||
      rstream_producer_send_bytes(producer, "hello", 5, NULL) != 0) {
    fprintf(stderr, "tls: %s\n", rstream_env_error_text(env));
    rstream_env_close(env, NULL, NULL);
  }
}

int main(int argc, char **argv) {
  struct hello self = {0};
  rstream_env_options options;
  rstream_tls_options tls;
  char error[256] = "";

  if (argc < 4) {
    fprintf(stderr, "usage: tls uri ca_file stream\n");
    return 2;
  }
  self.stream = argv[3];
  rstream_tls_options_init(&tls);
  tls.ca_file = argv[2];

  rstream_env_options_init(&options);
  options.uri = argv[1];
  options.tls = &tls;
  options.error_text = error;
  options.error_text_size = sizeof error;
  if (rstream_env_create(&self.env, NULL, &options) != 0) {
    fprintf(stderr, "tls: %s\n", error); /* a file that can't be read, for instance */
    return 1;
  }
  if (rstream_stream_create(self.env, self.stream, NULL, on_created, &self) != 0)
    rstream_env_close(self.env, NULL, NULL);
  while (rstream_env_run(self.env, -1) == 0) {
  }
  printf(self.confirmed ? "confirmed\n" : "not confirmed\n");
  return self.confirmed ? 0 : 1;
}
