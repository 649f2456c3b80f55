/* rstream inside a program that runs a libuv loop already.
 *
 *   embed [uri] [stream] [count] [port]
 *
 * The program is a TCP server on 127.0.0.1 that publishes each line it is sent, a timer
 * that reports, and a consumer that reads the lines back from the stream. All of it lives
 * on one loop and one thread. With a port it serves there (try: nc 127.0.0.1 PORT);
 * without, or with 0, it takes a free port and sends itself the lines. It ends after
 * `count` lines went all the way, and fails when that takes more than 60 seconds.
 *
 * The one idea: rstream is one more guest on the loop, and its back-pressure is passed
 * on. When the window of unconfirmed messages is full, the server stops reading its
 * clients' sockets until on_writable, and TCP slows the clients down. */
#define _XOPEN_SOURCE 700 /* uv.h needs more than plain C99 */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS        200
#define PATIENCE_MS    60000
#define LINE_MAX_BYTES 4096

struct app;

/* A client of our server. */
struct session {
  uv_tcp_t tcp; /* first: a uv_handle_t * of it is a struct session * */
  struct app *app;
  struct session *next;
  int paused; /* not reading because the producer's window is full */
  size_t used;
  char buffer[LINE_MAX_BYTES]; /* what is not a whole line yet, or waits for the window */
};

struct app {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_tcp_t server;
  struct session *sessions;

  uv_tcp_t client; /* sends ourselves the lines; see send_ourselves_lines() */
  uv_connect_t connect;
  uv_write_t write;
  char *lines;

  rstream_env *env;
  rstream_producer *producer;
  const char *stream;
  int port;
  unsigned elapsed_ms;
  unsigned long count;
  unsigned long published, confirmed, received;
  int failed;
  int ending;
};

static void close_handle(uv_handle_t *handle, uv_close_cb on_closed) {
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

/* The end: every guest leaves the loop, and uv_run() returns when the last is gone. */

static void on_session_closed(uv_handle_t *handle) {
  free(handle); /* the session, whose first member it is */
}

static void end(struct app *app) {
  struct session *session;
  if (app->ending) return;
  app->ending = 1;
  while ((session = app->sessions) != NULL) {
    app->sessions = session->next;
    close_handle((uv_handle_t *)&session->tcp, on_session_closed);
  }
  close_handle((uv_handle_t *)&app->timer, NULL);
  close_handle((uv_handle_t *)&app->server, NULL);
  close_handle((uv_handle_t *)&app->client, NULL);
  /* Waits for outstanding confirms, closes producer and consumer, and takes its own
   * handles off the loop. NULL: we need not be told, uv_run() does it. */
  if (app->env != NULL) rstream_env_close(app->env, NULL, NULL);
}

static void fail(struct app *app, const char *what, const char *why) {
  if (!app->ending) fprintf(stderr, "embed: %s: %s\n", what, why);
  app->failed = 1;
  end(app);
}

/* The server: what this program did before it met rstream. */

/* Publishes the whole lines of a session, as far as the window allows. */
static void publish_lines(struct session *session) {
  struct app *app = session->app;
  char *line = session->buffer;
  char *stop = session->buffer + session->used;
  session->paused = 0;
  while (line < stop) {
    char *newline = memchr(line, '\n', (size_t)(stop - line));
    int rc;
    if (newline == NULL) break;
    rc = rstream_producer_send_bytes(app->producer, line, (size_t)(newline - line), NULL);
    if (rc == RSTREAM_EAGAIN) {
      session->paused = 1;
      break;
    }
    if (rc != 0) {
      fail(app, "publishing", rstream_error_text(rc));
      return; /* the session is closing */
    }
    app->published++;
    line = newline + 1;
  }
  session->used = (size_t)(stop - line);
  memmove(session->buffer, line, session->used);
}

static void drop_session(struct session *session) {
  struct session **link = &session->app->sessions;
  while (*link != NULL && *link != session) link = &(*link)->next;
  if (*link != NULL) *link = session->next;
  close_handle((uv_handle_t *)&session->tcp, on_session_closed);
}

/* Reads go behind what the buffer holds already. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct session *session = (struct session *)handle;
  (void)suggested;
  *buf = uv_buf_init(session->buffer + session->used,
                     (unsigned)(sizeof session->buffer - session->used));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf) {
  struct session *session = (struct session *)stream;
  (void)buf;
  if (size < 0) {
    drop_session(session); /* the end, an error, or UV_ENOBUFS: a line that is too long */
    return;
  }
  session->used += (size_t)size;
  publish_lines(session);
  if (session->paused) uv_read_stop(stream);
}

