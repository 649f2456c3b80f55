/* Reads a stream and works on its messages in threads of its own.
 *
 *   retain [uri] [stream] [count]
 *
 * The one idea: a chunk that is retained is not finished, and its bytes stay where they
 * are, without a copy. The loop's thread takes it apart and hands its bodies to a worker.
 * When that is done, it posts the chunk back to the loop's thread, which releases it. Now
 * it is finished: the broker may send another one, and with a name, the stored offset
 * moves on, though only past chunks all before which are finished, too. So no offset is
 * stored for work that is not done, whichever worker is first. */
#define _XOPEN_SOURCE 700 /* uv.h needs more than plain C99 */
#include <rstream/rstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

enum { WORKERS = 2 };

struct app;

/* A chunk that is worked on. */
struct job {
  struct app *app;
  struct job *next;
  rstream_chunk *chunk;
  size_t count; /* messages */
  const uint8_t **bodies;
  size_t *sizes;
  unsigned long long sum; /* what the work comes to */
};

struct app {
  rstream_env *env;
  rstream_consumer *consumer;
  const char *stream;
  unsigned long count; /* messages to work on, at least */
  unsigned long done;
  unsigned long jobs;   /* chunks that workers have, or wait for them */
  unsigned long chunks; /* those that are finished */
  unsigned long long sum;
  int ending;
  int failed;

  uv_thread_t workers[WORKERS];
  uv_mutex_t lock; /* of what follows; the loop's thread alone has all else */
  uv_cond_t changed;
  struct job *first;
  struct job **last;
  int no_more;
};

/* The end: no more chunks, then the workers are waited for, then all is closed. A worker
 * posts to the environment, so that must not be closed before. */

static void check_end(struct app *app) {
  if (app->ending && app->consumer == NULL && app->jobs == 0)
    rstream_env_close(app->env, NULL, NULL);
}

static void on_consumer_closed(rstream_consumer *consumer, int status, void *user) {
  struct app *app = user;
  (void)consumer;
  (void)status; /* not 0 only if on_state told the reason before */
  app->consumer = NULL;
  check_end(app);
}

static void end(struct app *app) {
  if (app->ending) return;
  app->ending = 1;
  if (app->consumer != NULL) rstream_consumer_close(app->consumer, on_consumer_closed);
  check_end(app);
}

static void fail(struct app *app, const char *what, const char *why) {
  fprintf(stderr, "retain: %s: %s\n", what, why);
  app->failed = 1;
  end(app);
}

/* The workers' side. */

static void work_on(struct job *job) {
  size_t i, k;
  for (i = 0; i < job->count; i++) {
    for (k = 0; k < job->sizes[i]; k++) job->sum += job->bodies[i][k];
  }
}

static void free_job(struct job *job) {
  free(job->bodies);
  free(job->sizes);
  free(job);
}

/* On the loop's thread again, like every function of rstream but the post. */
static void on_job_done(rstream_env *env, void *arg) {
  struct job *job = arg;
  struct app *app = job->app;
  (void)env;
  app->jobs--;
  app->chunks++;
  app->done += job->count;
  app->sum += job->sum;
  rstream_chunk_release(job->chunk); /* finished */
  free_job(job);
  if (app->done >= app->count) end(app);
  check_end(app);
}

static struct job *take_job(struct app *app) {
  struct job *job;
  uv_mutex_lock(&app->lock);
  while (app->first == NULL && !app->no_more) uv_cond_wait(&app->changed, &app->lock);
  job = app->first;
  if (job != NULL) {
    app->first = job->next;
    if (app->first == NULL) app->last = &app->first;
  }
  uv_mutex_unlock(&app->lock);
  return job;
}

static void worker_main(void *arg) {
  struct app *app = arg;
  struct job *job;
  while ((job = take_job(app)) != NULL) {
    work_on(job);
    if (rstream_env_post(app->env, on_job_done, job) != 0) abort(); /* no memory */
  }
}

/* The loop's side. */