static void on_connection(uv_stream_t *server, int status) {
  struct app *app = server->data;
  struct session *session;
  if (status != 0) return;
  session = calloc(1, sizeof *session);
  if (session == NULL) {
    fail(app, "accepting", "out of memory");
    return;
  }
  session->app = app;
  session->next = app->sessions;
  app->sessions = session;
  uv_tcp_init(&app->loop, &session->tcp);
  if (uv_accept(server, (uv_stream_t *)&session->tcp) != 0 ||
      uv_read_start((uv_stream_t *)&session->tcp, on_alloc, on_read) != 0) {
    drop_session(session);
  }
}

static int listen_on_loopback(struct app *app) {
  struct sockaddr_storage bound;
  int size = sizeof bound;
  struct sockaddr_in address;
  int rc = uv_ip4_addr("127.0.0.1", app->port, &address);
  if (rc == 0) rc = uv_tcp_bind(&app->server, (const struct sockaddr *)&address, 0);
  if (rc == 0) rc = uv_listen((uv_stream_t *)&app->server, 16, on_connection);
  if (rc == 0) rc = uv_tcp_getsockname(&app->server, (struct sockaddr *)&bound, &size);
  if (rc != 0) {
    fail(app, "listening", uv_strerror(rc));
    return 0;
  }
  memcpy(&address, &bound, sizeof address);
  printf("serving lines on 127.0.0.1:%d\n", ntohs(address.sin_port));
  return 1;
}

static void on_timer(uv_timer_t *timer) {
  struct app *app = timer->data;
  app->elapsed_ms += TICK_MS;
  if (app->elapsed_ms % 1000 == 0) {
    printf("%lu lines published, %lu confirmed, %lu received\n", app->published,
           app->confirmed, app->received);
  }
  if (app->elapsed_ms >= PATIENCE_MS) fail(app, "giving up", "this takes too long");
}

/* What rstream brings. */

static void on_writable(rstream_producer *producer, void *user) {
  struct app *app = user;
  struct session *session = app->sessions;
  (void)producer;
  while (session != NULL && !app->ending) {
    struct session *next = session->next;
    if (session->paused) {
      publish_lines(session);
      if (!session->paused && !app->ending) {
        uv_read_start((uv_stream_t *)&session->tcp, on_alloc, on_read);
      }
    }
    session = next;
  }
}

static void on_confirm(rstream_producer *producer, const rstream_confirms *confirms,
                       void *user) {
  struct app *app = user;
  (void)producer;
  if (confirms->status != 0) {
    fail(app, "publishing", rstream_error_text(confirms->status));
    return;
  }
  app->confirmed += confirms->count;
}

static void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                       void *user) {
  struct app *app = user;
  (void)consumer;
  if (app->received < 3) {
    printf("offset %llu: %.*s\n", (unsigned long long)message->offset,
           (int)message->body_size, (const char *)message->body);
  }
  app->received++;
  if (app->received == app->count) end(app);
}

static void on_producer_state(rstream_producer *producer, const rstream_state *state,
                              void *user) {
  (void)producer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, "producer", state->text);
}

static void on_written(uv_write_t *write, int status) {
  struct app *app = write->data;
  free(app->lines);
  app->lines = NULL;
  if (status != 0 && !app->ending) fail(app, "writing", uv_strerror(status));
}

static void on_connected(uv_connect_t *connect, int status) {
  struct app *app = connect->data;
  uv_buf_t buf;
  if (status == 0) {
    buf = uv_buf_init(app->lines, (unsigned)strlen(app->lines));
    app->write.data = app;
    status = uv_write(&app->write, connect->handle, &buf, 1, on_written);
    if (status == 0) return; /* on_written frees the lines */
  }
  free(app->lines);
  app->lines = NULL;
  if (!app->ending) fail(app, "connecting to ourselves", uv_strerror(status));
}

/* Stands for the clients such a program has. */
static void send_ourselves_lines(struct app *app) {
  struct sockaddr_storage address;
  int size = sizeof address;
  unsigned long i;
  size_t used = 0;
  int rc;
  app->lines = malloc(app->count * 32 + 1);
  if (app->lines == NULL) {
    fail(app, "sending lines", "out of memory");
    return;
  }
  for (i = 0; i < app->count; i++) {
    used += (size_t)sprintf(app->lines + used, "line %lu\n", i);
  }
  app->connect.data = app;
  rc = uv_tcp_getsockname(&app->server, (struct sockaddr *)&address, &size);
  if (rc == 0) {
    rc = uv_tcp_connect(&app->connect, &app->client, (const struct sockaddr *)&address,
                        on_connected);
  }
  if (rc != 0) {
    free(app->lines);
    app->lines = NULL;
    fail(app, "connecting to ourselves", uv_strerror(rc));
  }
}

/* The consumer starts at what is published from now on; so the server opens after it. */
static void on_consumer_state(rstream_consumer *consumer, const rstream_state *state,
                              void *user) {
  struct app *app = user;
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(app, "consumer", state->text);
  if (state->state != RSTREAM_STATE_OPEN || app->ending) return;
  if (listen_on_loopback(app) && app->port == 0) send_ourselves_lines(app);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct app *app = user;
  rstream_producer_options po;
  rstream_consumer_options co;
  rstream_consumer *consumer;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(app, "creating the stream", text);
    return;
  }
  rstream_producer_options_init(&po);
  po.stream = app->stream;
  po.on_confirm = on_confirm;
  po.on_writable = on_writable;
  po.on_state = on_producer_state;
  po.user = app;
  rstream_consumer_options_init(&co);
  co.stream = app->stream;
  co.on_message = on_message;
  co.on_state = on_consumer_state;
  co.user = app;
  if (rstream_producer_open(&app->producer, env, &po) != 0 ||
      rstream_consumer_open(&consumer, env, &co) != 0) {
    fail(app, "opening", rstream_env_error_text(env));
  }
}

static void start_rstream(struct app *app, const char *uri) {
  rstream_env_options options;
  char error[256] = "";
  int rc;
  rstream_env_options_init(&options);
  options.uri = uri;
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&app->env, &app->loop,
                          &options); /* our loop, which it only borrows */
  if (rc != 0) {
    fail(app, rstream_error_text(rc), error);
    return;
  }
  rc = rstream_stream_create(app->env, app->stream, NULL, on_created, app);
  if (rc != 0) fail(app, "creating the stream", rstream_env_error_text(app->env));
}

int main(int argc, char **argv) {
  static struct app app;
  app.stream = argc > 2 ? argv[2] : "rstream-samples";
  app.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
  app.port = argc > 4 ? atoi(argv[4]) : 0;
  if (app.count == 0) return 0;

  if (uv_loop_init(&app.loop) != 0) return 1;
  uv_tcp_init(&app.loop, &app.server);
  uv_tcp_init(&app.loop, &app.client);
  uv_timer_init(&app.loop, &app.timer);
  app.server.data = &app;
  app.timer.data = &app;
  uv_timer_start(&app.timer, on_timer, TICK_MS, TICK_MS);

  start_rstream(&app, argc > 1 ? argv[1] : NULL); /* NULL: guest at localhost:5552 */
  uv_run(&app.loop, UV_RUN_DEFAULT);              /* until nobody is left on the loop */
  if (uv_loop_close(&app.loop) != 0) fail(&app, "ending", "the loop is still in use");

  printf("%lu lines published, %lu confirmed, %lu received\n", app.published,
         app.confirmed, app.received);
  return app.failed || app.received < app.count || app.confirmed != app.published ? 1 : 0;
}