static struct job *make_job(struct app *app, rstream_chunk *chunk) {
  struct job *job = calloc(1, sizeof *job);
  rstream_chunk_info info;
  if (job == NULL) return NULL;
  info.struct_size = sizeof info;
  rstream_chunk_info_get(chunk, &info);
  job->app = app;
  job->chunk = chunk;
  job->bodies = malloc(info.message_count * sizeof *job->bodies);
  job->sizes = malloc(info.message_count * sizeof *job->sizes);
  if (job->bodies == NULL || job->sizes == NULL) {
    free_job(job);
    return NULL;
  }
  /* Where the bodies are. They stay there as long as the chunk is retained, and may be
   * read by any thread; what takes the chunk apart belongs to this one. */
  job->count =
      rstream_chunk_read(chunk, job->bodies, job->sizes, NULL, info.message_count);
  return job;
}

static void on_chunk(rstream_consumer *consumer, rstream_chunk *chunk, void *user) {
  struct app *app = user;
  struct job *job = make_job(app, chunk);
  (void)consumer;
  if (job == NULL) {
    fail(app, "working", "out of memory");
    return;
  }
  rstream_chunk_retain(chunk);
  app->jobs++;
  uv_mutex_lock(&app->lock);
  *app->last = job;
  app->last = &job->next;
  uv_cond_signal(&app->changed);
  uv_mutex_unlock(&app->lock);
}

static void on_state(rstream_consumer *consumer, const rstream_state *state, void *user) {
  (void)consumer;
  if (state->state == RSTREAM_STATE_CLOSED) fail(user, state->stream, state->text);
}

static void on_created(rstream_env *env, int status, const char *text, void *user) {
  struct app *app = user;
  rstream_consumer_options options;

  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS) {
    fail(app, "creating the stream", text);
    return;
  }
  rstream_consumer_options_init(&options);
  options.stream = app->stream;
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.on_chunk = on_chunk;
  options.on_state = on_state;
  options.user = app;
  /* What workers that are too slow may pile up: so many chunks, so many bytes. */
  options.initial_credit = 10;
  options.max_bytes_held = 64u << 20;
  if (rstream_consumer_open(&app->consumer, env, &options) != 0)
    fail(app, "opening the consumer", rstream_env_error_text(env));
}

static void run_loop(struct app *app) {
  unsigned long before = 0;
  time_t last = time(NULL);
  if (rstream_stream_create(app->env, app->stream, NULL, on_created, app) != 0)
    fail(app, "creating the stream", rstream_env_error_text(app->env));
  /* Comes back when something happened, or after a second, to watch the time. */
  while (rstream_env_run(app->env, 1000) == 0) {
    if (app->done != before || app->ending) {
      before = app->done;
      last = time(NULL);
    } else if (time(NULL) - last > 30) {
      fail(app, app->stream, "no chunk for 30 seconds");
    }
  }
}

int main(int argc, char **argv) {
  struct app app = {0};
  rstream_env_options options;
  char error[256] = "";
  int i, rc;

  app.stream = argc > 2 ? argv[2] : "rstream-samples";
  app.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
  app.last = &app.first;

  rstream_env_options_init(&options);
  options.uri = argc > 1 ? argv[1] : NULL; /* NULL: guest at localhost:5552 */
  options.error_text = error;
  options.error_text_size = sizeof error;
  rc = rstream_env_create(&app.env, NULL, &options);
  if (rc != 0) {
    fprintf(stderr, "retain: %s: %s\n", rstream_error_text(rc), error);
    return 1;
  }
  if (uv_mutex_init(&app.lock) != 0 || uv_cond_init(&app.changed) != 0) abort();
  for (i = 0; i < WORKERS; i++) {
    if (uv_thread_create(&app.workers[i], worker_main, &app) != 0) abort();
  }

  run_loop(&app);

  uv_mutex_lock(&app.lock);
  app.no_more = 1;
  uv_cond_broadcast(&app.changed);
  uv_mutex_unlock(&app.lock);
  for (i = 0; i < WORKERS; i++) uv_thread_join(&app.workers[i]);
  uv_cond_destroy(&app.changed);
  uv_mutex_destroy(&app.lock);

  printf("%lu messages in %lu chunks, their bytes add up to %llu\n", app.done, app.chunks,
         app.sum);
  return app.failed || app.done < app.count ? 1 : 0;
}
